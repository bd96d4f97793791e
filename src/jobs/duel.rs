//! A new model scored beside the one in use, on jobs that neither has seen end.

use crate::forecast::{JobModel, Recent};
use crate::snapshot::{FinishedJob, Job};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Finished jobs that a verdict needs.
const FEWEST: usize = 30;

/// After so many shadow periods without enough jobs the challenger is dropped: it has grown old.
const PATIENCE: f64 = 10.0;

/// Jobs waited for, at most.
const MOST: usize = 20_000;

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether the challenger was better.
    pub better: bool,
    /// Jobs on which both were scored.
    pub jobs: usize,
    /// Mean absolute error of mean power of the model in use, W per GPU.
    pub champion_mae_w: f64,
    /// That of the challenger.
    pub challenger_mae_w: f64,
}

/// A shadow period.
#[derive(Debug, Clone)]
pub struct Duel {
    /// The new model.
    pub challenger: Arc<JobModel>,
    since_ms: u64,
    /// What each said when a job was seen to start: champion and challenger, W per GPU.
    said: BTreeMap<String, (f64, f64)>,
    jobs: usize,
    errors_w: (f64, f64),
}

impl Duel {
    /// Begins at a monotonic time, ms.
    pub fn new(challenger: Arc<JobModel>, since_ms: u64) -> Self {
        Self {
            challenger,
            since_ms,
            said: BTreeMap::new(),
            jobs: 0,
            errors_w: (0.0, 0.0),
        }
    }

    /// A job has started: both models say what it will draw.
    pub fn started(&mut self, job: &Job, champion: &JobModel, recent: &Recent) {
        if self.said.len() < MOST {
            let said = (
                recent.predict(champion, job).mean_w,
                recent.predict(&self.challenger, job).mean_w,
            );
            self.said.insert(job.id.clone(), said);
        }
    }

    /// A job has ended; `finished` is what it drew, where that is known.
    pub fn ended(&mut self, id: &str, finished: Option<&FinishedJob>) {
        if let (Some((champion_w, challenger_w)), Some(finished)) = (self.said.remove(id), finished) {
            self.jobs += 1;
            self.errors_w.0 += (champion_w - finished.mean_gpu_w).abs();
            self.errors_w.1 += (challenger_w - finished.mean_gpu_w).abs();
        }
    }

    /// The verdict, once the shadow period (h) is over and enough jobs have ended.
    pub fn verdict(&self, shadow_h: f64, mono_ms: u64) -> Option<Verdict> {
        let periods = mono_ms.saturating_sub(self.since_ms) as f64 / 3_600_000.0 / shadow_h;
        if periods < 1.0 || (self.jobs < FEWEST && periods < PATIENCE) {
            return None;
        }
        let mean = |sum: f64| sum / self.jobs.max(1) as f64;
        let (champion_mae_w, challenger_mae_w) = (mean(self.errors_w.0), mean(self.errors_w.1));
        Some(Verdict {
            better: self.jobs >= FEWEST && challenger_mae_w < champion_mae_w,
            jobs: self.jobs,
            champion_mae_w,
            challenger_mae_w,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::JobState;

    fn job(id: usize) -> Job {
        Job {
            id: id.to_string(),
            state: JobState::Running { start_ms: 0 },
            user: "ann".into(),
            account: String::new(),
            name: "train".into(),
            partition: String::new(),
            gpus: 8,
            node_count: 1,
            nodes: Vec::new(),
            submit_ms: 0,
            time_limit_s: 0.0,
        }
    }

    fn finished(id: usize, mean_gpu_w: f64) -> FinishedJob {
        FinishedJob {
            id: id.to_string(),
            user: "ann".into(),
            account: String::new(),
            name: "train".into(),
            partition: String::new(),
            gpus: 8,
            nodes: 1,
            time_limit_s: 0.0,
            submit_ms: 0,
            start_ms: 0,
            end_ms: 1_000_000,
            mean_gpu_w,
            peak_gpu_w: mean_gpu_w,
            ramp_s: None,
        }
    }

    #[test]
    fn only_a_better_model_wins_and_only_with_enough_jobs_and_time() {
        let (sound, absurd) = (JobModel::embedded(), JobModel::nameplate());
        let recent = Recent::default();
        let hour = |hours: u64| hours * 3_600_000;
        let fight = |champion: &JobModel, challenger: &JobModel, jobs: usize, hours: u64| {
            let mut duel = Duel::new(Arc::new(challenger.clone()), hour(1));
            for id in 0..jobs {
                duel.started(&job(id), champion, &recent);
                duel.ended(&id.to_string(), Some(&finished(id, 900.0)));
            }
            // Jobs that were not seen to start, or of which nothing is known, do not count.
            duel.ended("unseen", Some(&finished(0, 1.0)));
            duel.started(&job(9999), champion, &recent);
            duel.ended("9999", None);
            duel.verdict(2.0, hour(1 + hours))
        };
        assert_eq!(fight(&absurd, &sound, 40, 1), None, "too soon");
        assert_eq!(fight(&absurd, &sound, 10, 3), None, "too few");
        let won = fight(&absurd, &sound, 40, 3).unwrap();
        assert!(
            won.better && won.jobs == 40 && won.challenger_mae_w < won.champion_mae_w,
            "{won:?}"
        );
        assert!(!fight(&sound, &absurd, 40, 3).unwrap().better);
        assert!(!fight(&sound, &sound, 40, 3).unwrap().better, "as good is not better");
        assert!(
            !fight(&absurd, &sound, 10, 30).unwrap().better,
            "it has grown old without enough jobs"
        );
    }
}
