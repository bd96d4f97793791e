//! Racks, weather and the job queue as MQTT messages.

use super::OwnedTask;
use super::hall::Hall;
use super::queue::{EVENT_TOPIC, QUEUE_TOPIC, event_document, squeue_document};
use crate::jobs::Scheduler;
use crate::plant::{Plant, SignalId};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};
use wire::profile::Mapping;
use wire::{Profile, payload};

/// An equipment that publishes its own telemetry.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Id of the equipment, which is also the `{device}` of the profile's topic.
    pub id: String,
    /// The payload map.
    pub profile: Arc<Profile>,
}

/// Publishes telemetry of equipment at a steady period.
#[derive(Debug)]
pub struct TelemetryPublisher {
    _connection: OwnedTask,
    task: OwnedTask,
}

/// Messages that wait for a broker that does not take them; then the oldest news is lost, as on a real gateway.
const OUTBOX: usize = 1024;
/// Pause before the next try at a broker that is not there.
const RECONNECT: Duration = Duration::from_millis(500);
/// Look at the queue this often in plant time, and publish it at least at each tenth look.
const QUEUE_PERIOD: Duration = Duration::from_secs(1);
/// Real time between two looks that an accelerated hall does not go below.
const QUEUE_PERIOD_LEAST: Duration = Duration::from_millis(50);

impl TelemetryPublisher {
    /// Publishes `equipment` every `period` to the broker at `host`:`port`, from now on; a broker that is away is tried again
    /// until it is there. A profile that is not for MQTT is left out.
    pub fn start(hall: Arc<Hall>, host: &str, port: u16, equipment: Vec<Telemetry>, period: Duration) -> Self {
        let (client, connection) = connect(&format!("simulated-telemetry-{port}"), host, port);
        // (topic, profile, (point, signal) of each)
        let sources: Vec<_> = equipment
            .into_iter()
            .filter_map(|Telemetry { id, profile }| {
                let Mapping::Mqtt(map) = &profile.mapping else {
                    return None;
                };
                let topic = payload::topic(map, &id);
                let signal = |name: &str| hall.with(|world| world.plant().signal(&format!("{id}.{name}")));
                let points = profile.points.iter().enumerate();
                let points: Vec<_> = points
                    .filter_map(|(place, point)| Some((place, signal(&point.name)?)))
                    .collect();
                Some((topic, profile, points))
            })
            .collect();
        let task = OwnedTask::spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            for sequence in 0.. {
                ticks.tick().await;
                let now_ms = hall.now_ms();
                for (topic, profile, points) in &sources {
                    let Some((skew_s, values)) = hall.with(|world| sample(world.plant(), points)) else {
                        continue;
                    };
                    #[expect(clippy::cast_possible_truncation, reason = "seconds of a fault")]
                    let now_ms = now_ms + (skew_s * 1000.0) as i64;
                    send(
                        &client,
                        topic,
                        QoS::AtMostOnce,
                        false,
                        payload::encode(profile, &values, now_ms, sequence),
                    );
                }
            }
        });
        Self {
            _connection: connection,
            task,
        }
    }

    /// Stops publishing.
    pub async fn stop(&mut self) {
        self.task.stop().await;
    }
}

/// Publishes the job queue and its events.
#[derive(Debug)]
pub struct JobPublisher {
    _connection: OwnedTask,
    task: OwnedTask,
}

impl JobPublisher {
    /// Publishes the queue of `hall`, whose time runs at `speed` times real time, to the broker at `host`:`port`. It takes
    /// the scheduler's events, so there is one a hall.
    pub fn start(hall: Arc<Hall>, host: &str, port: u16, speed: f64) -> Self {
        let (client, connection) = connect(&format!("simulated-scheduler-{port}"), host, port);
        let task = OwnedTask::spawn(async move {
            let names = hall
                .with(|world| world.scheduler().map(|s| Arc::clone(s.cluster().node_names())))
                .unwrap_or_default();
            let mut ticks = interval(QUEUE_PERIOD.div_f64(speed).max(QUEUE_PERIOD_LEAST));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut published = None;
            for look in 0u64.. {
                ticks.tick().await;
                let events = hall
                    .with(|world| world.scheduler_mut().map(Scheduler::take_events))
                    .unwrap_or_default();
                for event in events {
                    let document = event_document(&hall, &event, &names).to_string();
                    send(&client, EVENT_TOPIC, QoS::AtLeastOnce, false, document.into_bytes());
                }
                let revision = hall.with(|world| world.scheduler().map(Scheduler::revision));
                if published != Some(revision) || look % 10 == 0 {
                    published = Some(revision);
                    let document = squeue_document(&hall).to_string();
                    send(&client, QUEUE_TOPIC, QoS::AtLeastOnce, true, document.into_bytes());
                }
            }
        });
        Self {
            _connection: connection,
            task,
        }
    }

    /// Stops publishing.
    pub async fn stop(&mut self) {
        self.task.stop().await;
    }
}

/// What an equipment publishes now, with the error of its clock, s; `None` where it is off the network.
fn sample(plant: &Plant, points: &[(usize, SignalId)]) -> Option<(f64, Vec<(usize, f64)>)> {
    let (_, first) = points.first()?;
    if plant.is_silent(*first) {
        return None;
    }
    let values = points.iter().map(|(place, signal)| (*place, plant.measure(*signal)));
    // A point without a value is left out of the message.
    Some((
        plant.skew_s(*first),
        values.filter(|(_, value)| value.is_finite()).collect(),
    ))
}

fn connect(client_id: &str, host: &str, port: u16) -> (AsyncClient, OwnedTask) {
    let mut options = MqttOptions::new(client_id, host, port);
    options.set_keep_alive(Duration::from_secs(10));
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, events) = AsyncClient::new(options, OUTBOX);
    (client, OwnedTask::spawn(keep_connected(events)))
}

async fn keep_connected(mut events: EventLoop) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => tracing::debug!("a simulated publisher has reached the broker"),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a simulated publisher waits for the broker");
                sleep(RECONNECT).await;
            }
        }
    }
}

fn send(client: &AsyncClient, topic: &str, qos: QoS, retain: bool, payload: Vec<u8>) {
    if let Err(error) = client.try_publish(topic, qos, retain, payload) {
        tracing::debug!(%error, topic, "a simulated message was lost");
    }
}
