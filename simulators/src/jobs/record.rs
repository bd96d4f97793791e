//! What a scheduler tells of its jobs: the queue, events, and the history that models are trained on.

use super::job::Job;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// Waiting; `expected_start_s` where the scheduler has planned that far.
    Pending {
        /// Planned start, s.
        expected_start_s: Option<f64>,
    },
    /// Its nodes are being prepared: the power moves within half a minute.
    Starting {
        /// Start, s.
        start_s: f64,
    },
    /// Running.
    Running {
        /// Start, s.
        start_s: f64,
    },
}

/// A job in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedJob {
    /// The job as submitted.
    pub job: Arc<Job>,
    /// Where it is.
    pub phase: Phase,
    /// Nodes that it asks for.
    pub node_count: u32,
    /// Its nodes, as indices into [`super::Cluster::node_names`]; empty while it waits.
    pub nodes: Arc<[usize]>,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It entered the queue.
    Submitted,
    /// It got its nodes.
    Started,
    /// It has ended.
    Ended,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    /// What.
    pub kind: EventKind,
    /// When, s.
    pub at_s: f64,
    /// The job and, once it has started, its nodes.
    pub job: QueuedJob,
}

/// A finished job with the power that it drew: a row for training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinishedJob {
    /// Number.
    pub id: u64,
    /// User.
    pub user: String,
    /// Account.
    pub account: String,
    /// Job name.
    pub name: String,
    /// Partition.
    pub partition: String,
    /// GPUs.
    pub gpus: u32,
    /// Nodes.
    pub nodes: u32,
    /// Time limit asked for, s.
    pub time_limit_s: f64,
    /// Submit time, s.
    pub submit_s: f64,
    /// Start, s.
    pub start_s: f64,
    /// End, s.
    pub end_s: f64,
    /// Mean power per GPU with its share of the node, W.
    pub mean_gpu_w: f64,
    /// Largest power per GPU with its share of the node, W.
    pub peak_gpu_w: f64,
    /// Time from the start until it first drew half of its level at work, s; `None` where it never did.
    pub ramp_s: Option<f64>,
}
