//! `isotherm demo`: a simulated plant on real protocols, the controller and the page, with nothing to install.

use super::{Failure, load_site};
use crate::api::Mode;
use crate::service::{self, Options, clock::Origin};
use crate::site::StrategyKind;
use crate::trial::{COMMS_TIMEOUT_S, HallOptions, Load, SimulatedHall, WeatherSource};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Arguments of `isotherm demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Site file, or the name of an embedded site.
    #[arg(long, default_value = "demo")]
    site: PathBuf,
    /// How much faster than real time the hall's time runs.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Seed of plant, weather and jobs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Address of the page; port 0 picks a free one.
    #[arg(long)]
    listen: Option<String>,
    /// A broker that runs already, `host:port`, in place of the embedded one.
    #[arg(long)]
    broker: Option<String>,
    /// Weather file (CSV or EPW, plain or gzip) in place of the built-in generator.
    #[arg(long)]
    weather: Option<PathBuf>,
    /// Jobs from a trace (CSV, plain or gzip) in place of the built-in generator.
    #[arg(long)]
    jobs: Option<PathBuf>,
    /// Directory of the record; without it a fresh one in the system's directory for temporary files.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Strategy on start: `fixed`, `trim_respond` or `predictive`.
    #[arg(long, value_parser = super::strategy)]
    strategy: Option<StrategyKind>,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "write a number, such as 60".to_owned())?;
    if (0.1..=600.0).contains(&speed) {
        Ok(speed)
    } else {
        Err("write 0.1 to 600: devices on sockets cannot follow faster".into())
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut site = load_site(&args.site)?;
    let store = args
        .store
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("isotherm-demo-{}", std::process::id())));
    site.store.dir = store.to_string_lossy().into_owned();
    if let Some(listen) = &args.listen {
        site.api.listen.clone_from(listen);
    }
    if let Some(strategy) = args.strategy {
        site.control.strategy = strategy;
    }
    if site.api.operator_token.is_empty() {
        site.api.operator_token = token().map_err(|error| Failure::of("draw a token", &error))?;
    }
    let token = site.api.operator_token.clone();
    let zone = TimeZone::get(&site.time_zone).map_err(|error| Failure::of("find the site's time zone", &error))?;
    let origin = Origin::now();
    let local = ZonedDateTime::new(
        jiff::Timestamp::from_millisecond(origin.wall_ms).unwrap_or_default(),
        zone,
    );
    let options = HallOptions {
        speed: args.speed,
        seed: args.seed,
        wall_ms: origin.wall_ms,
        year_s: crate::trial::year_s(&local),
        weather: args.weather.clone().map_or(WeatherSource::BuiltIn, WeatherSource::File),
        load: args.jobs.clone().map_or(Load::Synthetic(args.seed), Load::Jobs),
        comms_timeout_s: COMMS_TIMEOUT_S,
        broker: args.broker.clone(),
    };

    let runtime = service::runtime().map_err(|error| Failure::of("start the runtime", &error))?;
    runtime.block_on(async {
        let hall = SimulatedHall::start(&mut site, &options)
            .await
            .map_err(|error| Failure::of("start the simulated plant", &error))?;
        let (broker, servers) = (site.mqtt.broker.clone(), hall.servers.iter());
        let devices: Vec<String> = servers
            .map(|(id, server)| format!("{id} {}", server.address()))
            .collect();
        let service = Box::pin(service::start(
            site,
            Options {
                mode: Mode::Simulated,
                speed: args.speed,
                origin: Some(origin),
                ..Options::default()
            },
        ))
        .await
        .map_err(|error| Failure::of("start the controller", &error))?;
        println!("page            http://{}", service.address());
        println!("operator token  {token}");
        println!("MQTT broker     {broker}");
        println!("Modbus TCP      {}", devices.join(", "));
        println!("record          {}", store.display());
        println!("seed {}, {} x real time; Ctrl-C stops", args.seed, args.speed);
        service::signals().await;
        let stopped = service
            .stop()
            .await
            .map_err(|error| Failure::of("stop in order", &error));
        hall.stop().await;
        stopped
    })
}

/// A token that nobody can guess, from the system's source of chance.
fn token() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
