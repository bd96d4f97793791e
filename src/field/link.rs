//! What every link has: its counters, its place in the site, its clock.

use super::NowFn;
use super::mailbox::{Arrival, Mailbox};
use super::outbox::Outbox;
use crate::pair::Permit;
use crate::site::{DeviceId, PointId, Site};
use crate::snapshot::Now;
use crate::snapshot::Request;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wire::codec::DecodeError;

/// How a device's link is doing. Counters run since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LinkStatus {
    /// The device's id.
    pub id: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Monotonic time of the last good answer or message, ms.
    pub last_ok_mono_ms: Option<u64>,
    /// Answers to read requests, or messages, that were decoded.
    pub reads: u64,
    /// Read requests or messages that failed or were refused.
    pub read_errors: u64,
    /// Values written and confirmed by reading them back.
    pub writes: u64,
    /// Writes that failed or were refused.
    pub write_errors: u64,
    /// Values that the device took but did not keep.
    pub mismatches: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Messages missing by their sequence numbers.
    pub lost_messages: u64,
    /// Whether the last poll left points without an answer: what it did not bring keeps its age.
    pub partial: bool,
    /// Points that the device refuses to tell, by tag.
    pub refused: Vec<String>,
    /// The last error, in words.
    pub last_error: Option<String>,
}

/// One device as its link sees it.
#[derive(Debug)]
pub(super) struct Link {
    pub device: DeviceId,
    pub outbox: Outbox,
    status: Mutex<LinkStatus>,
}

impl Link {
    pub(super) fn new(device: DeviceId, id: &str) -> Self {
        let status = LinkStatus {
            id: id.to_owned(),
            ..LinkStatus::default()
        };
        Self {
            device,
            outbox: Outbox::default(),
            status: Mutex::new(status),
        }
    }

    pub(super) fn status(&self) -> LinkStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One figure of the status, without a copy of the rest.
    pub(super) fn status_of<T>(&self, read: impl FnOnce(&LinkStatus) -> T) -> T {
        read(&self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the counters.
    pub(super) fn note(&self, change: impl FnOnce(&mut LinkStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Requests that may wait for the next cycle; more are lost.
const REQUESTS_MAX: usize = 64;

/// Whether the control loop lives: what is told to others as our heartbeat.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Monotonic time of the last cycle's commands, ms; 0 for none.
    last_ms: AtomicU64,
    operating: AtomicBool,
}

impl Pulse {
    /// A cycle has handed over its commands.
    pub(super) fn beat(&self, now: Now, operating: bool) {
        self.last_ms.store(now.mono_ms.max(1), Ordering::Relaxed);
        self.operating.store(operating, Ordering::Relaxed);
    }

    /// Whether the loop has lived within three cycles, and whether it writes.
    pub(super) fn state(&self, now: Now, cycle_s: f64) -> (bool, bool) {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        let alive = last_ms > 0 && now.seconds_since(last_ms) <= 3.0 * cycle_s;
        (alive, self.operating.load(Ordering::Relaxed))
    }
}

/// What links share.
#[derive(Clone)]
pub(super) struct Context {
    pub site: Arc<Site>,
    pub pulse: Arc<Pulse>,
    pub requests: Arc<Mutex<Vec<Request>>>,
    pub mailbox: Arc<Mailbox>,
    pub clock: NowFn,
    pub permit: Permit,
    pub speed: f64,
}

impl Context {
    pub(super) fn now(&self) -> Now {
        (self.clock)()
    }

    /// Whether a wish of `token` may be written now: asked right before it leaves.
    pub(super) fn may_write(&self, token: u64) -> bool {
        self.permit.allows() && self.permit.token() == token
    }

    /// Real time for a span of plant time.
    pub(super) fn real(&self, plant_s: f64) -> Duration {
        Duration::try_from_secs_f64(plant_s / self.speed).unwrap_or(Duration::MAX)
    }

    /// Real time for a span of plant time that is spent on the network or in a device: that does not get faster with
    /// the plant, so there is a floor.
    pub(super) fn real_at_least(&self, plant_s: f64, floor: Duration) -> Duration {
        self.real(plant_s).max(floor)
    }

    /// Puts a request to the next cycle.
    pub(super) fn ask(&self, request: Request) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() < REQUESTS_MAX {
            requests.push(request);
        }
    }

    /// The site's point of a profile's point.
    pub(super) fn point(&self, device: DeviceId, profile_point: usize) -> Option<PointId> {
        self.site.devices.get(device.0)?.points.get(profile_point).copied()
    }

    /// Puts decoded values of one device into the mailbox.
    pub(super) fn post(
        &self,
        device: DeviceId,
        sampled_ms: u64,
        values: impl IntoIterator<Item = (usize, Result<f64, DecodeError>)>,
        trusted: bool,
    ) {
        let arrivals = values.into_iter().filter_map(|(index, value)| {
            let arrival = match value {
                Ok(value) if trusted => Arrival::Value(value),
                Ok(value) | Err(DecodeError::OutOfRange { value }) => Arrival::Doubtful(value),
                Err(DecodeError::NoValue | DecodeError::Malformed) => Arrival::Nothing,
            };
            Some((self.point(device, index)?, arrival))
        });
        self.mailbox.post(self.now(), sampled_ms, arrivals);
    }
}
