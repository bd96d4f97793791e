//! The edge to the scheduler: Slurm, Kubernetes, job events, trace files.
//!
//! | file | subject |
//! |---|---|
//! | `slurm`, `nodelist` | the document of `squeue --json` |
//! | `poll` | a command or a file that gives it, again and again |
//! | `http`, `slurmrestd` | the same document over HTTP |
//! | `kubernetes` | pods, jobs and Kueue workloads, listed and watched |
//! | `events`, `mqtt` | job events, their schema, and the client that hears them on MQTT |
//! | `announced` | events of prologs and epilogs over a queue that is read now and then |
//! | `publisher` | what every source does with its queue: checked, stamped, handed over, reported on |
//! | `trace`, `csv` | traces of jobs, replayed |
//! | `finished`, `telemetry` | finished jobs with their power, for training |
//!
//! One task keeps the last good queue with the monotonic time at which it was read. When the source is lost the queue
//! stays as it was and grows old; the forecast decides when it is too old, and control goes on without it. Nothing is
//! dropped silently: jobs on unknown nodes stay in the queue, and they, a scheduler whose clock differs and messages that
//! were refused become events of the record, fields of the page and metrics.

mod announced;
mod csv;
pub mod events;
pub mod finished;
mod http;
mod kubernetes;
mod mqtt;
pub mod nodelist;
mod poll;
mod publisher;
pub mod slurm;
mod slurmrestd;
pub mod telemetry;
pub mod trace;

pub use publisher::FeedStatus;

use crate::site::{Site, WorkloadSettings};
use crate::snapshot::{Event, JobQueue, Now};
use jiff::tz::TimeZone;
use publisher::Publisher;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where the feed gets the time.
pub type NowFn = Arc<dyn Fn() -> Now + Send + Sync>;

/// Jobs in one queue, at most; more is a mistake or an attack.
pub const MOST_JOBS: usize = 50_000;

/// Size of one document, at most, bytes.
pub const LARGEST_DOCUMENT: usize = 64 * 1024 * 1024;

/// Why a queue could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The program or file cannot be read, or the broker not be reached.
    #[error("{0}")]
    Source(String),
    /// The text is not what it should be.
    #[error("{0}")]
    Document(String),
    /// One job in it is not.
    #[error("job {id}: {what}")]
    Job {
        /// The job's id.
        id: String,
        /// What is wrong.
        what: String,
    },
    /// One line in it is not.
    #[error("line {line}: {what}")]
    Line {
        /// Line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        what: String,
    },
}

/// The link to the scheduler.
pub struct Feed {
    queue: watch::Receiver<JobQueue>,
    publisher: Arc<Publisher>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Starts reading from the site's source. Must be called within a tokio runtime. Where `speed` is above 1 the plant's
    /// time runs faster than real time, and periods in plant seconds are that much shorter.
    pub fn start(site: Arc<Site>, clock: NowFn, speed: f64) -> Self {
        let (publisher, queue) = Publisher::new(&site, clock, speed);
        let publisher = Arc::new(publisher);
        let (stop, mut stopped) = watch::channel(false);
        let working = Arc::clone(&publisher);
        let task = tokio::spawn(async move {
            tokio::select! {
                // Told to stop, or nobody is there any more.
                _ = stopped.wait_for(|stop| *stop) => {}
                () = work(&site, &working) => {}
            }
        });
        Self {
            queue,
            publisher,
            stop,
            task,
        }
    }

    /// The last good queue, with the time at which it was read. Never waits for the source.
    pub fn queue(&self) -> JobQueue {
        self.queue.borrow().clone()
    }

    /// The door for job events that come by another way than the source.
    pub fn events(&self) -> Events {
        Events(Arc::clone(&self.publisher))
    }

    /// What happened to the feed since this was last asked: lost and back, unknown nodes, a clock that differs.
    pub fn take_notices(&self) -> Vec<Event> {
        self.publisher.take_notices()
    }

    /// How the feed is doing.
    pub fn status(&self) -> FeedStatus {
        self.publisher.status()
    }

    /// Stops reading.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the job feed ended badly");
        }
    }
}

/// Takes job events that a scheduler's scripts send over REST.
#[derive(Clone)]
pub struct Events(Arc<Publisher>);

impl Events {
    /// Takes one event in its JSON form; the queue shows it at once.
    ///
    /// # Errors
    /// Says what of the schema the event does not keep, or that no queue is configured.
    pub fn take(&self, event: &[u8]) -> Result<(), FeedError> {
        let taken = events::parse_event(event).and_then(|change| self.0.announce(change));
        if let Err(error) = &taken {
            self.0.refused(error);
        }
        taken
    }
}

async fn work(site: &Site, publisher: &Publisher) {
    let zone = TimeZone::get(&site.time_zone).unwrap_or(TimeZone::UTC);
    match &site.workload {
        WorkloadSettings::None => {}
        WorkloadSettings::Slurmrestd {
            url,
            user,
            token,
            period_s,
        } => slurmrestd::listen(url, user, token, *period_s, publisher).await,
        WorkloadSettings::Kubernetes {
            url,
            namespace,
            token,
            ca_file,
        } => {
            let cluster = kubernetes::Address {
                url,
                namespace,
                token,
                ca_file,
            };
            // Three watches at a time make a large future.
            Box::pin(kubernetes::listen(cluster, publisher)).await;
        }
        WorkloadSettings::Events => poll::events(publisher).await,
        WorkloadSettings::Slurm { command, period_s } => poll::command(command, *period_s, publisher).await,
        WorkloadSettings::File { path, period_s } => poll::file(path.as_ref(), *period_s, publisher).await,
        WorkloadSettings::Mqtt { topic } => mqtt::listen(&site.mqtt, topic, publisher).await,
        WorkloadSettings::Trace { path } => poll::trace(path.as_ref(), &zone, publisher).await,
    }
}

#[cfg(test)]
mod tests;
