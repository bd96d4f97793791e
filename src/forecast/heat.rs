//! The forecast: levels, jobs and intervals together, a band for every rack and CDU.

use super::JobModel;
use super::blend::{self, COURSES, Changes};
use super::guards::{self, Guards};
use super::horizon::{Came, Horizon, LEAST_SCALE, Made};
use super::level::{self, Level};
use super::rollup::{self, Rollup};
use super::tracked::{self, Experience, Jobs, MOST_JOBS, above_idle_kw};
use crate::site::Site;
use crate::snapshot::{
    Event, Guard, HORIZONS, HORIZONS_S, HeatBand, HeatForecast, HeatSource, JobQueue, Now, Severity, Snapshot,
};
use serde::{Deserialize, Serialize};

/// Names and starts in a note, at most.
const NAMED: usize = 3;

/// Outcomes before a share that was covered is shown.
const SHOWN: u32 = 50;

/// What the forecast remembers from cycle to cycle; bounded, whatever the queue holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    cycle: u64,
    mono_ms: Option<u64>,
    jobs: Jobs,
    experience: Experience,
    racks: Bounds,
    cdus: Bounds,
    guards: Guards,
    /// The last source and the guards that were in force.
    source: Option<HeatSource>,
    tripped: Vec<Guard>,
    events: Vec<Event>,
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

    /// What happened in the last cycle: a source lost or found again, a guard tripped or clean.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn note(&mut self, heat: &HeatForecast) {
        self.events = guards::events(&self.tripped, &heat.demotions);
        self.tripped = heat.demotions.iter().map(|demotion| demotion.guard).collect();
        let before = self.source.replace(heat.source);
        if let Some(before) = before.filter(|before| *before != heat.source) {
            let poorer = heat.source > before;
            self.events.push(Event {
                severity: if poorer { Severity::Warning } else { Severity::Info },
                code: "forecast_source".into(),
                subject: "forecast".into(),
                text: format!(
                    "the forecast is made from {}, before from {}",
                    heat.source.words(),
                    before.words()
                ),
            });
        }
    }
}

/// The heat that is about to arrive in the liquid, for every rack and CDU.
///
/// The mean is what is expected; the bounds are calibrated to hold for the site's wanted share of readings, and are nothing
/// and the rated heat while too little is known to say more.
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
        tracked::refresh(
            &mut state.jobs,
            &mut state.experience,
            site,
            model,
            queue,
            state.cycle,
            now,
        );
        let Experience { history, starts } = &state.experience;
        let lasting = if history.lasting.tells() {
            &history.lasting
        } else {
            &model.history.lasting
        };
        rollup::roll(site, queue, &mut state.jobs, (lasting, starts), &levels, now, dt_s)
    });

    let coverage = site.forecast.coverage;
    let racks = rack_courses(site, &levels, rollup.as_ref());
    let cdus = cdu_courses(site, &levels, &racks, rollup.as_ref());
    state.racks.mature(&racks, coverage, now, |_| {});
    let guards = &mut state.guards;
    state.cdus.mature(&cdus, coverage, now, |came| guards.hear(came));
    let gpus = rollup.as_ref().map(|rollup| rollup.gpus);
    let demotions = guards.judge(gpus, &state.cdus.queue, &state.cdus.persistence, coverage, now);

    let unmeasured = 2 * lost.len() > levels.len();
    let nothing_holds = demotions.iter().any(|demotion| demotion.guard == Guard::Persistence);
    let source = if unmeasured || nothing_holds {
        HeatSource::Feedback
    } else if fresh && demotions.is_empty() {
        HeatSource::Queue
    } else {
        HeatSource::RackPower
    };
    let mut notes = rollup
        .as_ref()
        .map_or_else(|| vec![why_no_queue(site, age_s)], |_| notes(queue, state, now));
    if !lost.is_empty() {
        notes.push(which_racks(site, &lost));
    }
    notes.extend(demotions.iter().map(|demotion| demotion.why.clone()));
    let trust = Trust {
        made: fresh,
        queue: fresh && demotions.is_empty(),
        nothing: nothing_holds,
    };
    let heat = HeatForecast {
        source,
        racks: state.racks.bands(&racks, trust, SAMPLES.0, coverage, now),
        cdus: state.cdus.bands(&cdus, trust, SAMPLES.1, coverage, now),
        notes,
        demotions,
        covered: state.cdus.covered(trust.queue),
    };
    state.note(&heat);
    heat
}

/// Forecasts of racks and of CDUs that are kept in each horizon's time.
const SAMPLES: (f64, f64) = (4.0, 12.0);

/// What is expected of a rack or CDU before calibration, kW into the liquid.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expected {
    now_kw: f64,
    measured: bool,
    rated_kw: f64,
    cap_kw: f64,
    /// What the queue adds and takes away.
    changes: [Changes; HORIZONS],
    /// Announced and likely starts at their peaks, and nothing ends: the upper bound is not lower.
    high_kw: [f64; HORIZONS],
    /// Standard deviation by starts and ends.
    spread_kw: [f64; HORIZONS],
    /// What persistence begins from: the present, or the cap of what is not measured.
    still_kw: f64,
}

fn rack_courses(site: &Site, levels: &[Level], rollup: Option<&Rollup>) -> Vec<Expected> {
    let racks = site.racks.iter().zip(levels).enumerate();
    let course = |(index, (rack, level)): (usize, (&crate::site::Rack, &Level))| {
        let liquid = rack.nameplate.liquid_fraction;
        let (now_kw, cap_kw) = (liquid * level.power_kw, liquid * level.cap_kw);
        let still_kw = if level.measured { now_kw } else { cap_kw };
        let mut expected = Expected {
            now_kw,
            measured: level.measured,
            rated_kw: liquid * rack.nameplate.rated_kw,
            cap_kw,
            changes: [Changes::default(); HORIZONS],
            high_kw: [still_kw; HORIZONS],
            spread_kw: [0.0; HORIZONS],
            still_kw,
        };
        let Some(rollup) = rollup else { return expected };
        let free = rollup.free_gpus.get(index).copied().unwrap_or(0.0);
        for h in 0..HORIZONS {
            let of = |courses: &[[f64; HORIZONS]]| courses.get(index).map_or(level.power_kw, |course| course[h]);
            let (gpus, watts) = rollup.open[h];
            let open_kw = above_idle_kw(rack, gpus.min(free), watts);
            if let Some(changes) = rollup.changes.get(index) {
                expected.changes[h] = changes[h].times(liquid);
            }
            expected.high_kw[h] = (liquid * (of(&rollup.high) + open_kw)).clamp(still_kw, cap_kw);
            let variance = rollup.rack_variance.get(index).map_or(0.0, |variance| variance[h]);
            expected.spread_kw[h] = liquid * variance.max(0.0).sqrt();
        }
        expected
    };
    racks.map(course).collect()
}

fn cdu_courses(site: &Site, levels: &[Level], racks: &[Expected], rollup: Option<&Rollup>) -> Vec<Expected> {
    let course = |(index, cdu): (usize, &crate::site::Cdu)| {
        let mut sum = Expected {
            now_kw: 0.0,
            measured: !cdu.racks.is_empty(),
            rated_kw: 0.0,
            cap_kw: 0.0,
            changes: [Changes::default(); HORIZONS],
            high_kw: [0.0; HORIZONS],
            spread_kw: [0.0; HORIZONS],
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
            let liquid = rack.nameplate.liquid_fraction;
            for h in 0..HORIZONS {
                sum.changes[h].add(&expected.changes[h]);
                let Some(rollup) = rollup else {
                    sum.high_kw[h] += expected.high_kw[h];
                    continue;
                };
                let (gpus, watts) = &mut open[h];
                let taken = gpus.min(rollup.free_gpus.get(id.0).copied().unwrap_or(0.0));
                *gpus -= taken;
                let power_kw = rollup.high.get(id.0).map_or(level.power_kw, |course| course[h]);
                let high_kw = liquid * (power_kw + above_idle_kw(rack, taken, *watts));
                sum.high_kw[h] += high_kw.clamp(expected.still_kw, expected.cap_kw);
                if let Some(variance) = rollup.cdu_variance.get(index) {
                    sum.spread_kw[h] = liquid * variance[h].max(0.0).sqrt();
                }
            }
        }
        sum
    };
    site.cdus.iter().enumerate().map(course).collect()
}

/// What may be trusted in a cycle.
#[derive(Debug, Clone, Copy)]
struct Trust {
    /// Whether there is a queue to make a forecast from.
    made: bool,
    /// Whether that forecast is the one to publish.
    queue: bool,
    /// Whether not even rack power tells anything of the time to come.
    nothing: bool,
}

/// The horizons of all racks or of all CDUs: with the queue, and of persistence, which is kept calibrated all the time so
/// that it can take over at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Bounds {
    queue: [Horizon; HORIZONS],
    persistence: [Horizon; HORIZONS],
}

impl Bounds {
    /// Learns from the forecasts whose time has come; hands those from the queue at the watched horizon to `hear`.
    fn mature(&mut self, all: &[Expected], coverage: f64, now: Now, mut hear: impl FnMut(Came)) {
        let actual = |item: usize| {
            let expected = all
                .get(item)
                .filter(|expected| expected.measured && expected.rated_kw > 0.0)?;
            Some((expected.now_kw, expected.rated_kw))
        };
        for (h, horizon_s) in HORIZONS_S.into_iter().enumerate() {
            self.queue[h].mature(horizon_s, coverage, now.mono_ms, actual, |came| {
                if h == guards::WATCHED {
                    hear(came);
                }
            });
            self.persistence[h].mature(horizon_s, coverage, now.mono_ms, actual, |_| {});
        }
    }

    fn bands(&mut self, all: &[Expected], trust: Trust, samples: f64, coverage: f64, now: Now) -> Vec<HeatBand> {
        let mut bands: Vec<HeatBand> = all
            .iter()
            .map(|expected| HeatBand {
                now_kw: expected.now_kw,
                mean_kw: [expected.now_kw; HORIZONS],
                lower_kw: [0.0; HORIZONS],
                upper_kw: [expected.cap_kw; HORIZONS],
            })
            .collect();
        for (h, horizon_s) in HORIZONS_S.into_iter().enumerate() {
            let (with_queue, still) = (&mut self.queue[h], &mut self.persistence[h]);
            let (weights, margins) = (with_queue.blend.weights(), with_queue.interval.margins(coverage));
            let of_queue = |expected: &Expected| expected.by_queue(h, &weights, margins);
            let margins = still.interval.margins(coverage);
            let of_still = |expected: &Expected| expected.persistent(margins);
            for (band, expected) in bands.iter_mut().zip(all).filter(|_| !trust.nothing) {
                let made = if trust.queue {
                    of_queue(expected)
                } else {
                    of_still(expected)
                };
                band.mean_kw[h] = made.mean_kw;
                band.lower_kw[h] = made.lower_kw;
                band.upper_kw[h] = made.upper_kw;
            }
            let sampled = |item: usize| all.get(item).filter(|expected| expected.measured);
            still.sample(horizon_s, samples, now.mono_ms, all.len(), |item| {
                sampled(item).map(of_still)
            });
            if trust.made {
                with_queue.sample(horizon_s, samples, now.mono_ms, all.len(), |item| {
                    sampled(item).map(of_queue)
                });
            }
        }
        bands
    }

    /// Share that was covered of late, by horizon.
    fn covered(&self, queue: bool) -> [Option<f64>; HORIZONS] {
        let horizons = if queue { &self.queue } else { &self.persistence };
        let mut covered = [None; HORIZONS];
        for (covered, horizon) in covered.iter_mut().zip(horizons) {
            let (share, judged) = horizon.interval.covered();
            *covered = (judged >= SHOWN).then_some(share);
        }
        covered
    }

    fn restart(&mut self) {
        self.queue
            .iter_mut()
            .chain(&mut self.persistence)
            .for_each(Horizon::restart);
    }
}

impl Expected {
    fn by_queue(&self, h: usize, weights: &[f64; COURSES], margins: (f64, f64)) -> Made {
        let courses = blend::courses(self.now_kw, &self.changes[h]).map(|kw| kw.clamp(0.0, self.cap_kw));
        let mean_kw = courses.iter().zip(weights).map(|(kw, weight)| kw * weight).sum::<f64>();
        let scale = LEAST_SCALE + self.spread_kw[h] / self.rated_kw.max(1e-9);
        self.made(
            courses,
            mean_kw.clamp(0.0, self.cap_kw),
            self.high_kw[h],
            scale,
            margins,
        )
    }

    fn persistent(&self, margins: (f64, f64)) -> Made {
        let courses = [self.now_kw; COURSES];
        self.made(courses, self.now_kw, self.still_kw, LEAST_SCALE, margins)
    }

    fn made(&self, courses: [f64; COURSES], mean_kw: f64, floor_kw: f64, scale: f64, margins: (f64, f64)) -> Made {
        let unit_kw = scale * self.rated_kw;
        // What is not measured may be anything up to its cap.
        let (lower_kw, upper_kw) = if self.measured {
            (mean_kw + margins.0 * unit_kw, mean_kw + margins.1 * unit_kw)
        } else {
            (0.0, self.cap_kw)
        };
        let upper_kw = upper_kw.max(floor_kw).max(self.still_kw).max(mean_kw).min(self.cap_kw);
        Made {
            courses,
            mean_kw,
            lower_kw: lower_kw.max(0.0).min(mean_kw),
            upper_kw,
            scale,
        }
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

fn notes(queue: &JobQueue, state: &State, now: Now) -> Vec<String> {
    let jobs = &state.jobs;
    let mut notes = rollup::expected_starts(queue, jobs, &state.experience.starts, now, NAMED);
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
