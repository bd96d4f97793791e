//! Every fault alone, and every pair.

use super::expect::detect_within_s;
use super::flight::{Flight, Seen, bench, core, difference, world};
use crate::safety::Level;
use crate::site::Site;
use crate::trial::run::Bench;
use crate::trial::world::WorldError;
use serde::Serialize;
use simulators::faults::{Fault, Kind, Schedule};
use simulators::random::Random;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// When a fault begins: the plant has warmed up and the controller has learned something of it, s.
const BEGINS_S: f64 = 3.0 * 3600.0;
/// How long it is flown on after a fault's end, s.
const AFTER_S: f64 = 1800.0;
/// Start of the flights: a working day in July, 8 o'clock.
const YEAR_S: f64 = 187.0 * 86_400.0 + 8.0 * 3600.0;
/// How long a fault of the table lasts, s: a power bump its minute, a drift until it shows, all others an hour.
fn lasts_s(kind: Kind) -> f64 {
    match kind {
        Kind::PowerBump => 60.0,
        Kind::PrimaryNoFlow => 600.0,
        Kind::SensorDrift | Kind::StrainerClog => 2.0 * 3600.0,
        _ => 3600.0,
    }
}

/// One fault of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the fault.
    pub name: &'static str,
    /// Where it was.
    pub target: String,
    /// Time from its beginning to the first warning, alarm or higher level that the same hall without it did not have, s;
    /// `None` where there was none.
    pub detected_s: Option<f64>,
    /// The level that was entered: `normal`, `guarded`, `critical` or `failsafe`.
    pub state: Level,
    /// Time from its beginning after which every true value was within its critical limit for good, s; 0 where none ever
    /// left it.
    pub safe_s: f64,
    /// The longest time to notice it by the field's practice, s.
    pub detect_within_s: Option<f64>,
    /// Smallest true chip margin from its beginning on, K.
    pub worst_margin_k: f64,
    /// Degree-minutes beyond critical limits from its beginning on, K min.
    pub limit_k_min: f64,
    /// The same under the plant's local control alone.
    pub limit_k_min_local: f64,
    /// Smallest true chip margin under local control alone, K.
    pub worst_margin_k_local: f64,
}

/// Two faults at once.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// Names of both.
    pub names: [&'static str; 2],
    /// What became of them together; its name is the first one's.
    #[serde(flatten)]
    pub row: Row,
    /// The slower of the two alone, s.
    pub slower_s: f64,
}

/// A hall at the moment before the fault, with and without the controller.
struct Start<'a> {
    controlled: Flight<'a>,
    local: Flight<'a>,
}

impl<'a> Start<'a> {
    fn new(bench: &'a Bench<'a>, site: &Site, seed: u64) -> Result<Self, WorldError> {
        let fly = |controlled| -> Result<Flight<'a>, WorldError> {
            let mut flight = Flight::new(bench, world(site, seed, YEAR_S, 1.0)?, controlled);
            flight.until(BEGINS_S);
            Ok(flight)
        };
        Ok(Self {
            controlled: fly(true)?,
            local: fly(false)?,
        })
    }

    fn row(&self, faults: &[Fault], cycle_s: f64) -> Row {
        let until_s = faults.iter().map(|fault| fault.until_s).fold(0.0, f64::max) + AFTER_S;
        let fly = |flight: &Flight<'a>, faults: &[Fault]| {
            flight
                .clone()
                .with_faults(Schedule::new(faults.to_vec()))
                .until(until_s)
        };
        let (ill, well) = (fly(&self.controlled, faults), fly(&self.controlled, &[]));
        let local = fly(&self.local, faults);
        let (detected, state) = difference(&ill, &well, cycle_s);
        let sum = |seen: &[Seen]| seen.iter().map(|seen| seen.beyond_k_min).sum::<f64>();
        let margin = |seen: &[Seen]| seen.iter().map(|seen| seen.margin_k).fold(f64::INFINITY, f64::min);
        let last_beyond = ill
            .iter()
            .rev()
            .find(|seen| seen.beyond_k_min > 0.0)
            .map(|seen| seen.at_s);
        let first = &faults[0];
        Row {
            name: first.kind.name(),
            target: faults
                .iter()
                .map(|fault| short(&fault.target))
                .collect::<Vec<_>>()
                .join(" and "),
            detected_s: detected.map(|at| at - BEGINS_S),
            state,
            safe_s: last_beyond.map_or(0.0, |at| at - BEGINS_S),
            detect_within_s: detect_within_s(first.kind),
            worst_margin_k: margin(&ill),
            limit_k_min: sum(&ill),
            limit_k_min_local: sum(&local),
            worst_margin_k_local: margin(&local),
        }
    }
}

fn short(target: &str) -> String {
    match target.split_once('+') {
        Some((first, rest)) => format!("{first} and {} more", rest.split('+').count()),
        None => target.to_owned(),
    }
}

/// One fault of every kind, somewhere in the plant.
fn draw(start: &Start<'_>, seed: u64) -> Vec<Fault> {
    let mut random = Random::new(seed, 13);
    let plant = start.controlled.world.plant();
    let kinds = Kind::ALL.into_iter().filter_map(|kind| {
        let targets = kind.targets(plant);
        let target = targets.get(random.below(targets.len()))?.clone();
        Some(Fault {
            kind,
            target,
            from_s: BEGINS_S,
            until_s: BEGINS_S + lasts_s(kind),
            amount: random.uniform(),
        })
    });
    kinds.collect()
}

/// Every fault alone.
///
/// # Errors
/// Where the site's plant cannot be built.
pub fn singles(site: &Site, seed: u64) -> Result<Vec<Row>, WorldError> {
    let core = core(site);
    let bench = bench(&core, &world(&core.site, seed, YEAR_S, 1.0)?);
    let start = Start::new(&bench, &core.site, seed)?;
    let faults = draw(&start, seed);
    Ok(parallel(&faults, |fault| {
        start.row(std::slice::from_ref(fault), site.control.cycle_s)
    }))
}

/// Every pair of different faults, both beginning at once, beside the times that they took alone.
///
/// # Errors
/// Where the site's plant cannot be built.
pub fn pairs(site: &Site, seed: u64, alone: &[Row]) -> Result<Vec<Pair>, WorldError> {
    let core = core(site);
    let bench = bench(&core, &world(&core.site, seed, YEAR_S, 1.0)?);
    let start = Start::new(&bench, &core.site, seed)?;
    let faults = draw(&start, seed);
    let both: Vec<[Fault; 2]> = faults
        .iter()
        .enumerate()
        .flat_map(|(place, first)| faults[place + 1..].iter().map(|second| [first.clone(), second.clone()]))
        .collect();
    let safe_s = |kind: Kind| {
        alone
            .iter()
            .find(|row| row.name == kind.name())
            .map_or(0.0, |row| row.safe_s)
    };
    Ok(parallel(&both, |both| Pair {
        names: both.each_ref().map(|fault| fault.kind.name()),
        slower_s: both.iter().map(|fault| safe_s(fault.kind)).fold(0.0, f64::max),
        row: start.row(both, site.control.cycle_s),
    }))
}

/// Does `work` for every item on all cores; the answers are in the items' order.
pub(super) fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(items.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { break };
                    let answer = work(item);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((place, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, answer)| answer).collect()
}
