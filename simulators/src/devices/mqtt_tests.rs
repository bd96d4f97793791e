//! Real sockets: MQTT clients through the broker, and what racks, weather station and scheduler publish.

use super::*;
use crate::world::tests::demo_world;
use rumqttc::{AsyncClient, Event, LastWill, MqttOptions, Packet, Publish, QoS};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn hall() -> Arc<Hall> {
    let mut world = demo_world(1);
    world.advance(600.0);
    Hall::new(world, 1_700_000_000_000)
}

/// An MQTT client whose received messages come on a channel.
fn mqtt(broker: &Broker, id: &str, will: Option<LastWill>) -> (AsyncClient, mpsc::UnboundedReceiver<Publish>) {
    let mut options = MqttOptions::new(id, "127.0.0.1", broker.address().port());
    options
        .set_keep_alive(Duration::from_secs(5))
        .set_max_packet_size(1 << 20, 1 << 20);
    if let Some(will) = will {
        options.set_last_will(will);
    }
    let (client, mut events) = AsyncClient::new(options, 256);
    let (sender, receiver) = mpsc::unbounded_channel();
    let resubscriber = client.clone();
    tokio::spawn(async move {
        while !sender.is_closed() {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    resubscriber.try_subscribe("news/#", QoS::AtLeastOnce).unwrap();
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => drop(sender.send(publish)),
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    (client, receiver)
}

async fn next(receiver: &mut mpsc::UnboundedReceiver<Publish>) -> Publish {
    timeout(PATIENCE, receiver.recv())
        .await
        .expect("a message in time")
        .unwrap()
}

#[tokio::test]
async fn the_broker_delivers_once_keeps_retained_messages_and_forgets_them() {
    let broker = Broker::start(loopback()).await.unwrap();
    let (writer, _own) = mqtt(&broker, "writer", None);
    writer
        .publish("news/kept", QoS::AtLeastOnce, true, "one")
        .await
        .unwrap();
    writer
        .publish("other/kept", QoS::AtLeastOnce, true, "not asked for")
        .await
        .unwrap();
    let (reader, mut inbox) = mqtt(&broker, "reader", None);
    let kept = next(&mut inbox).await;
    assert_eq!(
        (kept.topic.as_str(), &kept.payload[..], kept.retain),
        ("news/kept", &b"one"[..], true)
    );
    // Two filters that both match still bring a message once; what follows it shows that there was no second.
    reader.subscribe("news/+", QoS::AtMostOnce).await.unwrap();
    assert!(
        next(&mut inbox).await.retain,
        "a new subscription brings the retained message again"
    );
    writer
        .publish("news/live", QoS::AtLeastOnce, false, "two")
        .await
        .unwrap();
    writer
        .publish("news/end", QoS::AtMostOnce, false, "three")
        .await
        .unwrap();
    let (live, end) = (next(&mut inbox).await, next(&mut inbox).await);
    assert_eq!(
        (live.topic.as_str(), live.qos, live.retain),
        ("news/live", QoS::AtLeastOnce, false)
    );
    assert_eq!(end.topic, "news/end");
    writer.publish("news/kept", QoS::AtLeastOnce, true, "").await.unwrap();
    assert!(next(&mut inbox).await.payload.is_empty());
    writer
        .publish("news/last", QoS::AtLeastOnce, true, "four")
        .await
        .unwrap();
    next(&mut inbox).await;
    let (_late, mut inbox) = mqtt(&broker, "late", None);
    assert_eq!(
        next(&mut inbox).await.topic,
        "news/last",
        "the emptied topic is not kept"
    );
    assert_eq!(broker.lost(), 0);
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_its_will_and_clients_return_to_a_restarted_broker() {
    let mut broker = Broker::start(loopback()).await.unwrap();
    let (writer, _own) = mqtt(&broker, "writer", None);
    let (_reader, mut inbox) = mqtt(&broker, "reader", None);
    writer
        .publish("news/hello", QoS::AtLeastOnce, true, "hello")
        .await
        .unwrap();
    next(&mut inbox).await;
    let will = LastWill::new("news/will", "gone", QoS::AtLeastOnce, false);
    let (doomed, doomed_inbox) = mqtt(&broker, "doomed", Some(will));
    doomed
        .publish("news/doomed", QoS::AtLeastOnce, false, "here")
        .await
        .unwrap();
    assert_eq!(next(&mut inbox).await.topic, "news/doomed");
    drop(doomed_inbox);
    doomed
        .publish("news/doomed", QoS::AtLeastOnce, false, "last words")
        .await
        .unwrap();
    while next(&mut inbox).await.topic != "news/will" {}
    broker.stop().await;
    broker.restart().await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while broker.clients() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "clients return");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The subscription follows the connection: publish until it is heard.
    loop {
        writer
            .publish("news/again", QoS::AtLeastOnce, false, "again")
            .await
            .unwrap();
        if let Ok(Some(again)) = timeout(Duration::from_millis(200), inbox.recv()).await
            && again.topic == "news/again"
        {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "messages flow again");
    }
}

#[tokio::test]
async fn racks_weather_and_queue_are_published() {
    let broker = Broker::start(loopback()).await.unwrap();
    let hall = hall();
    let profile = |name: &str| Arc::new(wire::embedded::profile(name).unwrap());
    let equipment = vec![
        Telemetry {
            id: "rack01".into(),
            profile: profile("rack-mqtt"),
        },
        Telemetry {
            id: "weather".into(),
            profile: profile("weather-mqtt"),
        },
    ];
    let port = broker.address().port();
    let (reader, mut inbox) = mqtt(&broker, "reader", None);
    reader.subscribe("isotherm/#", QoS::AtLeastOnce).await.unwrap();
    let mut runner = Runner::start(Arc::clone(&hall), 600.0);
    let _telemetry = TelemetryPublisher::start(
        Arc::clone(&hall),
        "127.0.0.1",
        port,
        equipment,
        Duration::from_millis(50),
    );
    let _jobs = JobPublisher::start(Arc::clone(&hall), "127.0.0.1", port, 1.0);
    let (mut rack, mut weather, mut queue, mut event) = (None, None, None, None);
    while rack.is_none() || weather.is_none() || queue.is_none() || event.is_none() {
        let message = next(&mut inbox).await;
        match message.topic.as_str() {
            "isotherm/rack/rack01" => rack = Some(message),
            "isotherm/weather/weather" => weather = Some(message),
            QUEUE_TOPIC => queue = Some(message),
            EVENT_TOPIC => event = Some(message),
            other => panic!("unexpected topic {other}"),
        }
    }
    runner.stop().await;
    let sample = wire::payload::decode(&profile("rack-mqtt"), &rack.unwrap().payload).unwrap();
    assert!(sample.quality_good && sample.sequence.is_some());
    assert!(
        sample
            .timestamp_ms
            .is_some_and(|ms| (1_700_000_600_000..=hall.now_ms()).contains(&ms))
    );
    assert!(
        sample.values.len() == profile("rack-mqtt").points.len()
            && sample.values.iter().all(|(_, value)| value.is_ok()),
        "{sample:?}"
    );
    let sample = wire::payload::decode(&profile("weather-mqtt"), &weather.unwrap().payload).unwrap();
    assert!(sample.values.iter().all(|(_, value)| value.is_ok()), "{sample:?}");
    let queue: serde_json::Value = serde_json::from_slice(&queue.unwrap().payload).unwrap();
    assert!(!queue["jobs"].as_array().unwrap().is_empty());
    let event: serde_json::Value = serde_json::from_slice(&event.unwrap().payload).unwrap();
    assert!(
        event["job"]["job_id"].as_u64().is_some() && event["event"].as_str().is_some(),
        "{event}"
    );
}

#[tokio::test]
async fn the_runner_keeps_pace() {
    let hall = hall();
    let start = hall.with(|world| world.elapsed_s());
    let before = std::time::Instant::now();
    let mut runner = Runner::start(Arc::clone(&hall), 100.0);
    let deadline = before + PATIENCE;
    while hall.with(|world| world.elapsed_s()) < start + 60.0 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runner.stop().await;
    let stopped = hall.with(|world| world.elapsed_s());
    assert!(
        (stopped - start) <= 100.0 * before.elapsed().as_secs_f64() + 1e-6,
        "not faster than asked"
    );
    assert_eq!(hall.now_ms(), hall.wall_ms(stopped));
}
