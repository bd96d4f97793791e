//! The scheduler's queue in the vocabulary of the walls.

use crate::snapshot::{Job, JobQueue, JobState, Now};
use simulators::faults::Kind;
use simulators::jobs::{Phase, Scheduler};
use simulators::world::World;

/// The last queue that was read, read again only when it has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    revision: Option<u64>,
    read_ms: Option<u64>,
    jobs: Vec<Job>,
}

impl Queue {
    /// The queue now. `epoch_ms` is the wall time of the scheduler's time 0.
    pub(super) fn read(&mut self, world: &World, epoch_ms: i64, now: Now) -> JobQueue {
        let Some(scheduler) = world.scheduler() else {
            return JobQueue::default();
        };
        if world.faults().active(Kind::QueueLost).next().is_some() {
            return JobQueue {
                mono_ms: self.read_ms,
                jobs: self.jobs.clone(),
            };
        }
        self.read_ms = Some(now.mono_ms);
        if self.revision != Some(scheduler.revision()) {
            self.revision = Some(scheduler.revision());
            self.jobs = jobs(scheduler, epoch_ms);
        }
        let mut jobs = self.jobs.clone();
        if let Some(fault) = world.faults().active(Kind::BadForecast).next() {
            for job in &mut jobs {
                distort(job, fault.amount);
            }
        }
        JobQueue {
            mono_ms: self.read_ms,
            jobs,
        }
    }
}

/// A queue that says 30 % too little, 30 % too much, or nonsense.
fn distort(job: &mut Job, amount: f64) {
    let scaled = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of GPUs")]
        let gpus = (f64::from(job.gpus) * share).round() as u32;
        gpus
    };
    if amount < 1.0 / 3.0 {
        job.gpus = scaled(0.7);
    } else if amount < 2.0 / 3.0 {
        job.gpus = scaled(1.3);
    } else {
        job.gpus = u32::MAX;
        job.time_limit_s = f64::NAN;
        job.submit_ms = i64::MAX;
        job.nodes.clear();
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
