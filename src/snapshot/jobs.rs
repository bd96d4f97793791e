//! The job queue as the scheduler tells it.

use serde::{Deserialize, Serialize};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// In the queue, with the scheduler's expected start where it states one, wall ms.
    Pending {
        /// Expected start, wall ms.
        expected_start_ms: Option<i64>,
    },
    /// About to start: announced by a prolog seconds before the power moves.
    Starting {
        /// Announced start, wall ms.
        start_ms: i64,
    },
    /// Running since.
    Running {
        /// Start, wall ms.
        start_ms: i64,
    },
}

/// One job, with what is known of it at submit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The scheduler's id.
    pub id: String,
    /// State.
    pub state: JobState,
    /// User.
    pub user: String,
    /// Account or project.
    pub account: String,
    /// Job name.
    pub name: String,
    /// Partition or queue.
    pub partition: String,
    /// GPUs in all.
    pub gpus: u32,
    /// Nodes asked for.
    pub node_count: u32,
    /// Nodes allocated (running) or planned (pending, where the scheduler states them); the scheduler's names.
    pub nodes: Vec<String>,
    /// Submit time, wall ms.
    pub submit_ms: i64,
    /// Requested time limit, s; 0 for none.
    pub time_limit_s: f64,
}

/// The queue at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobQueue {
    /// Monotonic time at which it was read, ms; `None` where no feed ever answered.
    pub mono_ms: Option<u64>,
    /// Jobs running, starting or pending.
    pub jobs: Vec<Job>,
}

/// A finished job with the power that it drew: one row of training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinishedJob {
    /// The scheduler's id.
    pub id: String,
    /// User.
    pub user: String,
    /// Account or project.
    pub account: String,
    /// Job name.
    pub name: String,
    /// Partition or queue.
    pub partition: String,
    /// GPUs in all, at least 1.
    pub gpus: u32,
    /// Nodes.
    pub nodes: u32,
    /// Requested time limit, s; 0 for none.
    pub time_limit_s: f64,
    /// Submit time, wall ms.
    pub submit_ms: i64,
    /// Start, wall ms.
    pub start_ms: i64,
    /// End, wall ms.
    pub end_ms: i64,
    /// Mean power per GPU over the run, with the GPU's share of its node, idle power included, W.
    pub mean_gpu_w: f64,
    /// Largest power per GPU, on the same terms, W.
    pub peak_gpu_w: f64,
    /// Time from the start until it first drew half of its mean power above idle, s; `None` where its course is not known.
    pub ramp_s: Option<f64>,
}
