//! The controller as a process against devices on real sockets: killed, restarted, stopped in order.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use isotherm::service::clock::Origin;
use isotherm::site::{Site, load_embedded};
use isotherm::trial::{HallOptions, Load, SimulatedHall, WeatherSource};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// A 1 s cycle and a short time-out of the devices keep the test quick at real speed.
const COMMS_TIMEOUT_S: f64 = 5.0;
const DEADLINE: Duration = Duration::from_mins(1);

/// The demo's file with the addresses of the running devices.
fn site_file(dir: &Path, running: &Site) -> std::path::PathBuf {
    let original = load_embedded("demo").unwrap().unwrap();
    let mut text = include_str!("../config/demo.toml").to_owned();
    for (before, now) in original.devices.iter().zip(&running.devices) {
        if let (Some(before), Some(now)) = (&before.binding.address, &now.binding.address) {
            text = text.replace(&format!("\"{before}\""), &format!("\"{now}\""));
        }
    }
    let file = dir.join("site.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn controller(dir: &Path, site: &Path, broker: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .arg("run")
        .arg(site)
        .env("ISOTHERM__CONTROL__CYCLE_S", "1")
        .env("ISOTHERM__STORE__DIR", dir.join("record"))
        .env("ISOTHERM__MQTT__BROKER", broker)
        .env("ISOTHERM__API__LISTEN", "127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The true value of a signal.
fn truth(hall: &SimulatedHall, tag: &str) -> f64 {
    hall.hall
        .with(|world| world.plant().truth(world.plant().signal(tag).unwrap()))
}

/// Waits for a state of the plant and answers every value that the watched setpoint took on the way.
async fn until(hall: &SimulatedHall, what: &str, condition: impl Fn(&SimulatedHall) -> bool) -> Vec<f64> {
    let began = Instant::now();
    let mut seen = Vec::new();
    loop {
        seen.push(truth(hall, SETPOINT));
        if condition(hall) {
            return seen;
        }
        assert!(
            began.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}; the setpoint took {seen:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const SETPOINT: &str = "cdu1.secondary_supply_temperature_setpoint";
const LOCAL: &str = "cdu1.local_control";

fn largest_step(values: &[f64]) -> f64 {
    values
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_it_leaves_the_devices_to_themselves_and_restarted_it_takes_over_without_a_jump() {
    let dir = tempdir().unwrap();
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.control.cycle_s = 1.0;
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
    let file = site_file(dir.path(), &site);
    let found = truth(&hall, SETPOINT);

    let mut first = controller(dir.path(), &file, &site.mqtt.broker);
    until(&hall, "the CDU follows the controller", |hall| truth(hall, LOCAL) < 0.5).await;
    first.kill().unwrap();
    first.wait().unwrap();
    until(&hall, "the CDU runs on its own setpoints after its time-out", |hall| {
        truth(hall, LOCAL) > 0.5
    })
    .await;
    assert!(
        (truth(&hall, SETPOINT) - found).abs() < 1e-9,
        "back at its own setpoint"
    );

    let mut second = controller(dir.path(), &file, &site.mqtt.broker);
    let taken = until(&hall, "the restarted controller is followed", |hall| {
        truth(hall, LOCAL) < 0.5
    })
    .await;
    let after = until(&hall, "it moves the setpoint again", |hall| {
        (truth(hall, SETPOINT) - found).abs() > 0.02
    })
    .await;
    let step = largest_step(&[taken, after].concat());
    // The ramp allows 0.5 K/min upwards and 5 K/min downwards; a cycle is a second and a poll may miss some.
    assert!(step < 0.5, "the setpoint jumped by {step} K");

    let stopped = Command::new("kill")
        .args(["-TERM", &second.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    assert!(second.wait().unwrap().success(), "an orderly stop exits with 0");
    until(&hall, "every setpoint is given back", |hall| {
        (truth(hall, SETPOINT) - found).abs() < 1e-6
    })
    .await;
    hall.stop().await;
}

/// Kills of the default test; `ISOTHERM_KILLS=1000 cargo test --test controller -- --ignored kills` does as many as it says.
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_keeps_its_record_and_takes_over_without_a_jump() {
    kills(KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "as many as ISOTHERM_KILLS says, 1,000 without it: three quarters of an hour"]
async fn many_kills() {
    let many = std::env::var("ISOTHERM_KILLS")
        .ok()
        .and_then(|number| number.parse().ok());
    kills(many.unwrap_or(1000)).await;
}

/// What the devices hold, sampled from their own side: the largest move of any setpoint towards less cooling, as a share
/// of what its ramp allows in the time of two cycles.
struct Recorder {
    setpoints: Vec<(simulators::plant::SignalId, isotherm::site::WriteSpec)>,
    last: Vec<f64>,
    worst: f64,
    worst_tag: String,
    tags: Vec<String>,
}

impl Recorder {
    fn new(hall: &SimulatedHall, site: &Site) -> Self {
        let written = site.points.iter().filter(|spec| spec.quantity.ends_with("_setpoint"));
        let (mut setpoints, mut tags) = (Vec::new(), Vec::new());
        for spec in written {
            let signal = hall.hall.with(|world| world.plant().signal(&spec.tag));
            if let (Some(signal), Some(write)) = (signal, spec.write) {
                setpoints.push((signal, write));
                tags.push(spec.tag.clone());
            }
        }
        let mut recorder = Self {
            setpoints,
            last: Vec::new(),
            worst: 0.0,
            worst_tag: String::new(),
            tags,
        };
        recorder.forget(hall);
        recorder
    }

    fn values(&self, hall: &SimulatedHall) -> Vec<f64> {
        hall.hall.with(|world| {
            self.setpoints
                .iter()
                .map(|(signal, _)| world.plant().truth(*signal))
                .collect()
        })
    }

    /// What changes from here on counts, what happened until now does not.
    fn forget(&mut self, hall: &SimulatedHall) {
        self.last = self.values(hall);
    }

    fn look(&mut self, hall: &SimulatedHall) {
        use isotherm::site::Direction;
        let now = self.values(hall);
        for (((value, last), (_, write)), tag) in now.iter().zip(&self.last).zip(&self.setpoints).zip(&self.tags) {
            let moved = value - last;
            // Two cycles of a second, and the resolution of registers.
            let (up, down) = (
                write.rise_per_min * 2.0 / 60.0 + 0.05,
                write.fall_per_min * 2.0 / 60.0 + 0.05,
            );
            let share = match write.more_cooling {
                Direction::Up => -moved / down,
                Direction::Down => moved / up,
                Direction::Neutral => (moved / up).max(-moved / down),
            };
            if share > self.worst {
                self.worst = share;
                self.worst_tag = format!("{tag} from {last} to {value}");
            }
        }
        self.last = now;
    }
}

async fn kills(number: usize) {
    use std::collections::BTreeSet;
    let dir = tempdir().unwrap();
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.control.cycle_s = 1.0;
    let options = HallOptions {
        speed: 1.0,
        seed: 2,
        wall_ms: Origin::now().wall_ms,
        year_s: 182.0 * 86_400.0,
        weather: WeatherSource::BuiltIn,
        load: Load::Synthetic(2),
        comms_timeout_s: 60.0,
        broker: None,
    };
    let hall = SimulatedHall::start(&mut site, &options).await.unwrap();
    let file = site_file(dir.path(), &site);
    let mut recorder = Recorder::new(&hall, &site);
    let mut random = simulators::random::Random::new(number as u64, 21);
    let mut takeovers = Vec::new();
    let mut heads = BTreeSet::new();
    for kill in 0..number {
        let before = truth(&hall, "cdu1.heartbeat");
        let began = Instant::now();
        let mut child = controller(dir.path(), &file, &site.mqtt.broker);
        // Back in control: a beat that is not the last one.
        while (truth(&hall, "cdu1.heartbeat") - before).abs() < 0.5 {
            assert!(began.elapsed() < DEADLINE, "kill {kill}: it never beat again");
            recorder.look(&hall);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        takeovers.push(began.elapsed().as_secs_f64());
        let lives = Duration::from_secs_f64(random.range(0.0, 2.5));
        let until = Instant::now() + lives;
        while Instant::now() < until {
            recorder.look(&hall);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if number <= 20 || kill % 20 == 0 || kill + 1 == number {
            let (records, _) = isotherm::store::verify(&dir.path().join("record"))
                .unwrap_or_else(|error| panic!("kill {kill}: the record does not hold: {error}"));
            assert!(records.entries > 0, "kill {kill}: the record is empty");
            heads.insert(records.head);
        }
    }
    assert!(heads.len() > 1, "the record does not grow");
    takeovers.sort_by(f64::total_cmp);
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let place = ((takeovers.len() - 1) as f64 * share) as usize;
        takeovers[place]
    };
    println!(
        "{number} kills: back in control after {:.2} s (median), {:.2} s (99 %), {:.2} s (worst), process start included; largest \
         move towards less cooling {:.2} of two cycles' ramp ({}); record intact",
        at(0.5),
        at(0.99),
        at(1.0),
        recorder.worst,
        recorder.worst_tag
    );
    assert!(recorder.worst <= 1.0, "a setpoint jumped: {}", recorder.worst_tag);
    hall.stop().await;
}
