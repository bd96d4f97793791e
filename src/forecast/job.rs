//! The model of job power: mean and peak power per GPU from what is known at submit.

use super::features::{GpuPower, Groups, History, Memory, Submission};
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
    /// Bound on any prediction, W per GPU.
    pub(super) ceiling_w: f64,
}

impl JobModel {
    /// The model that knows nothing: every job draws whatever its racks are rated for.
    pub fn nameplate() -> Self {
        let most = 1e6;
        Self {
            mean: Regressor::constant(most),
            peak: Regressor::constant(most),
            history: History::default(),
            ceiling_w: most,
        }
    }

    /// Power per GPU that a job will draw, by what was known when the model was trained.
    pub fn predict(&self, job: &Job) -> GpuPower {
        let submission = Submission::from(job);
        self.predict_with(&submission, &Groups::of(&submission), None)
    }

    /// As [`JobModel::predict`], with what was seen since. The more runs of the same user and name finished in service,
    /// the more they count themselves: trees cannot answer beyond what they were trained on.
    pub(super) fn predict_with(&self, job: &Submission<'_>, groups: &Groups, recent: Option<&History>) -> GpuPower {
        let memory = Memory {
            trained: &self.history,
            recent,
        };
        let row = memory.row(job, groups);
        let (mut mean_w, mut peak_w) = (self.mean.predict(&row), self.peak.predict(&row));
        if let Some((runs, drew)) = memory.in_service(groups) {
            let weight = runs / (runs + 2.0);
            mean_w += weight * (drew.mean_w - mean_w);
            peak_w += weight * (drew.peak_w - peak_w);
        }
        let mean_w = mean_w.clamp(0.0, self.ceiling_w);
        GpuPower {
            mean_w,
            peak_w: peak_w.clamp(mean_w, self.ceiling_w),
        }
    }

    /// Whether every number makes sense.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.mean.check()?;
        self.peak.check()?;
        if self.ceiling_w.is_finite() && self.ceiling_w > 0.0 {
            Ok(())
        } else {
            Err("a bound that is not a power")
        }
    }
}
