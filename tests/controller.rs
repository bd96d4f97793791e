//! The controller as a process against devices on real sockets: killed, restarted, stopped in order.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

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
