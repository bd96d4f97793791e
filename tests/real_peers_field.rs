//! The real-peer tier of the field: Mosquitto with TLS and passwords, a pymodbus server with a broken device, mbpoll
//! against it. Run by `cargo test --test real_peers_field -- --ignored`; a peer that is not installed is said to be
//! missing and fails the test.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use isotherm::field::{Field, LinkStatus};
use isotherm::site::{MqttVersion, Site, TlsSettings, load};
use isotherm::snapshot::{Now, Quality};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// Ends a child process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{what} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const HEAD: &str = r#"
[site]
name = "peers"
[limits]
design_wet_bulb_c = 22
[prices]
energy_per_kwh = 0.17
carbon_g_per_kwh = [300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300]
[control]
cycle_s = 1
[[loop]]
id = "loop1"
volume_l = 2000
transport_s = 10
pumps = 1
pump_flow_lpm = 1300
pump_head_kpa = 200
pump_kw = 8
[[tower_cell]]
id = "tower1"
loop = "loop1"
rated_kw = 500
power_kw = 7
flow_lpm = 700
approach_k = 4
design_ambient_c = 22
"#;

/// A site of meters: id, profile and the rest of the device's table.
fn site(dir: &Path, profiles: &[(&str, &str)], meters: &[(&str, &str, String)]) -> Site {
    std::fs::create_dir_all(dir.join("profiles")).unwrap();
    for (name, text) in profiles {
        std::fs::write(dir.join("profiles").join(format!("{name}.toml")), text).unwrap();
    }
    let mut text = HEAD.to_owned();
    text += "[mqtt]\nbroker = \"127.0.0.1:1\"\n";
    for (id, profile, rest) in meters {
        writeln!(
            text,
            "[[meter]]\nid = \"{id}\"\nrole = \"it_power\"\nrollover = 1e9\ndevice = {{ profile = \"{profile}\"{rest} }}"
        )
        .unwrap();
    }
    let file = dir.join("site.toml");
    std::fs::write(&file, text).unwrap();
    load(&file).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

struct Rig {
    site: Arc<Site>,
    field: Field,
    now: Arc<dyn Fn() -> Now + Send + Sync>,
}

impl Rig {
    fn start(site: Site) -> Self {
        let (site, began) = (Arc::new(site), Instant::now());
        let now: Arc<dyn Fn() -> Now + Send + Sync> = Arc::new(move || {
            let mono_ms = u64::try_from(began.elapsed().as_millis()).unwrap() + 100_000;
            let wall = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            Now {
                mono_ms,
                wall_ms: i64::try_from(wall.as_millis()).unwrap(),
                utc_offset_s: 0,
            }
        });
        let field = Field::start(Arc::clone(&site), Arc::clone(&now) as _, 1.0);
        Self { site, field, now }
    }

    fn good(&self, tag: &str) -> Option<f64> {
        let snapshot = self.field.take_snapshot((self.now)());
        let reading = *snapshot.reading(self.site.point(tag).unwrap())?;
        (reading.quality == Quality::Good).then_some(reading.value)
    }

    fn status(&self, id: &str) -> LinkStatus {
        self.field.status().into_iter().find(|status| status.id == id).unwrap()
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition(self) {
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: {:?}",
                self.field.status()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Files of an authority, a server's certificate for 127.0.0.1 and a client's.
fn certificates(dir: &Path) -> TlsSettings {
    let (key, mut ca) = (KeyPair::generate().unwrap(), CertificateParams::new([]).unwrap());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "plant authority");
    let root = ca.self_signed(&key).unwrap();
    let issuer = Issuer::new(ca, key);
    let write = |name: &str, text: &str| {
        let file = dir.join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    for (name, subject) in [("server", "127.0.0.1"), ("client", "isotherm")] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([subject.to_owned()]).unwrap();
        write(&format!("{name}.pem"), &params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{name}.key"), &key.serialize_pem());
    }
    let named = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    TlsSettings {
        ca: write("ca.pem", &root.pem()),
        certificate: named("client.pem"),
        key: named("client.key"),
    }
}

const NUMBER: &str = r#"
[profile]
description = "meter that says plain numbers"
source = "this test"
[mqtt]
payload = "number"
topic = "hall/{device}/{point}"
[[point]]
name = "power"
unit = "kW"
topic = "kw"
min = 0
max = 500
"#;

/// Mosquitto with mutual TLS and passwords, and the arguments with which its own tools reach it.
fn mosquitto(dir: &Path, tls: &TlsSettings) -> (Running, u16, Vec<String>) {
    let port = free_port();
    let passwords = dir.join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c", passwords.to_str().unwrap(), "isotherm", "s3cret pass"])
        .status()
        .expect("mosquitto_passwd is missing: install Debian's `mosquitto`");
    assert!(made.success());
    let named = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (named("server.pem"), named("server.key"));
    let config = format!(
        "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\npersistence false\nuser root\n\
         cafile {}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n",
        passwords.display(),
        tls.ca
    );
    let file = dir.join("mosquitto.conf");
    std::fs::write(&file, config).unwrap();
    let broker = Command::new("mosquitto")
        .arg("-c")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto is missing: install Debian's `mosquitto`");
    wait_for(port, "mosquitto");
    let arguments = [
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-u",
        "isotherm",
        "-P",
        "s3cret pass",
        "--cafile",
        &tls.ca,
        "--cert",
        &tls.certificate,
        "--key",
        &tls.key,
    ];
    (Running(broker), port, arguments.map(str::to_owned).to_vec())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's mosquitto and mosquitto-clients"]
async fn mosquitto_with_tls_and_passwords_in_both_versions_of_the_protocol() {
    let dir = tempdir().unwrap();
    let tls = certificates(dir.path());
    let (_broker, port, arguments) = mosquitto(dir.path(), &tls);
    let password = dir.path().join("password");
    std::fs::write(&password, "s3cret pass\n").unwrap();
    for version in [MqttVersion::V311, MqttVersion::V5] {
        let mut site = site(dir.path(), &[("number", NUMBER)], &[("m1", "number", String::new())]);
        site.mqtt.broker = format!("mqtts://127.0.0.1:{port}");
        site.mqtt.version = version;
        site.mqtt.username = "isotherm".into();
        site.mqtt.password_file = password.to_str().unwrap().into();
        site.mqtt.tls = tls.clone();
        let mut refused = site.clone();
        let rig = Rig::start(site);
        let publish = |value: &str| {
            let sent = Command::new("mosquitto_pub")
                .args(&arguments)
                .args(["-q", "2", "-t", "hall/m1/kw", "-m", value])
                .status()
                .expect("mosquitto_pub is missing: install Debian's `mosquitto-clients`");
            assert!(sent.success());
        };
        rig.until("a connection", |rig| rig.status("m1").connected).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while rig.good("m1.power") != Some(123.5) {
            assert!(Instant::now() < deadline, "{:?}", rig.status("m1"));
            publish("123.5");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        rig.field.shutdown().await;

        refused.mqtt.password_file.clear();
        refused.mqtt.password = "wrong".into();
        refused.mqtt.client_id = "another".into();
        let rig = Rig::start(refused);
        rig.until("a refusal", |rig| {
            let error = rig.status("m1").last_error.unwrap_or_default();
            error.contains("refuses") && !error.contains("wrong")
        })
        .await;
        rig.field.shutdown().await;
    }
}

/// A pymodbus server of three units: 1 is sound, 2 has a hole that it answers with an exception, 3 never answers.
const BROKEN: &str = r#"
import asyncio, struct, sys
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import SimData, SimDevice, DataType

async def silent(reader, writer):
    # A device that takes every request and never answers, nor hangs up.
    while await reader.read(256):
        pass

def half(words):
    # A device that answers with half a frame, then hangs up.
    async def answer(reader, writer):
        request = await reader.read(256)
        writer.write(request[:4] + b"\x00\x17" + request[6:8] + b"\x14" + words)
        await writer.drain()
        writer.close()
    return answer

async def main():
    good, mute, torn = map(int, sys.argv[1:4])
    registers = list(range(1000, 1010))
    device = SimDevice(id=1, simdata=[SimData(0, values=registers, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", good))
    await asyncio.start_server(silent, "127.0.0.1", mute)
    await asyncio.start_server(half(b"\x00\x01\x02"), "127.0.0.1", torn)
    await server.serve_forever()

asyncio.run(main())
"#;

fn meter(address: u32, name: &str) -> String {
    format!(
        "[[point]]\nname = \"{name}\"\nunit = \"kW\"\ntable = \"holding\"\naddress = {address}\ntype = \"u16\"\n\
         scale = 0.1\nmin = 0\nmax = 500\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pymodbus for python3 and Debian's mbpoll"]
async fn a_pymodbus_server_beside_broken_devices() {
    let dir = tempdir().unwrap();
    let script = dir.path().join("server.py");
    std::fs::write(&script, BROKEN).unwrap();
    let ports = [free_port(), free_port(), free_port()];
    let server = Command::new(std::env::var("ISOTHERM_PYTHON").unwrap_or_else(|_| "python3".into()))
        .arg(&script)
        .args(ports.map(|port| port.to_string()))
        .spawn()
        .expect("python3 is missing");
    let _server = Running(server);
    for port in ports {
        wait_for(port, "pymodbus (pip install pymodbus)");
    }

    let head = "[profile]\ndescription = \"meter\"\nsource = \"this test\"\n[modbus]\nbase = 0\nmax_block = 20\nmax_gap = 500\n";
    let sound = format!("{head}{}{}", meter(0, "power"), meter(9, "flow_power"));
    // A second register that the server does not have, in the same block as the first.
    let gap = format!("{head}{}{}", meter(0, "power"), meter(15, "missing_power"));
    let at = |port: u16| format!(", address = \"127.0.0.1:{port}\", unit = 1");
    let site = site(
        dir.path(),
        &[("sound", &sound), ("gap", &gap)],
        &[
            ("good", "sound", at(ports[0])),
            ("mute", "sound", at(ports[1])),
            ("torn", "sound", at(ports[2])),
        ],
    );
    let rig = Rig::start(site);
    rig.until("values", |rig| {
        rig.good("good.power") == Some(100.0) && rig.good("good.flow_power") == Some(100.9)
    })
    .await;
    rig.until("the broken ones to be found out", |rig| {
        let mute = rig.status("mute").last_error.unwrap_or_default();
        mute.contains("no answer within") && rig.status("torn").read_errors >= 2
    })
    .await;
    let reads = rig.status("good").reads;
    rig.until("undisturbed polls", |rig| rig.status("good").reads > reads + 10)
        .await;
    assert_eq!(rig.status("good").read_errors, 0);
    assert!(rig.good("good.power").is_some() && rig.good("mute.power").is_none() && rig.good("torn.power").is_none());
    rig.field.shutdown().await;

    let holes = self::site(dir.path(), &[], &[("holes", "gap", at(ports[0]))]);
    let rig = Rig::start(holes);
    rig.until("the sound register beside the missing one", |rig| {
        rig.good("holes.power") == Some(100.0) && rig.status("holes").refused == ["holes.missing_power"]
    })
    .await;
    rig.field.shutdown().await;

    let seen = Command::new("mbpoll")
        .args([
            "-m",
            "tcp",
            "-a",
            "1",
            "-p",
            &ports[0].to_string(),
            "-t",
            "4",
            "-r",
            "1",
            "-c",
            "1",
            "-1",
            "127.0.0.1",
        ])
        .output()
        .expect("mbpoll is missing: install Debian's `mbpoll`");
    let text = String::from_utf8(seen.stdout).unwrap();
    assert!(text.contains("1000"), "mbpoll reads the same register: {text}");
}
