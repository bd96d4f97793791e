//! `isotherm dsx conformance`: the controller against a simulated BMS, and every message that it sends against the schema.

use super::{Failure, load_site};
use crate::service::{self, Options};
use serde::Serialize;
use simulators::devices::Broker;
use simulators::dsx::{Bms, Check, Heard, Schema, check, hall};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Arguments of `isotherm dsx`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the controller against a simulated BMS and hold every message that it sends against the schema.
    Conformance {
        /// The published schema, `bms.yaml`; without it the one beside the checkout, else the one restated here.
        #[arg(long)]
        schema: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Period of the heartbeats, as the schema says.
const BEAT: Duration = Duration::from_secs(10);

const REQUEST: &str = "/CDU/LiquidTemperatureSpRequest/";
const SETPOINT: &str = "CDU/LiquidTemperature/hall1/cdu1/secondary/supply_sp";

#[derive(Serialize)]
struct Row {
    rule: String,
    checked: usize,
    broken: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Command::Conformance { schema, json } = &args.command;
    let schema = published(schema.as_deref())?;
    let runtime = service::runtime().map_err(|error| Failure::of("start the runtime", &error))?;
    let (messages, mut rows) = runtime.block_on(converse())?;
    let integration = load_site(Path::new("dsx"))?.dsx.integration;
    let checks = check(&messages, &hall(&integration), &integration, &schema, BEAT);
    rows.splice(0..0, checks.into_iter().map(row));
    let broken = rows.iter().filter(|row| !row.broken.is_empty()).count();
    if *json {
        let text = serde_json::json!({ "schema": schema.source, "messages": messages.len(), "rules": rows });
        println!("{text:#}");
    } else {
        print(&rows, &schema, messages.len());
    }
    if broken == 0 {
        Ok(())
    } else {
        Err(Failure::Run(format!("{} broken", super::count(broken, "rule"))))
    }
}

fn row(check: Check) -> Row {
    Row {
        rule: check.rule.to_owned(),
        checked: check.checked,
        broken: check.broken,
    }
}

fn print(rows: &[Row], schema: &Schema, messages: usize) {
    println!("{messages} messages of ours; schema: {}\n", schema.source);
    println!("{:>7} {:>7}  rule", "checked", "broken");
    for row in rows {
        println!("{:>7} {:>7}  {}", row.checked, row.broken.len(), row.rule);
        for what in row.broken.iter().take(5) {
            println!("{:17}{what}", "");
        }
    }
}

/// The published schema where it is, else the restated one.
fn published(file: Option<&Path>) -> Result<Schema, Failure> {
    let read = |file: &Path| {
        let text = std::fs::read_to_string(file).map_err(|error| Failure::of("read the schema", &error))?;
        Schema::published(&file.display().to_string(), &text).map_err(Failure::Run)
    };
    if let Some(file) = file {
        return read(file);
    }
    let data = std::env::var_os("ISOTHERM_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let beside = data.join("dsx_exchange/bms.yaml");
    if beside.exists() {
        read(&beside)
    } else {
        Ok(Schema::restated())
    }
}

/// The conversation: enabled, disabled, kicked out, a silent BMS. What came of each step is a row of its own.
async fn converse() -> Result<(Vec<Heard>, Vec<Row>), Failure> {
    let any = ([127, 0, 0, 1], 0).into();
    let broker = Broker::start(any)
        .await
        .map_err(|error| Failure::of("start the broker", &error))?;
    let mut site = load_site(Path::new("dsx"))?;
    site.dsx.mqtt.broker = broker.address().to_string();
    site.api.listen = "127.0.0.1:0".into();
    site.store.dir = String::new();
    site.control.cycle_s = 1.0;
    let clock = Arc::new(|| jiff::Timestamp::now().as_millisecond());
    let integration = site.dsx.integration.clone();
    let port = broker.address().port();
    let bms = Bms::start("127.0.0.1", port, &integration, hall(&integration), BEAT, clock);
    let service = Box::pin(service::start(site, Options::default()))
        .await
        .map_err(|error| Failure::of("start the controller", &error))?;

    let mut rows = Vec::new();
    let mut step = |rule: &str, good: bool| {
        rows.push(Row {
            rule: rule.to_owned(),
            checked: 1,
            broken: if good { Vec::new() } else { vec!["it was not so".into()] },
        });
    };
    let requests = || {
        bms.heard()
            .iter()
            .filter(|message| message.topic.contains(REQUEST))
            .count()
    };
    let said = |part: &str| bms.heard().iter().any(|message| message.topic.contains(part));
    until(3 * BEAT, || said("/System/HeartbeatTimestampIntegration/")).await;
    step("our heartbeat is heard", said("/System/HeartbeatTimestampIntegration/"));
    until(2 * BEAT, || said("/System/HeartbeatEchoIntegration/")).await;
    step(
        "the BMS's heartbeat is echoed",
        said("/System/HeartbeatEchoIntegration/"),
    );
    step("status, available and ready are told", {
        said("/System/Status/") && said("/System/Available/") && said("/System/GenericPoint/")
    });
    step("nothing is asked for before the BMS enables us", requests() == 0);
    bms.enable(true);
    until(4 * BEAT, || requests() > 0).await;
    step("once enabled, a setpoint is asked for", requests() > 0);
    until(BEAT, || {
        bms.value(SETPOINT).is_some_and(|value| (value - 30.0).abs() > 0.01)
    })
    .await;
    step("the BMS follows it", bms.value(SETPOINT).is_some());
    bms.kick_out(true);
    sleep(2 * BEAT).await;
    let before = requests();
    sleep(BEAT).await;
    step("kicked out, nothing more is asked for", requests() == before);
    bms.kick_out(false);
    bms.fall_silent(true);
    sleep(4 * BEAT).await;
    let before = requests();
    sleep(BEAT).await;
    step("while the BMS is silent, nothing is asked for", requests() == before);
    let stopped = service.stop().await;
    stopped.map_err(|error| Failure::of("stop the controller", &error))?;
    let last = |part: &str| {
        let heard = bms.heard();
        let message = heard.iter().rev().find(|message| message.topic.contains(part));
        message.and_then(|message| serde_json::from_slice::<serde_json::Value>(&message.payload).ok())
    };
    until(Duration::from_secs(2), || {
        last("/System/Available/").is_some_and(|it| it["value"] == 0.0)
    })
    .await;
    step(
        "at the end we say that we are not available",
        last("/System/Available/").is_some_and(|it| it["value"] == 0.0),
    );
    Ok((bms.heard(), rows))
}

async fn until(patience: Duration, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
}
