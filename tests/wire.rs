//! The profiles on a real wire, against a register server that answers each address with its own number.
//!
//! What every point should then read is worked out here from the profile's text and the Modbus specification alone,
//! with nothing from the codec, so that a mistake in address, base, table, order or scale cannot hide by being made
//! at both ends.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use isotherm::field::Field;
use isotherm::site::{Device, DeviceBinding, DeviceId, EquipmentId, PointId, PointSpec, Site, ZoneId, load_embedded};
use isotherm::snapshot::{Now, Quality};
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_modbus::prelude::{ExceptionCode, Request, Response};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use wire::{Mapping, Profile};

/// Added to the address by the table of input registers, so that the two register tables differ.
const INPUT: u16 = 20_000;

/// Answers each register with its own address.
#[derive(Clone, Copy)]
struct Echo;

/// A bit table's answer: coils at even addresses are set, discrete inputs at odd ones.
const fn bit(table: &str, address: u16) -> bool {
    address.is_multiple_of(2) == matches!(table.as_bytes(), b"coil")
}

impl Service for Echo {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(match request {
            Request::ReadHoldingRegisters(start, count) if count <= 125 => {
                Ok(Response::ReadHoldingRegisters((start..start + count).collect()))
            }
            Request::ReadInputRegisters(start, count) if count <= 125 => Ok(Response::ReadInputRegisters(
                (start..start + count).map(|address| INPUT + address).collect(),
            )),
            Request::ReadCoils(start, count) if count <= 2000 => Ok(Response::ReadCoils(
                (start..start + count).map(|address| bit("coil", address)).collect(),
            )),
            Request::ReadDiscreteInputs(start, count) if count <= 2000 => Ok(Response::ReadDiscreteInputs(
                (start..start + count).map(|address| bit("discrete", address)).collect(),
            )),
            _ => Err(ExceptionCode::IllegalDataValue),
        })
    }
}

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let on_connected = async |stream, peer| accept_tcp_connection(stream, peer, |_| Ok(Some(Echo)));
        Server::new(listener)
            .serve(&on_connected, |error| panic!("{error}"))
            .await
            .unwrap();
    });
    address
}

/// The demo site with one device for each embedded Modbus profile in the place of its own.
fn site(address: SocketAddr) -> Site {
    let mut site = load_embedded("demo")
        .expect("the demo is embedded")
        .expect("the demo is without mistakes");
    (site.devices, site.points) = (Vec::new(), Vec::new());
    site.mqtt.broker.clear();
    for (name, text) in wire::embedded::PROFILES {
        let profile = Arc::new(Profile::parse(text, name).unwrap());
        if !matches!(profile.mapping, Mapping::Modbus(_)) {
            continue;
        }
        let (device, first) = (DeviceId(site.devices.len()), site.points.len());
        site.points.extend(
            profile
                .points
                .iter()
                .enumerate()
                .map(|(profile_point, point)| PointSpec {
                    tag: format!("{name}.{}", point.name),
                    equipment: EquipmentId::Weather,
                    zone: ZoneId(0),
                    quantity: point.name.clone(),
                    unit: point.unit,
                    device,
                    profile_point,
                    required: false,
                    timeout_s: 60.0,
                    slew_per_s: 1.0,
                    plausible: (point.min, point.max),
                    write: None,
                }),
        );
        let points = (first..site.points.len()).map(PointId).collect();
        let binding = DeviceBinding {
            profile: (*name).into(),
            address: Some(address.to_string()),
            unit: Some(1),
            object: None,
        };
        site.devices.push(Device {
            id: (*name).into(),
            binding,
            profile,
            points,
        });
    }
    site
}

/// A bit, some bits, or whether any bit of a mask is set.
fn part(word: u64, point: &toml::Table) -> f64 {
    let number = |value: &toml::Value| u32::try_from(value.as_integer().unwrap()).unwrap();
    if let Some(bit) = point.get("bit") {
        return f64::from(u8::from(word >> number(bit) & 1 == 1));
    }
    if let Some(mask) = point.get("any_of") {
        return f64::from(u8::from(word & u64::from(number(mask)) > 0));
    }
    let [low, high] = &*point["bits"].as_array().unwrap().iter().map(number).collect::<Vec<_>>() else {
        panic!("bits = [low, high]");
    };
    f64::from(u32::try_from(word >> low).unwrap() % (1 << (high - low + 1)))
}

/// What a point of a profile's text should read from the echo server; `None` where that is a sentinel or not finite.
fn expected(file: &toml::Table, point: &toml::Table) -> Option<f64> {
    let number = |key: &str, otherwise: f64| match point.get(key) {
        Some(toml::Value::Integer(whole)) => whole.to_string().parse().unwrap(),
        Some(toml::Value::Float(float)) => *float,
        None => otherwise,
        Some(other) => panic!("{key} = {other}"),
    };
    let modbus = file["modbus"].as_table().unwrap();
    let table = point["table"].as_str().unwrap();
    let address = u16::try_from(point["address"].as_integer().unwrap() - modbus["base"].as_integer().unwrap()).unwrap();
    let order = |key: &str| {
        point
            .get(key)
            .or(modbus.get(key))
            .and_then(toml::Value::as_str)
            .unwrap_or("high_first")
    };
    let kind = point.get("type").and_then(toml::Value::as_str).unwrap_or("bit");

    let raw = if matches!(table, "coil" | "discrete") {
        f64::from(u8::from(bit(table, address)))
    } else {
        let count = match kind {
            "u16" | "i16" | "bit" => 1,
            "u32" | "i32" | "f32" => 2,
            "u64" | "i64" | "f64" => 4,
            other => panic!("type {other}"),
        };
        let own = if table == "input" { INPUT } else { 0 };
        let mut words: Vec<[u8; 2]> = (0..count).map(|word| (own + address + word).to_be_bytes()).collect();
        if order("bytes") == "low_first" {
            for word in &mut words {
                word.reverse();
            }
        }
        match order("words") {
            "low_first" => words.reverse(),
            "pairs_swapped" => words.chunks_mut(2).for_each(<[_]>::reverse),
            "halves_swapped" => words.rotate_left(count as usize / 2),
            _ => {}
        }
        let bytes = words.concat();
        let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let sentinels = point
            .get("sentinels")
            .and_then(toml::Value::as_array)
            .cloned()
            .unwrap_or_default();
        if sentinels
            .iter()
            .any(|sentinel| sentinel.as_integer() == i64::try_from(bits).ok())
        {
            return None;
        }
        match kind {
            "u16" | "u32" => f64::from(u32::try_from(bits).unwrap()),
            "i16" => f64::from(i16::from_be_bytes(bytes.try_into().unwrap())),
            "i32" => f64::from(i32::from_be_bytes(bytes.try_into().unwrap())),
            "f32" => f64::from(f32::from_be_bytes(bytes.try_into().unwrap())),
            "f64" => f64::from_be_bytes(bytes.try_into().unwrap()),
            "u64" => u64::from_be_bytes(bytes.try_into().unwrap()) as f64,
            "i64" => i64::from_be_bytes(bytes.try_into().unwrap()) as f64,
            _ => part(bits, point),
        }
    };
    let scaled = raw * number("scale", 1.0) + number("offset", 0.0);
    let value = match point["unit"].as_str().unwrap() {
        "degF" => (scaled - 32.0) / 1.8,
        "m3/h" => scaled / 0.06,
        "bar" => scaled * 100.0,
        "W" | "Wh" => scaled / 1000.0,
        "percent" => scaled / 100.0,
        "m3" => scaled * 1000.0,
        "degC" | "K_difference" | "L/min" | "kPa" | "kW" | "kWh" | "L" | "fraction" | "uS/cm" | "s" | "flag"
        | "count" => scaled,
        other => panic!("unit {other}: add its conversion here"),
    };
    value.is_finite().then_some(value)
}

#[tokio::test]
async fn every_point_of_every_modbus_profile_is_read_from_its_own_address() {
    let site = Arc::new(site(echo_server().await));
    let began = Instant::now();
    let clock = Arc::new(move || {
        let mono_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
        Now {
            mono_ms,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    });
    let field = Field::start(Arc::clone(&site), clock.clone(), 1.0);
    while field.status().iter().any(|status| status.reads == 0) {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "not all devices answered: {:?}",
            field.status()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for status in field.status() {
        assert!(status.read_errors == 0 && status.refused.is_empty(), "{status:?}");
    }
    // A device with several blocks has answered the first; one more round and all have been read.
    let reads: Vec<u64> = field.status().iter().map(|status| status.reads).collect();
    let blocks: Vec<u64> = site
        .devices
        .iter()
        .map(|device| wire::plan::blocks(&device.profile).len() as u64)
        .collect();
    while field
        .status()
        .iter()
        .zip(reads.iter().zip(&blocks))
        .any(|(status, (before, blocks))| status.reads < before + blocks)
    {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "no second round: {:?}",
            field.status()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let snapshot = field.take_snapshot(clock());
    let (mut good, mut checked) = (0, 0);
    for (device, (name, text)) in site.devices.iter().zip(
        wire::embedded::PROFILES
            .iter()
            .filter(|(name, _)| site.devices.iter().any(|device| device.id == *name)),
    ) {
        assert_eq!(device.id, *name);
        let file: toml::Table = text.parse().unwrap();
        let points = file["point"].as_array().unwrap();
        assert_eq!(points.len(), device.points.len());
        for (point, id) in points.iter().zip(&device.points) {
            let tag = &site.spec(*id).tag;
            let reading = snapshot.reading(*id);
            let Some(value) = expected(&file, point.as_table().unwrap()) else {
                assert_eq!(reading, None, "{tag} should have no value");
                continue;
            };
            let reading = reading.unwrap_or_else(|| panic!("{tag} was not read"));
            let error = (reading.value - value).abs();
            assert!(
                error <= 1e-9 * value.abs().max(1e-30),
                "{tag} reads {} and should read {value}",
                reading.value
            );
            let (low, high) = site.spec(*id).plausible;
            let quality = if (low..=high).contains(&value) {
                Quality::Good
            } else {
                Quality::Bad
            };
            assert_eq!(reading.quality, quality, "{tag} = {value}");
            checked += 1;
            good += usize::from(quality == Quality::Good);
        }
    }
    assert!(
        checked > 80 && good > 40,
        "{checked} points were checked, {good} of them good"
    );
    field.shutdown().await;
}
