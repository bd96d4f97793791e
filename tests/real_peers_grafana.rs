//! The real-peer tier of the dashboards: Grafana's published schema, and a server that answers every query. Run by
//! `cargo test --test real_peers_grafana -- --ignored`; a peer that is not installed is said to be missing and fails.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{demo_site, rig};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn grafana() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir(grafana().join(folder)).unwrap();
    let mut files: Vec<_> = listed.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Every key of a dashboard survives the way through the types of Grafana's foundation SDK, which drop what they do not
/// know: the files hold what the schema has, and nothing else.
const VALIDATE: &str = r#"
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()

def lost(before, after, path):
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [path]
        return [p for key, value in before.items() for p in (lost(value, after[key], path + "." + key) if key in after else [path + "." + key])]
    if isinstance(before, list):
        if not isinstance(after, list) or len(after) != len(before):
            return [path]
        return [p for n, value in enumerate(before) for p in lost(value, after[n], "%s[%d]" % (path, n))]
    return [] if before == after else [path]

bad = 0
for name in sys.argv[1:]:
    before = json.load(open(name))
    after = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(before)))
    missing = lost(before, after, "")
    bad += len(missing)
    print(name, len(before["panels"]), "panels", *missing)
sys.exit(1 if bad else 0)
"#;

#[test]
#[ignore = "needs grafana-foundation-sdk from PyPI"]
fn every_dashboard_is_what_grafanas_schema_has() {
    let mut names = files("dashboards/prometheus");
    names.extend(files("dashboards/influxdb"));
    assert!(names.len() >= 24);
    let run = Command::new("python3").arg("-c").arg(VALIDATE).args(&names).output();
    let run = run.expect("python3 is missing");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
}

/// A server on a free port with nothing in it.
struct Server {
    child: Child,
    address: std::net::SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    async fn start(dir: &Path, target: std::net::SocketAddr) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let scrape = dir.join("scrape.yaml");
        // The label `site` comes with the samples; where it does not, the target has it.
        let config = format!(
            "scrape_configs:\n  - job_name: isotherm\n    scrape_interval: 1s\n    honor_labels: true\n    static_configs:\n      - targets: [\"{target}\"]\n        labels: {{ site: demo }}\n"
        );
        fs::write(&scrape, config).unwrap();
        let child = Command::new("victoria-metrics")
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", dir.join("vm").display()))
            .arg(format!("-promscrape.config={}", scrape.display()))
            .args(["-search.latencyOffset=0s", "-retentionPeriod=1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("victoria-metrics is missing: install it from Debian");
        Self { child, address }
    }

    async fn ask(&self, path: &str, query: &str) -> Option<Value> {
        let mut encoded = String::new();
        for byte in query.bytes() {
            if byte.is_ascii_alphanumeric() {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?
            .as_secs();
        let path = format!("{path}?nocache=1&start={}&end={now}&step=2s&query={encoded}", now - 60);
        // HTTP/1.0, so that a long answer does not come in chunks.
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        serde_json::from_slice(answer.get(body..)?).ok()
    }
}

fn series(answer: &Value) -> usize {
    answer["data"]["result"].as_array().map_or(0, Vec::len)
}

/// What Grafana would put in the place of its variables.
fn filled(expression: &str) -> String {
    expression
        .replace("$site", ".+")
        .replace("$equipment", "cdu.*")
        .replace("$__rate_interval", "10s")
        .replace("$__range", "1m")
        // The test runs fifty times faster than the plant's time: five minutes are six seconds.
        .replace("offset 5m", "offset 6s")
        .replace("offset 15m", "offset 8s")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs victoria-metrics from Debian"]
async fn every_query_answers_from_a_server_that_scraped_the_demo() {
    let dir = tempdir().unwrap();
    let rig = rig(demo_site(&dir.path().join("store")), None).await;
    let server = Server::start(dir.path(), rig.service.address()).await;
    // Tenants are in the books once jobs have changed; the offsets need a past.
    let deadline = Instant::now() + Duration::from_mins(2);
    let begun = Instant::now();
    loop {
        let tenants = server.ask("/api/v1/query", "count(isotherm_tenant_cost)").await;
        if tenants.as_ref().is_some_and(|answer| series(answer) > 0) && begun.elapsed() > Duration::from_secs(20) {
            break;
        }
        assert!(Instant::now() < deadline, "no tenants within two minutes: {tenants:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (mut asked, mut empty) = (0, Vec::new());
    for file in files("dashboards/prometheus") {
        let dashboard: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let expression = filled(target["expr"].as_str().unwrap());
                let answer = server.ask("/api/v1/query_range", &expression).await.unwrap();
                assert_eq!(answer["status"], "success", "{expression}: {answer}");
                asked += 1;
                if series(&answer) == 0 {
                    empty.push(expression);
                }
            }
        }
    }
    assert!(empty.is_empty(), "{asked} queries asked, without data: {empty:#?}");
    let rules: Value =
        serde_json::from_slice(&fs::read(grafana().join("alerting/prometheus-rules.yaml")).unwrap()).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    for rule in &rules {
        let expression = rule["expr"].as_str().unwrap();
        let answer = server.ask("/api/v1/query", expression).await.unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }
    println!(
        "{asked} queries of dashboards answered with data, {} alert rules evaluated",
        rules.len()
    );
    drop(server);
    rig.stop().await;
}
