//! The real-peer tier: Mosquitto and mbpoll against the hall. Run by `cargo test --test real_peers -- --ignored`;
//! a peer that is not installed is said to be missing and fails the test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{demo_site, level, reading, rig};
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

/// Mosquitto on a free loopback port.
fn mosquitto(dir: &std::path::Path) -> (Running, u16) {
    let port = free_port();
    let file = dir.join("mosquitto.conf");
    let mut config = std::fs::File::create(&file).unwrap();
    writeln!(
        config,
        "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false"
    )
    .unwrap();
    let broker = Command::new("mosquitto")
        .arg("-c")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto is missing: install Debian's `mosquitto`");
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "mosquitto does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (Running(broker), port)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's mosquitto and mosquitto-clients"]
async fn the_loop_closes_over_mosquitto_and_others_see_the_racks() {
    let dir = tempdir().unwrap();
    let (_broker, port) = mosquitto(dir.path());
    let rig = rig(demo_site(dir.path()), Some(format!("127.0.0.1:{port}"))).await;
    rig.until("normal level over Mosquitto", 30, |state| level(state) == "normal")
        .await;
    rig.until("the queue over Mosquitto", 30, |state| {
        state["forecast"]["source"] == "queue"
    })
    .await;
    // The hall starts at rest: its first messages truly say that no rack draws power yet.
    rig.until("every rack at work", 30, |state| {
        let racks = state["racks"].as_array();
        racks.is_some_and(|racks| {
            racks
                .iter()
                .all(|rack| rack["readings"]["power"]["value"].as_f64() > Some(10.0))
        })
    })
    .await;
    let seen = Command::new("mosquitto_sub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-t",
            "isotherm/rack/#",
            "-C",
            "20",
            "-W",
            "10",
            "-v",
        ])
        .output()
        .expect("mosquitto_sub is missing: install Debian's `mosquitto-clients`");
    let text = String::from_utf8(seen.stdout).unwrap();
    assert_eq!(text.lines().count(), 20, "{text}");
    for line in text.lines() {
        let (topic, payload) = line.split_once(' ').unwrap();
        assert!(topic.starts_with("isotherm/rack/r"), "{topic}");
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert!(
            payload["power_kw"]
                .as_f64()
                .is_some_and(|kw| (10.0..130.0).contains(&kw)),
            "{payload}"
        );
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's mbpoll"]
async fn mbpoll_reads_what_the_controller_reads() {
    let dir = tempdir().unwrap();
    let rig = rig(demo_site(dir.path()), None).await;
    let state = rig.until("normal level", 30, |state| level(state) == "normal").await;
    let ours = reading(&state, "cdus", "cdu1", "secondary_supply_temperature").unwrap();
    let address = rig.hall.servers["cdu1"].address();
    // Input register 1 by the manual's count holds hundredths of a degree.
    let seen = Command::new("mbpoll")
        .args([
            "-m",
            "tcp",
            "-a",
            "1",
            "-p",
            &address.port().to_string(),
            "-t",
            "3",
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
    let raw: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix("[1]:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no register in {text}"));
    let theirs = raw / 100.0;
    assert!(
        (theirs - ours).abs() < 2.0,
        "mbpoll reads {theirs} degC, the controller {ours} degC"
    );
    rig.stop().await;
}
