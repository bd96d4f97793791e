//! The model of job power: mean and peak power per GPU from what is known at submit.

use super::features::{GpuPower, Groups, History, Memory, Row, Submission};
use super::learner::Regressor;
use crate::snapshot::Job;
use serde::{Deserialize, Serialize};

/// A trained model of job power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobModel {
    pub(super) mean: Regressor,
    pub(super) peak: Regressor,
    /// What the training jobs drew, by user, name and so on.
    pub(super) history: History,
    /// Smallest and largest value of each feature in the training data; empty where there was none.
    pub(super) seen: Vec<(f64, f64)>,
    /// Bound on any prediction, W per GPU.
    pub(super) ceiling_w: f64,
}

/// A prediction for one job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prediction {
    /// Corrected by what was seen in service.
    pub(super) power: GpuPower,
    /// By the model alone.
    pub(super) model: GpuPower,
    /// Whether the job is unlike any that the model was trained on or that ran in service.
    pub(super) foreign: bool,
}

impl JobModel {
    /// The model that knows nothing: every job draws whatever its racks are rated for.
    pub fn nameplate() -> Self {
        let most = 1e6;
        Self {
            mean: Regressor::constant(most),
            peak: Regressor::constant(most),
            history: History::default(),
            seen: vec![],
            ceiling_w: most,
        }
    }

    /// Power per GPU that a job will draw, by what was known when the model was trained.
    pub fn predict(&self, job: &Job) -> GpuPower {
        let submission = Submission::from(job);
        self.predict_with(&submission, &Groups::of(&submission), None).power
    }

    /// As [`JobModel::predict`], with what was seen since.
    pub(super) fn predict_with(&self, job: &Submission<'_>, groups: &Groups, recent: Option<&History>) -> Prediction {
        let memory = Memory {
            trained: &self.history,
            recent,
        };
        let row = memory.row(job, groups);
        let power = |mean_w: f64, peak_w: f64| {
            let mean_w = mean_w.clamp(0.0, self.ceiling_w);
            GpuPower {
                mean_w,
                peak_w: peak_w.clamp(mean_w, self.ceiling_w),
            }
        };
        let (mean_w, peak_w) = (self.mean.predict(&row), self.peak.predict(&row));
        let (more_mean_w, more_peak_w) = memory.correction(groups);
        Prediction {
            power: power(mean_w + more_mean_w, peak_w + more_peak_w),
            model: power(mean_w, peak_w),
            foreign: !memory.knows_user(groups) && self.is_foreign(&row),
        }
    }

    /// Two features or more far outside of the training data: one may be a size that grew, two are another world.
    fn is_foreign(&self, row: &Row) -> bool {
        let outside = |(value, (low, high)): (&f64, &(f64, f64))| {
            let margin = 0.5 * (high - low) + 1e-6;
            *value < low - margin || *value > high + margin
        };
        row.iter().zip(&self.seen).filter(|pair| outside(*pair)).count() >= 2
    }

    /// Whether every number makes sense.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.mean.check()?;
        self.peak.check()?;
        let ranges = self
            .seen
            .iter()
            .all(|(low, high)| low.is_finite() && high.is_finite() && low <= high);
        if ranges && self.ceiling_w.is_finite() && self.ceiling_w > 0.0 {
            Ok(())
        } else {
            Err("a bound that is not a number, or not a power")
        }
    }
}
