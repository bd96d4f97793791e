//! How the forwarding goes, for the page and the metrics.

use crate::store::tail::Backlog;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the last canary told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryStatus {
    /// None is read back: not asked for, or none was due yet.
    Unknown,
    /// It was there.
    Kept,
    /// It was accepted and is not there.
    Missing,
}

/// How the forwarding goes.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardStatus {
    /// URL of the database.
    pub target: String,
    /// Why it waits; `None` while it goes.
    pub waits: Option<String>,
    /// For how long it has been waiting, s.
    pub waits_s: f64,
    /// Span of wall time that the store has and the database has not, s.
    pub lag_s: f64,
    /// Samples that are still to be sent.
    pub backlog: u64,
    /// Samples sent since the start; some of them more than once.
    pub sent: u64,
    /// Samples that the database refused, since the start.
    pub rejected: u64,
    /// What it said of the last of them.
    pub why_rejected: Option<String>,
    /// Requests that failed since the start.
    pub failures: u64,
    /// Chunks that the store gave up before they were sent.
    pub lost_chunks: u64,
    /// What the last canary told.
    pub canary: CanaryStatus,
    /// Real time since a canary was last read back, s; `None` where none was.
    pub canary_age_s: Option<f64>,
}

impl ForwardStatus {
    /// Before the first turn.
    pub const fn new(target: String) -> Self {
        Self {
            target,
            waits: None,
            waits_s: 0.0,
            lag_s: 0.0,
            backlog: 0,
            sent: 0,
            rejected: 0,
            why_rejected: None,
            failures: 0,
            lost_chunks: 0,
            canary: CanaryStatus::Unknown,
            canary_age_s: None,
        }
    }
}

#[derive(Debug)]
struct State {
    status: ForwardStatus,
    trouble_since: Option<Instant>,
    canary_at: Option<Instant>,
}

/// What the task and the readers share.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) const fn new(target: String) -> Self {
        Self(Mutex::new(State {
            status: ForwardStatus::new(target),
            trouble_since: None,
            canary_at: None,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> ForwardStatus {
        let state = self.state();
        ForwardStatus {
            waits_s: state.trouble_since.map_or(0.0, |since| since.elapsed().as_secs_f64()),
            canary_age_s: state.canary_at.map(|at| at.elapsed().as_secs_f64()),
            ..state.status.clone()
        }
    }

    pub(super) fn trouble(&self, why: &str) {
        let mut state = self.state();
        state.status.failures += 1;
        state.status.waits = Some(why.to_owned());
        state.trouble_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn went(&self, sent: u64, rejected: u64, why: Option<String>) {
        let mut state = self.state();
        let status = &mut state.status;
        status.sent += sent;
        status.rejected += rejected;
        if rejected > 0 {
            status.why_rejected = why;
        }
        status.waits = None;
        state.trouble_since = None;
    }

    /// Notes what is still to be sent.
    pub(super) fn left(&self, backlog: Backlog) {
        let mut state = self.state();
        let status = &mut state.status;
        status.backlog = backlog.rows;
        status.lag_s = match (backlog.from_ms, backlog.newest_ms) {
            (Some(from_ms), Some(newest_ms)) => newest_ms.saturating_sub(from_ms) as f64 / 1000.0,
            _ => 0.0,
        };
    }

    pub(super) fn gone(&self, chunks: u64) {
        self.state().status.lost_chunks += chunks;
    }

    pub(super) fn canary(&self, kept: bool) {
        let mut state = self.state();
        if kept {
            state.status.canary = CanaryStatus::Kept;
            state.canary_at = Some(Instant::now());
        } else {
            state.status.canary = CanaryStatus::Missing;
        }
    }
}
