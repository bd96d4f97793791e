//! The whole service against the simulated hall on real sockets: it closes the loop, and whatever breaks ends in the
//! documented safe state and returns by itself.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use isotherm::forecast::JobModel;
use isotherm::service::Entry;
use isotherm::snapshot::HeatSource;
use isotherm::store::{Disk, RealDisk, Store};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{connected, demo_site, get_json, level, reading, rig, rig_on};
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
    // Past the first checkpoint, so that there is something to replay.
    rig.until("normal level and a checkpoint", SOON, |state| {
        normal(state) && state["cycle"].as_u64() > Some(20)
    })
    .await;
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

/// A family of `/metrics` with its labels, or with none.
async fn metric(rig: &support::Rig, sample: &str) -> Option<f64> {
    let text = support::get_text(rig.service.address(), "/metrics").await?;
    let line = text.lines().find_map(|line| line.strip_prefix(sample))?;
    line.trim().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_the_queue_and_then_rack_power_shows_step_by_step_and_control_carries_on() {
    // What is wanted of the first CDU's differential pressure, kPa.
    let commanded = |state: &serde_json::Value| {
        state["cdus"][0]["setpoints"]["secondary_differential_pressure_setpoint"]["commanded"].as_f64()
    };
    let dir = tempdir().unwrap();
    let mut rig = rig(demo_site(dir.path()), None).await;
    rig.until("the queue", SOON, |state| state["forecast"]["source"] == "queue")
        .await;
    assert_eq!(
        metric(&rig, "isotherm_forecast_source{site=\"demo\",source=\"queue\"}").await,
        Some(1.0)
    );

    rig.hall.jobs.stop().await;
    let state = rig
        .until("rack power alone", SOON, |state| {
            state["forecast"]["source"] == "rack_power"
        })
        .await;
    let note = state["forecast"]["notes"][0].as_str().unwrap_or_default().to_owned();
    assert!(note.contains("queue is"), "{note}");
    assert!(
        state["jobs"]["age_s"].as_f64() > Some(120.0),
        "{}",
        state["jobs"]["age_s"]
    );
    assert_eq!(
        metric(&rig, "isotherm_forecast_source{site=\"demo\",source=\"rack_power\"}").await,
        Some(1.0)
    );
    assert!(metric(&rig, "isotherm_queue_age_seconds{site=\"demo\"}").await > Some(120.0));
    let before = state["cycle"].as_u64().unwrap();
    rig.until("control goes on without the queue", SOON, |state| {
        state["cycle"].as_u64() > Some(before + 20)
            && state["forecast"]["source"] == "rack_power"
            && commanded(state).is_some()
    })
    .await;

    rig.hall.telemetry.stop().await;
    let state = rig
        .until("no forecast", SOON, |state| state["forecast"]["source"] == "feedback")
        .await;
    assert!(
        state["forecast"]["notes"].to_string().contains("no power reading"),
        "{}",
        state["forecast"]["notes"]
    );
    assert_eq!(
        metric(&rig, "isotherm_forecast_source{site=\"demo\",source=\"feedback\"}").await,
        Some(1.0)
    );
    let before = state["cycle"].as_u64().unwrap();
    rig.until("control goes on, towards most cooling", SOON, |state| {
        state["cycle"].as_u64() > Some(before + 20) && level(state) == "failsafe" && commanded(state) > Some(200.0)
    })
    .await;
    rig.stop().await;

    // Each step is in the record, in this order.
    let mut sources: Vec<HeatSource> = Vec::new();
    for entry in Store::records::<Entry>(dir.path()).unwrap() {
        if let Entry::Cycle(record) = entry.unwrap()
            && sources.last() != Some(&record.heat.source)
        {
            sources.push(record.heat.source);
        }
    }
    assert!(
        sources.ends_with(&[HeatSource::Queue, HeatSource::RackPower, HeatSource::Feedback]),
        "{sources:?}"
    );
    assert_replays(dir.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_changed_under_way_undone_by_a_command_and_the_record_still_replays() {
    let dir = tempdir().unwrap();
    let rig = rig(demo_site(dir.path()), None).await;
    rig.until("the queue", SOON, |state| state["forecast"]["source"] == "queue")
        .await;
    rig.until("what jobs will draw", SOON, |state| {
        let jobs = state["jobs"]["list"].as_array();
        jobs.is_some_and(|jobs| jobs.iter().any(|job| job["to_come_kwh"].as_f64() > Some(1.0)))
    })
    .await;
    let page = get_json(rig.service.address(), "/api/v1/jobs").await.unwrap();
    assert!(page["items"][0]["to_come"]["it_kwh"].as_f64() > Some(0.0), "{page}");

    let other = dir.path().join("other.model");
    std::fs::write(&other, JobModel::nameplate().to_bytes().unwrap()).unwrap();
    let model = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_isotherm"))
            .arg("model")
            .args(arguments)
            .args(["--store", dir.path().to_str().unwrap()])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.success(), said.concat())
    };
    let heard = |state: &serde_json::Value, code: &str, part: &str| {
        let events = state["events"].as_array().cloned().unwrap_or_default();
        let text = |event: &serde_json::Value| event["text"].as_str().unwrap_or_default().to_owned();
        events
            .iter()
            .any(|event| event["code"] == code && text(event).contains(part))
    };
    let other = other.to_str().unwrap();
    let (done, said) = model(&["use", "demo", other]);
    assert!(done, "{said}");
    rig.until("the change", SOON, |state| {
        heard(state, "model_changed", "put it into use")
    })
    .await;
    std::fs::write(other, b"not a model at all").unwrap();
    let (done, said) = model(&["use", "demo", other]);
    assert!(
        !done && said.contains("not a model file") && said.contains("stays"),
        "{said}"
    );
    let (done, said) = model(&["rollback", "demo"]);
    assert!(done, "{said}");
    let state = rig
        .until("the way back", SOON, |state| heard(state, "model_changed", "went back"))
        .await;
    let (_, listed) = model(&["list", "demo"]);
    assert_eq!(
        listed.lines().filter(|line| line.contains("person")).count(),
        2,
        "{listed}"
    );
    rig.until("some more cycles", SOON, |later| {
        later["cycle"].as_u64() > state["cycle"].as_u64().map(|cycle| cycle + 20)
    })
    .await;
    rig.stop().await;
    let mut used: Vec<String> = Vec::new();
    for entry in Store::records::<Entry>(dir.path()).unwrap() {
        if let Entry::Cycle(record) = entry.unwrap()
            && used.last() != Some(&record.basis.model)
        {
            used.push(record.basis.model);
        }
    }
    assert_eq!(used.len(), 3, "the record knows each model: {used:?}");
    assert_eq!(used[0], used[2]);
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
