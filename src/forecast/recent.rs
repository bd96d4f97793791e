//! What finished in service, for predictions outside a cycle: of jobs one by one, and of models beside each other.

use super::JobModel;
use super::features::{GpuPower, Groups, History, Lesson, Submission};
use crate::snapshot::{FinishedJob, Job};

/// Groups of jobs remembered.
const GROUPS: usize = 2048;

/// Finished jobs, as every model takes them into account.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recent(History);

impl Recent {
    /// Takes in a job that has finished while `model` was in use.
    pub fn learn(&mut self, model: &JobModel, job: &FinishedJob) {
        let groups = Groups::of(&Submission::from(job));
        self.0.learn(&groups, &Lesson::from(job), Some(&model.history), GROUPS);
    }

    /// Power per GPU that a job will draw.
    pub fn predict(&self, model: &JobModel, job: &Job) -> GpuPower {
        let submission = Submission::from(job);
        model
            .predict_with(&submission, &Groups::of(&submission), Some(&self.0))
            .power
    }
}
