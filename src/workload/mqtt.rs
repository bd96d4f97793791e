//! The client that hears job events on the site's broker.

use super::FeedError;
use super::events::{self, Board, Message};
use super::publisher::Publisher;
use crate::site::MqttSettings;
use crate::snapshot::Now;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Largest message: a whole queue of some thousand jobs.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// Real time: the broker's, not the plant's.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// First and longest wait before the next try to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The queue is handed over, or confirmed, this often, plant seconds.
const STEP_S: f64 = 2.0;

/// Port of a broker whose address names none (IANA: mqtt).
const PORT: u16 = 1883;

/// Between the task that hears and the one that hands over.
#[derive(Default)]
struct Heard {
    board: Board,
    changed: bool,
    connected: bool,
    /// Monotonic time at which the publisher of whole queues was last known to live, ms; `None` where only events come.
    told_ms: Option<u64>,
}

impl Heard {
    /// When the queue was last known to be true. Events alone leave no trace of a publisher that has died, so they are
    /// believed as long as the broker is connected; one that sends whole queues must go on doing so.
    fn true_ms(&self, now_ms: u64) -> Option<u64> {
        self.told_ms.or_else(|| self.connected.then_some(now_ms))
    }

    fn take(&mut self, message: Message, now: Now) -> Result<(), FeedError> {
        if let Message::Queue { made_ms, .. } = &message {
            // A retained queue may be from long ago.
            let age_ms = made_ms
                .map_or(0, |made_ms| now.wall_ms.saturating_sub(made_ms).max(0))
                .unsigned_abs();
            self.told_ms = Some(now.mono_ms.saturating_sub(age_ms));
        } else if let Some(told_ms) = &mut self.told_ms {
            *told_ms = now.mono_ms;
        }
        self.changed = true;
        self.board.take(message)
    }
}

/// Hears events for ever.
pub(super) async fn listen(settings: &MqttSettings, topic: &str, publisher: &Publisher) {
    if settings.broker.is_empty() {
        return publisher.failed(&FeedError::Source("jobs come by MQTT, but mqtt.broker is empty".into()));
    }
    let heard = Mutex::new(Heard::default());
    // Both run until the feed stops, so that polling is never cut short.
    tokio::join!(hear(settings, topic, publisher, &heard), hand_over(publisher, &heard));
}

async fn hand_over(publisher: &Publisher, heard: &Mutex<Heard>) {
    loop {
        tokio::time::sleep(publisher.real(STEP_S)).await;
        let now = publisher.now();
        let news = with(heard, |heard| {
            let true_ms = heard.true_ms(now.mono_ms)?;
            let changed = std::mem::take(&mut heard.changed);
            Some((true_ms, changed.then(|| heard.board.jobs(now.wall_ms))))
        });
        match news {
            Some((true_ms, Some(jobs))) => publisher.publish(jobs, true_ms),
            Some((true_ms, None)) => publisher.confirm(true_ms),
            None => {}
        }
    }
}

async fn hear(settings: &MqttSettings, topic: &str, publisher: &Publisher, heard: &Mutex<Heard>) {
    let (client, mut events) = AsyncClient::new(options(settings), 10);
    let mut wait = RETRY.0;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                wait = RETRY.0;
                // After every connect: a broker that was restarted has forgotten its subscribers.
                if let Err(error) = client.try_subscribe(topic, QoS::AtLeastOnce) {
                    publisher.failed(&FeedError::Source(format!("subscribing to {topic}: {error}")));
                }
            }
            Ok(Event::Incoming(Incoming::SubAck(_))) => {
                with(heard, |heard| {
                    heard.connected = true;
                    heard.changed = true;
                });
            }
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                let now = publisher.now();
                let taken =
                    events::parse(&message.payload).and_then(|message| with(heard, |heard| heard.take(message, now)));
                match taken {
                    Ok(()) => publisher.read(),
                    Err(error) => publisher.refused(&error),
                }
            }
            Ok(_) => {}
            Err(error) => {
                with(heard, |heard| heard.connected = false);
                publisher.failed(&FeedError::Source(format!("broker {}: {error}", settings.broker)));
                // The next poll connects anew; without this wait it would do so without end.
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

fn options(settings: &MqttSettings) -> MqttOptions {
    let (host, port) = match settings.broker.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(PORT)),
        None => (settings.broker.as_str(), PORT),
    };
    // The field has a client of its own on the same broker: ids must differ.
    let mut options = MqttOptions::new(format!("{}-jobs", settings.client_id), host, port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_max_packet_size(LARGEST_MESSAGE, LARGEST_MESSAGE);
    // The broker keeps events for us through a short loss of the connection.
    options.set_clean_session(false);
    if !settings.username.is_empty() {
        options.set_credentials(&settings.username, &settings.password);
    }
    options
}

fn with<R>(heard: &Mutex<Heard>, change: impl FnOnce(&mut Heard) -> R) -> R {
    change(&mut heard.lock().unwrap_or_else(PoisonError::into_inner))
}
