//! Two controllers as processes, one simulated plant, a real etcd: killed, stopped for longer than the lease, asked to go,
//! cut off. Judged from the devices' own logbooks. Run by `cargo test --test real_peers_pair -- --ignored`; without
//! Debian's `etcd-server` it fails and says so. `ISOTHERM_ROUNDS=200` makes as many rounds, `ISOTHERM_SEED=7` another order.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use isotherm::service::clock::Origin;
use isotherm::site::{Site, load_embedded};
use isotherm::trial::{HallOptions, Load, SimulatedHall, WeatherSource};
use serde_json::{Value, json};
use simulators::devices::Written;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

const CYCLE: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(3);
/// Long enough that a change of hands is no loss of the controller, as on a plant.
const COMMS_TIMEOUT_S: f64 = 20.0;
const DEADLINE: Duration = Duration::from_mins(1);
/// A round trip through a busy machine, beyond what is asserted.
const SLACK: Duration = Duration::from_millis(500);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success(), "kill {name}");
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A real etcd with one member.
struct Etcd {
    process: Process,
    port: u16,
}

impl Etcd {
    fn start(dir: &Path) -> Self {
        let (client, peer) = (free_port(), free_port());
        let url = |port| format!("http://127.0.0.1:{port}");
        let child = Command::new("etcd")
            .args(["--name", "one", "--data-dir"])
            .arg(dir.join("etcd"))
            .args([
                "--listen-client-urls",
                &url(client),
                "--advertise-client-urls",
                &url(client),
            ])
            .args([
                "--listen-peer-urls",
                &url(peer),
                "--initial-advertise-peer-urls",
                &url(peer),
            ])
            .args(["--initial-cluster", &format!("one={}", url(peer))])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is missing: install Debian's `etcd-server`");
        let etcd = Self {
            process: Process(child),
            port: client,
        };
        let began = Instant::now();
        while etcd.ask("kv/range", &json!({ "key": "AA==" })).is_none() {
            assert!(began.elapsed() < DEADLINE, "etcd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        etcd
    }

    fn ask(&self, path: &str, body: &Value) -> Option<Value> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let body = body.to_string();
        write!(
            stream,
            "POST /v3/{path} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
    }

    /// Who holds the lease, and the revision of its key.
    fn leader(&self) -> Option<(String, String)> {
        // `/isotherm/pair/leader`
        let answer = self.ask("kv/range", &json!({ "key": "L2lzb3RoZXJtL3BhaXIvbGVhZGVy" }))?;
        let key = &answer["kvs"][0];
        let name = match key["value"].as_str()? {
            "YQ==" => "a",
            "Yg==" => "b",
            other => panic!("{other} holds the lease"),
        };
        Some((name.to_owned(), key["create_revision"].as_str()?.to_owned()))
    }
}

/// The demo's file with the addresses of the running devices, and the pair.
fn site_file(dir: &Path, running: &Site, etcd: &Etcd) -> PathBuf {
    let original = load_embedded("demo").unwrap().unwrap();
    let mut text = include_str!("../config/demo.toml").to_owned();
    for (before, now) in original.devices.iter().zip(&running.devices) {
        if let (Some(before), Some(now)) = (&before.binding.address, &now.binding.address) {
            text = text.replace(&format!("\"{before}\""), &format!("\"{now}\""));
        }
    }
    let (port, ttl_s) = (etcd.port, TTL.as_secs());
    let pair = format!("endpoints = [\"http://127.0.0.1:{port}\"]\nname = \"pair\"\nttl_s = {ttl_s}\n");
    text = format!("{text}\n[pair]\n{pair}");
    let file = dir.join("site.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Everything of a test.
struct Rig {
    etcd: Etcd,
    hall: SimulatedHall,
    site: Site,
    file: PathBuf,
    dir: tempfile::TempDir,
    controllers: BTreeMap<String, Process>,
}

impl Rig {
    async fn start() -> Self {
        let dir = tempdir().unwrap();
        let etcd = Etcd::start(dir.path());
        let mut site = load_embedded("demo").unwrap().unwrap();
        site.control.cycle_s = CYCLE.as_secs_f64();
        let options = HallOptions {
            speed: 1.0,
            seed: 1,
            wall_ms: Origin::now().wall_ms,
            year_s: 182.0 * 86_400.0,
            weather: WeatherSource::BuiltIn,
            load: Load::Synthetic(1),
            comms_timeout_s: COMMS_TIMEOUT_S,
            broker: None,
        };
        let hall = SimulatedHall::start(&mut site, &options).await.unwrap();
        hall.hall.fence();
        let file = site_file(dir.path(), &site, &etcd);
        let mut rig = Self {
            etcd,
            hall,
            site,
            file,
            dir,
            controllers: BTreeMap::new(),
        };
        rig.launch("a");
        rig.launch("b");
        rig
    }

    fn launch(&mut self, id: &str) {
        let mut append = std::fs::OpenOptions::new();
        let log = append
            .create(true)
            .append(true)
            .open(self.dir.path().join(format!("{id}.log")))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_isotherm"))
            .arg("run")
            .arg(&self.file)
            .env("ISOTHERM__PAIR__ID", id)
            .env("ISOTHERM__CONTROL__CYCLE_S", CYCLE.as_secs().to_string())
            .env("ISOTHERM__STORE__DIR", self.dir.path().join(id))
            .env("ISOTHERM__MQTT__BROKER", &self.site.mqtt.broker)
            .env("ISOTHERM__API__LISTEN", "127.0.0.1:0")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.controllers.insert(id.to_owned(), Process(child));
    }

    fn log(&self) -> Vec<Written> {
        self.hall.hall.fence().log(0)
    }

    /// Waits for a state, with what both controllers said where it does not come.
    async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if began.elapsed() > DEADLINE {
                let said = |id| std::fs::read_to_string(self.dir.path().join(format!("{id}.log"))).unwrap_or_default();
                panic!(
                    "not within {DEADLINE:?}: {what}\n--- a\n{}\n--- b\n{}",
                    said("a"),
                    said("b")
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Both live, and one of them has been writing for a few cycles; answers who, and the revision of its key.
    async fn settled(&self) -> (String, String) {
        self.until("two members and a holder", || {
            // All keys from `/isotherm/pair/members/` to `/isotherm/pair/members0`.
            let range = json!({
                "key": "L2lzb3RoZXJtL3BhaXIvbWVtYmVycy8=",
                "range_end": "L2lzb3RoZXJtL3BhaXIvbWVtYmVyczA=",
            });
            let members = self.etcd.ask("kv/range", &range)?;
            (members["count"] == "2").then_some(())
        })
        .await;
        let leader = self.until("a holder", || self.etcd.leader()).await;
        let from = self.log().len();
        self.until("three beats of every device", || {
            let fresh = &self.log()[from..];
            let devices: std::collections::BTreeSet<_> = self.log().iter().map(|one| one.device.clone()).collect();
            let beats = |device: &str| {
                fresh
                    .iter()
                    .filter(|one| one.device == device && one.term().is_some())
                    .count()
            };
            (!devices.is_empty() && devices.iter().all(|device| beats(device) >= 3)).then_some(())
        })
        .await;
        leader
    }

    /// The first accepted write after number `from` in a term other than `term`.
    fn resumed(&self, from: usize, term: u8) -> Option<Instant> {
        let log = self.log();
        let fresh = log
            .get(from..)?
            .iter()
            .find(|one| one.taken && one.term().is_some_and(|now| now != term))?;
        Some(fresh.at)
    }

    fn term(&self) -> u8 {
        self.log().iter().rev().find_map(Written::term).unwrap()
    }
}

/// The term of every write: a connection writes setpoints first and its heartbeat last, so that a write belongs to the
/// next beat of its connection where that comes within two cycles, and else to the beat before.
fn terms(log: &[Written]) -> Vec<Option<u8>> {
    (0..log.len())
        .map(|at| {
            let write = &log[at];
            let own = |one: &&Written| one.peer == write.peer && one.device == write.device;
            let next = log[at..].iter().filter(own).find(|one| one.term().is_some());
            let next = next.filter(|one| one.at.duration_since(write.at) < 2 * CYCLE);
            let before = || log[..at].iter().rev().filter(own).find(|one| one.term().is_some());
            next.or_else(before).and_then(Written::term)
        })
        .collect()
}

/// The devices' own logbooks: never two writers, no jump beyond the ramp. Answers how many steps of setpoints were judged.
fn judge(site: &Site, log: &[Written]) -> usize {
    let terms = terms(log);
    let mut newest: BTreeMap<&str, u8> = BTreeMap::new();
    for (write, term) in log.iter().zip(&terms) {
        let Some(term) = *term else { continue };
        let known = newest.entry(&write.device).or_insert(term);
        assert!(
            term >= *known,
            "two writers: {} in term {term} after term {known}",
            write.device
        );
        *known = term;
    }
    let mut steps = 0;
    let mut last: BTreeMap<(&str, &str), &Written> = BTreeMap::new();
    for write in log.iter().filter(|write| write.taken && write.term().is_none()) {
        let tag = format!("{}.{}", write.device, write.point);
        let spec = site.points.iter().find(|point| point.tag == tag).unwrap();
        let bounds = spec.write.unwrap();
        if let Some(before) = last.insert((&write.device, &write.point), write) {
            let silent = write.at.duration_since(before.at).as_secs_f64();
            // After its time-out a device is at its own setpoint, and control goes on from there.
            if silent < COMMS_TIMEOUT_S && !tag.ends_with(".enable") {
                let a_minute = bounds.rise_per_min.max(bounds.fall_per_min);
                let most = a_minute / 60.0 * 2.0 * CYCLE.as_secs_f64() + 0.01 * (bounds.max - bounds.min);
                let step = (write.value - before.value).abs();
                steps += 1;
                assert!(step <= most, "{tag} jumped by {step} after {silent} s; at most {most}");
            }
        }
    }
    steps
}

/// What befalls the holder, or etcd.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Stopped,
    Asked,
    EtcdStopped,
}

/// One round; answers from the end of the lease (or the asking) to the first write of the next term.
async fn round(rig: &mut Rig, fault: Fault) -> Duration {
    let (holder, revision) = rig.settled().await;
    let (from, term) = (rig.log().len(), rig.term());
    let began = Instant::now();
    match fault {
        Fault::Killed => rig.controllers.get_mut(&holder).unwrap().kill(),
        Fault::Stopped => rig.controllers[&holder].signal("-STOP"),
        Fault::Asked => rig.controllers[&holder].signal("-TERM"),
        Fault::EtcdStopped => {
            rig.etcd.process.signal("-STOP");
            // Nobody writes once the lease would have ended, and nothing tells the devices otherwise.
            tokio::time::sleep(TTL + CYCLE).await;
            let quiet = rig.log().len();
            tokio::time::sleep(2 * TTL).await;
            assert_eq!(rig.log().len(), quiet, "a write without a lease");
            let last = rig.log().last().unwrap().at.duration_since(began);
            assert!(last < TTL, "the last write came {last:?} after etcd had gone");
            rig.etcd.process.signal("-CONT");
        }
    }
    let ended = match fault {
        Fault::Asked => began,
        _ => {
            rig.until("the end of the lease", || {
                let now = rig.etcd.leader();
                let asked = rig.etcd.ask("kv/range", &json!({ "key": "AA==" })).is_some();
                (asked && now.is_none_or(|(_, now)| now != revision)).then(Instant::now)
            })
            .await
        }
    };
    let resumed = rig.until("a write of the next term", || rig.resumed(from, term)).await;
    let took = resumed.saturating_duration_since(ended);
    assert!(
        took <= 2 * CYCLE + SLACK,
        "{fault:?}: resumed {took:?} after the end of the lease"
    );
    match fault {
        Fault::Killed => rig.launch(&holder),
        Fault::Stopped => {
            tokio::time::sleep(TTL / 2).await;
            rig.controllers[&holder].signal("-CONT");
        }
        Fault::Asked => {
            let mut process = rig.controllers.remove(&holder).unwrap();
            assert!(process.0.wait().unwrap().success(), "an orderly stop exits with 0");
            rig.launch(&holder);
        }
        Fault::EtcdStopped => {}
    }
    took
}

/// The same pseudo-random numbers for the same seed.
fn draw(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs etcd"]
async fn two_controllers_are_never_two_writers() {
    let (rounds, seed) = (number("ISOTHERM_ROUNDS", 4), number("ISOTHERM_SEED", 1));
    println!("{rounds} rounds, seed {seed}");
    let mut rig = Rig::start().await;
    let mut state = seed;
    let kinds = [Fault::Killed, Fault::Stopped, Fault::Asked, Fault::EtcdStopped];
    let mut took: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for count in 0..rounds {
        // Each kind once, then by chance, at a random moment of the cycle.
        let index = if count < 4 { count } else { draw(&mut state) % 4 };
        let fault = kinds[usize::try_from(index).unwrap()];
        tokio::time::sleep(Duration::from_millis(draw(&mut state) % 1000)).await;
        let gap = round(&mut rig, fault).await;
        println!(
            "round {}: {fault:?}, control resumed after {} ms",
            count + 1,
            gap.as_millis()
        );
        took.entry(format!("{fault:?}")).or_default().push(gap);
    }
    rig.settled().await;
    let log = rig.log();
    let judged = judge(&rig.site, &log);
    let refused = log.iter().filter(|one| !one.taken).count();
    println!("{} writes, {judged} steps of setpoints, {refused} refused", log.len());
    assert!(judged > 0 && log.iter().any(|one| one.term() == Some(rig.term())));
    let adopted = ["a", "b"].map(|id| {
        let said = std::fs::read_to_string(rig.dir.path().join(format!("{id}.log"))).unwrap();
        said.matches("the other controller's memory is taken up").count()
    });
    println!("memories taken up by a and b: {adopted:?}");
    assert!(adopted.iter().sum::<usize>() > 0, "no memory was ever shared");
    for (fault, gaps) in took {
        println!(
            "{fault}: at most {} ms in {} rounds",
            gaps.iter().max().unwrap().as_millis(),
            gaps.len()
        );
    }
    rig.controllers.clear();
    rig.hall.stop().await;
}
