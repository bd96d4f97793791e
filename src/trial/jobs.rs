//! The scheduler's queue in the vocabulary of the walls.

use crate::snapshot::{Job, JobQueue, JobState, Now};
use simulators::jobs::{Phase, Scheduler};

/// The last queue that was read, read again only when it has changed.
#[derive(Debug, Default)]
pub(super) struct Queue {
    revision: Option<u64>,
    jobs: Vec<Job>,
}

impl Queue {
    /// The queue now. `epoch_ms` is the wall time of the scheduler's time 0.
    pub(super) fn read(&mut self, scheduler: Option<&Scheduler>, epoch_ms: i64, now: Now) -> JobQueue {
        let Some(scheduler) = scheduler else {
            return JobQueue::default();
        };
        if self.revision != Some(scheduler.revision()) {
            self.revision = Some(scheduler.revision());
            self.jobs = jobs(scheduler, epoch_ms);
        }
        JobQueue {
            mono_ms: Some(now.mono_ms),
            jobs: self.jobs.clone(),
        }
    }
}

/// The jobs of a scheduler; `epoch_ms` is the wall time of its time 0.
pub(super) fn jobs(scheduler: &Scheduler, epoch_ms: i64) -> Vec<Job> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a trial")]
    let wall = |s: f64| epoch_ms + (s * 1000.0).round() as i64;
    let names = scheduler.cluster().node_names();
    let queue = scheduler.queue().into_iter().map(|queued| Job {
        id: queued.job.id.to_string(),
        state: match queued.phase {
            Phase::Pending { expected_start_s } => JobState::Pending {
                expected_start_ms: expected_start_s.map(wall),
            },
            Phase::Starting { start_s } => JobState::Starting {
                start_ms: wall(start_s),
            },
            Phase::Running { start_s } => JobState::Running {
                start_ms: wall(start_s),
            },
        },
        user: queued.job.user.clone(),
        account: queued.job.account.clone(),
        name: queued.job.name.clone(),
        partition: queued.job.partition.clone(),
        gpus: queued.job.gpus,
        node_count: queued.node_count,
        nodes: queued
            .nodes
            .iter()
            .filter_map(|node| names.get(*node).cloned())
            .collect(),
        submit_ms: wall(queued.job.submit_s),
        time_limit_s: queued.job.time_limit_s,
    });
    queue.collect()
}
