//! AI jobs: what users submit, how a scheduler places it, and the power that it draws.
//!
//! | file | subject |
//! |---|---|
//! | `job` | a job as submitted, and its true utilisation over its life |
//! | `generator` | users who submit pretraining, fine-tuning, evaluation and inference jobs |
//! | `trace` | jobs from public traces, scaled to the hall |
//! | `cluster` | nodes, GPUs and racks |
//! | `scheduler` | first come first served with backfill; the power of what runs |
//! | `record` | what the scheduler tells: queue, events, history |

mod cluster;
mod generator;
mod job;
mod record;
mod scheduler;
mod trace;

pub use cluster::{Cluster, ClusterError, RackNodes};
pub use generator::Generator;
pub use job::{Job, JobClass};
pub use record::{EventKind, FinishedJob, JobEvent, Phase, QueuedJob};
pub use scheduler::Scheduler;
pub use trace::{TraceError, alibaba_pods, surf_lisa};

/// Where a scheduler's jobs come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Made up as time goes on.
    Generated(Box<Generator>),
    /// A list ordered by submit time; it starts over when its span (s) has passed.
    Listed {
        /// The jobs; submit times from 0 to below `span_s`.
        jobs: Vec<Job>,
        /// Time after which the list is submitted again, s.
        span_s: f64,
        /// How many jobs have been submitted.
        next: usize,
    },
}

impl Source {
    /// A list of jobs that starts over after `span_s`.
    pub fn listed(mut jobs: Vec<Job>, span_s: f64) -> Self {
        jobs.sort_by(|a, b| a.submit_s.total_cmp(&b.submit_s).then(a.id.cmp(&b.id)));
        Self::Listed { jobs, span_s, next: 0 }
    }

    /// The next job submitted by `now_s`, if any.
    pub(crate) fn next_by(&mut self, now_s: f64) -> Option<Job> {
        match self {
            Self::Generated(generator) => generator.next_by(now_s),
            Self::Listed { jobs, span_s, next } => {
                let round = next.checked_div(jobs.len())?;
                let mut job = jobs.get(*next % jobs.len())?.clone();
                job.submit_s += round as f64 * *span_s;
                if job.submit_s > now_s {
                    return None;
                }
                job.id = *next as u64 + 1;
                *next += 1;
                Some(job)
            }
        }
    }
}
