//! What every link has: its counters, its place in the site, its clock.

use super::NowFn;
use super::mailbox::{Arrival, Mailbox};
use super::outbox::Outbox;
use crate::site::{DeviceId, PointId, Site};
use crate::snapshot::Now;
use serde::Serialize;
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

    /// Changes the counters.
    pub(super) fn note(&self, change: impl FnOnce(&mut LinkStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What links share.
#[derive(Clone)]
pub(super) struct Context {
    pub site: Arc<Site>,
    pub mailbox: Arc<Mailbox>,
    pub clock: NowFn,
    pub speed: f64,
}

impl Context {
    pub(super) fn now(&self) -> Now {
        (self.clock)()
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
