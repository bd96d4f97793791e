//! The edge to the plant: readings in, setpoints out, each device on a link that cannot hold up another.
//!
//! Links run as tasks and put readings into a mailbox; the cycle takes a snapshot of it and never waits. Setpoints go
//! the other way through an outbox for each device, where the newest wish for a point replaces an older one; each is
//! read back after it was written. Everything a device says is checked before it counts: range, age, order.

mod dsx;
mod link;
mod mailbox;
mod modbus;
mod mqtt;
mod outbox;

pub use link::LinkStatus;

use crate::pair::Permit;
use crate::safety::Commands;
use crate::site::{PointId, Site};
use crate::snapshot::{Now, Request, Snapshot};
use dsx::Bus;
use link::{Context, Link, Pulse};
use mailbox::Mailbox;
use modbus::Connection;
use mqtt::Listener;
use outbox::Wanted;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use wire::profile::Mapping;

/// Where the field gets the time.
pub type NowFn = Arc<dyn Fn() -> Now + Send + Sync>;

/// How long links may take to write what waits when they are told to stop, real time.
const LAST_CHANCE: Duration = Duration::from_secs(3);

/// The links to all devices of a site.
pub struct Field {
    site: Arc<Site>,
    permit: Permit,
    /// The token of the last commands.
    token: AtomicU64,
    mailbox: Arc<Mailbox>,
    pulse: Arc<Pulse>,
    requests: Arc<Mutex<Vec<Request>>>,
    /// By `DeviceId`, each with what wakes the task that serves it.
    links: Vec<(Arc<Link>, Arc<Notify>)>,
    clock: NowFn,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field")
            .field("links", &self.status())
            .finish_non_exhaustive()
    }
}

impl Field {
    /// Starts the links. `speed` above 1 means that the plant's time runs faster than real time: every period and
    /// timeout in plant seconds is divided by it.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(site: Arc<Site>, clock: NowFn, speed: f64) -> Self {
        Self::start_under(Permit::always(), site, clock, speed)
    }

    /// [`Field::start`] for one of a pair: nothing is written but while `permit` allows it.
    pub fn start_under(permit: Permit, site: Arc<Site>, clock: NowFn, speed: f64) -> Self {
        let seed = clock().wall_ms.cast_unsigned();
        tracing::info!(
            devices = site.devices.len(),
            jitter_seed = seed,
            "the links to the plant start"
        );
        let mailbox = Arc::new(Mailbox::new(&site));
        let context = Context {
            site: Arc::clone(&site),
            pulse: Arc::default(),
            requests: Arc::default(),
            mailbox: Arc::clone(&mailbox),
            clock: Arc::clone(&clock),
            permit: permit.clone(),
            speed,
        };
        let links: Vec<Arc<Link>> = (0..)
            .zip(&site.devices)
            .map(|(index, device)| Arc::new(Link::new(crate::site::DeviceId(index), &device.id)))
            .collect();
        let mut wakes = links.iter().map(|_| Arc::default()).collect::<Vec<Arc<Notify>>>();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (number, (address, devices)) in (1_u64..).zip(modbus::addresses(&site)) {
            let wake = Arc::new(Notify::new());
            let mut served = Vec::with_capacity(devices.len());
            for device in devices {
                if let (Some(link), Some(slot)) = (links.get(device.0), wakes.get_mut(device.0)) {
                    served.push(Arc::clone(link));
                    *slot = Arc::clone(&wake);
                }
            }
            let seed = seed.wrapping_add(number << 32);
            tasks.spawn(Connection::new(context.clone(), address, served, wake, seed).run(stopped.clone()));
        }
        let (pulse, requests) = (Arc::clone(&context.pulse), Arc::clone(&context.requests));
        if let Some(listener) = Listener::new(context.clone(), &links, seed) {
            tasks.spawn(listener.run(stopped.clone()));
        }
        let wake = Arc::new(Notify::new());
        if let Some(bus) = Bus::new(context, &links, Arc::clone(&wake), seed) {
            for (device, slot) in site.devices.iter().zip(&mut wakes) {
                if matches!(device.profile.mapping, Mapping::Dsx(_)) {
                    *slot = Arc::clone(&wake);
                }
            }
            tasks.spawn(bus.run(stopped));
        }
        Self {
            site,
            permit,
            token: AtomicU64::new(0),
            pulse,
            requests,
            mailbox,
            links: links.into_iter().zip(wakes).collect(),
            clock,
            stop,
            tasks,
        }
    }

    /// The latest reading of every point, those older than their timeout marked stale. Never waits for a device.
    pub fn take_snapshot(&self, now: Now) -> Snapshot {
        self.mailbox.take_snapshot(now)
    }

    /// Hands commands to the links. Never waits for a device; what could not be written is replaced by the next cycle's.
    /// Without the permission to write it does nothing.
    pub fn apply(&self, commands: &Commands) {
        if !self.permit.allows() {
            return;
        }
        let token = self.permit.token();
        if self.token.swap(token, Ordering::Relaxed) != token {
            // Another controller has written since: what we knew of these points is of an earlier term.
            self.links.iter().for_each(|(link, _)| link.outbox.forget());
        }
        let now = (self.clock)();
        let (cycle, at_ms) = (commands.cycle(), now.mono_ms);
        self.pulse.beat(now, !commands.is_empty());
        for command in commands.iter() {
            let value = command.value();
            self.want(
                command.point(),
                Wanted {
                    cycle,
                    value,
                    at_ms,
                    token,
                },
            );
        }
    }

    /// The one way out: only [`Field::apply`] leads here.
    fn want(&self, point: PointId, wanted: Wanted) {
        let Some(spec) = self.site.points.get(point.0) else {
            return;
        };
        let Some((link, wake)) = self.links.get(spec.device.0) else {
            return;
        };
        if spec.write.is_none() || !wanted.value.is_finite() {
            link.note(|status| {
                status.write_errors += 1;
                status.last_error = Some(format!("{} is not writable", spec.tag));
            });
        } else if link.outbox.put(spec.profile_point, wanted) {
            wake.notify_one();
        }
    }

    /// What others on the buses have asked for since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How each device's link is doing, by `DeviceId`.
    pub fn status(&self) -> Vec<LinkStatus> {
        self.links.iter().map(|(link, _)| link.status()).collect()
    }

    /// Lets the links write what waits, for a bounded time, and closes them.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_CHANCE, all_ended).await.is_err() {
            tracing::warn!("some links did not end in time: setpoints that waited for them are not written");
            self.tasks.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests;
