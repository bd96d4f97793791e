//! Modbus: one task for each address, which polls and writes the devices behind it one request at a time.

mod serial;
mod session;
mod unit;

use super::link::{Context, Link};
use crate::connect::backoff::{Backoff, Jitter};
use crate::site::{DeviceId, Endpoint};
use session::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use unit::{Trouble, Unit};
use wire::profile::Mapping;

/// Patience for a connection, s.
const CONNECT_S: f64 = 3.0;
const CONNECT_FLOOR: Duration = Duration::from_millis(500);

/// First and longest wait after a failure, s.
const RETRY_S: (f64, f64) = (0.5, 30.0);

/// Polls in a cycle: a snapshot then holds nothing older than half a cycle.
const POLLS_PER_CYCLE: f64 = 2.0;

/// The devices behind one address.
pub(super) struct Connection {
    context: Context,
    endpoint: Endpoint,
    units: Vec<Unit>,
    wake: Arc<Notify>,
    session: Option<Session>,
    backoff: Backoff,
    /// No new connection before this.
    not_before: Instant,
    past: Past,
    delay: Duration,
    /// Whether the connection is held between polls; else it is let go, for others who need the device's only one.
    hold: bool,
    period: Duration,
}

/// What became of the last connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// There was none yet.
    Never,
    /// It was lost, or is in use: the next one is a reconnect, and the device may be another by then.
    Used,
    /// It was let go in order.
    LetGo,
}

impl Connection {
    /// The connection to `endpoint` for some of the site's devices; `wake` tells it of new setpoints.
    pub(super) fn new(
        context: Context,
        endpoint: Endpoint,
        links: Vec<Arc<Link>>,
        wake: Arc<Notify>,
        seed: u64,
    ) -> Self {
        let retry = |number: usize| {
            let jitter = Jitter::new(seed.wrapping_add(number as u64));
            Backoff::new(context.real(RETRY_S.0), context.real(RETRY_S.1), jitter)
        };
        let backoff = retry(0);
        let (mut delay_ms, mut hold) = (0, true);
        let units = (1..).zip(links).filter_map(|(number, link)| {
            let device = context.site.devices.get(link.device.0)?;
            let Mapping::Modbus(map) = &device.profile.mapping else {
                return None;
            };
            delay_ms = delay_ms.max(map.connect_delay_ms);
            hold &= map.hold_connection;
            Some(Unit::new(link, device, map, retry(number), &context))
        });
        let units: Vec<Unit> = units.collect();
        Self {
            period: context.real(context.site.control.cycle_s / POLLS_PER_CYCLE),
            endpoint,
            units,
            wake,
            session: None,
            backoff,
            not_before: Instant::now(),
            past: Past::Never,
            hold,
            delay: Duration::from_millis(delay_ms.into()),
            context,
        }
    }

    /// Serves the devices until told to stop; then gives waiting setpoints one more chance.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let due = self
                .units
                .iter()
                .map(|unit| unit.due)
                .min()
                .unwrap_or_else(Instant::now);
            let due = if self.session.is_some() {
                due
            } else {
                due.max(self.not_before)
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.wake.notified() => {}
                () = sleep_until(due) => {}
            }
            // Devices that answer go first: what waits for a dead one comes after them.
            let (well, failing): (Vec<_>, Vec<_>) = (0..self.units.len())
                .partition(|index| self.units.get(*index).is_some_and(|unit| !unit.backoff.is_failing()));
            for index in well.into_iter().chain(failing) {
                self.serve(index, false).await;
            }
            if !self.hold
                && let Some(session) = self.session.take()
            {
                session.close().await;
                self.past = Past::LetGo;
            }
        }
        for index in 0..self.units.len() {
            self.serve(index, true).await;
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        self.note_all_disconnected(None);
    }

    /// Serves one device if there is something to do. The `last` time it is only written to, whatever its state.
    async fn serve(&mut self, index: usize, last: bool) {
        let Some(unit) = self.units.get(index) else { return };
        let now = Instant::now();
        let wanted = !unit.link.outbox.is_empty() && (last || !unit.backoff.is_failing());
        let due = unit.due <= now && !last;
        if !(wanted || due) || (self.session.is_none() && self.not_before > now && !last) {
            return;
        }
        if self.session.is_none() && !self.connect().await {
            return;
        }
        let (Some(session), Some(unit)) = (&mut self.session, self.units.get_mut(index)) else {
            return;
        };
        let served = if due {
            unit.poll(session, &self.context).await
        } else {
            unit.write_pending(session, &self.context).await
        };
        let now = Instant::now();
        match served {
            Ok(()) => {
                if due {
                    unit.due = (unit.due + unit.period.unwrap_or(self.period)).max(now);
                    unit.backoff.succeeded();
                }
                unit.link.note(|status| status.connected = true);
            }
            Err(Trouble::Device(error)) => {
                unit.due = now + unit.backoff.failed();
                unit.link
                    .note(|status| (status.connected, status.last_error) = (false, Some(error)));
            }
            Err(Trouble::Connection(error)) => {
                unit.due = now + unit.backoff.failed();
                unit.link
                    .note(|status| (status.connected, status.last_error) = (false, Some(error)));
                self.session = None;
            }
        }
    }

    async fn connect(&mut self) -> bool {
        let patience = self.context.real_at_least(CONNECT_S, CONNECT_FLOOR);
        let settings = &self.context.site.modbus;
        match Session::connect(&self.endpoint, settings, patience, self.delay).await {
            Ok(session) => {
                self.session = Some(session);
                self.backoff.succeeded();
                let past = std::mem::replace(&mut self.past, Past::Used);
                for unit in self.units.iter_mut().filter(|_| past == Past::Used) {
                    unit.forget();
                    unit.link.note(|status| status.reconnects += 1);
                }
                true
            }
            Err(error) => {
                self.not_before = Instant::now() + self.backoff.failed();
                self.past = if self.past == Past::LetGo {
                    Past::Used
                } else {
                    self.past
                };
                self.note_all_disconnected(Some(&error));
                false
            }
        }
    }

    fn note_all_disconnected(&self, error: Option<&str>) {
        for unit in &self.units {
            unit.link.note(|status| {
                status.connected = false;
                if error.is_some() {
                    status.last_error = error.map(str::to_owned);
                }
            });
        }
    }
}

/// The Modbus devices of a site by address, in the site's order.
pub(super) fn addresses(site: &crate::site::Site) -> Vec<(Endpoint, Vec<DeviceId>)> {
    let mut found: Vec<(Endpoint, Vec<DeviceId>)> = Vec::new();
    for (index, device) in site.devices.iter().enumerate() {
        let (Mapping::Modbus(_), Some(address)) = (&device.profile.mapping, &device.binding.address) else {
            continue;
        };
        let Ok(endpoint) = address.parse::<Endpoint>() else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| known.same_line(&endpoint)) {
            Some((_, devices)) => devices.push(DeviceId(index)),
            None => found.push((endpoint, vec![DeviceId(index)])),
        }
    }
    found
}
