//! MQTT: one client for the site's broker, which hears every device that publishes.

mod heard;
mod sparkplug;

use super::link::{Context, Link};
use crate::connect::backoff::{Backoff, Jitter};
use crate::connect::mqtt::{self, Handler, Identity, Message, Session};
pub(super) use heard::sampled_ms;
use heard::{Batch, Heard};
use sparkplug::Sparkplug;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use wire::payload::{self, PAYLOAD_MAX};
use wire::profile::{Mapping, Payload, Place};

/// First and longest wait after a failure, s.
const RETRY_S: (f64, f64) = (0.5, 30.0);

/// The devices heard by one client.
pub(super) struct Listener {
    context: Context,
    links: Vec<Arc<Link>>,
    documents: BTreeMap<String, Heard>,
    numbers: BTreeMap<String, (Heard, usize)>,
    batches: BTreeMap<String, Batch>,
    sparkplug: Sparkplug,
    backoff: Backoff,
    was_connected: bool,
}

impl Listener {
    /// A listener for the devices with MQTT profiles among `links`; `None` where there is no broker or no such device.
    pub(super) fn new(context: Context, links: &[Arc<Link>], seed: u64) -> Option<Self> {
        let backoff = Backoff::new(context.real(RETRY_S.0), context.real(RETRY_S.1), Jitter::new(seed));
        let mut it = Self {
            sparkplug: Sparkplug::new(context.clone()),
            context,
            links: Vec::new(),
            documents: BTreeMap::new(),
            numbers: BTreeMap::new(),
            batches: BTreeMap::new(),
            backoff,
            was_connected: false,
        };
        for link in links {
            it.add(link);
        }
        (!it.context.site.mqtt.broker.is_empty() && !it.links.is_empty()).then_some(it)
    }

    fn add(&mut self, link: &Arc<Link>) {
        let site = Arc::clone(&self.context.site);
        let Some(device) = site.devices.get(link.device.0) else {
            return;
        };
        let Mapping::Mqtt(map) = &device.profile.mapping else {
            return;
        };
        self.links.push(Arc::clone(link));
        let topic = payload::topic(map, device.bus_name());
        match &map.payload {
            Payload::Json => {
                self.documents.insert(topic, Heard::new(link));
            }
            Payload::Number => {
                for (index, point) in device.profile.points.iter().enumerate() {
                    if let Place::Topic(part) = &point.place {
                        self.numbers
                            .insert(topic.replace("{point}", part), (Heard::new(link), index));
                    }
                }
            }
            Payload::Batch { .. } => self
                .batches
                .entry(topic)
                .or_insert_with(|| Batch::new(&device.profile))
                .add(device.bus_name(), link),
            Payload::Sparkplug => self.sparkplug.add(&topic, device, link),
        }
    }

    /// Hears until told to stop.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        let site = Arc::clone(&self.context.site);
        let backoff = self.backoff.clone();
        mqtt::run(&site.mqtt, &mut self, backoff, Arc::new(Notify::new()), stop).await;
        self.note_all(|status| status.connected = false);
    }

    fn note_all(&self, change: impl Fn(&mut super::LinkStatus)) {
        self.links.iter().for_each(|link| link.note(&change));
    }
}

impl Handler for Listener {
    fn identity(&self) -> Identity {
        // The job feed may have a client of its own on the same broker: ids must differ.
        Identity {
            client_id: format!("{}-field", self.context.site.mqtt.client_id),
            will: self.sparkplug.will(),
            largest: 2 * PAYLOAD_MAX,
            keep_session: false,
        }
    }

    fn filters(&self) -> Vec<String> {
        let topics = self
            .documents
            .keys()
            .chain(self.numbers.keys())
            .chain(self.batches.keys());
        topics.cloned().chain(self.sparkplug.filters()).collect()
    }

    fn connected(&mut self, session: &mut Session) -> Result<(), String> {
        let again = std::mem::replace(&mut self.was_connected, true);
        self.note_all(|status| {
            status.connected = true;
            status.reconnects += u64::from(again);
        });
        self.sparkplug.connected(session)
    }

    fn refused(&mut self, topics: usize) {
        tracing::warn!(topics, "the broker refused subscriptions");
        self.note_all(|status| status.last_error = Some(format!("the broker refused {topics} subscriptions")));
    }

    fn take(&mut self, message: &Message, session: &mut Session) -> Result<(), String> {
        let context = &self.context;
        if let Some(heard) = self.documents.get_mut(&message.topic) {
            heard.document(context, message);
        } else if let Some((heard, point)) = self.numbers.get_mut(&message.topic) {
            heard.number(context, *point, message);
        } else if let Some(batch) = self.batches.get_mut(&message.topic) {
            batch.take(context, message);
        } else if let Some(answer) = self.sparkplug.take(message) {
            session.publish(&answer.0, &answer.1, false)?;
        }
        Ok(())
    }

    fn lost(&mut self, error: &str) {
        self.note_all(|status| {
            status.connected = false;
            status.last_error = Some(format!("broker: {error}"));
        });
    }

    fn farewell(&mut self, session: &mut Session) -> Result<(), String> {
        self.sparkplug.farewell(session)
    }
}
