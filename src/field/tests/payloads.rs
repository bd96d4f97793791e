//! Every kind of payload over a real broker: batches, plain numbers, Sparkplug B; and TLS in front of it.

use super::lines::{Authority, tls_in_front_of};
use super::*;
use crate::connect::mqtt::{Event, Identity, Message, Session};
use simulators::devices::Broker as RealBroker;
use wire::sparkplug::{self, Metric, Payload, Value};

async fn broker() -> RealBroker {
    RealBroker::start("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// A client beside ours: publishes and listens.
async fn peer(site: &Site, topics: &[&str]) -> Session {
    let settings = &site.mqtt;
    let identity = Identity {
        client_id: "peer".into(),
        will: None,
        largest: 100_000,
        keep_session: false,
    };
    let mut session = Session::connect(settings, &identity).await.unwrap();
    if !topics.is_empty() {
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        session.subscribe(&topics).await.unwrap();
        assert_eq!(session.next().await, Ok(Event::Subscribed { refused: 0 }));
    }
    session
}

async fn say(session: &mut Session, topic: &str, payload: &[u8]) {
    session.publish(topic, payload, false).unwrap();
    session.flush().await.unwrap();
}

async fn hear(session: &mut Session) -> Message {
    match tokio::time::timeout(Duration::from_secs(10), session.next()).await {
        Ok(Ok(Event::Message(message))) => message,
        other => panic!("{other:?}"),
    }
}

fn profile(mqtt: &str, place: &str) -> String {
    format!(
        "[profile]\ndescription = \"d\"\nsource = \"this test\"\n[mqtt]\n{mqtt}\n\
         [[point]]\nname = \"power\"\nunit = \"kW\"\nmin = 0\nmax = 200\n{place}\n"
    )
}

#[tokio::test]
async fn batches_and_plain_numbers_reach_their_devices_over_tls() {
    let broker = broker().await;
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let secure = tls_in_front_of(broker.address(), Arc::clone(&authority.server)).await;
    let batch = profile(
        "payload = \"batch\"\ntopic = \"hall/racks\"\nitems = \"/racks\"\ndevice = \"/id\"\nsequence = \"/n\"",
        "pointer = \"/kw\"",
    );
    let number = profile(
        "payload = \"number\"\ntopic = \"hall/{device}/{point}\"",
        "topic = \"kilowatts\"",
    );
    let none = String::new;
    let mut site = site(&[
        ("r1", &batch, none(), 0),
        ("r2", &batch, none(), 0),
        ("m1", &number, none(), 0),
    ]);
    site.mqtt.broker = format!("mqtts://{secure}");
    site.mqtt.tls = authority.files;
    site.devices[1].binding.object = Some("RACK-2".into());
    let mut peer = peer(&site, &[]).await;
    let rig = Rig::start(site);
    until("connected", || rig.status("m1").connected).await;
    // Said again until the subscription is there.
    for _ in 0..1000 {
        let text = br#"{"racks":[{"id":"r1","n":4,"kw":90.5},{"id":"RACK-2","n":4,"kw":null},{"id":"other","kw":1}]}"#;
        say(&mut peer, "hall/racks", text).await;
        say(&mut peer, "hall/m1/kilowatts", b"12.5").await;
        if rig.good("m1.power").is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(rig.good("m1.power"), Some(12.5));
    assert_eq!((rig.good("r1.power"), rig.reading("r2.power")), (Some(90.5), None));
    let text = br#"{"racks":[{"id":"r1","n":7,"kw":91},{"id":"RACK-2","n":5,"kw":80}]}"#;
    say(&mut peer, "hall/racks", text).await;
    until("both", || {
        rig.good("r1.power") == Some(91.0) && rig.good("r2.power") == Some(80.0)
    })
    .await;
    assert_eq!((rig.status("r1").lost_messages, rig.status("r2").lost_messages), (2, 0));
    rig.field.shutdown().await;
}

fn metric(name: Option<&str>, alias: u64, value: f64) -> Metric {
    Metric {
        name: name.map(str::to_owned),
        alias: Some(alias),
        value: Value::Float(value),
        datatype: name.map(|_| 10),
        ..Metric::default()
    }
}

fn payload(sequence: Option<u64>, metrics: Vec<Metric>) -> Vec<u8> {
    sparkplug::encode(&Payload {
        timestamp_ms: None,
        sequence,
        metrics,
    })
}

fn birth_number(number: u64) -> Metric {
    Metric {
        name: Some("bdSeq".into()),
        datatype: Some(8),
        value: Value::Bits(number),
        ..Metric::default()
    }
}

#[tokio::test]
async fn sparkplug_births_aliases_gaps_rebirths_and_deaths() {
    let broker = broker().await;
    let text = profile(
        "payload = \"sparkplug_b\"\ntopic = \"hall/gateway/{device}\"",
        "metric = \"Inputs/Power\"",
    );
    let mut site = site(&[("m1", &text, String::new(), 0)]);
    site.mqtt.broker = broker.address().to_string();
    let mut node = peer(&site, &["spBv1.0/hall/NCMD/gateway", "spBv1.0/STATE/#"]).await;
    let rig = Rig::start(site);
    let online = hear(&mut node).await;
    assert_eq!(online.topic, "spBv1.0/STATE/isotherm");
    assert!(online.payload.starts_with(b"{\"online\":true"), "{:?}", online.payload);

    // Data before any birth: the number stands for nothing yet, and the node is asked for its birth.
    let data = "spBv1.0/hall/DDATA/gateway/m1";
    let command = loop {
        say(&mut node, data, &payload(Some(3), vec![metric(None, 5, 70.0)])).await;
        let next = tokio::time::timeout(Duration::from_millis(100), node.next()).await;
        if let Ok(Ok(Event::Message(message))) = next {
            break message;
        }
    };
    assert_eq!(command.topic, "spBv1.0/hall/NCMD/gateway");
    let asked = sparkplug::decode(&command.payload).unwrap();
    assert_eq!(asked.metrics[0].name.as_deref(), Some("Node Control/Rebirth"));
    assert_eq!(asked.metrics[0].value, Value::Flag(true));
    assert_eq!(rig.reading("m1.power"), None);

    say(
        &mut node,
        "spBv1.0/hall/NBIRTH/gateway",
        &payload(Some(0), vec![birth_number(4)]),
    )
    .await;
    let born = payload(
        Some(1),
        vec![metric(Some("Inputs/Power"), 5, 71.0), metric(Some("Other"), 6, 1.0)],
    );
    say(&mut node, "spBv1.0/hall/DBIRTH/gateway/m1", &born).await;
    until("born", || rig.good("m1.power") == Some(71.0)).await;
    say(&mut node, data, &payload(Some(2), vec![metric(None, 5, 72.0)])).await;
    until("by its number", || rig.good("m1.power") == Some(72.0)).await;
    assert_eq!(rig.status("m1").lost_messages, 0);

    say(&mut node, data, &payload(Some(5), vec![metric(None, 5, 73.0)])).await;
    until("after a gap", || rig.good("m1.power") == Some(73.0)).await;
    assert_eq!(rig.status("m1").lost_messages, 2);
    let late = Metric {
        historical: true,
        ..metric(None, 5, 10.0)
    };
    say(&mut node, data, &payload(Some(6), vec![late])).await;
    say(&mut node, data, b"\xFF\xFF").await;
    until("refused", || rig.status("m1").read_errors == 1).await;
    assert_eq!(
        rig.good("m1.power"),
        Some(73.0),
        "what is from the past is no reading of now"
    );

    // The death of an earlier birth, then its own.
    say(
        &mut node,
        "spBv1.0/hall/NDEATH/gateway",
        &payload(None, vec![birth_number(3)]),
    )
    .await;
    say(&mut node, data, &payload(Some(7), vec![metric(None, 5, 74.0)])).await;
    until("alive", || rig.good("m1.power") == Some(74.0)).await;
    say(
        &mut node,
        "spBv1.0/hall/NDEATH/gateway",
        &payload(None, vec![birth_number(4)]),
    )
    .await;
    until("dead", || rig.reading("m1.power") == Some((74.0, Quality::Bad))).await;
    assert!(!rig.status("m1").connected);
    rig.field.shutdown().await;
    let offline = loop {
        let message = hear(&mut node).await;
        if message.topic == "spBv1.0/STATE/isotherm" {
            break message;
        }
    };
    assert!(
        offline.payload.starts_with(b"{\"online\":false"),
        "{:?}",
        offline.payload
    );
}
