//! Forwarding to a real `VictoriaMetrics`: an outage of a day, restarts and kills of both sides, everything sent twice.
//! Run by `cargo test --test real_peers_store -- --ignored`; without Debian's `victoria-metrics` it fails and says so.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use isotherm::site::{ForwardProtocol, ReadBack, Site, StoreSettings, load_embedded};
use isotherm::snapshot::Quality;
use isotherm::store::{CanaryStatus, Forwarder, Pace, Sample, SeriesName, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HOUR_S: i64 = 3600;
const SERIES: i64 = 20;
const STEP_S: i64 = 10;

const PACE: Pace = Pace {
    idle: Duration::from_millis(50),
    timeout: Duration::from_secs(10),
    first_retry: Duration::from_millis(50),
    last_retry: Duration::from_millis(500),
    canary: Duration::from_secs(3),
    // VictoriaMetrics writes what it took within 5 s.
    settle: Duration::from_secs(6),
};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `VictoriaMetrics` on a directory; killed with the test.
struct Database {
    child: Child,
    port: u16,
}

impl Database {
    fn start(dir: &Path, port: u16, more: &[&str]) -> Self {
        let child = Command::new("victoria-metrics")
            .arg(format!("-storageDataPath={}", dir.display()))
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .args([
                "-retentionPeriod=100y",
                "-dedup.minScrapeInterval=1ms",
                "-search.disableCache",
                "-selfScrapeInterval=0",
            ])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("victoria-metrics is missing: install Debian's `victoria-metrics`");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "victoria-metrics does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    /// Asks it to end, and waits: what it took is on its disk then.
    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        self.child.wait().unwrap();
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Every sample of the points: by tag and time, its values.
    fn points(&self) -> BTreeMap<(String, i64), Vec<f64>> {
        self.get("/internal/force_flush");
        let mut found: BTreeMap<(String, i64), Vec<f64>> = BTreeMap::new();
        for line in self.get("/api/v1/export?match[]=isotherm_point").lines() {
            let series: Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (&series["metric"]["site"], &series["metric"]["unit"]),
                (&"demo".into(), &"kW".into())
            );
            let tag = series["metric"]["tag"].as_str().unwrap();
            let (times, values) = (
                series["timestamps"].as_array().unwrap(),
                series["values"].as_array().unwrap(),
            );
            for (ms, value) in times.iter().zip(values) {
                let key = (tag.to_owned(), ms.as_i64().unwrap());
                found.entry(key).or_default().push(value.as_f64().unwrap());
            }
        }
        found
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn store(dir: &Path) -> Arc<Mutex<Store>> {
    let settings = StoreSettings {
        dir: dir.to_string_lossy().into_owned(),
        retention_days: 400,
        raw_days: 400,
        minute_days: 400,
        quarter_days: 400,
        max_mib: 1000,
    };
    Arc::new(Mutex::new(Store::open(&settings).unwrap()))
}

fn site(protocol: ForwardProtocol, url: String) -> Site {
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.forward.protocol = protocol;
    site.forward.url = url;
    "o".clone_into(&mut site.forward.org);
    "b".clone_into(&mut site.forward.bucket);
    site.forward.read_back = ReadBack::Prometheus;
    site
}

fn start(port: u16, protocol: ForwardProtocol, store: &Arc<Mutex<Store>>) -> Forwarder {
    let site = site(protocol, format!("http://127.0.0.1:{port}"));
    Forwarder::start(&site, Arc::clone(store), PACE).unwrap().unwrap()
}

/// The day before yesterday's midnight: servers refuse what lies in the future.
fn start_ms() -> i64 {
    let now = jiff::Timestamp::now().as_millisecond();
    (now.div_euclid(86_400_000) - 2) * 86_400_000
}

fn value(series: i64, s: i64) -> f64 {
    ((series * 7919 + s / STEP_S * 104_729) % 100_000) as f64 / 100.0
}

fn feed(store: &Mutex<Store>, start_ms: i64, seconds: std::ops::Range<i64>) {
    for s in seconds.step_by(usize::try_from(STEP_S).unwrap()) {
        let ms = start_ms + s * 1000;
        let rows: Vec<_> = (0..SERIES)
            .map(|series| {
                let sample = Sample {
                    ms: ms + series,
                    value: value(series, s),
                    quality: Quality::Good,
                };
                (SeriesName::point(&format!("rack{series}.power"), "kW"), sample)
            })
            .collect();
        store.lock().unwrap().append_rows(ms, &rows).unwrap();
    }
}

async fn until(
    forwarder: &Forwarder,
    what: &str,
    seconds: u64,
    condition: impl Fn(&isotherm::store::ForwardStatus) -> bool,
) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition(&forwarder.status()) {
        assert!(Instant::now() < deadline, "{what}: {:?}", forwarder.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn all_sent(forwarder: &Forwarder) {
    let failures = forwarder.status().failures;
    until(forwarder, "nothing left", 120, |status| {
        status.backlog == 0 && status.waits.is_none() && status.sent > 0
    })
    .await;
    // A canary that was sent behind everything and seen since: what came before is there.
    let (sent, seen) = (Instant::now(), |status: &isotherm::store::ForwardStatus| {
        status.canary_age_s
    });
    until(forwarder, "a canary since", 120, |status| {
        status.backlog == 0
            && seen(status)
                .is_some_and(|age_s| age_s + 2.0 * PACE.canary.as_secs_f64() < sent.elapsed().as_secs_f64() + 0.5)
            || status.failures > failures
                && status.backlog == 0
                && status.waits.is_none()
                && sent.elapsed() > PACE.canary * 4
    })
    .await;
}

/// Every sample is there once, with its value.
fn check(database: &Database, start_ms: i64, seconds: i64) {
    let found = database.points();
    let mut expected = 0;
    for s in (0..seconds).step_by(usize::try_from(STEP_S).unwrap()) {
        for series in 0..SERIES {
            let key = (format!("rack{series}.power"), start_ms + s * 1000 + series);
            let values = found.get(&key).unwrap_or_else(|| panic!("{key:?} is lost ({s} s)"));
            assert_eq!(values, &[value(series, s)], "{key:?}");
            expected += 1;
        }
    }
    assert_eq!(found.len(), expected, "nothing else is there");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's victoria-metrics"]
async fn a_day_of_outage_restarts_kills_and_duplicates_leave_every_sample_there_once() {
    let (data, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (port, start_ms, protocol) = (free_port(), start_ms(), ForwardProtocol::LineProtocol);
    let database = Database::start(data.path(), port, &[]);
    let kept = store(dir.path());
    let forwarder = start(port, protocol, &kept);
    feed(&kept, start_ms, 0..HOUR_S);
    all_sent(&forwarder).await;
    check(&database, start_ms, HOUR_S);

    // A day without the database, in the middle of it a restart of the controller.
    database.stop();
    feed(&kept, start_ms, HOUR_S..13 * HOUR_S);
    until(&forwarder, "trouble", 30, |status| {
        status.failures > 2 && status.waits.is_some()
    })
    .await;
    forwarder.stop().await;
    drop(kept);
    let kept = store(dir.path());
    let forwarder = start(port, protocol, &kept);
    feed(&kept, start_ms, 13 * HOUR_S..25 * HOUR_S);
    until(&forwarder, "trouble", 30, |status| {
        status.failures > 2 && status.waits.is_some()
    })
    .await;
    let status = forwarder.status();
    assert!(
        status.lag_s > 23.5 * 3600.0 && status.backlog > 24 * 360 * 20 - 4000,
        "{status:?}"
    );

    // It comes back, and is killed while it takes the backlog; so is what it had not written.
    let database = Database::start(data.path(), port, &[]);
    until(&forwarder, "some of it", 60, |status| status.sent > 30_000).await;
    drop(database);
    let database = Database::start(data.path(), port, &[]);
    all_sent(&forwarder).await;
    check(&database, start_ms, 25 * HOUR_S);

    // Killed again in live running, and a controller that has forgotten where it was: everything is sent twice.
    feed(&kept, start_ms, 25 * HOUR_S..25 * HOUR_S + 300);
    drop(database);
    feed(&kept, start_ms, 25 * HOUR_S + 300..26 * HOUR_S);
    let database = Database::start(data.path(), port, &[]);
    all_sent(&forwarder).await;
    forwarder.stop().await;
    drop(kept);
    // Where it was, it may not have kept yet: then it has forgotten by itself.
    fs::remove_file(dir.path().join("forward")).ok();
    let kept = store(dir.path());
    let forwarder = start(port, protocol, &kept);
    all_sent(&forwarder).await;
    assert!(forwarder.status().sent > 26 * 360 * 20);
    check(&database, start_ms, 26 * HOUR_S);
    let status = forwarder.status();
    assert_eq!(
        (status.rejected, status.lost_chunks, status.canary),
        (0, 0, CanaryStatus::Kept)
    );
    println!("26 h, {} samples: each there once", 26 * 360 * SERIES);
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's victoria-metrics"]
async fn every_protocol_brings_the_same_samples_under_the_same_names() {
    for protocol in [
        ForwardProtocol::Influxdb2,
        ForwardProtocol::LineProtocol,
        ForwardProtocol::RemoteWrite,
    ] {
        let (data, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (port, start_ms) = (free_port(), start_ms());
        let database = Database::start(data.path(), port, &[]);
        let kept = store(dir.path());
        feed(&kept, start_ms, 0..HOUR_S);
        let forwarder = start(port, protocol, &kept);
        all_sent(&forwarder).await;
        check(&database, start_ms, HOUR_S);
        assert_eq!(forwarder.status().canary, CanaryStatus::Kept, "{protocol:?}");
        forwarder.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's victoria-metrics and openssl"]
async fn tls_is_spoken_with_a_server_that_the_file_of_authorities_vouches_for_and_with_no_other() {
    let (data, dir, keys) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let (key, certificate) = (keys.path().join("key.pem"), keys.path().join("certificate.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .expect("openssl is missing: install Debian's `openssl`");
    assert!(made.success());
    let port = free_port();
    let (key, file) = (
        format!("-tlsKeyFile={}", key.display()),
        format!("-tlsCertFile={}", certificate.display()),
    );
    let _database = Database::start(data.path(), port, &["-tls", &key, &file]);
    let kept = store(dir.path());
    feed(&kept, start_ms(), 0..HOUR_S);
    let mut site = site(ForwardProtocol::LineProtocol, format!("https://localhost:{port}"));
    site.forward.ca_file = certificate.to_string_lossy().into_owned();
    let forwarder = Forwarder::start(&site, Arc::clone(&kept), PACE).unwrap().unwrap();
    all_sent(&forwarder).await;
    assert_eq!(forwarder.status().canary, CanaryStatus::Kept);
    forwarder.stop().await;

    "/etc/ssl/certs/ca-certificates.crt".clone_into(&mut site.forward.ca_file);
    let forwarder = Forwarder::start(&site, kept, PACE).unwrap().unwrap();
    until(&forwarder, "a refusal", 30, |status| status.failures > 1).await;
    let why = forwarder.status().waits.unwrap_or_default();
    assert!(why.contains("certificate"), "{why}");
    forwarder.stop().await;
}

/// Sums and counts of an export, by Arrow's own reader.
const READ_PARQUET: &str = r#"
import csv, json, sys
import pyarrow.parquet

rows = pyarrow.parquet.read_table(sys.argv[1]).to_pylist()
lines = list(csv.DictReader(open(sys.argv[2], newline="")))
assert len(rows) == len(lines), (len(rows), len(lines))
for row, line in zip(rows, lines):
    assert row["time"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z" == line["time"], (row, line)
    for key in row.keys() - {"time"}:
        assert str(row[key]) == line[key] or float(row[key]) == float(line[key]), (key, row, line)
print(json.dumps([len(rows), sorted({row["series"] for row in rows}).__len__()]))
"#;

#[test]
#[ignore = "needs PyPI's pyarrow"]
fn an_export_to_parquet_says_what_the_csv_says() {
    let dir = tempfile::tempdir().unwrap();
    let record = dir.path().join("record");
    let kept = store(&record);
    let begin_ms = start_ms();
    feed(&kept, begin_ms, 0..7200);
    // A day is rolled up when a quarter of an hour of the next one is closed.
    feed(&kept, begin_ms, 86_400..87_310);
    kept.lock().unwrap().flush().unwrap();
    drop(kept);
    let export = |tier: &str, format: &str| {
        let out = dir.path().join(format!("{tier}.{format}"));
        let from = jiff::Timestamp::from_millisecond(begin_ms).unwrap().to_string();
        let to = jiff::Timestamp::from_millisecond(begin_ms + 86_400_000)
            .unwrap()
            .to_string();
        let done = Command::new(env!("CARGO_BIN_EXE_isotherm"))
            .args([
                "export", "--from", &from, "--to", &to, "--tier", tier, "--format", format,
            ])
            .args([
                "--store".as_ref(),
                record.as_os_str(),
                "--out".as_ref(),
                out.as_os_str(),
            ])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        out
    };
    let python = std::env::var("ISOTHERM_PYTHON").unwrap_or_else(|_| "python3".into());
    for tier in ["raw", "1m", "15m"] {
        let read = Command::new(&python)
            .args(["-c", READ_PARQUET])
            .args([export(tier, "parquet"), export(tier, "csv")])
            .output()
            .unwrap();
        let (said, why) = (
            String::from_utf8_lossy(&read.stdout),
            String::from_utf8_lossy(&read.stderr),
        );
        assert!(read.status.success(), "{python} with pyarrow reads {tier}: {why}");
        let [rows, series]: [i64; 2] = serde_json::from_str(&said).unwrap();
        println!("{tier}: {rows} rows of {series} series");
        let step_s = [("raw", STEP_S), ("1m", 60), ("15m", 900)]
            .iter()
            .find(|(name, _)| *name == tier);
        assert_eq!((rows, series), (SERIES * 7200 / step_s.unwrap().1, SERIES));
    }
}
