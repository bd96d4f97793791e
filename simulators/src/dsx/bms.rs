//! The BMS itself.

use super::points::{BmsPoint, Kind};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Without the integration's heartbeat for this many beats, the BMS returns to its own values.
const MISSES: u32 = 3;

/// A message of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When, since the start of the BMS.
    pub after: Duration,
    /// When, by the plant's clock, epoch milliseconds.
    pub at_ms: i64,
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether it was to be retained.
    pub retain: bool,
}

/// A BMS on a broker, until it is dropped.
#[derive(Debug)]
pub struct Bms {
    state: Arc<Mutex<State>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    points: Vec<BmsPoint>,
    integration: String,
    enabled: bool,
    kicked_out: bool,
    silent: bool,
    heard: Vec<Heard>,
    /// The integration's last heartbeat, and when it came.
    beat: Option<(f64, Instant)>,
}

/// Epoch milliseconds, as the plant's clock has them.
type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

impl Bms {
    /// Starts on the broker at `host`:`port`, with a heartbeat each `period` and times from `clock`.
    pub fn start(
        host: &str,
        port: u16,
        integration: &str,
        points: Vec<BmsPoint>,
        period: Duration,
        clock: Clock,
    ) -> Self {
        let mut options = MqttOptions::new("simulated-bms", host, port);
        options.set_keep_alive(Duration::from_secs(10));
        let (client, events) = AsyncClient::new(options, 4096);
        let state = Arc::new(Mutex::new(State {
            points,
            integration: integration.to_owned(),
            enabled: false,
            kicked_out: false,
            silent: false,
            heard: Vec::new(),
            beat: None,
        }));
        let hearing = hear(events, client.clone(), Arc::clone(&state), Arc::clone(&clock));
        let beating = beat(client, Arc::clone(&state), period, clock);
        Self {
            state,
            tasks: vec![tokio::spawn(hearing), tokio::spawn(beating)],
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enables the integration, or not.
    pub fn enable(&self, enabled: bool) {
        self.lock().enabled = enabled;
    }

    /// Kicks the integration out, or lets it in.
    pub fn kick_out(&self, kicked_out: bool) {
        self.lock().kicked_out = kicked_out;
    }

    /// Stops the BMS's own heartbeat and values, or goes on.
    pub fn fall_silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    /// Changes the value of the point of a tail.
    pub fn set(&self, tail: &str, value: f64) {
        let mut state = self.lock();
        if let Some(point) = state.points.iter_mut().find(|point| point.tail == tail) {
            point.kind = Kind::Value(value);
        }
    }

    /// The value of the point of a tail, where the BMS has one.
    pub fn value(&self, tail: &str) -> Option<f64> {
        let state = self.lock();
        let point = state.points.iter().find(|point| point.tail == tail)?;
        match point.kind {
            Kind::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Everything that integrations have said so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.lock().heard.clone()
    }
}

impl Drop for Bms {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn hear(mut events: rumqttc::EventLoop, client: AsyncClient, state: Arc<Mutex<State>>, clock: Clock) {
    let began = Instant::now();
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let filters = ["BMS/v1/#", "grid/v1/#"];
                for filter in filters {
                    if let Err(error) = client.try_subscribe(filter, QoS::AtLeastOnce) {
                        tracing::warn!(%error, "the simulated BMS hears nothing");
                    }
                }
                let state = state.lock().unwrap_or_else(PoisonError::into_inner);
                for point in &state.points {
                    let topic = format!("BMS/v1/PUB/Metadata/{}", point.tail);
                    say(&client, &topic, &point.metadata, true);
                }
            }
            Ok(Event::Incoming(Packet::Publish(message))) if !message.topic.starts_with("BMS/v1/PUB/") => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.heard.push(Heard {
                    after: began.elapsed(),
                    at_ms: clock(),
                    topic: message.topic.clone(),
                    payload: message.payload.to_vec(),
                    retain: message.retain,
                });
                state.take(&message.topic, &message.payload, &client, clock());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the simulated BMS waits for the broker");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn beat(client: AsyncClient, state: Arc<Mutex<State>>, period: Duration, clock: Clock) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.silent {
            continue;
        }
        let lost = state.beat.is_none_or(|(_, at)| at.elapsed() > period * MISSES);
        if lost || !state.enabled || state.kicked_out {
            state.take_back();
        }
        let now = clock();
        for point in &state.points {
            let value = match point.kind {
                Kind::Value(value) => value,
                #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds fit")]
                Kind::Beat => now as f64,
                Kind::Enabled => f64::from(u8::from(state.enabled)),
                Kind::KickedOut => f64::from(u8::from(state.kicked_out)),
                Kind::Echo | Kind::Request { .. } | Kind::Theirs => continue,
            };
            let message = json!({ "value": value, "timestamp": now, "quality": 1 });
            say(&client, &format!("BMS/v1/PUB/Value/{}", point.tail), &message, false);
        }
    }
}

impl State {
    /// Takes a value of the integration: its heartbeat is echoed, a request followed within its limits.
    fn take(&mut self, topic: &str, payload: &[u8], client: &AsyncClient, now: i64) {
        let Some(tail) = topic
            .strip_prefix("BMS/v1/")
            .and_then(|rest| rest.strip_prefix(&self.integration))
            .and_then(|rest| rest.strip_prefix("/Value/"))
        else {
            return;
        };
        let Ok(message) = serde_json::from_slice::<Value>(payload) else {
            return;
        };
        let Some(value) = message["value"].as_f64().filter(|_| message["quality"] == 1) else {
            return;
        };
        if tail.starts_with("System/HeartbeatTimestampIntegration/") {
            self.beat = Some((value, Instant::now()));
            let echo = self.points.iter().find(|point| point.kind == Kind::Echo);
            if let Some(echo) = echo.filter(|_| !self.silent) {
                let message = json!({ "value": value, "timestamp": now, "quality": 1 });
                say(client, &format!("BMS/v1/PUB/Value/{}", echo.tail), &message, false);
            }
        }
        let request = self
            .points
            .iter()
            .find(|point| point.tail == tail)
            .map(|point| point.kind);
        if let Some(Kind::Request { follows, min, max, .. }) = request
            && self.enabled
            && !self.kicked_out
            && (min..=max).contains(&value)
        {
            self.follow(follows, value, client, now);
        }
    }

    fn follow(&mut self, index: usize, value: f64, client: &AsyncClient, now: i64) {
        if let Some(point) = self.points.get_mut(index) {
            point.kind = Kind::Value(value);
            let message = json!({ "value": value, "timestamp": now, "quality": 1 });
            say(client, &format!("BMS/v1/PUB/Value/{}", point.tail), &message, false);
        }
    }

    /// Back to the BMS's own values.
    fn take_back(&mut self) {
        let own = self.points.iter().filter_map(|point| match point.kind {
            Kind::Request { follows, own, .. } => Some((follows, own)),
            _ => None,
        });
        let own: Vec<(usize, f64)> = own.collect();
        for (index, value) in own {
            if let Some(point) = self.points.get_mut(index) {
                point.kind = Kind::Value(value);
            }
        }
    }
}

fn say(client: &AsyncClient, topic: &str, message: &Value, retain: bool) {
    if let Err(error) = client.try_publish(topic, QoS::AtMostOnce, retain, message.to_string()) {
        tracing::debug!(%error, topic, "a message of the simulated BMS was lost");
    }
}
