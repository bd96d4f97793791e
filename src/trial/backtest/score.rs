//! Errors, bounds and rivals at each level of knowledge and horizon.
//!
//! Rivals in the same run: persistence; the mean of what was learned from; and the known future, which adds and takes away
//! jobs at their true starts and ends with the power that the job model predicts for those to come and that was measured
//! of those that run. Everything is scored from the share `from` of the trace on; before, the forecast only learns.

use super::drive::{Course, drive, model_at};
use super::jobs::{self, JobScores};
use super::swings::{self, Swing, Swings};
use super::trace::{Knowledge, Trace};
use crate::forecast::{self, JobModel};
use crate::snapshot::{HORIZONS, HORIZONS_S};
use serde::Serialize;
use std::collections::BTreeMap;

/// One level of knowledge at one horizon, pooled over CDUs; kW.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HorizonScore {
    /// Level of knowledge.
    pub knowledge: &'static str,
    /// Horizon, min.
    pub minutes: f64,
    /// Mean absolute error of the forecast, of persistence, of the mean so far, and of the known future.
    pub mae: f64,
    /// See `mae`.
    pub mae_persistence: f64,
    /// See `mae`.
    pub mae_mean: f64,
    /// See `mae`; absent where nothing is known of jobs.
    pub mae_bound: Option<f64>,
    /// Mean absolute error as a share of persistence's and of the mean's.
    pub nmae_persistence: f64,
    /// See `nmae_persistence`.
    pub nmae_mean: f64,
    /// 95th percentile of the absolute error.
    pub p95: f64,
    /// See `p95`.
    pub p95_persistence: f64,
    /// See `p95`.
    pub p95_bound: Option<f64>,
    /// Share of readings within the interval, and its mean width.
    pub coverage90: f64,
    /// See `coverage90`.
    pub width90: f64,
    /// The least and the largest share in any whole day.
    pub coverage90_days: (f64, f64),
    /// Swings, how many were seen coming, how many alarms were right, and the median lead.
    pub swings: usize,
    /// See `swings`.
    pub swing_recall: Option<f64>,
    /// See `swings`.
    pub swing_precision: Option<f64>,
    /// See `swings`.
    pub swing_lead_s: Option<f64>,
    /// The same of swings up that a start made: those that a queue can show.
    pub start_swings: usize,
    /// See `start_swings`.
    pub start_swing_recall: Option<f64>,
    /// See `start_swings`.
    pub start_swing_lead_s: Option<f64>,
}

/// All scores of a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The trace.
    pub trace: String,
    /// CDUs, racks, jobs, and length in days.
    pub cdus: usize,
    /// See `cdus`.
    pub racks: usize,
    /// See `cdus`.
    pub jobs_in_trace: usize,
    /// See `cdus`.
    pub days: f64,
    /// Share of the trace that was only learned from.
    pub from: f64,
    /// Mean heat of a CDU and its rating, kW.
    pub mean_kw: f64,
    /// See `mean_kw`.
    pub rating_kw: f64,
    /// Scores by level of knowledge and horizon.
    pub horizons: Vec<HorizonScore>,
    /// The power of single jobs; absent where there are too few.
    pub jobs: Option<JobScores>,
    /// Time of one forecast, all racks and CDUs, us.
    pub forecast_us: f64,
}

/// Replays a trace at each level of knowledge and scores what was forecast. `progress` hears what is under way.
pub fn evaluate(trace: &Trace, from: f64, seed: u64, mut progress: impl FnMut(&str)) -> Evaluation {
    progress("job models");
    let jobs = jobs::score(trace, seed);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let first = (from.clamp(0.0, 0.95) * trace.steps as f64) as usize;
    let (heat, ratings) = (trace.cdu_heat(), trace.ratings());
    let mut evaluation = Evaluation {
        trace: trace.name.clone(),
        cdus: if trace.steps == 0 { 0 } else { trace.site.cdus.len() },
        racks: if trace.steps == 0 { 0 } else { trace.site.racks.len() },
        jobs_in_trace: trace.jobs.len().max(trace.finished.len()),
        days: trace.steps as f64 * trace.step_s / 86_400.0,
        from,
        mean_kw: mean(&heat, 0),
        rating_kw: ratings.iter().sum::<f64>() / ratings.len().max(1) as f64,
        horizons: Vec::new(),
        jobs,
        forecast_us: 0.0,
    };
    if trace.steps == 0 {
        return evaluation;
    }
    let trained = model_at(&trace.finished, trace.now(first).wall_ms, seed);
    let truth = Truth {
        trace,
        heat: &heat,
        ratings: &ratings,
        first,
        bound: trace.has_jobs.then(|| Bound::of(trace, &trained)),
        starts: starts(trace, &trained),
    };
    let levels = Knowledge::ALL
        .into_iter()
        .filter(|level| trace.has_jobs || *level == Knowledge::Blind);
    let (mut spent_s, mut count) = (0.0, 0.0);
    for knowledge in levels {
        progress(knowledge.name());
        let course = drive(trace, knowledge, &trained, first);
        spent_s += course.spent_s;
        count += trace.steps as f64;
        for h in 0..HORIZONS {
            evaluation.horizons.push(truth.score(knowledge, &course, h));
        }
    }
    evaluation.forecast_us = 1e6 * spent_s / count;
    evaluation
}

/// What came, against which forecasts are held.
struct Truth<'a> {
    trace: &'a Trace,
    heat: &'a [Vec<f32>],
    ratings: &'a [f64],
    /// First step that is scored.
    first: usize,
    bound: Option<Bound>,
    /// For each CDU, starts: when the power moves, s, and by how much, kW.
    starts: Vec<Vec<(f64, f64)>>,
}

#[derive(Default)]
struct Errors(Vec<f32>);

impl Errors {
    fn add(&mut self, error: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for an error")]
        self.0.push(error.abs() as f32);
    }

    fn mean(&self) -> f64 {
        self.0.iter().map(|error| f64::from(*error)).sum::<f64>() / self.0.len().max(1) as f64
    }

    fn p95(&mut self) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        let place = self.0.len() * 95 / 100;
        let (_, nth, _) = self.0.select_nth_unstable_by(place, f32::total_cmp);
        f64::from(*nth)
    }
}

impl Truth<'_> {
    fn score(&self, knowledge: Knowledge, course: &Course, h: usize) -> HorizonScore {
        let (trace, horizon_s) = (self.trace, HORIZONS_S[h]);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of steps"
        )]
        let ahead = (horizon_s / trace.step_s).round().max(1.0) as usize;
        let (mut ours, mut still, mut averages, mut bounds) = (
            Errors::default(),
            Errors::default(),
            Errors::default(),
            Errors::default(),
        );
        let (mut covered, mut width, mut days) = (0.0, 0.0, BTreeMap::<usize, (f64, f64)>::new());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of steps"
        )]
        let day = (86_400.0 / trace.step_s) as usize;
        for (cdu, series) in self.heat.iter().enumerate() {
            let learned = series.get(..self.first.max(1)).unwrap_or(series);
            let average = learned.iter().map(|kw| f64::from(*kw)).sum::<f64>() / learned.len().max(1) as f64;
            for step in self.first..trace.steps.saturating_sub(ahead) {
                let (now_kw, came) = (f64::from(series[step]), f64::from(series[step + ahead]));
                let [mean_kw, lower_kw, upper_kw] = course.at(step, cdu, h).map(f64::from);
                ours.add(came - mean_kw);
                still.add(came - now_kw);
                averages.add(came - average);
                if let Some(bound) = &self.bound {
                    bounds.add(came - bound.at(trace, cdu, step, horizon_s, now_kw));
                }
                let slack_kw = 1e-4 * self.ratings[cdu];
                let inside = f64::from(came >= lower_kw - slack_kw && came <= upper_kw + slack_kw);
                covered += inside;
                width += upper_kw - lower_kw;
                let (sum, count) = days.entry((step - self.first) / day).or_default();
                *sum += inside;
                *count += 1.0;
            }
        }
        let count = ours.0.len().max(1) as f64;
        // A last part of less than half a day is no day.
        let whole = days
            .values()
            .filter(|(_, n)| *n >= 0.5 * (day * self.heat.len()) as f64);
        let mut shares: Vec<f64> = whole.map(|(sum, n)| sum / n).collect();
        if shares.is_empty() {
            shares.push(covered / count);
        }
        let (all, by_start) = self.swings(course, h);
        let (mae, mae_persistence, mae_mean) = (ours.mean(), still.mean(), averages.mean());
        HorizonScore {
            knowledge: knowledge.name(),
            minutes: horizon_s / 60.0,
            mae,
            mae_persistence,
            mae_mean,
            mae_bound: self.bound.as_ref().map(|_| bounds.mean()),
            nmae_persistence: mae / mae_persistence.max(1e-12),
            nmae_mean: mae / mae_mean.max(1e-12),
            p95: ours.p95(),
            p95_persistence: still.p95(),
            p95_bound: self.bound.as_ref().map(|_| bounds.p95()),
            coverage90: covered / count,
            width90: width / count,
            coverage90_days: shares.iter().fold((1.0, 0.0), |(low, high), share| {
                (f64::min(low, *share), f64::max(high, *share))
            }),
            swings: all.came,
            swing_recall: all.recall(),
            swing_precision: all.precision(),
            swing_lead_s: all.median_lead_s(),
            start_swings: by_start.came,
            start_swing_recall: by_start.recall(),
            start_swing_lead_s: by_start.median_lead_s(),
        }
    }

    fn swings(&self, course: &Course, h: usize) -> (Swings, Swings) {
        let (mut all, mut by_start) = (Swings::default(), Swings::default());
        for (cdu, series) in self.heat.iter().enumerate() {
            let terms = (self.ratings[cdu], self.trace.step_s, HORIZONS_S[h]);
            let expected = |step: usize| course.at(step, cdu, h)[0];
            all.add(swings::judge(series, expected, terms, self.first, |_| true));
            let made_by_start = |swing: &Swing| {
                let t_s = swing.step as f64 * self.trace.step_s;
                let started = self.starts[cdu]
                    .iter()
                    .filter(|(moves_s, _)| (t_s - 400.0..=t_s).contains(moves_s));
                swing.up && started.map(|(_, kw)| kw).sum::<f64>() > 0.1 * self.ratings[cdu]
            };
            by_start.add(swings::judge(series, expected, terms, self.first, made_by_start));
        }
        (all, by_start)
    }
}

/// Power above idle of a job on each CDU, kW, at a power per GPU.
fn by_cdu(
    trace: &Trace,
    places: &BTreeMap<&str, usize>,
    nodes: &[String],
    gpus: f64,
    watts: f64,
) -> BTreeMap<usize, f64> {
    let mut shares = BTreeMap::new();
    for node in nodes {
        let Some(rack) = places.get(node.as_str()).and_then(|rack| trace.site.racks.get(*rack)) else {
            continue;
        };
        let idle_kw = rack.nameplate.idle_kw / f64::from(rack.nameplate.gpus.max(1));
        let kw = gpus / nodes.len() as f64 * (watts / 1000.0 - idle_kw).max(0.0);
        *shares.entry(rack.cdu.0).or_default() += kw * rack.nameplate.liquid_fraction;
    }
    shares
}

fn places(trace: &Trace) -> BTreeMap<&str, usize> {
    let racks = trace.site.racks.iter().enumerate();
    racks
        .flat_map(|(index, rack)| rack.nodes.iter().map(move |node| (node.as_str(), index)))
        .collect()
}

fn starts(trace: &Trace, model: &JobModel) -> Vec<Vec<(f64, f64)>> {
    let mut starts = vec![Vec::new(); trace.site.cdus.len()];
    let places = places(trace);
    for job in &trace.jobs {
        let watts = if job.mean_w.is_finite() {
            job.mean_w
        } else {
            model.predict(&job.job).mean_w
        };
        for (cdu, kw) in by_cdu(trace, &places, &job.job.nodes, f64::from(job.job.gpus), watts) {
            starts[cdu].push((job.moves_s, kw));
        }
    }
    starts
}

/// The known future: for each CDU, jobs with their true start and end and their power.
struct Bound {
    jobs: Vec<Vec<KnownJob>>,
    /// Time from a start until the job is at work, s.
    ramp_s: f64,
}

struct KnownJob {
    start_s: f64,
    end_s: f64,
    /// What it draws, kW, and what the model says of it.
    draws_kw: f64,
    predicted_kw: f64,
}

impl Bound {
    fn of(trace: &Trace, model: &JobModel) -> Self {
        let replayed = forecast::replay(model, &trace.finished);
        let predicted: BTreeMap<&str, f64> = trace
            .finished
            .iter()
            .map(|job| job.id.as_str())
            .zip(replayed.iter().map(|power| power.mean_w))
            .collect();
        let places = places(trace);
        let mut jobs: Vec<Vec<KnownJob>> = trace.site.cdus.iter().map(|_| Vec::new()).collect();
        for job in &trace.jobs {
            let model_w = predicted
                .get(job.job.id.as_str())
                .copied()
                .unwrap_or_else(|| model.predict(&job.job).mean_w);
            let true_w = if job.mean_w.is_finite() { job.mean_w } else { model_w };
            let gpus = f64::from(job.job.gpus);
            let draws = by_cdu(trace, &places, &job.job.nodes, gpus, true_w);
            let model = by_cdu(trace, &places, &job.job.nodes, gpus, model_w);
            for (cdu, draws_kw) in draws {
                jobs[cdu].push(KnownJob {
                    start_s: job.start_s,
                    end_s: job.end_s,
                    draws_kw,
                    predicted_kw: model.get(&cdu).copied().unwrap_or(0.0),
                });
            }
        }
        let ramps: Vec<f64> = trace.finished.iter().filter_map(|job| job.ramp_s).collect();
        Self {
            jobs,
            ramp_s: ramps.iter().sum::<f64>() / ramps.len().max(1) as f64,
        }
    }

    fn at(&self, trace: &Trace, cdu: usize, step: usize, ahead_s: f64, now_kw: f64) -> f64 {
        let (t_s, then_s) = (step as f64 * trace.step_s, step as f64 * trace.step_s + ahead_s);
        let mut kw = now_kw;
        for job in &self.jobs[cdu] {
            if job.start_s > then_s {
                break;
            }
            if job.end_s <= t_s {
                continue;
            }
            let works = |at_s: f64| job.start_s + self.ramp_s <= at_s && at_s < job.end_s;
            match (works(t_s), works(then_s)) {
                (true, false) => kw -= job.draws_kw,
                (false, true) => kw += job.predicted_kw,
                (true, true) | (false, false) => {}
            }
        }
        kw.clamp(0.0, cap_kw(trace, cdu))
    }
}

/// The most that a CDU's racks may give, kW.
fn cap_kw(trace: &Trace, cdu: usize) -> f64 {
    let racks = trace
        .site
        .cdus
        .get(cdu)
        .map(|cdu| cdu.racks.as_slice())
        .unwrap_or_default();
    let rated = racks.iter().filter_map(|id| trace.site.racks.get(id.0));
    rated
        .map(|rack| 1.1 * rack.nameplate.rated_kw * rack.nameplate.liquid_fraction)
        .sum()
}

fn mean(heat: &[Vec<f32>], first: usize) -> f64 {
    let all = heat.iter().flat_map(|series| series.iter().skip(first));
    let (sum, count) = all.fold((0.0, 0.0), |(sum, count), kw| (sum + f64::from(*kw), count + 1.0));
    sum / f64::max(count, 1.0)
}
