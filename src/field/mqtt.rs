//! MQTT: one client for the site's broker, which hears every device that publishes.

use super::link::{Context, Link};
use super::random::{Backoff, Jitter};
use crate::site::DeviceId;
use crate::snapshot::Now;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Publish, QoS, SubscribeFilter};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wire::payload::{self, PAYLOAD_MAX, Sample};
use wire::profile::Mapping;

/// A sample may be stamped this far in the future, real seconds: clocks differ.
const FUTURE_S: f64 = 5.0;

/// Real time: the broker's, not the plant's.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// First and longest wait after a failure, s.
const RETRY_S: (f64, f64) = (0.5, 30.0);

/// Topics in one subscription.
const TOPICS: usize = 64;

/// Port of a broker whose address names none (IANA: mqtt).
const PORT: u16 = 1883;

/// The devices heard by one client.
pub(super) struct Listener {
    context: Context,
    options: MqttOptions,
    topics: BTreeMap<String, Heard>,
    backoff: Backoff,
}

struct Heard {
    link: Arc<Link>,
    sequence: Option<u64>,
}

impl Listener {
    /// A listener for the devices with MQTT profiles among `links`; `None` where there is no broker or no such device.
    pub(super) fn new(context: Context, links: &[Arc<Link>], seed: u64) -> Option<Self> {
        let settings = &context.site.mqtt;
        let topics: BTreeMap<_, _> = links.iter().filter_map(|link| heard(&context, link)).collect();
        if settings.broker.is_empty() || topics.is_empty() {
            return None;
        }
        let (host, port) = match settings.broker.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(PORT)),
            None => (settings.broker.as_str(), PORT),
        };
        // The job feed may have a client of its own on the same broker: ids must differ.
        let mut options = MqttOptions::new(format!("{}-field", settings.client_id), host, port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_max_packet_size(PAYLOAD_MAX, PAYLOAD_MAX);
        if !settings.username.is_empty() {
            options.set_credentials(&settings.username, &settings.password);
        }
        let backoff = Backoff::new(context.real(RETRY_S.0), context.real(RETRY_S.1), Jitter::new(seed));
        Some(Self {
            context,
            options,
            topics,
            backoff,
        })
    }

    /// Hears until told to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (client, mut events) = AsyncClient::new(self.options.clone(), self.topics.len() / TOPICS + 10);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.hear(&client, &mut events) => {}
        }
        // The broker sees an orderly end where the connection still takes it; else it sees the socket close.
        if client.try_disconnect().is_ok() {
            tokio::time::timeout(Duration::from_millis(200), async {
                while events.poll().await.is_ok() {}
            })
            .await
            .ok();
        }
        self.note_all(|status| status.connected = false);
    }

    async fn hear(&mut self, client: &AsyncClient, events: &mut EventLoop) {
        let mut was_connected = false;
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    self.backoff.succeeded();
                    let again = std::mem::replace(&mut was_connected, true);
                    self.note_all(|status| {
                        status.connected = true;
                        status.reconnects += u64::from(again);
                    });
                    self.subscribe(client);
                }
                Ok(Event::Incoming(Incoming::Publish(message))) => self.take(&message),
                Ok(_) => {}
                Err(error) => {
                    self.note_all(|status| {
                        status.connected = false;
                        status.last_error = Some(format!("broker: {error}"));
                    });
                    // The next poll connects anew; without this wait it would do so without end.
                    tokio::time::sleep(self.backoff.failed()).await;
                }
            }
        }
    }

    /// After every connect: a broker that was restarted has forgotten its subscribers.
    fn subscribe(&self, client: &AsyncClient) {
        let topics: Vec<&String> = self.topics.keys().collect();
        for some in topics.chunks(TOPICS) {
            let filters = some
                .iter()
                .map(|topic| SubscribeFilter::new((*topic).clone(), QoS::AtLeastOnce));
            if let Err(error) = client.try_subscribe_many(filters) {
                tracing::warn!(%error, "subscribing failed");
                self.note_all(|status| status.last_error = Some(format!("subscribing: {error}")));
            }
        }
    }

    fn take(&mut self, message: &Publish) {
        let Some(heard) = self.topics.get_mut(&message.topic) else {
            return;
        };
        let context = &self.context;
        let taken = context.site.devices.get(heard.link.device.0).map_or(Ok(()), |device| {
            let sample = payload::decode(&device.profile, &message.payload).map_err(|error| error.to_string())?;
            let now = context.now();
            let sampled_ms = sampled_ms(&sample, now, message.retain, FUTURE_S * context.speed.max(1.0))?;
            heard.count_gap(sample.sequence);
            context.post(heard.link.device, sampled_ms, sample.values, sample.quality_good);
            heard.link.note(|status| {
                status.reads += 1;
                status.last_ok_mono_ms = Some(now.mono_ms);
            });
            Ok::<(), String>(())
        });
        if let Err(error) = taken {
            heard.link.note(|status| {
                status.read_errors += 1;
                status.last_error = Some(error);
            });
        }
    }

    fn note_all(&self, change: impl Fn(&mut super::LinkStatus)) {
        self.topics.values().for_each(|heard| heard.link.note(&change));
    }
}

impl Heard {
    /// Counts messages that are missing. A smaller number than the last is a publisher that began anew.
    fn count_gap(&mut self, sequence: Option<u64>) {
        if let (Some(last), Some(next)) = (self.sequence, sequence) {
            let missing = next.saturating_sub(last).saturating_sub(1);
            self.link
                .note(|status| status.lost_messages = status.lost_messages.saturating_add(missing));
        }
        self.sequence = sequence.or(self.sequence);
    }
}

fn heard(context: &Context, link: &Arc<Link>) -> Option<(String, Heard)> {
    let DeviceId(index) = link.device;
    let device = context.site.devices.get(index)?;
    let Mapping::Mqtt(map) = &device.profile.mapping else {
        return None;
    };
    Some((
        payload::topic(map, &device.id),
        Heard {
            link: Arc::clone(link),
            sequence: None,
        },
    ))
}

/// The monotonic time of a sample, by its own stamp where it has one. A stamp ahead of us by less than `future_s` is
/// now; how old is too old, each point says for itself.
fn sampled_ms(sample: &Sample, now: Now, retained: bool, future_s: f64) -> Result<u64, String> {
    let Some(stamp_ms) = sample.timestamp_ms else {
        // The broker keeps it from some time ago, and nothing says which.
        return if retained {
            Err("a retained message without a time".into())
        } else {
            Ok(now.mono_ms)
        };
    };
    let age_ms = now.wall_ms.saturating_sub(stamp_ms);
    if (age_ms as f64) < -future_s * 1000.0 {
        return Err(format!(
            "stamped {:.1} s in the future: is the device's clock right?",
            -(age_ms as f64) / 1000.0
        ));
    }
    let age_ms = u64::try_from(age_ms).unwrap_or(0);
    now.mono_ms
        .checked_sub(age_ms)
        .ok_or_else(|| "stamped before this controller's time began".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(stamp: Option<i64>, retained: bool) -> Option<u64> {
        let now = Now {
            mono_ms: 60_000,
            wall_ms: 1_000_000,
            utc_offset_s: 0,
        };
        let sample = Sample {
            timestamp_ms: stamp,
            quality_good: true,
            sequence: None,
            values: Vec::new(),
        };
        sampled_ms(&sample, now, retained, 5.0).ok()
    }

    #[test]
    fn a_stamp_becomes_monotonic_time() {
        assert_eq!(sampled(Some(999_000), false), Some(59_000));
        assert_eq!(sampled(Some(1_005_000), false), Some(60_000), "clocks differ a little");
        assert_eq!(sampled(Some(1_005_001), false), None);
        assert_eq!(sampled(Some(i64::MAX), false), None);
        assert_eq!(sampled(Some(i64::MIN), false), None);
        assert_eq!((sampled(None, false), sampled(None, true)), (Some(60_000), None));
    }

    #[test]
    fn missing_sequence_numbers_are_counted() {
        let link = Arc::new(Link::new(DeviceId(0), "rack1"));
        let mut heard = Heard {
            link: Arc::clone(&link),
            sequence: None,
        };
        for sequence in [Some(5), Some(6), Some(9), None, Some(10), Some(0), Some(1)] {
            heard.count_gap(sequence);
        }
        assert_eq!(link.status().lost_messages, 2);
    }
}
