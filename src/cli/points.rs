//! `isotherm points`: lists the points of a site, reads and watches them on the plant, and asks a running controller to
//! hold one.

use super::live::Live;
use super::{Failure, load_site};
use crate::service;
use crate::site::{PointId, PointSpec, Site};
use crate::snapshot::{Quality, Reading, Snapshot};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::profile::{Place, Raw};

/// Arguments of `isotherm points`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List every point: where it is on its device, its unit, its bounds.
    List {
        /// Site file (TOML), or the name of an embedded site.
        site: PathBuf,
        /// Only tags that contain this.
        filter: Option<String>,
    },
    /// Read points from the plant once. Writes nothing.
    Read {
        /// Site file (TOML), or the name of an embedded site.
        site: PathBuf,
        /// Tags, or parts of them; without any, all points.
        tags: Vec<String>,
        /// How long to wait for points that do not answer, s.
        #[arg(long, default_value_t = 5.0)]
        wait: f64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print each change of some points until interrupted. Writes nothing.
    Watch {
        /// Site file (TOML), or the name of an embedded site.
        site: PathBuf,
        /// Tags, or parts of them.
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// Ask the running controller to hold a setpoint for a time. It judges the value as any other: authority, bounds,
    /// rates and limits hold. The operator's token comes from the site's configuration.
    Write {
        /// Site file (TOML), or the name of an embedded site.
        site: PathBuf,
        /// The setpoint's tag.
        tag: String,
        /// Value, in the unit that `points list` shows.
        value: f64,
        /// For how long, s.
        #[arg(long = "for", default_value_t = 600.0)]
        for_s: f64,
        /// The controller's address; without it `api.listen`.
        #[arg(long)]
        controller: Option<String>,
        /// Do it: without this it is only said what would be done.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List { site, filter } => {
            let site = load_site(site)?;
            print!("{}", list(&site, filter.as_deref().unwrap_or_default()));
            Ok(())
        }
        Command::Read { site, tags, wait, json } => {
            let site = load_site(site)?;
            let points = chosen(&site, tags)?;
            let runtime = service::runtime().map_err(|error| Failure::of("start the runtime", &error))?;
            runtime.block_on(read(site, &points, *wait, *json))
        }
        Command::Watch { site, tags } => {
            let site = load_site(site)?;
            let points = chosen(&site, tags)?;
            let runtime = service::runtime().map_err(|error| Failure::of("start the runtime", &error))?;
            runtime.block_on(watch(site, &points))
        }
        Command::Write {
            site,
            tag,
            value,
            for_s,
            controller,
            yes,
        } => {
            let site = load_site(site)?;
            write(&site, tag, *value, *for_s, controller.as_deref(), *yes)
        }
    }
}

/// The points of some tags or parts of tags.
fn chosen(site: &Site, tags: &[String]) -> Result<Vec<PointId>, Failure> {
    for tag in tags {
        if !site.points.iter().any(|spec| spec.tag.contains(tag.as_str())) {
            return Err(Failure::Run(format!(
                "no tag contains `{tag}`: `isotherm points list` shows them all"
            )));
        }
    }
    let wanted = |spec: &PointSpec| tags.is_empty() || tags.iter().any(|tag| spec.tag.contains(tag.as_str()));
    let points = site.points.iter().enumerate().filter(|(_, spec)| wanted(spec));
    Ok(points.map(|(index, _)| PointId(index)).collect())
}

fn list(site: &Site, filter: &str) -> String {
    let mut text = format!("{:<52} {:<8} {:<34} {:<10} range\n", "tag", "unit", "place", "access");
    for spec in site.points.iter().filter(|spec| spec.tag.contains(filter)) {
        let access = match (&spec.write, spec.required) {
            (Some(_), _) => "written",
            (None, true) => "required",
            (None, false) => "read",
        };
        let (low, high) = spec.write.map_or(spec.plausible, |write| (write.min, write.max));
        let unit = spec.unit.symbol();
        let place = place(site, spec);
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            text,
            "{:<52} {unit:<8} {place:<34} {access:<10} {low} to {high}",
            spec.tag
        );
    }
    text
}

/// Where a point is on its device.
fn place(site: &Site, spec: &PointSpec) -> String {
    let Some(device) = site.devices.get(spec.device.0) else {
        return String::new();
    };
    let at = device.binding.address.as_deref().unwrap_or(device.bus_name());
    match device.profile.points.get(spec.profile_point).map(|point| &point.place) {
        Some(Place::Register(register)) => {
            let kind = match register.raw {
                Raw::Bit => String::new(),
                raw => format!(" {raw:?}").to_lowercase(),
            };
            let table = format!("{:?}", register.table).to_lowercase();
            let unit = device.binding.unit.unwrap_or(255);
            format!("{at}/{unit} {table} {}{kind}", register.address)
        }
        Some(Place::Pointer(text) | Place::Topic(text) | Place::Metric(text)) => format!("{at} {text}"),
        Some(Place::Dsx(point)) => format!("{at} {}", point.point_type),
        None => String::new(),
    }
}

async fn read(site: Site, points: &[PointId], wait_s: f64, json: bool) -> Result<(), Failure> {
    let wait = Duration::try_from_secs_f64(wait_s).map_err(|error| Failure::of("wait so long", &error))?;
    let live = Live::start(site)?;
    let deadline = Instant::now() + wait;
    let mut snapshot = live.snapshot();
    while Instant::now() < deadline && points.iter().any(|point| snapshot.reading(*point).is_none()) {
        sleep(Duration::from_millis(50)).await;
        snapshot = live.snapshot();
    }
    let rows = points
        .iter()
        .map(|point| (live.site.spec(*point), snapshot.reading(*point)));
    if json {
        let rows: Vec<_> = rows
            .map(|(spec, reading)| {
                serde_json::json!({
                    "tag": spec.tag, "unit": spec.unit.symbol(), "value": reading.map(|reading| reading.value),
                    "quality": reading.map(|reading| quality(reading.quality)),
                    "age_s": reading.map(|reading| reading.age_s(snapshot.now)),
                })
            })
            .collect();
        println!("{:#}", serde_json::Value::from(rows));
    } else {
        for (spec, reading) in rows {
            println!("{}", line(spec, reading, &snapshot));
        }
    }
    for (device, status) in live.site.devices.iter().zip(live.field.status()) {
        if let Some(error) = status.last_error {
            eprintln!("{}: {error}", device.id);
        }
    }
    let silent = points
        .iter()
        .filter(|point| snapshot.reading(**point).is_none())
        .count();
    live.field.shutdown().await;
    if silent == 0 {
        Ok(())
    } else {
        Err(Failure::Run(format!(
            "{} did not answer",
            super::count(silent, "point")
        )))
    }
}

fn line(spec: &PointSpec, reading: Option<&Reading>, snapshot: &Snapshot) -> String {
    let Some(reading) = reading else {
        return format!("{:<52} no answer", spec.tag);
    };
    format!(
        "{:<52} {:>14.4} {:<8} {:<6} {:>6.1} s old",
        spec.tag,
        reading.value,
        spec.unit.symbol(),
        quality(reading.quality),
        reading.age_s(snapshot.now)
    )
}

const fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "good",
        Quality::Bad => "bad",
        Quality::Stale => "stale",
    }
}

async fn watch(site: Site, points: &[PointId]) -> Result<(), Failure> {
    let live = Live::start(site)?;
    let mut shown: Vec<Option<(f64, Quality)>> = vec![None; points.len()];
    let stopped = service::signals();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            () = sleep(Duration::from_millis(200)) => {}
        }
        let snapshot = live.snapshot();
        for (point, shown) in points.iter().zip(&mut shown) {
            let reading = snapshot.reading(*point);
            let now = reading.map(|reading| (reading.value, reading.quality));
            if now != *shown {
                *shown = now;
                let time = jiff::Timestamp::from_millisecond(snapshot.now.wall_ms).unwrap_or_default();
                println!("{time:.1} {}", line(live.site.spec(*point), reading, &snapshot));
            }
        }
    }
    live.field.shutdown().await;
    Ok(())
}

fn write(site: &Site, tag: &str, value: f64, for_s: f64, controller: Option<&str>, yes: bool) -> Result<(), Failure> {
    let point = site.point(tag).map(|point| site.spec(point));
    let Some((spec, bounds)) = point.and_then(|spec| Some((spec, spec.write?))) else {
        return Err(Failure::Run(format!(
            "`{tag}` is not written: `isotherm points list` shows what is"
        )));
    };
    if !(bounds.min..=bounds.max).contains(&value) {
        let (low, high, unit) = (bounds.min, bounds.max, spec.unit.symbol());
        return Err(Failure::Run(format!(
            "{value} is outside {low} to {high} {unit}: nothing is sent"
        )));
    }
    let (who, address) = (&site.api.operator_name, controller.unwrap_or(&site.api.listen));
    println!(
        "{who} asks the controller at {address} to hold {tag} at {value} {} for {for_s} s",
        spec.unit.symbol()
    );
    if !yes {
        return Err(Failure::Run("nothing was sent: add --yes to do it".into()));
    }
    if site.api.operator_token.is_empty() {
        return Err(Failure::Run(
            "no token: set ISOTHERM__API__OPERATOR_TOKEN to the controller's operator token".into(),
        ));
    }
    let body = serde_json::json!({ "kind": "override", "tag": tag, "value": value, "for_s": for_s }).to_string();
    let answer = post(address, &site.api.operator_token, &body)?;
    println!("{answer}");
    Ok(())
}

/// Sends a request to a controller; its answer, or its refusal as a failure.
fn post(address: &str, token: &str, body: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::of(&format!("reach the controller at {address}"), &error);
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    // An answer comes with the next cycle, which may be a minute away.
    stream.set_read_timeout(Some(Duration::from_secs(90))).map_err(failed)?;
    let request = format!(
        "POST /api/v1/requests HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer).map_err(failed)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status.starts_with('2') {
        Ok(body.to_owned())
    } else {
        Err(Failure::Run(format!("the controller refuses ({status}): {body}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    #[test]
    fn the_list_says_where_each_point_is() {
        let site = load_embedded("demo").unwrap().unwrap();
        let text = list(&site, "cdu1.secondary_supply_temperature");
        assert!(text.contains("127.0.0.1:15021/1 input 0 i16"), "{text}");
        assert!(text.contains("written    18 to"), "{text}");
        assert_eq!(text.lines().count(), 3);
        assert!(list(&site, "r01.power").contains("/power_kw"));
    }

    #[test]
    fn a_write_is_refused_before_it_is_sent() {
        let site = load_embedded("demo").unwrap().unwrap();
        let refusal = |tag: &str, value: f64, yes: bool| match write(&site, tag, value, 60.0, Some("127.0.0.1:1"), yes)
        {
            Err(Failure::Run(text)) => text,
            other => panic!("{other:?}"),
        };
        let setpoint = "cdu1.secondary_supply_temperature_setpoint";
        assert!(refusal("cdu1.secondary_flow", 1.0, true).contains("is not written"));
        assert!(refusal(setpoint, 99.0, true).contains("is outside"));
        assert!(refusal(setpoint, 30.0, false).contains("--yes"));
        assert!(refusal(setpoint, 30.0, true).contains("ISOTHERM__API__OPERATOR_TOKEN"));
    }

    #[test]
    fn tags_are_chosen_by_parts() {
        let site = load_embedded("demo").unwrap().unwrap();
        assert_eq!(chosen(&site, &["cdu1.secondary_flow".into()]).unwrap().len(), 1);
        assert_eq!(chosen(&site, &[]).unwrap().len(), site.points.len());
        assert!(chosen(&site, &["no_such".into()]).is_err());
    }
}
