//! The client that hears job events on the site's broker.

use super::FeedError;
use super::events::{self, Board};
use super::publisher::Publisher;
use crate::site::MqttSettings;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Largest event: a job on ten thousand nodes.
const LARGEST_EVENT: usize = 1024 * 1024;

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
}

/// Hears events for ever. While the broker is connected the queue is true: no news is no change.
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
        let jobs = with(heard, |heard| {
            let changed = std::mem::take(&mut heard.changed);
            heard
                .connected
                .then(|| changed.then(|| heard.board.jobs(publisher.now().wall_ms)))
        });
        match jobs {
            Some(Some(jobs)) => publisher.publish(jobs),
            Some(None) => publisher.confirm(),
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
                let taken = events::parse(&message.payload).and_then(|event| {
                    with(heard, |heard| {
                        heard.changed = true;
                        heard.board.take(event)
                    })
                });
                match taken {
                    Ok(()) => publisher.read(),
                    Err(error) => publisher.failed(&error),
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
    options.set_max_packet_size(LARGEST_EVENT, LARGEST_EVENT);
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
