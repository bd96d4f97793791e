//! The whole service against the simulated hall on real sockets: it closes the loop, and whatever breaks ends in the
//! documented safe state and returns by itself.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use isotherm::store::{Disk, RealDisk};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{connected, demo_site, level, reading, rig, rig_on};
use tempfile::tempdir;

/// Real seconds within which a fault must show and pass: a cycle takes 0.1 s here, a stale reading 0.6 s.
const SOON: u64 = 30;

fn normal(state: &serde_json::Value) -> bool {
    level(state) == "normal"
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_the_hall_predicts_writes_setpoints_and_keeps_the_books() {
    let dir = tempdir().unwrap();
    let rig = rig(demo_site(dir.path()), None).await;
    let state = rig.until("normal level after boot", SOON, normal).await;
    assert_eq!(state["control"]["strategy"], "predictive");

    let state = rig
        .until("every CDU follows Isotherm's heartbeat", SOON, |state| {
            ["cdu1", "cdu2", "cdu3", "cdu4"].iter().all(|cdu| {
                reading(state, "cdus", cdu, "local_control") == Some(0.0)
                    && reading(state, "cdus", cdu, "heartbeat").is_some_and(|beat| beat > 0.0)
            })
        })
        .await;
    assert!(
        state["control"]["sentence"]
            .as_str()
            .is_some_and(|sentence| !sentence.is_empty())
    );
    rig.until("the job queue is known and the forecast uses it", SOON, |state| {
        state["forecast"]["source"] == "queue" && state["jobs"]["running"].as_u64() > Some(0)
    })
    .await;
    rig.until("a commanded setpoint is read back from the device", SOON, |state| {
        let setpoint = &state["cdus"][0]["setpoints"]["secondary_supply_temperature_setpoint"];
        let (commanded, read) = (setpoint["commanded"].as_f64(), setpoint["reading"]["value"].as_f64());
        matches!((commanded, read), (Some(a), Some(b)) if (a - b).abs() < 0.3 && (a - 25.0).abs() > 0.5)
    })
    .await;
    let state = rig
        .until("energy, water and money are counted", SOON, |state| {
            let total = &state["books"]["total"];
            total["it_kwh"].as_f64() > Some(0.5) && total["cooling_kwh"].as_f64() > Some(0.0)
        })
        .await;
    let pue = state["books"]["total_indicators"]["pue"].as_f64().unwrap();
    assert!((1.01..2.0).contains(&pue), "{pue}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_broker_fails_over_to_most_cooling_and_comes_back() {
    let dir = tempdir().unwrap();
    let mut rig = rig(demo_site(dir.path()), None).await;
    rig.until("normal level", SOON, normal).await;
    rig.hall.broker.as_mut().unwrap().stop().await;
    let state = rig
        .until("failsafe while the racks are silent", SOON, |state| {
            level(state) == "failsafe"
        })
        .await;
    assert_ne!(state["forecast"]["source"], "queue");
    rig.until("the CDUs are driven to most cooling", SOON, |state| {
        reading(state, "cdus", "cdu1", "secondary_differential_pressure_setpoint").is_some_and(|kpa| kpa > 200.0)
    })
    .await;
    rig.hall.broker.as_mut().unwrap().restart().await.unwrap();
    rig.until("normal level again by itself", SOON, normal).await;
    rig.until("the queue again", SOON, |state| state["forecast"]["source"] == "queue")
        .await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_cdu_is_noticed_and_does_not_hold_up_the_others() {
    let dir = tempdir().unwrap();
    let mut rig = rig(demo_site(dir.path()), None).await;
    rig.until("normal level", SOON, normal).await;
    rig.hall.servers.get_mut("cdu1").unwrap().stop().await;
    let state = rig
        .until("the link is down and its readings lost", SOON, |state| {
            !connected(state, "cdu1")
                && reading(state, "cdus", "cdu1", "secondary_supply_temperature").is_none()
                && level(state) == "failsafe"
        })
        .await;
    for other in ["cdu2", "cdu3", "cdu4"] {
        assert!(connected(&state, other), "{other}");
        assert!(
            reading(&state, "cdus", other, "secondary_supply_temperature").is_some(),
            "{other}"
        );
    }
    rig.hall.servers.get_mut("cdu1").unwrap().restart().await.unwrap();
    rig.until("back by itself", SOON, |state| {
        connected(state, "cdu1") && normal(state)
    })
    .await;
    rig.stop().await;
}

/// A disk that can be full.
#[derive(Debug, Default)]
struct FullDisk(AtomicBool);

impl Disk for FullDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        RealDisk.write(file, bytes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_record_and_never_the_control() {
    let dir = tempdir().unwrap();
    let disk = Arc::new(FullDisk::default());
    let rig = rig_on(demo_site(dir.path()), None, disk.clone()).await;
    rig.until("normal level", SOON, normal).await;
    disk.0.store(true, Ordering::Relaxed);
    let before = rig
        .until("the page says that the disk refuses", SOON, |state| {
            state["store"]["state"]
                .as_str()
                .is_some_and(|text| text.starts_with("disk refuses"))
        })
        .await;
    rig.until("control goes on", SOON, |state| {
        state["cycle"].as_u64() > before["cycle"].as_u64().map(|cycle| cycle + 20) && normal(state)
    })
    .await;
    disk.0.store(false, Ordering::Relaxed);
    rig.until("records are kept again", SOON, |state| state["store"]["state"] == "ok")
        .await;
    rig.stop().await;
    assert_replays(dir.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_run_replays_bit_for_bit_and_gives_a_report() {
    let dir = tempdir().unwrap();
    let rig = rig(demo_site(dir.path()), None).await;
    rig.until("some cycles", SOON, |state| state["cycle"].as_u64() > Some(60))
        .await;
    rig.stop().await;
    assert_replays(dir.path());
}

/// Replays the record by the command that a person would use. The site is told by the environment what the test changed.
fn assert_replays(store: &Path) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(["replay", "demo", "--store"])
        .arg(store)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("replayed bit for bit"), "{out}");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(["report", "demo", "--format", "json", "--store"])
        .arg(store)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["totals"]["it_kwh"].as_f64() > Some(0.0), "{report}");
    let closings = report["closings"].as_array().unwrap();
    let shares = closings
        .iter()
        .filter(|row| row["name"].as_str().unwrap().contains(" of "));
    assert!(
        shares.clone().count() > 0 && shares.clone().all(|row| row["closes"] == true),
        "{closings:?}"
    );
}
