//! The service's own forecast through a trace, cycle after cycle, at a level of knowledge.

use super::trace::{Knowledge, Shown, Trace};
use crate::forecast::{self, FEWEST_JOBS, JobModel};
use crate::snapshot::{FinishedJob, HORIZONS, HeatBand, Snapshot};
use std::time::Instant;

/// What was forecast for every CDU at every step and horizon, kW.
#[derive(Debug)]
pub(super) struct Course {
    cdus: usize,
    /// Mean, lower and upper bound: CDUs and horizons of the first step, then of the next.
    values: Vec<[f32; 3]>,
    /// Time that forecasts took in all, s.
    pub(super) spent_s: f64,
}

impl Course {
    /// Mean, lower and upper bound.
    pub(super) fn at(&self, step: usize, cdu: usize, horizon: usize) -> [f32; 3] {
        let place = (step * self.cdus + cdu) * HORIZONS + horizon;
        self.values.get(place).copied().unwrap_or([f32::NAN; 3])
    }

    fn push(&mut self, band: &HeatBand) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a power")]
        let narrow = |kw: f64| kw as f32;
        for h in 0..HORIZONS {
            self.values.push([
                narrow(band.mean_kw[h]),
                narrow(band.lower_kw[h]),
                narrow(band.upper_kw[h]),
            ]);
        }
    }
}

/// The model of job power at a moment: trained on what had ended by then, else the one that the binary carries.
pub(super) fn model_at(finished: &[FinishedJob], wall_ms: i64, seed: u64) -> JobModel {
    let past: Vec<FinishedJob> = finished.iter().filter(|job| job.end_ms <= wall_ms).cloned().collect();
    if past.len() < FEWEST_JOBS {
        return JobModel::embedded();
    }
    forecast::train(&past, seed).map_or_else(|_| JobModel::embedded(), |(model, _)| model)
}

/// Drives the forecast through the trace. From `from` on the model is `trained`; before, what the binary carries.
pub(super) fn drive(trace: &Trace, knowledge: Knowledge, trained: &JobModel, from: usize) -> Course {
    let mut course = Course {
        cdus: trace.site.cdus.len(),
        values: Vec::with_capacity(trace.steps * trace.site.cdus.len() * HORIZONS),
        spent_s: 0.0,
    };
    let carried = JobModel::embedded();
    let mut shown = Shown::new(trace, knowledge);
    let mut state = forecast::State::default();
    let mut snapshot = Snapshot::empty(trace.site.points.len(), trace.now(0));
    for step in 0..trace.steps {
        trace.read(step, &mut snapshot);
        let queue = shown.at(step);
        let model = if step < from { &carried } else { trained };
        let began = Instant::now();
        let heat = forecast::forecast(&trace.site, model, &snapshot, queue, &mut state, snapshot.now);
        course.spent_s += began.elapsed().as_secs_f64();
        for band in &heat.cdus {
            course.push(band);
        }
    }
    course
}
