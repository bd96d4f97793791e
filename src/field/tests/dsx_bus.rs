//! The DSX Exchange bus against a simulated BMS: discovery, quality, handshake, requests, loss.

use super::*;
use crate::connect::mqtt::{Identity, Session};
use crate::safety;
use crate::site::load_embedded;
use crate::snapshot::{Author, Request, RequestKind};
use simulators::devices::Broker as RealBroker;
use simulators::dsx::{Bms, hall};

const SETPOINT: &str = "cdu1.secondary_supply_temperature_setpoint";
const REQUEST: &str = "BMS/v1/ISOTHERM/Value/CDU/LiquidTemperatureSpRequest/hall1/cdu1/secondary/supply_sp_req";
const SUPPLY: &str = "CDU/LiquidTemperature/hall1/cdu1/secondary/supply";

struct Hall {
    broker: RealBroker,
    bms: Bms,
    rig: Rig,
}

/// Heartbeats come each second here, ten of the plant's.
const BEAT: Duration = Duration::from_secs(1);

async fn start() -> Hall {
    let broker = RealBroker::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut site = load_embedded("dsx").unwrap().unwrap();
    site.dsx.mqtt.broker = broker.address().to_string();
    site.control.cycle_s = 1.0;
    let rig = Rig::start(site);
    let now = Arc::clone(&rig.clock);
    let clock = Arc::new(move || now().wall_ms);
    let bms = Bms::start(
        "127.0.0.1",
        broker.address().port(),
        "ISOTHERM",
        hall("ISOTHERM"),
        BEAT,
        clock,
    );
    Hall { broker, bms, rig }
}

impl Hall {
    /// A cycle of the control loop: its commands, and a wish of ours.
    fn cycle(&self, number: u64, value: f64) {
        let mut state = safety::State::default();
        let now = (self.rig.clock)();
        self.rig.field.apply(&safety::release(&self.rig.site, &mut state, now));
        self.rig.want(SETPOINT, number + 1_000_000, value);
    }

    fn requests(&self) -> Vec<f64> {
        let heard = self.bms.heard();
        let requests = heard.iter().filter(|message| message.topic == REQUEST);
        requests
            .map(|message| {
                serde_json::from_slice::<serde_json::Value>(&message.payload).unwrap()["value"]
                    .as_f64()
                    .unwrap()
            })
            .collect()
    }

    /// Runs cycles until a condition holds.
    async fn until(&self, what: &str, value: f64, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut number = 0;
        while !condition(self) {
            let status = self.rig.status("cdu1");
            assert!(Instant::now() < deadline, "waited in vain for: {what}; {status:?}");
            number += 1;
            self.cycle(number, value);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn points_are_found_by_their_metadata_and_requests_follow_the_handshake() {
    let hall = start().await;
    let good = |hall: &Hall, tag: &str| hall.rig.good(tag);
    hall.until("values", 27.0, |hall| {
        good(hall, "r01.power") == Some(96.0)
            && good(hall, "cdu1.secondary_supply_temperature") == Some(30.0)
            && good(hall, SETPOINT) == Some(30.0)
    })
    .await;
    assert_eq!(hall.rig.good("r02.liquid_flow"), Some(130.0));
    assert_eq!(hall.rig.good("cdu1.primary_return_temperature"), Some(33.0));
    hall.until("two heartbeats", 27.0, |hall| {
        let beats = hall.bms.heard();
        beats
            .iter()
            .filter(|message| message.topic.contains("/HeartbeatTimestampIntegration/"))
            .count()
            >= 2
    })
    .await;
    assert_eq!(hall.requests(), Vec::<f64>::new(), "the BMS has not enabled us");

    hall.bms.enable(true);
    hall.until("a request", 27.0, |hall| !hall.requests().is_empty()).await;
    hall.until("confirmed", 27.0, |hall| {
        hall.rig.good(SETPOINT) == Some(27.0) && hall.rig.status("cdu1").writes == 1
    })
    .await;
    // A heartbeat without which the BMS would have taken its own value back has come all the while.
    assert_eq!(hall.requests(), [27.0], "said once");
    assert!(hall.rig.field.take_requests().is_empty());

    hall.bms.kick_out(true);
    hall.until("authority is lowered", 26.0, |hall| {
        let asked = hall.rig.field.take_requests();
        let lowered = |request: &Request| {
            matches!(&request.author, Author::Bus(_))
                && request.why.contains("kicked us out")
                && matches!(request.kind, RequestKind::SetAuthority { .. })
        };
        asked.iter().any(lowered)
    })
    .await;
    let before = hall.requests().len();
    hall.until("three more beats", 25.0, |hall| {
        hall.bms
            .heard()
            .iter()
            .filter(|message| message.topic.contains("/Available/"))
            .count()
            >= 8
    })
    .await;
    assert_eq!(hall.requests().len(), before, "kicked out, nothing is asked for");
    hall.rig.field.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quality_null_foreign_grants_and_a_dead_loop() {
    let hall = start().await;
    hall.bms.enable(true);
    hall.until("a request", 28.0, |hall| !hall.requests().is_empty()).await;
    hall.bms.set(SUPPLY, 31.5);
    hall.until("a new value", 28.0, |hall| {
        hall.rig.good("cdu1.secondary_supply_temperature") == Some(31.5)
    })
    .await;

    // Somebody else on the bus: a value of bad quality, then one without a value, then a grant to another integration.
    let identity = Identity {
        client_id: "peer".into(),
        will: None,
        largest: 100_000,
        keep_session: false,
    };
    let mut peer = Session::connect(&hall.rig.site.dsx.mqtt, &identity).await.unwrap();
    let topic = format!("BMS/v1/PUB/Value/{SUPPLY}");
    let now = (hall.rig.clock)().wall_ms + 1000;
    let value = |value: &str, quality: u8| format!(r#"{{"value":{value},"timestamp":{now},"quality":{quality}}}"#);
    peer.publish(&topic, value("55.0", 3).as_bytes(), false).unwrap();
    peer.publish(&topic, b"{}", false).unwrap();
    let grant = "BMS/v1/PUB/Metadata/CDU/LiquidTemperatureSpRequest/hall1/cdu1/secondary/supply_sp_req";
    let theirs = br#"{"objectType":"CDU","pointType":"LiquidTemperatureSpRequest","objectName":"CDU 1","objectId":"cdu1","engUnit":"C","integration":"ANOTHER"}"#;
    peer.publish(grant, theirs, false).unwrap();
    peer.flush().await.unwrap();
    until("refused", || {
        let status = hall.rig.status("cdu1");
        status.read_errors >= 1
    })
    .await;
    let before = hall.requests().len();
    hall.until("told that nobody names us", 25.0, |hall| {
        hall.rig.status("cdu1").write_errors >= 1
    })
    .await;
    assert_eq!(hall.requests().len(), before, "the grant is another's now");
    peer.close().await;

    // The loop stops: no heartbeat any more, however long the link lives.
    let beats = |hall: &Hall| {
        let heard = hall.bms.heard();
        heard
            .iter()
            .filter(|message| message.topic.contains("/HeartbeatTimestampIntegration/"))
            .count()
    };
    let available = |hall: &Hall| {
        let heard = hall.bms.heard();
        let last = heard
            .iter()
            .rev()
            .find(|message| message.topic.contains("/Available/"))
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&last.payload).unwrap()["value"] == 1.0
    };
    until("not available", || !available(&hall)).await;
    let stopped_at = beats(&hall);
    tokio::time::sleep(2 * BEAT).await;
    assert_eq!(beats(&hall), stopped_at);
    drop(hall.broker);
    until("lost", || !hall.rig.status("cdu1").connected).await;
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_told() {
    let mut site = load_embedded("dsx").unwrap().unwrap();
    site.dsx.mqtt.broker = "127.0.0.1:1".into();
    let rig = Rig::start(site);
    until("told", || {
        rig.status("r01")
            .last_error
            .is_some_and(|error| error.contains("127.0.0.1:1"))
    })
    .await;
}
