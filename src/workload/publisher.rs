//! What every source does with its queue: checks it against the site, stamps it, hands it over, counts and reports.

use super::announced::Announced;
use super::events::{Board, Change, Message};
use super::{FeedError, NowFn};
use crate::site::{Site, WorkloadSettings};
use crate::snapshot::{Event, Job, JobQueue, JobState, Now, Severity};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Unknown nodes that a status names.
const NAMED: usize = 5;

/// Notices that wait for the next cycle, at most.
const NOTICES: usize = 32;

/// A scheduler's clock that is further off than this is reported, ms; HTTP states whole seconds, and a start is written
/// down before it is read.
const SKEW_MS: i64 = 5_000;

/// How the feed is doing. Counters run since the start.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FeedStatus {
    /// Kind of source: as in `workload.source`.
    pub source: &'static str,
    /// Monotonic time at which the queue was last known to be true, ms.
    pub last_ok_mono_ms: Option<u64>,
    /// Queues or events read.
    pub reads: u64,
    /// Tries that failed, and events that were refused.
    pub failures: u64,
    /// Events of prologs and epilogs taken.
    pub announced: u64,
    /// Jobs in the queue.
    pub jobs: usize,
    /// Nodes of jobs that no rack of the site has; their heat cannot be placed.
    pub unknown_nodes: usize,
    /// Some of them.
    pub unknown_examples: Vec<String>,
    /// By how much the scheduler's clock is ahead of ours, s; `None` where it says nothing of it.
    pub clock_ahead_s: Option<f64>,
    /// The last failure, in words; `None` where all has been well since.
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
        if let Some(ahead_s) = self
            .clock_ahead_s
            .filter(|ahead_s| ahead_s.abs() * 1000.0 >= SKEW_MS as f64)
        {
            text = format!("{text}; its clock is {}", skew(ahead_s));
        }
        if let Some(error) = &self.last_error {
            text = format!("{text}; {} failures, the last: {error}", self.failures);
        }
        text
    }
}

/// "12 s ahead of ours".
fn skew(ahead_s: f64) -> String {
    let which = if ahead_s > 0.0 { "ahead of" } else { "behind" };
    format!("{:.0} s {which} ours", ahead_s.abs())
}

fn start_of(job: &Job) -> Option<i64> {
    match job.state {
        JobState::Running { start_ms } => Some(start_ms),
        JobState::Starting { .. } | JobState::Pending { .. } => None,
    }
}

/// Hands queues over.
pub(super) struct Publisher {
    clock: NowFn,
    speed: f64,
    queue: watch::Sender<JobQueue>,
    state: Mutex<State>,
    nodes: BTreeSet<String>,
    events_only: bool,
}

#[derive(Default)]
struct State {
    status: FeedStatus,
    notices: Vec<Event>,
    /// The queue as it was last read, and when.
    read: Vec<Job>,
    read_ms: Option<u64>,
    announced: Announced,
    /// Where events are the source: what follows from them.
    board: Board,
    failing: bool,
    skewed: bool,
    /// The source states its time, so that starts need not show it.
    stamped: bool,
    latest_start_ms: i64,
}

impl State {
    fn notice(&mut self, severity: Severity, code: &str, text: String) {
        match severity {
            Severity::Info => tracing::info!(code, "{text}"),
            Severity::Warning | Severity::Alarm => tracing::warn!(code, "{text}"),
        }
        if self.notices.len() < NOTICES {
            self.notices.push(Event {
                severity,
                code: code.into(),
                subject: "job feed".into(),
                text,
            });
        }
    }

    fn well(&mut self) {
        if std::mem::take(&mut self.failing) {
            let text = format!("the job queue is read from {} again", self.status.source);
            self.status.last_error = None;
            self.notice(Severity::Info, "feed_back", text);
        }
    }

    /// The scheduler's clock is ahead by this much; from `most_ms` on that is worth a word.
    fn clock_ahead(&mut self, ahead_ms: i64, most_ms: i64) {
        self.status.clock_ahead_s = Some(ahead_ms as f64 / 1000.0);
        let skewed = ahead_ms.abs() >= most_ms;
        if skewed && !self.skewed {
            let text = format!(
                "the scheduler's clock is {}: starts are expected that much off; let both follow one time server",
                skew(ahead_ms as f64 / 1000.0)
            );
            self.notice(Severity::Warning, "feed_clock_skew", text);
        } else if self.skewed && !skewed {
            self.notice(
                Severity::Info,
                "feed_clock_right",
                "the scheduler's clock agrees with ours again".into(),
            );
        }
        self.skewed = skewed;
    }
}

impl Publisher {
    pub(super) fn new(site: &Site, clock: NowFn, speed: f64) -> (Self, watch::Receiver<JobQueue>) {
        let (queue, receiver) = watch::channel(JobQueue::default());
        let source = match site.workload {
            WorkloadSettings::None => "none",
            WorkloadSettings::Slurm { .. } => "slurm",
            WorkloadSettings::Slurmrestd { .. } => "slurmrestd",
            WorkloadSettings::Kubernetes { .. } => "kubernetes",
            WorkloadSettings::File { .. } => "file",
            WorkloadSettings::Events => "events",
            WorkloadSettings::Mqtt { .. } => "mqtt",
            WorkloadSettings::Trace { .. } => "trace",
        };
        let state = State {
            status: FeedStatus {
                source,
                ..FeedStatus::default()
            },
            ..State::default()
        };
        let nodes = site.racks.iter().flat_map(|rack| rack.nodes.iter().cloned()).collect();
        (
            Self {
                clock,
                speed: speed.max(f64::MIN_POSITIVE),
                queue,
                state: Mutex::new(state),
                nodes,
                events_only: site.workload == WorkloadSettings::Events,
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
        self.with(|state| state.status.clone())
    }

    pub(super) fn take_notices(&self) -> Vec<Event> {
        self.with(|state| std::mem::take(&mut state.notices))
    }

    /// Hands over a queue that was true at a monotonic time, ms.
    pub(super) fn publish(&self, jobs: Vec<Job>, mono_ms: u64) {
        let now = self.now();
        let queue = self.with(|state| {
            state.well();
            self.started(state, jobs.iter().filter_map(start_of).max(), now);
            state.read = jobs;
            state.read_ms = Some(mono_ms);
            self.laid_over(state, mono_ms, now)
        });
        self.queue.send_replace(queue);
    }

    /// The queue was still what it was at a monotonic time, ms.
    pub(super) fn confirm(&self, mono_ms: u64) {
        self.queue.send_modify(|queue| queue.mono_ms = Some(mono_ms));
        self.with(|state| {
            state.well();
            state.read_ms = Some(mono_ms);
            state.status.last_ok_mono_ms = Some(mono_ms);
        });
    }

    /// Takes what a prolog or epilog says; the queue shows it at once.
    pub(super) fn announce(&self, change: Change) -> Result<(), FeedError> {
        let now = self.now();
        let queue = self.with(|state| {
            if state.status.source == "none" {
                return Err(FeedError::Source(
                    "no job queue is configured: set workload.source, to \"events\" where only events come".into(),
                ));
            }
            state.status.announced += 1;
            self.started(state, Some(change.time_ms), now);
            let read_ms = if self.events_only {
                state.board.take(Message::Change(change))?;
                state.read = state.board.jobs(now.wall_ms);
                now.mono_ms
            } else {
                state.announced.take(change, now.mono_ms);
                // A queue that was never read has no time at which it was true: it waits for its source.
                let Some(read_ms) = state.read_ms else {
                    return Ok(None);
                };
                read_ms
            };
            state.read_ms = Some(read_ms);
            Ok(Some(self.laid_over(state, read_ms, now)))
        })?;
        if let Some(queue) = queue {
            self.queue.send_replace(queue);
        }
        Ok(())
    }

    /// Where events are the source: they are still all that is known.
    pub(super) fn confirm_events(&self) {
        let now = self.now();
        let queue = self.with(|state| {
            let jobs = state.board.jobs(now.wall_ms);
            // Without an event only those leave whose end was missed.
            let over = jobs.len() != state.read.len();
            state.read = jobs;
            state.read_ms = Some(now.mono_ms);
            over.then(|| self.laid_over(state, now.mono_ms, now))
        });
        match queue {
            Some(queue) => drop(self.queue.send_replace(queue)),
            None => self.confirm(now.mono_ms),
        }
    }

    /// The queue to hand over, with what it says of nodes.
    fn laid_over(&self, state: &mut State, read_ms: u64, now: Now) -> JobQueue {
        let jobs = state.announced.over(&state.read, read_ms, now.mono_ms);
        let names = jobs.iter().flat_map(|job| &job.nodes);
        let unknown: BTreeSet<&String> = names.filter(|name| !self.nodes.contains(*name)).collect();
        let examples: Vec<String> = unknown.iter().take(NAMED).map(|name| (*name).clone()).collect();
        if unknown.len() > state.status.unknown_nodes {
            let text = format!(
                "{} nodes of jobs belong to no rack of the site ({}{}): their heat cannot be placed; name them in the \
                 racks' `nodes`",
                unknown.len(),
                examples.join(", "),
                if unknown.len() > NAMED { ", ..." } else { "" }
            );
            state.notice(Severity::Warning, "feed_unknown_nodes", text);
        }
        state.status.unknown_nodes = unknown.len();
        state.status.unknown_examples = examples;
        state.status.last_ok_mono_ms = Some(read_ms);
        state.status.jobs = jobs.len();
        JobQueue {
            mono_ms: Some(read_ms),
            jobs,
        }
    }

    /// The source said that it made its answer at a wall time, ms.
    pub(super) fn stamped(&self, made_ms: i64) {
        let ahead_ms = made_ms.saturating_sub(self.now().wall_ms);
        let most_ms = self.skew_ms();
        self.with(|state| {
            state.stamped = true;
            state.clock_ahead(ahead_ms, most_ms);
        });
    }

    /// A start that is newly known. Nothing can have started in the future: where it has, the scheduler's clock is ahead
    /// by at least that much; this shows where the source says nothing of its clock.
    fn started(&self, state: &mut State, start_ms: Option<i64>, now: Now) {
        let Some(start_ms) = start_ms.filter(|start_ms| *start_ms > state.latest_start_ms && !state.stamped) else {
            return;
        };
        state.latest_start_ms = start_ms;
        let (ahead_ms, most_ms) = (start_ms.saturating_sub(now.wall_ms), self.skew_ms());
        if ahead_ms >= most_ms || state.skewed {
            state.clock_ahead(ahead_ms.max(0), most_ms);
        }
    }

    /// In an accelerated plant a second on the way is worth that many more.
    fn skew_ms(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        let skew_ms = (SKEW_MS as f64 * self.speed.max(1.0)) as i64;
        skew_ms
    }

    /// A queue or event was read.
    pub(super) fn read(&self) {
        self.with(|state| state.status.reads += 1);
    }

    /// A try has failed; the queue stays and grows old.
    pub(super) fn failed(&self, error: &FeedError) {
        self.with(|state| {
            state.status.failures += 1;
            let text = error.to_string();
            if !std::mem::replace(&mut state.failing, true) || state.status.last_error.as_ref() != Some(&text) {
                let said = format!("the job queue cannot be read from {}: {text}", state.status.source);
                state.notice(Severity::Warning, "feed_failing", said);
                state.status.last_error = Some(text);
            }
        });
    }

    /// One message or object was refused; the source lives.
    pub(super) fn refused(&self, error: &FeedError) {
        self.with(|state| {
            state.status.failures += 1;
            let text = error.to_string();
            if state.status.last_error.as_ref() != Some(&text) {
                state.notice(Severity::Warning, "feed_refused", format!("refused: {text}"));
                state.status.last_error = Some(text);
            }
        });
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
