//! Days of faults by chance: is the plant ever less safe with the controller than without it?

use super::flight::{Flight, Seen, bench, core, world};
use super::table::parallel;
use crate::site::Site;
use crate::trial::world::WorldError;
use serde::Serialize;
use simulators::faults::{Fault, Kind, Schedule};
use simulators::random::Random;
use std::collections::BTreeMap;

/// Time before faults begin, s.
const WARM_UP_S: f64 = 3600.0;
/// Faults a day, on average: far more than any hall has, so that they also meet.
const PER_DAY: f64 = 6.0;
/// How long after its end a fault still answers for what is beyond limits, s.
const AFTERMATH_S: f64 = 1800.0;
/// Rounding of sums of many small excesses, K min.
const ROUNDING_K_MIN: f64 = 1e-6;

/// One day of faults.
#[derive(Debug, Clone, Serialize)]
pub struct Day {
    /// Seed of plant, weather, jobs and faults.
    pub seed: u64,
    /// Number of faults that began.
    pub faults: usize,
    /// Degree-minutes beyond critical limits with the controller, K min.
    pub limit_k_min: f64,
    /// The same under the plant's local control alone.
    pub limit_k_min_local: f64,
    /// Smallest true chip margin with the controller, K.
    pub worst_margin_k: f64,
    /// Under local control alone, K.
    pub worst_margin_k_local: f64,
    /// With the controller, by limit, K min.
    pub limit_k_min_by_limit: BTreeMap<String, f64>,
    /// Names of the faults that were at work when the controller's run was beyond limits and the other was not.
    pub beyond_alone: Vec<String>,
    #[serde(skip)]
    by_fault: Vec<(f64, f64, usize)>,
}

impl Day {
    /// Whether the plant was less safe with the controller than without it.
    pub fn is_worse(&self) -> bool {
        self.limit_k_min > self.limit_k_min_local + ROUNDING_K_MIN
    }
}

/// What one kind of fault came to over all days.
#[derive(Debug, Clone, Serialize)]
pub struct ByFault {
    /// Name of the fault.
    pub name: &'static str,
    /// How often it came.
    pub count: usize,
    /// Degree-minutes beyond critical limits while it lasted and half an hour after, K min. Faults that meet each count
    /// them all.
    pub limit_k_min: f64,
    /// The same under local control alone.
    pub limit_k_min_local: f64,
}

/// A campaign.
#[derive(Debug, Clone, Serialize)]
pub struct Campaign {
    /// Number of days, each with a seed of its own.
    pub days: usize,
    /// The first day's seed.
    pub seed: u64,
    /// Faults that came.
    pub faults: usize,
    /// Degree-minutes beyond critical limits with the controller, K min.
    pub limit_k_min: f64,
    /// The same under local control alone.
    pub limit_k_min_local: f64,
    /// Smallest true chip margin with the controller, K.
    pub worst_margin_k: f64,
    /// Under local control alone, K.
    pub worst_margin_k_local: f64,
    /// By kind of fault.
    pub by_fault: Vec<ByFault>,
    /// Days on which the plant was less safe with the controller than without it.
    pub worse: Vec<Day>,
}

/// `days` days from `seed` on, each in a season of its own, over all cores. With `alone` nobody follows what the controller
/// asks of the scheduler. `progress` hears of every day that is done.
///
/// # Errors
/// Where the site's plant cannot be built.
pub fn campaign(
    site: &Site,
    seed: u64,
    days: usize,
    alone: bool,
    progress: impl Fn(&Day) + Sync,
) -> Result<Campaign, WorldError> {
    let seeds: Vec<u64> = (0..days as u64).map(|day| seed.wrapping_add(day)).collect();
    let done = parallel(&seeds, |seed| {
        let day = one_day(site, *seed, alone);
        if let Ok(day) = &day {
            progress(day);
        }
        day
    });
    let done = done.into_iter().collect::<Result<Vec<Day>, _>>()?;
    let by_fault = Kind::ALL.iter().enumerate().map(|(place, kind)| {
        let of_kind = done.iter().filter_map(|day| day.by_fault.get(place));
        let (own, local, count) = of_kind.fold((0.0, 0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        ByFault {
            name: kind.name(),
            count,
            limit_k_min: own,
            limit_k_min_local: local,
        }
    });
    let least = |margin: fn(&Day) -> f64| done.iter().map(margin).fold(f64::INFINITY, f64::min);
    Ok(Campaign {
        days,
        seed,
        faults: done.iter().map(|day| day.faults).sum(),
        limit_k_min: done.iter().map(|day| day.limit_k_min).sum(),
        limit_k_min_local: done.iter().map(|day| day.limit_k_min_local).sum(),
        worst_margin_k: least(|day| day.worst_margin_k),
        worst_margin_k_local: least(|day| day.worst_margin_k_local),
        by_fault: by_fault.collect(),
        worse: done.into_iter().filter(Day::is_worse).collect(),
    })
}

fn one_day(site: &Site, seed: u64, alone: bool) -> Result<Day, WorldError> {
    let core = core(site);
    // A day of the year of its own.
    let year_s = (Random::new(seed, 17).uniform() * 364.0).floor() * 86_400.0;
    let world = world(&core.site, seed, year_s, 2.0)?;
    let bench = bench(&core, &world);
    let faults = Schedule::random(world.plant(), seed, WARM_UP_S, 1.0, PER_DAY);
    let end_s = WARM_UP_S + 86_400.0;
    let fly = |controlled| {
        let mut flight = Flight::new(&bench, world.clone(), controlled)
            .alone(alone)
            .with_faults(faults.clone());
        flight.until(WARM_UP_S);
        flight.watched(end_s)
    };
    let ((own, by_limit), (local, _)) = (fly(true), fly(false));
    let sum = |seen: &[Seen]| seen.iter().map(|seen| seen.beyond_k_min).sum::<f64>();
    let margin = |seen: &[Seen]| seen.iter().map(|seen| seen.margin_k).fold(f64::INFINITY, f64::min);
    let answers = |fault: &Fault, at_s: f64| at_s >= fault.from_s && at_s < fault.until_s + AFTERMATH_S;
    let by_fault = Kind::ALL.into_iter().map(|kind| {
        let of_kind: Vec<&Fault> = faults.faults().iter().filter(|fault| fault.kind == kind).collect();
        let while_on = |seen: &[Seen]| {
            let on = seen
                .iter()
                .filter(|seen| of_kind.iter().any(|fault| answers(fault, seen.at_s)));
            on.map(|seen| seen.beyond_k_min).sum::<f64>()
        };
        (while_on(&own), while_on(&local), of_kind.len())
    });
    let mut beyond_alone = Vec::new();
    for (mine, other) in own.iter().zip(&local) {
        if mine.beyond_k_min > other.beyond_k_min {
            let names = faults.faults().iter().filter(|fault| answers(fault, mine.at_s));
            for fault in names {
                let name = format!(
                    "{} {} at {:.0} s",
                    fault.kind.name(),
                    fault.target.chars().take(40).collect::<String>(),
                    fault.from_s
                );
                if !beyond_alone.contains(&name) {
                    beyond_alone.push(name);
                }
            }
        }
    }
    Ok(Day {
        seed,
        faults: faults.faults().len(),
        limit_k_min: sum(&own),
        limit_k_min_local: sum(&local),
        worst_margin_k: margin(&own),
        worst_margin_k_local: margin(&local),
        limit_k_min_by_limit: by_limit,
        beyond_alone,
        by_fault: by_fault.collect(),
    })
}
