//! What every source does with its queue: checks it against the site, stamps it, hands it over, and counts.

use super::{FeedError, NowFn};
use crate::site::{Site, WorkloadSettings};
use crate::snapshot::{Job, JobQueue, Now};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Unknown nodes that a status names.
const NAMED: usize = 5;

/// How the feed is doing. Counters run since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FeedStatus {
    /// Kind of source: `none`, `slurm`, `file`, `mqtt`, `trace`.
    pub source: &'static str,
    /// Monotonic time at which the queue was last known to be true, ms.
    pub last_ok_mono_ms: Option<u64>,
    /// Queues or events read.
    pub reads: u64,
    /// Tries that failed, and events that were refused.
    pub failures: u64,
    /// Jobs in the queue.
    pub jobs: usize,
    /// Nodes of jobs that no rack of the site has; their heat cannot be placed.
    pub unknown_nodes: usize,
    /// Some of them.
    pub unknown_examples: Vec<String>,
    /// The last failure, in words.
    pub last_error: Option<String>,
}

impl FeedStatus {
    /// One sentence for a person.
    pub fn text(&self) -> String {
        if self.source == "none" {
            return "no job queue is configured".to_owned();
        }
        let mut text = match self.last_ok_mono_ms {
            Some(_) => format!("{} jobs from {}", self.jobs, self.source),
            None => format!("nothing read from {} yet", self.source),
        };
        if self.unknown_nodes > 0 {
            let examples = self.unknown_examples.join(", ");
            text = format!(
                "{text}; {} nodes belong to no rack ({examples}, ...)",
                self.unknown_nodes
            );
        }
        if let Some(error) = &self.last_error {
            text = format!("{text}; {} failures, the last: {error}", self.failures);
        }
        text
    }
}

/// Hands queues over.
pub(super) struct Publisher {
    clock: NowFn,
    speed: f64,
    queue: watch::Sender<JobQueue>,
    status: Mutex<FeedStatus>,
    nodes: BTreeSet<String>,
}

impl Publisher {
    pub(super) fn new(site: &Site, clock: NowFn, speed: f64) -> (Self, watch::Receiver<JobQueue>) {
        let (queue, receiver) = watch::channel(JobQueue::default());
        let source = match site.workload {
            WorkloadSettings::None => "none",
            WorkloadSettings::Slurm { .. } => "slurm",
            WorkloadSettings::File { .. } => "file",
            WorkloadSettings::Mqtt { .. } => "mqtt",
            WorkloadSettings::Trace { .. } => "trace",
        };
        let status = Mutex::new(FeedStatus {
            source,
            ..FeedStatus::default()
        });
        let nodes = site.racks.iter().flat_map(|rack| rack.nodes.iter().cloned()).collect();
        (
            Self {
                clock,
                speed: speed.max(f64::MIN_POSITIVE),
                queue,
                status,
                nodes,
            },
            receiver,
        )
    }

    pub(super) fn now(&self) -> Now {
        (self.clock)()
    }

    /// A duration of the plant in real time, at least what a computer can keep.
    pub(super) fn real(&self, plant_s: f64) -> Duration {
        Duration::from_secs_f64((plant_s / self.speed).clamp(0.02, 86_400.0))
    }

    pub(super) fn status(&self) -> FeedStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands over a queue that was true at a monotonic time, ms.
    pub(super) fn publish(&self, jobs: Vec<Job>, mono_ms: u64) {
        let names = jobs.iter().flat_map(|job| &job.nodes);
        let unknown: BTreeSet<&String> = names.filter(|name| !self.nodes.contains(*name)).collect();
        self.note(|status| {
            status.last_ok_mono_ms = Some(mono_ms);
            status.jobs = jobs.len();
            if unknown.len() != status.unknown_nodes && !unknown.is_empty() {
                tracing::warn!(nodes = unknown.len(), "jobs run on nodes that no rack of the site has");
            }
            status.unknown_nodes = unknown.len();
            status.unknown_examples = unknown.iter().take(NAMED).map(|name| (*name).clone()).collect();
        });
        self.queue.send_replace(JobQueue {
            mono_ms: Some(mono_ms),
            jobs,
        });
    }

    /// The queue was still what it was at a monotonic time, ms.
    pub(super) fn confirm(&self, mono_ms: u64) {
        self.queue.send_modify(|queue| queue.mono_ms = Some(mono_ms));
        self.note(|status| status.last_ok_mono_ms = Some(mono_ms));
    }

    /// A queue or event was read.
    pub(super) fn read(&self) {
        self.note(|status| status.reads += 1);
    }

    /// A try has failed; the queue stays and grows old.
    pub(super) fn failed(&self, error: &FeedError) {
        self.note(|status| {
            status.failures += 1;
            let text = error.to_string();
            if status.last_error.as_ref() != Some(&text) {
                tracing::warn!(error = %text, source = status.source, "the job queue cannot be read");
                status.last_error = Some(text);
            }
        });
    }

    fn note(&self, change: impl FnOnce(&mut FeedStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
