//! `isotherm commission`: verifies the point map on the plant, then steps setpoints within a band, and writes the report.
//!
//! Every value goes through safety as in control: its bounds, rates, arming and vetoes hold. A step is broken off as soon
//! as a zone is no longer at its normal level, or safety refuses the value.

use super::live::Live;
use super::{Failure, load_site};
use crate::commission::{self, Report, Signature, Step, Watch, process_tag};
use crate::safety::{self, Level, SafetyReport, State};
use crate::service;
use crate::site::{Authority, PointId, Site, StrategyKind};
use crate::snapshot::{Author, Plan, PlanReport, PlanStatus, Quality, Request, RequestKind, Setpoint, Snapshot};
use std::path::PathBuf;
use tokio::time::{Instant, sleep, sleep_until};

/// Cycles that safety may take until every zone is at its normal level and the devices answer the heartbeat.
const SETTLE_CYCLES: u32 = 24;

/// Time between two looks at the readings, s.
const LOOK_S: f64 = 0.2;

/// Arguments of `isotherm commission`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Site file (TOML), or the name of an embedded site.
    site: PathBuf,
    /// How long to watch before anything is said, s.
    #[arg(long, default_value_t = 60.0)]
    watch: f64,
    /// Setpoint to step, by its tag; may be given more than once. Without any, nothing is written.
    #[arg(long = "step")]
    steps: Vec<String>,
    /// Size of a step, in the setpoint's unit; never more than the site's `bounded_band`.
    #[arg(long)]
    band: Option<f64>,
    /// How long each step is held, s.
    #[arg(long, default_value_t = 240.0)]
    hold: f64,
    /// File of the report; without it, it is printed.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Name of the person who signs, and who stands behind the steps.
    #[arg(long)]
    sign: Option<String>,
    /// Write to the plant: without this, steps are only said.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut site = load_site(&args.site)?;
    let setpoints = setpoints(&site, &args.steps, args.band)?;
    for (point, band) in &setpoints {
        let spec = site.spec(*point);
        println!(
            "{}: will be stepped by {band} {} and back",
            spec.tag,
            spec.unit.symbol()
        );
    }
    let stands_behind = args.yes && args.sign.is_some();
    if !setpoints.is_empty() && !stands_behind {
        return Err(Failure::Run(
            "nothing was written: steps need --yes and --sign NAME, the person who stands behind them".into(),
        ));
    }
    // Only the zones that are stepped are written to, and there within the narrow band.
    let stepped: Vec<_> = setpoints.iter().map(|(point, _)| site.spec(*point).zone).collect();
    for (index, zone) in site.zones.iter_mut().enumerate() {
        zone.authority = if stepped.contains(&crate::site::ZoneId(index)) {
            Authority::Bounded
        } else {
            Authority::Observe
        };
    }
    let runtime = service::runtime().map_err(|error| Failure::of("start the runtime", &error))?;
    let report = runtime.block_on(async {
        let live = Live::start(site)?;
        Ok(commission(live, args, &setpoints).await)
    })?;
    let signature = args.sign.as_ref().map(|name| Signature {
        name: name.clone(),
        at: jiff::Timestamp::now().to_string(),
    });
    let text = report.render(signature.as_ref());
    if let Some(file) = &args.report {
        std::fs::write(file, &text).map_err(|error| Failure::of("write the report", &error))?;
        println!("the report is in {}", file.display());
    } else {
        print!("{text}");
    }
    match report.failures() {
        0 => Ok(()),
        failures => Err(Failure::Run(format!("{} failed", super::count(failures, "check")))),
    }
}

/// The setpoints to be stepped, each with the size of its step.
fn setpoints(site: &Site, tags: &[String], band: Option<f64>) -> Result<Vec<(PointId, f64)>, Failure> {
    let chosen = tags.iter().map(|tag| {
        let point = site.point(tag);
        let found = point.and_then(|point| Some((point, site.spec(point).write?)));
        let setpoint = found.filter(|_| tag.ends_with("_setpoint"));
        let (point, write) =
            setpoint.ok_or_else(|| Failure::Run(format!("`{tag}` is no setpoint that the site lets be written")))?;
        let size = band.unwrap_or(write.bounded_band).min(write.bounded_band);
        if size > 0.0 {
            Ok((point, size))
        } else {
            Err(Failure::Run(format!(
                "a step of {size} for {tag}: write a --band above 0"
            )))
        }
    });
    chosen.collect()
}

async fn commission(live: Live, args: &Args, setpoints: &[(PointId, f64)]) -> Report {
    let mut watch = Watch::new(&live.site);
    let look = live.real(LOOK_S);
    while watch.seconds() < args.watch {
        sleep(look).await;
        watch.take(&live.snapshot());
    }
    let troubles: Vec<_> = live
        .field
        .status()
        .into_iter()
        .map(|status| status.last_error)
        .collect();
    let mut report = Report {
        site: live.site.name.clone(),
        hash: live.site.hash.clone(),
        watched_s: watch.seconds(),
        verified: commission::verify(&live.site, &watch, &troubles),
        steps: Vec::new(),
    };
    if !setpoints.is_empty() {
        let author = Author::Operator(args.sign.clone().unwrap_or_default());
        let mut stepper = Stepper::new(&live, author);
        for (point, band) in setpoints {
            for step in stepper.step(*point, *band, args.hold).await {
                println!("{}", step.finding().seen);
                report.steps.push(step.finding());
            }
        }
        stepper.release();
    }
    live.field.shutdown().await;
    report
}

/// Cycles of safety alone, with a plan of our own: everything stays as it is, but for the one that is stepped.
struct Stepper<'a> {
    live: &'a Live,
    state: State,
    author: Author,
    due: Instant,
}

impl<'a> Stepper<'a> {
    fn new(live: &'a Live, author: Author) -> Self {
        Self {
            live,
            state: State::default(),
            author,
            due: Instant::now(),
        }
    }

    /// One cycle, at its time; `wanted` is the value of the setpoint that is stepped.
    async fn cycle(&mut self, wanted: Option<(PointId, f64)>) -> (Snapshot, SafetyReport) {
        sleep_until(self.due).await;
        let site = &self.live.site;
        self.due = Instant::now() + self.live.real(site.control.cycle_s);
        let snapshot = self.live.snapshot();
        let now = snapshot.now;
        let facts = safety::assess(site, &snapshot, &mut self.state, now);
        let plan = hold(site, &snapshot, wanted);
        let requests: Vec<_> = wanted
            .map(|(point, value)| Request {
                author: self.author.clone(),
                why: "commissioning: a step test".into(),
                kind: RequestKind::Override {
                    point,
                    value,
                    for_s: 10.0 * site.control.cycle_s,
                },
            })
            .into_iter()
            .collect();
        let (commands, report) = safety::judge(site, &facts, &plan, &requests, &snapshot, &mut self.state, now);
        self.live.field.apply(&commands);
        (snapshot, report)
    }

    /// A step up, and back to where it was.
    async fn step(&mut self, point: PointId, band: f64, hold_s: f64) -> Vec<Step> {
        let site = &self.live.site;
        let spec = site.spec(point);
        let tag = spec.tag.clone();
        let (mut snapshot, mut report) = self.cycle(None).await;
        for _ in 0..SETTLE_CYCLES {
            if trouble(&report, spec.zone.0).is_none() && good(&snapshot, point).is_some() {
                break;
            }
            (snapshot, report) = self.cycle(None).await;
        }
        let Some(found) = good(&snapshot, point) else {
            return vec![broken(tag, 0.0, 0.0, "the setpoint cannot be read")];
        };
        if let Some(why) = trouble(&report, spec.zone.0) {
            return vec![broken(tag, found, found, &why)];
        }
        let Some(write) = spec.write else { return Vec::new() };
        // Towards the middle of what is allowed, so that the step has room.
        let to = if found + band <= write.max {
            found + band
        } else {
            found - band
        };
        let there = self.go(point, found, to, hold_s).await;
        let back = self.go(point, to, found, hold_s).await;
        vec![there, back]
    }

    async fn go(&mut self, point: PointId, from: f64, to: f64, hold_s: f64) -> Step {
        let site = &self.live.site;
        let spec = site.spec(point);
        let process = process_tag(&spec.tag).and_then(|tag| site.point(&tag));
        let mut step = broken(spec.tag.clone(), from, to, "");
        step.aborted = None;
        let began_ms = self.live.now().mono_ms;
        while self.live.now().seconds_since(began_ms) < hold_s {
            let (snapshot, report) = self.cycle(Some((point, to))).await;
            let value = process.and_then(|process| good(&snapshot, process));
            step.samples
                .push((snapshot.now.seconds_since(began_ms), good(&snapshot, point), value));
            step.aborted = trouble(&report, spec.zone.0);
            if step.aborted.is_some() {
                break;
            }
        }
        step
    }

    /// Every point that was written goes back to the plant as found.
    fn release(&mut self) {
        let commands = safety::release(&self.live.site, &mut self.state, self.live.now());
        self.live.field.apply(&commands);
    }
}

fn broken(tag: String, from: f64, to: f64, why: &str) -> Step {
    Step {
        tag,
        from,
        to,
        samples: Vec::new(),
        aborted: Some(why.to_owned()),
    }
}

fn good(snapshot: &Snapshot, point: PointId) -> Option<f64> {
    let reading = snapshot.reading(point)?;
    (reading.quality == Quality::Good).then_some(reading.value)
}

/// What ends a step: a level above normal, or authority that safety has taken away.
fn trouble(report: &SafetyReport, zone: usize) -> Option<String> {
    let above = report.zones.iter().find(|zone| zone.level != Level::Normal);
    let demoted = report
        .zones
        .get(zone)
        .filter(|zone| zone.authority < Authority::Bounded);
    let why = above.map(|zone| (format!("level {:?}", zone.level), zone));
    let why = why.or(demoted.map(|zone| (format!("authority {:?}", zone.authority), zone)));
    why.map(|(what, zone)| format!("{}: {}", what.to_lowercase(), zone.causes.join("; ")))
}

/// A plan that leaves every setpoint where its device has it.
fn hold(site: &Site, snapshot: &Snapshot, wanted: Option<(PointId, f64)>) -> Plan {
    let setpoints = site.points.iter().enumerate().filter_map(|(index, spec)| {
        let point = PointId(index);
        let write = spec.write?;
        if spec.quantity == "heartbeat" {
            return None;
        }
        let own = good(snapshot, point).map(|value| value.clamp(write.min, write.max));
        let value = wanted.filter(|(stepped, _)| *stepped == point).map(|(_, value)| value);
        Some(Setpoint {
            point,
            value: value.or(own)?,
        })
    });
    Plan {
        strategy: StrategyKind::Fixed,
        status: PlanStatus::Complete,
        setpoints: setpoints.collect(),
        report: PlanReport {
            sentence: "Commissioning: everything stays as it is but for the setpoint that is stepped.".into(),
            ..PlanReport::default()
        },
    }
}
