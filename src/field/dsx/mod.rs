//! The NVIDIA DSX Exchange bus as an integration: points found by their metadata, values with quality and time, requests
//! only where the metadata names us, heartbeats both ways, and grid events.
//!
//! A request on this bus is one: the BMS checks it, and returns to its own value when our heartbeat stops. So the
//! heartbeat is sent only while the control loop lives, and nothing is asked for while the BMS is silent, has disabled us
//! or has kicked us out.

mod directory;
mod flex;
mod jws;
mod orders;
mod system;

use super::link::{Context, Link};
use super::mqtt::sampled_ms;
use crate::connect::backoff::{Backoff, Jitter};
use crate::connect::mqtt::{self, Handler, Identity, Message, Session};
use crate::site::{Authority, MqttSettings, ZoneId};
use crate::snapshot::{Author, Request, RequestKind};
use directory::Directory;
use flex::Flex;
use orders::Orders;
use std::collections::BTreeSet;
use std::sync::Arc;
use system::System;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use wire::dsx;
use wire::profile::Mapping;

/// Period of the heartbeats, s, as the schema says.
const BEAT_S: f64 = 10.0;

/// First and longest wait after a failure, s.
const RETRY_S: (f64, f64) = (0.5, 30.0);

/// A stamp may be this far in the future, s.
const FUTURE_S: f64 = 5.0;

/// Largest packet, bytes: metadata and values are short, grid events longer.
const LARGEST: usize = 256 * 1024;

/// The bus, for the devices with DSX profiles.
pub(super) struct Bus {
    context: Context,
    settings: MqttSettings,
    links: Vec<Arc<Link>>,
    zones: BTreeSet<ZoneId>,
    directory: Directory,
    system: System,
    orders: Orders,
    flex: Option<Flex>,
    backoff: Backoff,
    wake: Arc<Notify>,
    due: Instant,
    was_connected: bool,
    /// Whether requests were permitted when it was last looked at.
    was_permitted: bool,
}

impl Bus {
    /// The bus, where the site names an integration and has something to do there.
    pub(super) fn new(context: Context, links: &[Arc<Link>], wake: Arc<Notify>, seed: u64) -> Option<Self> {
        let site = Arc::clone(&context.site);
        let settings = &site.dsx;
        if settings.integration.is_empty() {
            return None;
        }
        let mut directory = Directory::default();
        let mut zones = BTreeSet::new();
        let mut own = Vec::new();
        for link in links {
            let Some(device) = site.devices.get(link.device.0) else {
                continue;
            };
            if let Mapping::Dsx(map) = &device.profile.mapping {
                directory.add(map, device, link);
                zones.extend(device.points.iter().map(|point| site.spec(*point).zone));
                own.push(Arc::clone(link));
            }
        }
        let flex = settings.flex.then(|| Flex::new(settings));
        if own.is_empty() && flex.is_none() {
            return None;
        }
        // A bus of its own, or the site's broker.
        let broker = if settings.mqtt.broker.is_empty() {
            &site.mqtt
        } else {
            &settings.mqtt
        };
        let backoff = Backoff::new(context.real(RETRY_S.0), context.real(RETRY_S.1), Jitter::new(seed));
        Some(Self {
            settings: broker.clone(),
            system: System::new(settings),
            orders: Orders::default(),
            links: own,
            zones,
            directory,
            flex,
            backoff,
            wake,
            due: Instant::now(),
            was_connected: false,
            was_permitted: false,
            context,
        })
    }

    /// Serves the bus until told to stop.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        let (settings, backoff, wake) = (self.settings.clone(), self.backoff.clone(), Arc::clone(&self.wake));
        mqtt::run(&settings, &mut self, backoff, wake, stop).await;
        self.note_all(|status| status.connected = false);
    }

    fn note_all(&self, change: impl Fn(&mut super::LinkStatus)) {
        self.links.iter().for_each(|link| link.note(&change));
    }

    /// Whether we may ask for anything now; a change for the worse lowers the authority of the zones behind the bus,
    /// which only a person or a timed return raises again.
    fn permitted(&mut self) -> bool {
        let permission = self.system.permission(self.context.now());
        if let Err(why) = &permission
            && self.was_permitted
        {
            tracing::warn!(why, "the DSX bus no longer permits requests");
            for zone in &self.zones {
                self.context.ask(Request {
                    author: Author::Bus("DSX Exchange".into()),
                    why: why.clone(),
                    kind: RequestKind::SetAuthority {
                        zone: *zone,
                        authority: Authority::Observe,
                    },
                });
            }
        }
        if let Err(why) = &permission {
            self.note_all(|status| status.last_error = Some(why.clone()));
        }
        self.was_permitted = permission.is_ok();
        permission.is_ok()
    }

    fn value(&mut self, tail: &str, message: &Message, session: &mut Session) -> Result<(), String> {
        let reading = match dsx::reading(&message.payload) {
            Ok(reading) => reading,
            Err(error) => {
                for link in self.directory.links(tail) {
                    link.note(|status| {
                        status.read_errors += 1;
                        status.last_error = Some(error.to_string());
                    });
                }
                return Ok(());
            }
        };
        let now = self.context.now();
        let future_s = FUTURE_S * self.context.speed.max(1.0);
        let sampled = sampled_ms(Some(reading.timestamp_ms), now, message.retained, future_s);
        if let Ok(sampled_ms) = sampled
            && let Some(echo) = self.system.value(tail, &reading, sampled_ms)
        {
            session.publish(&echo, &dsx::message(reading.value, now.wall_ms), false)?;
        }
        for heard in self.directory.readings(tail) {
            let Ok(sampled_ms) = sampled else {
                heard.link.note(|status| {
                    status.read_errors += 1;
                    status.last_error = sampled.clone().err();
                });
                continue;
            };
            let Some(point) = heard.profile.points.get(heard.point) else {
                continue;
            };
            let value = dsx::decode(point, &reading, heard.conversion);
            let found = value.ok().filter(|_| reading.good);
            self.context
                .post(heard.link.device, sampled_ms, [(heard.point, value)], reading.good);
            heard.link.note(|status| {
                status.reads += 1;
                status.last_ok_mono_ms = Some(now.mono_ms);
            });
            if let Some(found) = found {
                self.orders.seen(&heard.link, heard.point, found, now);
            }
        }
        Ok(())
    }
}

impl Handler for Bus {
    fn identity(&self) -> Identity {
        Identity {
            client_id: format!("{}-dsx", self.settings.client_id),
            // A will would need a topic that no metadata has granted yet: the missing heartbeat says it.
            will: None,
            largest: LARGEST,
            keep_session: false,
        }
    }

    fn filters(&self) -> Vec<String> {
        let types = self.directory.types().chain(["System"]);
        let values: BTreeSet<_> = types.map(|kind| format!("BMS/v1/PUB/Value/{kind}/#")).collect();
        let mut filters = vec![dsx::METADATA.to_owned()];
        filters.extend(values);
        filters.extend(self.flex.iter().flat_map(|_| Flex::filters()));
        filters
    }

    fn connected(&mut self, _: &mut Session) -> Result<(), String> {
        // What the bus says of its points comes anew: retained messages are sent at each subscription.
        self.directory.forget();
        self.system.forget();
        self.orders.forget();
        self.due = Instant::now();
        let again = std::mem::replace(&mut self.was_connected, true);
        self.note_all(|status| {
            status.connected = true;
            status.reconnects += u64::from(again);
        });
        Ok(())
    }

    fn refused(&mut self, topics: usize) {
        self.note_all(|status| status.last_error = Some(format!("the bus refused {topics} subscriptions")));
    }

    fn take(&mut self, message: &Message, session: &mut Session) -> Result<(), String> {
        if let Some(tail) = dsx::value_tail(&message.topic) {
            return self.value(tail, message, session);
        }
        if let Some(flex) = &mut self.flex
            && let Some(requests) = flex.take(message, self.context.now())
        {
            for request in requests {
                self.context.ask(request);
            }
            return Ok(());
        }
        let Some(tail) = message.topic.strip_prefix("BMS/v1/PUB/Metadata/") else {
            return Ok(());
        };
        self.directory.withdraw(tail);
        self.system.withdraw(tail);
        if message.payload.is_empty() {
            // A retained message that was cleared: the point is no more.
            return Ok(());
        }
        match dsx::metadata(&message.topic, &message.payload) {
            Ok(metadata) => {
                self.system.metadata(&metadata);
                self.directory.metadata(&metadata, &self.context.site.dsx.integration);
            }
            Err(error) => tracing::debug!(%error, topic = message.topic, "metadata that is not as the schema says"),
        }
        Ok(())
    }

    fn lost(&mut self, error: &str) {
        self.system.forget();
        self.permitted();
        self.note_all(|status| {
            status.connected = false;
            status.last_error = Some(format!("DSX bus: {error}"));
        });
    }

    fn due(&self) -> Option<Instant> {
        Some(self.due)
    }

    fn act(&mut self, session: &mut Session) -> Result<(), String> {
        let now = self.context.now();
        session.fence(self.context.permit.token());
        if !self.context.permit.allows() {
            // One of a pair that stands by says nothing: the other one speaks for both.
            self.due = Instant::now() + self.context.real(self.context.site.control.cycle_s);
            return Ok(());
        }
        if self.due <= Instant::now() {
            self.due = Instant::now() + self.context.real(BEAT_S);
            let (alive, operating) = self.context.pulse.state(now, self.context.site.control.cycle_s);
            for (topic, payload) in self.system.beat(now, alive, operating) {
                session.publish(&topic, &payload, false)?;
            }
        }
        let permitted = self.permitted();
        for link in &self.links {
            for (topic, payload) in self.orders.of(link, &self.directory, permitted, &self.context) {
                session.publish(&topic, &payload, false)?;
            }
        }
        Ok(())
    }

    fn farewell(&mut self, session: &mut Session) -> Result<(), String> {
        if !self.context.permit.allows() {
            return Ok(());
        }
        // Setpoints of release wait in the outbox: they are the last that we ask for.
        let permitted = self.permitted();
        for link in &self.links {
            for (topic, payload) in self.orders.of(link, &self.directory, permitted, &self.context) {
                session.publish(&topic, &payload, false)?;
            }
        }
        for (topic, payload) in self.system.farewell(self.context.now()) {
            session.publish(&topic, &payload, false)?;
        }
        Ok(())
    }
}
