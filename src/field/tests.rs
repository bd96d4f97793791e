//! The field against devices on real sockets. Waits are on conditions, with a deadline.

mod bank;
mod broker;
#[cfg(feature = "sim")]
mod dsx_bus;
mod lines;
#[cfg(feature = "sim")]
mod payloads;

use super::*;
use crate::site::{
    Device, DeviceBinding, DeviceId, Direction, EquipmentId, PointSpec, WriteSpec, ZoneId, load_embedded,
};
use crate::snapshot::Quality;
use bank::Bank;
use broker::Broker;
use std::time::Instant;
use wire::Profile;

/// Plant time in these tests runs this much faster than real time.
const SPEED: f64 = 10.0;

const DEVICE: &str = r#"
[profile]
description = "device under test"
source = "this test"
[modbus]
base = 0
max_block = 20
max_gap = 2
[[point]]
name = "flow"
unit = "L/min"
table = "input"
address = 0
type = "u16"
scale = 0.1
min = 0
max = 1000
[[point]]
name = "temperature"
unit = "degC"
table = "input"
address = 1
type = "i16"
scale = 0.01
sentinels = [0x8000]
min = -20
max = 120
[[point]]
name = "heartbeat"
unit = "count"
table = "holding"
address = 100
type = "u16"
access = "read_write"
min = 0
max = 65535
[[point]]
name = "pressure_setpoint"
unit = "kPa"
table = "holding"
address = 101
type = "u16"
scale = 0.1
access = "read_write"
min = 0
max = 300
"#;

const RACK: &str = r#"
[profile]
description = "rack under test"
source = "this test"
[mqtt]
topic = "hall/{device}"
timestamp = "/time"
quality = "/good"
sequence = "/number"
[[point]]
name = "power"
unit = "kW"
pointer = "/power"
min = 0
max = 200
"#;

/// A site of some devices: id, profile, address and unit.
fn site(devices: &[(&str, &str, String, u8)]) -> Site {
    let mut site = load_embedded("demo").unwrap().unwrap();
    (site.devices, site.points) = (Vec::new(), Vec::new());
    site.control.cycle_s = 1.0;
    for (id, text, address, unit) in devices {
        let profile = Arc::new(Profile::parse(text, "test.toml").unwrap());
        let (device, first) = (DeviceId(site.devices.len()), site.points.len());
        for (profile_point, point) in profile.points.iter().enumerate() {
            let write = WriteSpec {
                min: point.min,
                max: point.max,
                release: point.min,
                more_cooling: Direction::Up,
                rise_per_min: 1.0,
                fall_per_min: 1.0,
                bounded_band: 1.0,
            };
            site.points.push(PointSpec {
                tag: format!("{id}.{}", point.name),
                equipment: EquipmentId::Weather,
                zone: ZoneId(0),
                quantity: point.name.clone(),
                unit: point.unit,
                device,
                profile_point,
                required: false,
                timeout_s: 5.0,
                slew_per_s: 1.0,
                plausible: (point.min, point.max),
                write: (point.access == wire::Access::ReadWrite).then_some(write),
            });
        }
        let points = (first..site.points.len()).map(PointId).collect();
        let binding = DeviceBinding {
            profile: "test".into(),
            address: Some(address.clone()),
            unit: Some(*unit),
            object: None,
        };
        site.devices.push(Device {
            id: (*id).into(),
            binding,
            profile,
            points,
        });
    }
    site
}

struct Rig {
    site: Arc<Site>,
    clock: NowFn,
    field: Field,
}

impl Rig {
    fn start(site: Site) -> Self {
        let (site, began) = (Arc::new(site), Instant::now());
        let clock: NowFn = Arc::new(move || {
            let ms = u64::try_from(began.elapsed().as_millis()).unwrap() * 10 + 100_000;
            Now {
                mono_ms: ms,
                wall_ms: 1_780_000_000_000 + i64::try_from(ms).unwrap(),
                utc_offset_s: 0,
            }
        });
        let field = Field::start(Arc::clone(&site), Arc::clone(&clock), SPEED);
        Self { site, clock, field }
    }

    fn reading(&self, tag: &str) -> Option<(f64, Quality)> {
        let snapshot = self.field.take_snapshot((self.clock)());
        snapshot
            .reading(self.site.point(tag).unwrap())
            .map(|reading| (reading.value, reading.quality))
    }

    fn good(&self, tag: &str) -> Option<f64> {
        self.reading(tag)
            .filter(|(_, quality)| *quality == Quality::Good)
            .map(|(value, _)| value)
    }

    fn want(&self, tag: &str, cycle: u64, value: f64) {
        let at_ms = (self.clock)().mono_ms;
        self.field.want(
            self.site.point(tag).unwrap(),
            Wanted {
                cycle,
                value,
                at_ms,
                token: 0,
            },
        );
    }

    fn status(&self, id: &str) -> LinkStatus {
        self.field.status().into_iter().find(|status| status.id == id).unwrap()
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const REGISTERS: [((u8, u16), u16); 2] = [((1, 0), 4805), ((1, 1), 2150)];

#[tokio::test]
async fn values_arrive_in_one_request_a_block_and_bad_ones_are_marked() {
    let bank = Bank::with(&REGISTERS);
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    until("values", || {
        rig.good("cdu1.flow") == Some(480.5) && rig.good("cdu1.temperature") == Some(21.5)
    })
    .await;
    assert!(bank.set().read.iter().all(|read| [(0, 2), (100, 2)].contains(read)));
    bank.set().registers.insert((1, 0), 10_001);
    bank.set().registers.insert((1, 1), 0x8000);
    until("implausible flow", || {
        rig.reading("cdu1.flow") == Some((1000.1, Quality::Bad))
    })
    .await;
    until("no sensor", || {
        rig.reading("cdu1.temperature") == Some((21.5, Quality::Bad))
    })
    .await;
    let status = rig.status("cdu1");
    assert!(
        status.connected && status.reads > 2 && status.read_errors == 0,
        "{status:?}"
    );
}

#[tokio::test]
async fn a_dead_unit_behind_a_gateway_does_not_slow_its_neighbours() {
    let bank = Bank::with(&[((1, 0), 100), ((2, 0), 200), ((3, 0), 300)]);
    bank.set().silent.insert(2);
    let (gateway, _server) = bank.serve("127.0.0.1:0").await;
    let unit = |id, number| (id, DEVICE, gateway.to_string(), number);
    let rig = Rig::start(site(&[unit("a", 1), unit("dead", 2), unit("b", 3)]));
    until("neighbours", || {
        rig.good("a.flow") == Some(10.0) && rig.good("b.flow") == Some(30.0)
    })
    .await;
    until("three tries", || rig.status("dead").read_errors >= 3).await;
    let (before, errors) = (rig.status("a").reads, rig.status("dead").read_errors);
    until("a hundred more answers", || {
        assert!(
            rig.good("a.flow").is_some() && rig.good("b.flow").is_some(),
            "never stale meanwhile"
        );
        rig.status("a").reads >= before + 100
    })
    .await;
    let tries = rig.status("dead").read_errors - errors;
    assert!(
        tries <= 10,
        "{tries} waits for the dead unit in 100 answers of its neighbour"
    );
    assert!(!rig.status("dead").connected && rig.status("a").connected);
    bank.set().silent.clear();
    until("the unit is back", || rig.good("dead.flow") == Some(20.0)).await;
}

#[tokio::test]
async fn a_server_that_answers_late_is_dropped_and_never_believed_for_another_request() {
    let bank = Bank::with(&REGISTERS);
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    until("values", || rig.good("cdu1.flow").is_some()).await;
    bank.set().delay = Duration::from_millis(400);
    until("stale", || rig.reading("cdu1.flow") == Some((480.5, Quality::Stale))).await;
    assert!(rig.status("cdu1").last_error.unwrap().contains("no answer within"));
    bank.set().registers.insert((1, 0), 5000);
    bank.set().delay = Duration::ZERO;
    until("recovery", || {
        rig.good("cdu1.flow") == Some(500.0) && rig.good("cdu1.temperature") == Some(21.5)
    })
    .await;
    assert!(rig.status("cdu1").reconnects >= 1);
}

#[tokio::test]
async fn a_server_that_dies_and_returns_is_found_again() {
    let bank = Bank::with(&REGISTERS);
    let (address, server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    until("values", || rig.good("cdu1.flow").is_some()).await;
    server.abort();
    until("loss", || {
        !rig.status("cdu1").connected && rig.good("cdu1.flow").is_none()
    })
    .await;
    let (_, _server) = bank.serve(&address.to_string()).await;
    until("return", || {
        rig.status("cdu1").connected && rig.good("cdu1.flow").is_some()
    })
    .await;
}

#[tokio::test]
async fn a_setpoint_that_waited_for_a_lost_device_too_long_is_not_written() {
    let bank = Bank::with(&REGISTERS);
    let (address, server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    until("values", || rig.good("cdu1.flow").is_some()).await;
    server.abort();
    until("loss", || !rig.status("cdu1").connected).await;
    let lost = (rig.clock)();
    rig.want("cdu1.pressure_setpoint", 1, 90.0);
    until("a minute of plant time", || {
        (rig.clock)().seconds_since(lost.mono_ms) > 61.0
    })
    .await;
    rig.want("cdu1.heartbeat", 2, 2.0);
    let (_, _server) = bank.serve(&address.to_string()).await;
    until("the heartbeat", || rig.status("cdu1").writes == 1).await;
    assert_eq!(bank.set().written, [(1, 100, 2)]);
}

#[tokio::test]
async fn writes_go_out_newest_first_once_and_again_and_the_heartbeat_last() {
    let bank = Bank::default();
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    let (setpoint, heartbeat) = ("cdu1.pressure_setpoint", "cdu1.heartbeat");
    // Nothing runs between these lines: the runtime of a test has one thread.
    rig.want(heartbeat, 7, 7.0);
    rig.want(setpoint, 6, 110.0);
    rig.want(setpoint, 7, 120.0);
    rig.want(setpoint, 6, 130.0);
    until("both written", || rig.status("cdu1").writes == 2).await;
    assert_eq!(bank.set().written, [(1, 101, 1200), (1, 100, 7)]);
    assert_eq!(rig.good(setpoint), Some(120.0), "what was read back is a reading");

    rig.want(setpoint, 8, 120.0);
    rig.want(heartbeat, 8, 8.0);
    until("heartbeat", || rig.status("cdu1").writes == 3).await;
    rig.want(heartbeat, 9, 8.0);
    until("heartbeat again", || rig.status("cdu1").writes == 4).await;
    assert_eq!(
        bank.set().written[2..],
        [(1, 100, 8), (1, 100, 8)],
        "an unchanged setpoint is not written again"
    );

    bank.set().registers.insert((1, 101), 900); // somebody at the panel, or the device's own default
    until("noticed", || rig.good(setpoint) == Some(90.0)).await;
    rig.want(setpoint, 10, 120.0);
    until("written again", || bank.set().written.last() == Some(&(1, 101, 1200))).await;

    let before = (rig.clock)();
    let mut cycle = 11;
    while bank.set().written.iter().filter(|write| write.1 == 101).count() < 3 {
        assert!((rig.clock)().seconds_since(before.mono_ms) < 120.0, "not refreshed");
        rig.want(setpoint, cycle, 120.0);
        cycle += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        (rig.clock)().seconds_since(before.mono_ms) > 55.0,
        "refreshed too often"
    );
}

#[tokio::test]
async fn a_device_that_does_not_keep_a_value_is_found_out() {
    let bank = Bank::default();
    bank.set().largest = Some(1000);
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    rig.want("cdu1.pressure_setpoint", 1, 150.0);
    until("mismatch", || rig.status("cdu1").mismatches == 1).await;
    let status = rig.status("cdu1");
    assert_eq!((status.writes, status.write_errors), (0, 0));
    assert_eq!(
        status.last_error.unwrap(),
        "pressure_setpoint was written as 150 and reads back as 100"
    );
    rig.want("cdu1.pressure_setpoint", 2, 150.0);
    until("tried again", || rig.status("cdu1").mismatches == 2).await;
    rig.want("cdu1.flow", 2, 150.0);
    assert!(
        rig.status("cdu1")
            .last_error
            .unwrap()
            .contains("cdu1.flow is not writable")
    );
}

#[tokio::test]
async fn a_refused_register_is_told_and_does_not_hide_its_neighbours() {
    let bank = Bank::with(&REGISTERS);
    bank.set().missing.insert(101);
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[("cdu1", DEVICE, address.to_string(), 1)]));
    until("the others", || {
        rig.good("cdu1.flow").is_some() && rig.good("cdu1.heartbeat").is_some()
    })
    .await;
    until("told", || rig.status("cdu1").refused == ["cdu1.pressure_setpoint"]).await;
    let reads = rig.status("cdu1").reads;
    until("more polls", || rig.status("cdu1").reads > reads + 10).await;
    assert_eq!(
        bank.set().read.iter().filter(|read| **read == (101, 1)).count(),
        1,
        "asked once, then remembered"
    );
    assert_eq!(rig.status("cdu1").reconnects, 0, "an exception is an answer");
}

#[tokio::test]
async fn what_waits_is_written_on_shutdown_and_a_dead_device_cannot_hold_it_up() {
    let bank = Bank::default();
    bank.set().silent.insert(9);
    let (address, _server) = bank.serve("127.0.0.1:0").await;
    let rig = Rig::start(site(&[
        ("cdu1", DEVICE, address.to_string(), 1),
        ("dead", DEVICE, address.to_string(), 9),
    ]));
    until("first poll", || rig.good("cdu1.flow").is_some()).await;
    rig.want("dead.pressure_setpoint", 3, 80.0);
    rig.want("cdu1.pressure_setpoint", 3, 80.0);
    let began = Instant::now();
    rig.field.shutdown().await;
    assert!(began.elapsed() < LAST_CHANCE + Duration::from_secs(1));
    assert_eq!(bank.set().registers[&(1, 101)], 800);
}

#[tokio::test]
async fn racks_are_heard_checked_and_heard_again_after_the_broker_returns() {
    let broker = Broker::start("127.0.0.1:0").await;
    let address = broker.address.to_string();
    let mut site = site(&[("rack1", RACK, String::new(), 0), ("rack2", RACK, String::new(), 0)]);
    site.mqtt.broker.clone_from(&address);
    site.mqtt.client_id = "isotherm-test".into();
    let rig = Rig::start(site);
    let publish = |broker: &Broker, ahead_s: f64, power: &str, number: u64| {
        #[expect(clippy::cast_possible_truncation, reason = "a test's few seconds")]
        let time = (rig.clock)().wall_ms + (ahead_s * 1000.0) as i64;
        broker.publish(
            "hall/rack1",
            format!(r#"{{"time":{time},"good":1,"number":{number},"power":{power}}}"#).as_bytes(),
        );
    };
    until("subscribed", || {
        *broker.subscribed.lock().unwrap() == ["hall/rack1", "hall/rack2"]
    })
    .await;
    publish(&broker, 0.0, "101.5", 1);
    until("heard", || rig.good("rack1.power") == Some(101.5)).await;
    assert_eq!(rig.reading("rack2.power"), None);

    broker.publish("hall/rack1", b"not json");
    publish(&broker, 120.0, "90", 2);
    until("refused", || rig.status("rack1").read_errors == 2).await;
    assert!(rig.status("rack1").last_error.unwrap().contains("in the future"));
    publish(&broker, 0.0, "500", 5);
    until("implausible", || {
        rig.reading("rack1.power") == Some((500.0, Quality::Bad))
    })
    .await;
    assert_eq!(
        rig.status("rack1").lost_messages,
        3,
        "2, 3 and 4 never counted as heard"
    );

    broker.stop().await;
    until("lost", || !rig.status("rack1").connected).await;
    let broker = Broker::start(&address).await;
    until("subscribed again", || broker.subscribed.lock().unwrap().len() == 2).await;
    publish(&broker, 0.0, "77", 6);
    until("heard again", || rig.good("rack1.power") == Some(77.0)).await;
    assert_eq!(rig.status("rack1").reconnects, 1);
    rig.field.shutdown().await;
}
