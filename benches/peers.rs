//! The field beside its peers: `cargo bench --bench peers -- MODE ...`, driven by the scripts in `benches/peers/`.
//!
//! | mode | what it does |
//! |---|---|
//! | `serve FIRST_PORT COUNT PROFILE` | so many Modbus servers with the registers of a profile |
//! | `poll FIRST_PORT COUNT REGISTERS SECONDS` | polls them at 1 Hz through the field; prints CPU and jitter |
//! | `publish PORT RACKS POINTS PER_SECOND SECONDS` | racks on a broker, each message with so many points |
//! | `hear PORT RACKS POINTS SECONDS` | hears them through the field; prints CPU and readings |
//! | `racks PORT RACKS SECONDS` | racks of the `rack-mqtt` profile at 1 Hz, with sequence numbers |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    reason = "a measuring program, not a service"
)]

use isotherm::field::Field;
use isotherm::site::{Device, DeviceBinding, DeviceId, EquipmentId, PointId, PointSpec, Site, ZoneId, load_embedded};
use isotherm::snapshot::Now;
use rumqttc::{AsyncClient, MqttOptions, QoS};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_modbus::prelude::{ExceptionCode, Request, Response};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use wire::profile::{Place, Table};
use wire::{Profile, codec};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    // One thread: what is measured is the work of one core.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    match words[..] {
        ["serve", port, count, profile] => runtime.block_on(serve(number(port), number(count), profile)),
        ["poll", port, count, registers, seconds] => {
            runtime.block_on(poll(number(port), number(count), number(registers), number(seconds)));
        }
        ["publish", port, racks, points, rate, seconds] => {
            let payload = move |rack: usize, message: u64| document(number(points), rack, message);
            let rate = number(rate);
            runtime.block_on(publish(
                number(port),
                number(racks),
                rate,
                number(seconds),
                "bench/rack",
                payload,
            ));
        }
        ["hear", port, racks, points, seconds] => {
            runtime.block_on(hear(number(port), number(racks), number(points), number(seconds)));
        }
        ["racks", port, racks, seconds] => {
            let racks = number(racks);
            runtime.block_on(publish(
                number(port),
                racks,
                racks,
                number(seconds),
                "isotherm/rack",
                rack,
            ));
        }
        _ => println!("peers: for the scripts in benches/peers/ (modes: serve, poll, publish, hear, racks)"),
    }
}

/// CPU time of this process, s.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // User and system time in ticks of 10 ms.
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

/// Registers of one server.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<BTreeMap<(Table, u16), u16>>>);

impl Bank {
    fn of(profile: &Profile) -> Self {
        let bank = Self::default();
        for point in &profile.points {
            let Place::Register(register) = &point.place else {
                continue;
            };
            let value = value_of(&point.name).unwrap_or(f64::midpoint(point.min.max(-100.0), point.max.min(100.0)));
            for (offset, word) in (0..).zip(codec::encode(point, value).unwrap_or_default()) {
                let mut registers = bank.0.lock().unwrap();
                registers.insert((register.table, register.address + offset), word);
            }
        }
        bank
    }

    fn read(&self, table: Table, start: u16, count: u16) -> Vec<u16> {
        let registers = self.0.lock().unwrap();
        (start..start.saturating_add(count))
            .map(|address| registers.get(&(table, address)).copied().unwrap_or(0))
            .collect()
    }
}

/// A hall that is well.
fn value_of(name: &str) -> Option<f64> {
    Some(match name {
        "secondary_supply_temperature" | "secondary_supply_temperature_setpoint" => 30.0,
        "secondary_return_temperature" => 40.0,
        "secondary_flow" => 628.0,
        "secondary_differential_pressure" | "secondary_differential_pressure_setpoint" => 150.0,
        "primary_supply_temperature" => 24.0,
        "primary_return_temperature" => 33.0,
        "primary_flow" => 600.0,
        "pump_speed" | "primary_valve_position" => 0.6,
        "power" => 4.0,
        "comms_timeout" => 60.0,
        "leak" | "local_control" | "heartbeat" => 0.0,
        _ => return None,
    })
}

impl Service for Bank {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let bits = |words: Vec<u16>| words.into_iter().map(|word| word != 0).collect();
        ready(Ok(match request {
            Request::ReadInputRegisters(start, count) => {
                Response::ReadInputRegisters(self.read(Table::Input, start, count))
            }
            Request::ReadHoldingRegisters(start, count) => {
                Response::ReadHoldingRegisters(self.read(Table::Holding, start, count))
            }
            Request::ReadDiscreteInputs(start, count) => {
                Response::ReadDiscreteInputs(bits(self.read(Table::Discrete, start, count)))
            }
            Request::WriteSingleRegister(address, word) => {
                self.0.lock().unwrap().insert((Table::Holding, address), word);
                Response::WriteSingleRegister(address, word)
            }
            _ => return ready(Err(ExceptionCode::IllegalFunction)),
        }))
    }
}

async fn serve(port: usize, count: usize, profile: &str) {
    let profile = wire::embedded::profile(profile);
    for number in 0..count {
        let address = format!("127.0.0.1:{}", port + number);
        let listener = TcpListener::bind(&address).await.expect(&address);
        let bank = profile.as_ref().map(Bank::of).unwrap_or_default();
        tokio::spawn(async move {
            let on_connected = |stream, peer| {
                let bank = bank.clone();
                async move { accept_tcp_connection(stream, peer, |_| Ok(Some(bank.clone()))) }
            };
            Server::new(listener).serve(&on_connected, |_| ()).await.unwrap();
        });
    }
    println!("{count} servers from port {port}");
    std::future::pending::<()>().await;
}

/// A site of alike devices, with nothing else.
fn site(profile: &Arc<Profile>, devices: Vec<(String, Option<String>)>) -> Site {
    let mut site = load_embedded("demo").unwrap().unwrap();
    (site.devices, site.points) = (Vec::new(), Vec::new());
    // Two polls a cycle: 1 Hz.
    site.control.cycle_s = 2.0;
    site.mqtt.broker.clear();
    for (id, address) in devices {
        let (device, first) = (DeviceId(site.devices.len()), site.points.len());
        for (profile_point, point) in profile.points.iter().enumerate() {
            site.points.push(PointSpec {
                tag: format!("{id}.{}", point.name),
                equipment: EquipmentId::Weather,
                zone: ZoneId(0),
                quantity: point.name.clone(),
                unit: point.unit,
                device,
                profile_point,
                required: false,
                timeout_s: 30.0,
                slew_per_s: 1.0,
                plausible: (point.min, point.max),
                write: None,
            });
        }
        let binding = DeviceBinding {
            profile: "bench".into(),
            unit: address.as_ref().map(|_| 1),
            address,
            object: None,
        };
        let points = (first..site.points.len()).map(PointId).collect();
        site.devices.push(Device {
            id,
            binding,
            profile: Arc::clone(profile),
            points,
        });
    }
    site
}

fn clock() -> Arc<dyn Fn() -> Now + Send + Sync> {
    let began = Instant::now();
    Arc::new(move || {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Now {
            mono_ms: began.elapsed().as_millis() as u64 + 100_000,
            wall_ms: wall.as_millis() as i64,
            utc_offset_s: 0,
        }
    })
}

async fn poll(port: usize, count: usize, registers: usize, seconds: usize) {
    let mut text = String::from(
        "[profile]\ndescription = \"bench\"\nsource = \"bench\"\n[modbus]\nbase = 0\nmax_block = 125\nmax_gap = 0\n",
    );
    for register in 0..registers {
        write!(
            text,
            "[[point]]\nname = \"p{register}\"\nunit = \"degC\"\ntable = \"holding\"\naddress = {register}\ntype = \"i16\"\n\
             scale = 0.01\nmin = -100\nmax = 300\n"
        )
        .unwrap();
    }
    let profile = Arc::new(Profile::parse(&text, "bench").unwrap());
    let devices = (0..count).map(|number| (format!("d{number}"), Some(format!("127.0.0.1:{}", port + number))));
    let site = Arc::new(site(&profile, devices.collect()));
    let now = clock();
    let field = Field::start(Arc::clone(&site), Arc::clone(&now) as _, 1.0);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let firsts: Vec<PointId> = site
        .devices
        .iter()
        .filter_map(|device| device.points.first().copied())
        .collect();
    let (cpu, began) = (cpu_s(), Instant::now());
    let reads = |field: &Field| field.status().iter().map(|status| status.reads).sum::<u64>();
    let before = reads(&field);
    let mut last: Vec<Option<u64>> = vec![None; firsts.len()];
    let mut jitter = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    for _ in 0..2 * seconds {
        ticks.tick().await;
        let snapshot = field.take_snapshot(now());
        for (point, last) in firsts.iter().zip(&mut last) {
            let Some(at) = snapshot.reading(*point).map(|reading| reading.mono_ms) else {
                continue;
            };
            if let Some(before) = last.replace(at)
                && at > before
            {
                jitter.push((at - before).abs_diff(1000));
            }
        }
    }
    let (cpu, wall) = (cpu_s() - cpu, began.elapsed().as_secs_f64());
    let rate = (reads(&field) - before) as f64 / wall;
    jitter.sort_unstable();
    let p99 = jitter.get(jitter.len() * 99 / 100).copied().unwrap_or(u64::MAX);
    println!(
        "isotherm cpu_percent {:.2} p99_jitter_ms {p99} requests_per_s {rate:.1}",
        100.0 * cpu / wall
    );
    field.shutdown().await;
}

/// A JSON document of a rack with so many points.
fn document(points: usize, rack: usize, message: u64) -> Vec<u8> {
    let mut text = format!("{{\"n\":{message}");
    for point in 0..points {
        write!(
            text,
            ",\"p{point}\":{}",
            (rack + point) as f64 + (message % 100) as f64 / 100.0
        )
        .unwrap();
    }
    text.push('}');
    text.into_bytes()
}

/// A rack of the embedded profile.
fn rack(_: usize, message: u64) -> Vec<u8> {
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let power = 90.0 + (message % 7) as f64;
    format!(
        "{{\"timestamp\":{},\"quality\":1,\"sequence\":{message},\"power_kw\":{power},\"liquid\":{{\"supply_c\":30.1,\
         \"return_c\":40.2,\"flow_lpm\":157}},\"chip_margin_k\":20.5,\"leak\":false}}",
        wall.as_millis()
    )
    .into_bytes()
}

/// Publishes `rate` messages a second over all racks, evenly.
async fn publish(
    port: usize,
    racks: usize,
    rate: usize,
    seconds: usize,
    prefix: &str,
    payload: impl Fn(usize, u64) -> Vec<u8>,
) {
    let mut options = MqttOptions::new("bench-publisher", "127.0.0.1", port as u16);
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, 20_000);
    tokio::spawn(async move {
        while events.poll().await.is_ok() {}
        panic!("the broker is gone");
    });
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let began = Instant::now();
    let (mut sent, mut next) = (0_usize, 0_usize);
    while began.elapsed() < Duration::from_secs(seconds as u64) {
        ticks.tick().await;
        let due = (began.elapsed().as_secs_f64() * rate as f64) as usize;
        while sent < due {
            let (rack, message) = (next % racks, (next / racks) as u64);
            let topic = format!("{prefix}/r{rack}");
            client
                .publish(topic, QoS::AtMostOnce, false, payload(rack, message))
                .await
                .unwrap();
            (sent, next) = (sent + 1, next + 1);
        }
    }
    println!("published {sent} in {:.1} s", began.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn hear(port: usize, racks: usize, points: usize, seconds: usize) {
    let mut text = String::from(
        "[profile]\ndescription = \"bench\"\nsource = \"bench\"\n[mqtt]\ntopic = \"bench/rack/{device}\"\nsequence = \"/n\"\n",
    );
    for point in 0..points {
        write!(
            text,
            "[[point]]\nname = \"p{point}\"\nunit = \"kW\"\npointer = \"/p{point}\"\nmin = -1\nmax = 100000\n"
        )
        .unwrap();
    }
    let profile = Arc::new(Profile::parse(&text, "bench").unwrap());
    let devices = (0..racks).map(|number| (format!("r{number}"), None));
    let mut site = site(&profile, devices.collect());
    site.mqtt.broker = format!("127.0.0.1:{port}");
    let now = clock();
    let field = Field::start(Arc::new(site), Arc::clone(&now) as _, 1.0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let count = |field: &Field| {
        let status = field.status();
        let heard: u64 = status.iter().map(|status| status.reads).sum();
        let lost: u64 = status.iter().map(|status| status.lost_messages).sum();
        (heard, lost)
    };
    let (cpu, began, before) = (cpu_s(), Instant::now(), count(&field));
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut held = 0;
    for _ in 0..seconds {
        ticks.tick().await;
        held = field.take_snapshot(now()).readings.iter().flatten().count();
    }
    let (cpu, wall, after) = (cpu_s() - cpu, began.elapsed().as_secs_f64(), count(&field));
    let readings = (after.0 - before.0) as f64 * points as f64;
    println!(
        "isotherm cpu_percent {:.1} readings_per_s {:.0} cpu_us_per_reading {:.3} lost_messages {} in_snapshot {held}",
        100.0 * cpu / wall,
        readings / wall,
        1e6 * cpu / readings,
        after.1 - before.1
    );
    field.shutdown().await;
}
