//! The client that hears job events on the site's broker.

use super::FeedError;
use super::events::{self, Board, Message};
use super::publisher::Publisher;
use crate::connect::backoff::{Backoff, Jitter};
use crate::connect::mqtt::{self, Handler, Identity, Session};
use crate::site::MqttSettings;
use crate::snapshot::Now;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Largest message: a whole queue of some thousand jobs.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// First and longest wait before the next try to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The queue is handed over, or confirmed, this often, plant seconds.
const STEP_S: f64 = 2.0;

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
    let mut ears = Ears {
        settings,
        topic,
        publisher,
        heard,
    };
    let seed = publisher.now().wall_ms.cast_unsigned();
    let backoff = Backoff::new(RETRY.0, RETRY.1, Jitter::new(seed));
    // The feed ends with its task: nobody stops it before.
    let (_never, stop) = watch::channel(false);
    mqtt::run(settings, &mut ears, backoff, Arc::new(Notify::new()), stop).await;
}

struct Ears<'a> {
    settings: &'a MqttSettings,
    topic: &'a str,
    publisher: &'a Publisher,
    heard: &'a Mutex<Heard>,
}

impl Handler for Ears<'_> {
    fn identity(&self) -> Identity {
        Identity {
            // The field has a client of its own on the same broker: ids must differ.
            client_id: format!("{}-jobs", self.settings.client_id),
            will: None,
            largest: LARGEST_MESSAGE,
            // The broker keeps events for us through a short loss of the connection.
            keep_session: true,
        }
    }

    fn filters(&self) -> Vec<String> {
        vec![self.topic.to_owned()]
    }

    fn connected(&mut self, _: &mut Session) -> Result<(), String> {
        with(self.heard, |heard| {
            heard.connected = true;
            heard.changed = true;
        });
        Ok(())
    }

    fn refused(&mut self, _: usize) {
        let text = format!("the broker refuses the subscription to {}", self.topic);
        self.publisher.failed(&FeedError::Source(text));
    }

    fn take(&mut self, message: &mqtt::Message, _: &mut Session) -> Result<(), String> {
        let now = self.publisher.now();
        let taken =
            events::parse(&message.payload).and_then(|message| with(self.heard, |heard| heard.take(message, now)));
        match taken {
            Ok(()) => self.publisher.read(),
            Err(error) => self.publisher.refused(&error),
        }
        Ok(())
    }

    fn lost(&mut self, error: &str) {
        with(self.heard, |heard| heard.connected = false);
        let text = format!("broker {}: {error}", self.settings.broker);
        self.publisher.failed(&FeedError::Source(text));
    }
}

fn with<R>(heard: &Mutex<Heard>, change: impl FnOnce(&mut Heard) -> R) -> R {
    change(&mut heard.lock().unwrap_or_else(PoisonError::into_inner))
}
