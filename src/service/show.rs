//! Shows each cycle on the board that the page, REST and the metrics read.

use super::control_loop::Pace;
use super::keeper::Keeper;
use super::pairing::Pairing;
use super::watch::Watch;
use crate::api::{Board, DeviceView, Edges, FeedView, Figures, ForwardView, History, Sample, StoreView};
use crate::cycle::{CycleRecord, Mind};
use crate::field::{Field, LinkStatus};
use crate::snapshot::Now;
use crate::store::{CanaryStatus, ForwardStatus, Forwarder, SeriesName, Store};
use crate::workload::FeedStatus;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// What the store answers, for the trends.
pub(super) struct Past(pub(super) Arc<Mutex<Store>>);

impl History for Past {
    fn series(
        &self,
        family: &str,
        labels: &[(&str, &str)],
        from_ms: i64,
        to_ms: i64,
        max_points: usize,
    ) -> Result<Vec<Sample>, String> {
        let name = SeriesName::new(family, labels);
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = store.series(&name, from_ms, to_ms.saturating_add(1), max_points);
        Ok(steps.into_iter().map(|bucket| (bucket.ms, bucket.mean)).collect())
    }
}

/// What a cycle is shown with.
pub(super) struct Around<'a> {
    pub mind: &'a Mind,
    pub pace: &'a Pace,
    pub field: &'a Field,
    pub feed: FeedStatus,
    pub keeper: &'a Keeper,
    pub forwarder: Option<&'a Forwarder>,
    pub pairing: Option<&'a Pairing>,
    pub watch: &'a mut Watch,
}

/// Hangs a cycle out; answers its figures, for the record.
pub(super) fn show(board: &mut Board, record: &CycleRecord, around: Around<'_>) -> Figures {
    let feed = around.feed;
    let devices = around.field.status().into_iter();
    let store = store(around.keeper);
    let forward = around.forwarder.map(Forwarder::status);
    let events = around.watch.look(&store, forward.as_ref());
    for event in &events {
        super::control_loop::log(event);
    }
    let edges = Edges {
        step_ms: around.pace.step.as_secs_f64() * 1000.0,
        late: around.pace.late,
        overruns: around.pace.overruns,
        devices: devices.map(|link| device(link, record.now)).collect(),
        feed: FeedView {
            text: feed.text(),
            source: feed.source,
            reads: feed.reads,
            failures: feed.failures,
            announced: feed.announced,
            unknown_nodes: feed.unknown_nodes,
            clock_ahead_s: feed.clock_ahead_s,
            last_error: feed.last_error,
        },
        store,
        forward: forward.map(forward_view),
        pair: around.pairing.map(Pairing::view),
        events,
        alarms: around.mind.alarms.alarms().to_vec(),
        advice: around.mind.advice.clone(),
    };
    board.show(record, edges)
}

fn forward_view(status: ForwardStatus) -> ForwardView {
    ForwardView {
        state: status.waits.unwrap_or_else(|| "ok".to_owned()),
        target: status.target,
        lag_s: status.lag_s,
        backlog: status.backlog,
        sent: status.sent,
        rejected: status.rejected,
        failures: status.failures,
        lost_chunks: status.lost_chunks,
        canary: match status.canary {
            CanaryStatus::Unknown => None,
            CanaryStatus::Kept => Some(true),
            CanaryStatus::Missing => Some(false),
        },
        canary_age_s: status.canary_age_s,
    }
}

fn device(link: LinkStatus, now: Now) -> DeviceView {
    DeviceView {
        id: link.id,
        connected: link.connected,
        age_s: link.last_ok_mono_ms.map(|at| now.seconds_since(at)),
        errors: link.read_errors + link.write_errors + link.mismatches + link.lost_messages,
        last_error: link.last_error,
    }
}

/// What is known of the store without waiting for it: the keeper may be writing.
fn store(keeper: &Keeper) -> StoreView {
    let shared = keeper.store();
    let store = match shared.try_lock() {
        Ok(store) => store,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return keeper.last_view(),
    };
    let state = match store.outage() {
        Some(outage) => format!("disk refuses: {} ({} entries lost)", outage.reason, outage.lost),
        None if keeper.lost() > 0 => format!("ok; {} entries found the queue full", keeper.lost()),
        None => "ok".to_owned(),
    };
    let view = StoreView {
        state,
        segments: store.segments(),
        bytes: store.bytes(),
    };
    keeper.remember(view.clone());
    view
}
