//! The forecast: levels, jobs and intervals together, a band for every rack and CDU.

use super::JobModel;
use super::features::History;
use super::interval::Interval;
use super::level::{self, Level};
use super::rollup::{self, Rollup};
use super::tracked::{self, Jobs, MOST_JOBS, above_idle_kw};
use crate::site::Site;
use crate::snapshot::{HORIZONS, HORIZONS_S, HeatBand, HeatForecast, HeatSource, JobQueue, Now, Snapshot};
use serde::{Deserialize, Serialize};

/// Names and starts in a note, at most.
const NAMED: usize = 3;

/// What the forecast remembers from cycle to cycle; bounded, whatever the queue holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    cycle: u64,
    mono_ms: Option<u64>,
    jobs: Jobs,
    /// What jobs drew that finished in service.
    history: History,
    racks: Bounds,
    cdus: Bounds,
}

impl State {
    /// Seconds since the last cycle; 0 in the first and after the clock has started anew.
    fn advance(&mut self, now: Now) -> f64 {
        self.cycle = self.cycle.wrapping_add(1);
        let last = self.mono_ms.replace(now.mono_ms);
        if last.is_some_and(|last| last > now.mono_ms) {
            self.racks.restart();
            self.cdus.restart();
        }
        // Over a longer pause nobody knows what jobs drew.
        last.map_or(0.0, |last| now.seconds_since(last).min(120.0))
    }
}

/// The heat that is about to arrive in the liquid, for every rack and CDU.
///
/// The mean is what is expected; the upper bound is calibrated to hold for the site's wanted share of readings, and is
/// the rated heat while too little is known to say more.
pub fn forecast(
    site: &Site,
    model: &JobModel,
    snapshot: &Snapshot,
    queue: &JobQueue,
    state: &mut State,
    now: Now,
) -> HeatForecast {
    let dt_s = state.advance(now);
    let levels = level::levels(site, snapshot, now);
    let lost: Vec<usize> = (0..levels.len())
        .filter(|rack| levels.get(*rack).is_some_and(|level| !level.measured))
        .collect();
    let age_s = queue.mono_ms.map(|read| now.seconds_since(read));
    let fresh = age_s.is_some_and(|age_s| age_s <= site.forecast.queue_timeout_s);
    let rollup = fresh.then(|| {
        tracked::refresh(&mut state.jobs, &mut state.history, site, model, queue, state.cycle);
        rollup::roll(site, queue, &mut state.jobs, &levels, now, dt_s)
    });

    let mut notes = rollup
        .as_ref()
        .map_or_else(|| vec![why_no_queue(site, age_s)], |_| notes(queue, &state.jobs, now));
    if !lost.is_empty() {
        notes.push(which_racks(site, &lost));
    }
    let source = if 2 * lost.len() > levels.len() {
        HeatSource::Feedback
    } else if fresh {
        HeatSource::Queue
    } else {
        HeatSource::RackPower
    };
    let racks = rack_courses(site, &levels, rollup.as_ref());
    let cdus = cdu_courses(site, &levels, &racks, rollup.as_ref());
    let coverage = site.forecast.coverage;
    HeatForecast {
        source,
        racks: state.racks.bands(&racks, fresh, coverage, now),
        cdus: state.cdus.bands(&cdus, fresh, coverage, now),
        notes,
    }
}

/// What is expected of a rack or CDU before calibration, kW into the liquid.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    now_kw: f64,
    measured: bool,
    rated_kw: f64,
    cap_kw: f64,
    mean_kw: [f64; HORIZONS],
    /// The course to which the bound of the queue's forecast adds its margin.
    high_kw: [f64; HORIZONS],
    /// The same of persistence: the present, or the cap of what is not measured.
    still_kw: f64,
}

fn rack_courses(site: &Site, levels: &[Level], rollup: Option<&Rollup>) -> Vec<Expected> {
    let racks = site.racks.iter().zip(levels).enumerate();
    let course = |(index, (rack, level)): (usize, (&crate::site::Rack, &Level))| {
        let liquid = rack.nameplate.liquid_fraction;
        let (now_kw, cap_kw) = (liquid * level.power_kw, liquid * level.cap_kw);
        let still_kw = if level.measured { now_kw } else { cap_kw };
        let (mut mean_kw, mut high_kw) = ([now_kw; HORIZONS], [still_kw; HORIZONS]);
        if let Some(rollup) = rollup {
            let free = rollup.free_gpus.get(index).copied().unwrap_or(0.0);
            for h in 0..HORIZONS {
                let of = |courses: &[[f64; HORIZONS]]| courses.get(index).map_or(level.power_kw, |course| course[h]);
                let (gpus, watts) = rollup.open[h];
                let open_kw = above_idle_kw(rack, gpus.min(free), watts);
                mean_kw[h] = (liquid * of(&rollup.mean)).clamp(0.0, cap_kw);
                high_kw[h] = (liquid * (of(&rollup.high) + open_kw)).clamp(still_kw, cap_kw);
            }
        }
        let rated_kw = liquid * rack.nameplate.rated_kw;
        Expected {
            now_kw,
            measured: level.measured,
            rated_kw,
            cap_kw,
            mean_kw,
            high_kw,
            still_kw,
        }
    };
    racks.map(course).collect()
}

fn cdu_courses(site: &Site, levels: &[Level], racks: &[Expected], rollup: Option<&Rollup>) -> Vec<Expected> {
    let course = |cdu: &crate::site::Cdu| {
        let mut sum = Expected {
            now_kw: 0.0,
            measured: !cdu.racks.is_empty(),
            rated_kw: 0.0,
            cap_kw: 0.0,
            mean_kw: [0.0; HORIZONS],
            high_kw: [0.0; HORIZONS],
            still_kw: 0.0,
        };
        // Starts whose place is open can come to any rack, but to all of them only once.
        let mut open = rollup.map_or([(0.0, 0.0); HORIZONS], |rollup| rollup.open);
        for id in &cdu.racks {
            let (Some(rack), Some(level), Some(expected)) = (site.racks.get(id.0), levels.get(id.0), racks.get(id.0))
            else {
                continue;
            };
            sum.now_kw += expected.now_kw;
            sum.measured &= expected.measured;
            sum.rated_kw += expected.rated_kw;
            sum.cap_kw += expected.cap_kw;
            sum.still_kw += expected.still_kw;
            for h in 0..HORIZONS {
                sum.mean_kw[h] += expected.mean_kw[h];
                let Some(rollup) = rollup else {
                    sum.high_kw[h] += expected.high_kw[h];
                    continue;
                };
                let (gpus, watts) = &mut open[h];
                let taken = gpus.min(rollup.free_gpus.get(id.0).copied().unwrap_or(0.0));
                *gpus -= taken;
                let power_kw = rollup.high.get(id.0).map_or(level.power_kw, |course| course[h]);
                let high_kw = rack.nameplate.liquid_fraction * (power_kw + above_idle_kw(rack, taken, *watts));
                sum.high_kw[h] += high_kw.clamp(expected.still_kw, expected.cap_kw);
            }
        }
        sum
    };
    site.cdus.iter().map(course).collect()
}

/// The intervals of all racks or of all CDUs, pooled by rating: with the queue, and of persistence, which is kept
/// calibrated all the time so that it can take over at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Bounds {
    queue: [Interval; HORIZONS],
    persistence: [Interval; HORIZONS],
}

impl Bounds {
    fn bands(&mut self, all: &[Expected], fresh: bool, coverage: f64, now: Now) -> Vec<HeatBand> {
        let actual = |item: usize| {
            let expected = all
                .get(item)
                .filter(|expected| expected.measured && expected.rated_kw > 0.0)?;
            Some((expected.now_kw, expected.rated_kw))
        };
        let mut bands: Vec<HeatBand> = all
            .iter()
            .map(|expected| HeatBand {
                now_kw: expected.now_kw,
                mean_kw: expected.mean_kw,
                upper_kw: [0.0; HORIZONS],
            })
            .collect();
        for (h, horizon_s) in HORIZONS_S.into_iter().enumerate() {
            let upper = |expected: &Expected, from_kw: f64, margin: Option<f64>| {
                margin.map_or(expected.cap_kw, |margin| {
                    (from_kw + margin * expected.rated_kw).min(expected.cap_kw)
                })
            };
            let (with_queue, still) = (&mut self.queue[h], &mut self.persistence[h]);
            with_queue.mature(horizon_s, coverage, now.mono_ms, actual);
            still.mature(horizon_s, coverage, now.mono_ms, actual);
            let (queue_margin, still_margin) = (with_queue.margin(), still.margin());
            let of_queue = |expected: &Expected| {
                let from_kw = expected.high_kw[h].max(expected.mean_kw[h]);
                (from_kw, upper(expected, from_kw, queue_margin))
            };
            let of_still = |expected: &Expected| (expected.still_kw, upper(expected, expected.still_kw, still_margin));
            let sampled = |item: usize| all.get(item).filter(|expected| expected.measured);
            still.sample(horizon_s, now.mono_ms, all.len(), |item| sampled(item).map(of_still));
            if fresh {
                with_queue.sample(horizon_s, now.mono_ms, all.len(), |item| sampled(item).map(of_queue));
            }
            for (band, expected) in bands.iter_mut().zip(all) {
                let (_, upper_kw) = if fresh { of_queue(expected) } else { of_still(expected) };
                band.upper_kw[h] = upper_kw.max(expected.mean_kw[h]);
            }
        }
        bands
    }

    fn restart(&mut self) {
        self.queue
            .iter_mut()
            .chain(&mut self.persistence)
            .for_each(Interval::restart);
    }
}

fn why_no_queue(site: &Site, age_s: Option<f64>) -> String {
    match age_s {
        None => "no job queue has been read: the forecast is rack power as it is now".to_owned(),
        Some(age_s) => format!(
            "the job queue is {age_s:.0} s old and may be {:.0} s: the forecast is rack power as it is now",
            site.forecast.queue_timeout_s
        ),
    }
}

fn notes(queue: &JobQueue, jobs: &Jobs, now: Now) -> Vec<String> {
    let mut notes = rollup::expected_starts(queue, jobs, now, NAMED);
    let unknown: usize = jobs.values().map(|tracked| tracked.unknown_nodes).sum();
    if unknown > 0 {
        notes.push(format!(
            "{unknown} nodes of jobs belong to no rack of the site: their heat comes unannounced"
        ));
    }
    if queue.jobs.len() > MOST_JOBS {
        notes.push(format!(
            "of {} jobs in the queue the first {MOST_JOBS} are followed",
            queue.jobs.len()
        ));
    }
    notes
}

fn which_racks(site: &Site, lost: &[usize]) -> String {
    let named = lost
        .iter()
        .filter_map(|rack| site.racks.get(*rack))
        .take(NAMED)
        .map(|rack| rack.name.as_str());
    let more = if lost.len() > NAMED { ", ..." } else { "" };
    format!(
        "no power reading from {} of {} racks ({}{more}): they count with what their coolant carries, at most with their rating",
        lost.len(),
        site.racks.len(),
        named.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests;
