//! The interface over real sockets: every path, the operator's token, bad input, the stream, the metrics.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod hall;
mod record;

use hall::{BROKEN, FEED_TOKEN, Jobs, Minutes, Reply, call, hall, posting};
use isotherm::api::{self, Edges, Mode};
use isotherm::site::load_embedded;
use isotherm::snapshot::{Author, RequestKind};
use record::record;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const TOKEN: &str = "correct horse battery";
const SETPOINT: &str = "cdu1.secondary_supply_temperature_setpoint";
const START_MS: i64 = 1_800_000_000_000;

#[tokio::test]
async fn every_path_answers_and_keeps_the_page_to_itself() {
    let mut hall = hall(TOKEN).await;
    hall.get("/api/v1/state").await.is_problem(503, "no cycle");
    hall.get("/healthz").await.is_problem(503, "no cycle");
    hall.show(&record(&hall.site, 1, vec![]));

    let index = hall.get("/").await;
    assert_eq!(
        (index.status, index.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    let policy = index.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(index.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(index.header("access-control-allow-origin"), None);

    // All that the page asks for is here, and nothing of it is elsewhere.
    let mut wanted: Vec<String> = quoted(&index.body).into_iter().filter(|text| is_asset(text)).collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = wanted.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let asset = hall.get(&path).await;
        assert_eq!(asset.status, 200, "{path}");
        let foreign = asset.body.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !foreign.contains("http://") && !foreign.contains("https://"),
            "{path} names another server"
        );
        assert!(!asset.body.contains("innerHTML"), "{path}");
        wanted.extend(quoted(&asset.body).into_iter().filter(|text| is_asset(text)));
    }
    assert!(seen.len() >= 10, "{seen:?}");

    for path in [
        "/api/v1/site",
        "/api/v1/state",
        "/api/v1/points",
        "/api/v1/events",
        "/metrics",
        "/healthz",
    ] {
        assert_eq!(hall.get(path).await.status, 200, "{path}");
    }
    hall.get("/nowhere").await.is_problem(404, "/api/v1/state");
    hall.get("/api/v1/requests").await.is_problem(405, "POST");
    let foreign = "GET / HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\r\n";
    call(hall.address, foreign).await.is_problem(421, "localhost");
}

fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn is_asset(text: &str) -> bool {
    text.starts_with('/') && [".js", ".css", ".svg"].iter().any(|kind| text.ends_with(kind))
}

#[tokio::test]
async fn the_state_shows_the_record() {
    let mut hall = hall(TOKEN).await;
    hall.show(&record(&hall.site, 1, vec![]));
    hall.show(&record(&hall.site, 2, vec![]));
    let state = hall.get("/api/v1/state").await.json();
    assert_eq!(state["cycle"], 2);
    assert_eq!(state["mode"], "simulated");
    assert_eq!(state["control"]["strategy"], "predictive");
    assert_eq!(state["zones"][0]["level"], "guarded");
    assert_eq!(state["zones"][0]["wanted"], "full");
    let cdu = &state["cdus"][0];
    assert_eq!(cdu["name"], "cdu1");
    assert_eq!(
        cdu["readings"]["secondary_flow"],
        json!({"value": 500.0, "quality": "stale", "age_s": 10.0})
    );
    assert_eq!(cdu["readings"]["power"], Value::Null);
    let setpoint = &cdu["setpoints"]["secondary_supply_temperature_setpoint"];
    assert_eq!(setpoint["commanded"], 31.5);
    assert_eq!(setpoint["planned"], 33.0);
    assert_eq!(setpoint["owner"], json!({"kind": "strategy", "name": "predictive"}));
    assert_eq!(cdu["heat"]["upper_kw"][4], 340.0);
    assert!(cdu["worst_margin_k"].is_f64() && cdu["worst_rack"].is_string());
    assert_eq!(state["racks"].as_array().unwrap().len(), hall.site.racks.len());
    assert_eq!(state["books"]["today"]["it_kwh"], 20.0);
    assert_eq!(state["jobs"]["running_gpus"], 64);
    assert_eq!(state["devices"][1]["last_error"], "refused");

    let events = hall.get("/api/v1/events").await.json()["items"].clone();
    let codes: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["job_start", "stale_reading", "job_start"],
        "said twice in the same words, listed once"
    );
    assert_eq!(events[1]["times"], 2);
    let points = hall.get("/api/v1/points?limit=1000").await.json()["items"].clone();
    let point = points
        .as_array()
        .unwrap()
        .iter()
        .find(|point| point["tag"] == SETPOINT)
        .unwrap();
    assert_eq!(point["unit"], "degC");
    assert!(point["write"]["min"].is_number());
    let site = hall.get("/api/v1/site").await;
    assert!(!site.body.contains(TOKEN), "the token stays inside");
    assert_eq!(site.json()["cdus"][0]["racks"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn series_come_from_the_record() {
    let mut hall = hall(TOKEN).await;
    for cycle in 1..=20 {
        hall.show(&record(&hall.site, cycle, vec![]));
    }
    let hour = format!("from={START_MS}&to={}", START_MS + 3_600_000);
    let answer = hall
        .get(&format!(
            "/api/v1/series?tags={SETPOINT},cdu1.heat,hall.it_power&{hour}&points=10"
        ))
        .await;
    let series = answer.json()["series"].clone();
    let stored = series[0]["points"].as_array().unwrap();
    assert!((5..=10).contains(&stored.len()), "thinned to at most ten: {stored:?}");
    assert_eq!(series[0]["unit"], "degC");
    assert_eq!(series[1]["unit"], "kW");
    assert_eq!(series[2]["points"].as_array().unwrap().len(), stored.len());

    hall.get(&format!("/api/v1/series?tags={BROKEN}"))
        .await
        .is_problem(503, "segment 7");
    hall.get("/api/v1/series").await.is_problem(400, "tags");
    hall.get("/api/v1/series?tags=").await.is_problem(400, "tags");
    hall.get("/api/v1/series?tags=cdu9.heat")
        .await
        .is_problem(400, "cdu9.heat");
    hall.get("/api/v1/series?tags=cdu1.heat&points=0")
        .await
        .is_problem(400, "points");
    hall.get("/api/v1/series?tags=cdu1.heat&from=9&to=3")
        .await
        .is_problem(400, "`from`");
    hall.get("/api/v1/series?tags=cdu1.heat&since=yesterday")
        .await
        .is_problem(400, "from=");
}

#[tokio::test]
async fn only_the_operator_is_heard_and_bad_bodies_are_explained() {
    let mut hall = hall(TOKEN).await;
    hall.show(&record(&hall.site, 1, vec![]));
    let stop = r#"{"kind": "stop"}"#;
    let missing = hall.post(None, stop).await;
    missing.is_problem(401, "Bearer");
    assert!(
        missing
            .header("www-authenticate")
            .is_some_and(|challenge| challenge.starts_with("Bearer"))
    );
    hall.post(Some("correct horse batterx"), stop)
        .await
        .is_problem(401, "token");

    let send = async |body: &str, status, about: &str| hall.post(Some(TOKEN), body).await.is_problem(status, about);
    send("not json", 400, "send one of").await;
    send(r#"{"kind": "explode"}"#, 400, "set_strategy").await;
    send(r#"{"kind": "set_strategy", "strategy": "magic"}"#, 400, "trim_respond").await;
    send(r#"{"kind": "stop", "when": "later"}"#, 400, "send one of").await;
    send(
        r#"{"kind": "set_authority", "zone": "attic", "authority": "full"}"#,
        400,
        "hall",
    )
    .await;
    send(
        r#"{"kind": "override", "tag": "cdu1.nothing", "value": 1, "for_s": 60}"#,
        400,
        "/api/v1/points",
    )
    .await;
    send(
        r#"{"kind": "override", "tag": "cdu1.power", "value": 1, "for_s": 60}"#,
        400,
        "write",
    )
    .await;
    send(
        r#"{"kind": "override", "tag": "cdu1.heartbeat", "value": 1, "for_s": 60}"#,
        400,
        "heartbeat",
    )
    .await;
    let over = |value: &str, for_s: &str| {
        format!(r#"{{"kind": "override", "tag": "{SETPOINT}", "value": {value}, "for_s": {for_s}}}"#)
    };
    send(&over("900", "60"), 400, "outside the limits").await;
    send(&over("30", "0"), 400, "for_s").await;
    send(&over("30", "1e9"), 400, "for_s").await;
    send(&format!("{:5000}", ""), 413, "4096").await;
    let form = posting(Some(TOKEN), stop).replace("application/json", "text/plain");
    call(hall.address, &form).await.is_problem(415, "application/json");
    assert!(
        hall.requests.try_recv().is_err(),
        "nothing of this reached the controller"
    );
    let deaf = hall::hall("").await;
    deaf.post(Some(""), stop).await.is_problem(403, "api.operator_token");
}

#[tokio::test]
async fn jobs_tell_what_they_will_draw_and_when_they_would_best_start() {
    let hall = hall(TOKEN).await;
    hall.get("/api/v1/jobs").await.is_problem(503, "no job queue");
    *hall.jobs.outlooks.lock().unwrap() = Some(Arc::new(record::outlooks(&hall.site)));
    let page = hall.get("/api/v1/jobs?limit=1").await.json();
    assert_eq!(
        (page["items"].as_array().unwrap().len(), page["next"].as_u64()),
        (1, Some(1))
    );
    let running = hall.get("/api/v1/jobs/4711").await.json();
    assert_eq!(
        (running["state"].as_str(), running["measured"].as_bool()),
        (Some("running"), Some(false))
    );
    // A name of Kubernetes has a slash.
    let waiting = hall.get("/api/v1/jobs/research%2Ftrain").await.json();
    assert_eq!(waiting["state"], "pending");
    let (it_kwh, cooling_kwh) = (
        waiting["to_come"]["it_kwh"].as_f64(),
        waiting["to_come"]["cooling_kwh"].as_f64(),
    );
    assert!(
        it_kwh > Some(1.0) && cooling_kwh.unwrap() > 0.04 * it_kwh.unwrap(),
        "{waiting}"
    );
    assert_eq!(waiting["spent"], Value::Null);

    let answer = hall.get("/api/v1/jobs/research%2Ftrain/windows").await.json();
    let goals: Vec<_> = answer["advice"]
        .as_array()
        .unwrap()
        .iter()
        .map(|advice| advice["goal"].as_str())
        .collect();
    assert_eq!(goals, [Some("cost"), Some("carbon"), Some("water")]);
    assert!(answer["advice"][0]["saves"]["cost"].as_f64() > Some(0.0), "{answer}");
    hall.get("/api/v1/jobs/4711/windows").await.is_problem(409, "waits");
    hall.get("/api/v1/jobs/none").await.is_problem(404, "/api/v1/jobs");
    hall.get("/api/v1/jobs/none/windows").await.is_problem(404, "none");
    hall.get("/api/v1/jobs/research%2Ftrain/windows?deadline=5")
        .await
        .is_problem(400, "deadline");
    hall.get("/api/v1/jobs/research%2Ftrain/windows?deadline=soon")
        .await
        .is_problem(400, "deadline");
    hall.get("/api/v1/jobs/%ff").await.is_problem(400, "id");
}

#[tokio::test]
async fn a_schedulers_script_may_announce_and_nothing_else() {
    let hall = hall(TOKEN).await;
    let send = |token: Option<&str>, body: &str| {
        let text = posting(token, body).replace("/api/v1/requests", "/api/v1/jobs/events");
        call_owned(hall.address, text)
    };
    let event = r#"{"event": "announce", "time_ms": 1, "job": {"id": "7"}}"#;
    send(None, event).await.is_problem(401, "feed's token");
    send(Some("not the feed's token"), event)
        .await
        .is_problem(401, "api.feed_token");
    assert_eq!(send(Some(FEED_TOKEN), event).await.json()["taken"], true);
    assert_eq!(hall.jobs.events.lock().unwrap().as_slice(), [event.as_bytes().to_vec()]);
    send(Some(FEED_TOKEN), "").await.is_problem(400, "announce");
    send(Some(FEED_TOKEN), &" ".repeat(70_000))
        .await
        .is_problem(413, "compact");
    hall.post(Some(FEED_TOKEN), r#"{"kind": "stop"}"#)
        .await
        .is_problem(401, "nobody's");
}

#[tokio::test]
async fn a_request_is_answered_from_the_cycle_that_took_it() {
    let mut hall = hall(TOKEN).await;
    hall.show(&record(&hall.site, 1, vec![]));
    let body = format!(r#"{{"kind": "override", "tag": "{SETPOINT}", "value": 29.5, "for_s": 600}}"#);
    let asking = tokio::spawn(call_owned(hall.address, posting(Some(TOKEN), &body)));
    let request = hall.requests.recv().await.unwrap();
    assert_eq!(request.author, Author::Operator("shift".into()));
    let point = hall.site.point(SETPOINT).unwrap();
    assert_eq!(
        request.kind,
        RequestKind::Override {
            point,
            value: 29.5,
            for_s: 600.0
        }
    );
    hall.show(&record(&hall.site, 2, vec![request]));
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["commanded"], 29.5);
    assert_eq!(answer.json()["cycle"], 2);

    // This record keeps the zone in bounded authority and wants full: not what is asked for.
    let body = r#"{"kind": "set_authority", "zone": "hall", "authority": "observe"}"#;
    let asking = tokio::spawn(call_owned(hall.address, posting(Some(TOKEN), body)));
    let request = hall.requests.recv().await.unwrap();
    hall.show(&record(&hall.site, 3, vec![request]));
    asking.await.unwrap().is_problem(409, "cdu1 is warm");
}

async fn call_owned(address: SocketAddr, request: String) -> Reply {
    call(address, &request).await
}

#[tokio::test]
async fn the_stream_follows_the_cycles_and_ends_with_the_server() {
    let mut hall = hall(TOKEN).await;
    hall.show(&record(&hall.site, 1, vec![]));
    let mut stream = TcpStream::connect(hall.address).await.unwrap();
    stream
        .write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    read_until(&mut stream, &mut text, "id: 1\n").await;
    assert!(
        text.contains("text/event-stream") && text.contains("event: view"),
        "{text}"
    );
    for cycle in 2..=50 {
        hall.show(&record(&hall.site, cycle, vec![]));
    }
    read_until(&mut stream, &mut text, "id: 50\n").await;
    assert!(
        text.matches("event: view").count() < 10,
        "a burst of cycles is skipped, not queued"
    );
    read_until(&mut stream, &mut text, "\n\n\r\n").await;
    let data = text.rsplit("data: ").next().unwrap().split('\n').next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["cycle"], 50);

    hall.stop.send(()).unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest))
        .await
        .expect("the stream ends")
        .unwrap();
    hall.server.await.unwrap().unwrap();
}

async fn read_until(stream: &mut TcpStream, text: &mut String, wanted: &str) {
    let reading = async {
        let mut buffer = vec![0; 65536];
        while !text.contains(wanted) {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the stream ended before `{wanted}`");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("the stream goes on");
}

#[tokio::test]
async fn health_fails_when_the_cycles_stop() {
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.control.cycle_s = 0.1;
    let site = Arc::new(site);
    let (sender, _requests) = mpsc::channel(1);
    let jobs = Arc::new(Jobs::default());
    let (mut board, shared) = api::open(Arc::clone(&site), Mode::Plant, 1.0, Arc::new(Minutes), jobs, sender);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(api::serve(listener, shared, std::future::pending()));
    board.show(&record(&site, 1, vec![]), Edges::default());
    let ask = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(call(address, ask).await.status, 200);
    let overdue = async {
        while call(address, ask).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), overdue)
        .await
        .expect("the missing cycles are noticed");
    call(address, ask).await.is_problem(503, "the last cycle, 1,");
}

#[tokio::test]
async fn metrics_parse_and_the_dashboard_names_only_what_exists() {
    let mut hall = hall(TOKEN).await;
    hall.show(&record(&hall.site, 1, vec![]));
    let text = hall.get("/metrics").await.body;
    let mut families = BTreeSet::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert!(text.contains(&format!("# HELP {name} ")));
            assert_eq!(
                kind == "counter",
                name.ends_with("_total"),
                "{name} is named by what it is"
            );
            assert!(families.insert(name.to_owned()), "{name} has two heads");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            let name = name.split('{').next().unwrap();
            assert!(families.contains(name), "{line} has no head");
        }
    }
    let has = |family: &str, labels: &str, value: &str| {
        let site = serde_json::to_string(&hall.site.name).unwrap();
        text.contains(&format!("{family}{{site={site}{labels}}} {value}"))
    };
    assert!(has("isotherm_cycles_total", "", "1\n"));
    assert!(has("isotherm_point_quality", r#",tag="cdu1.secondary_flow""#, "1"));
    assert!(
        !text.contains(r#",tag="cdu1.secondary_flow",unit="#),
        "an old reading is a gap"
    );
    assert!(has("isotherm_setpoint", &format!(",tag=\"{SETPOINT}\""), "31.5\n"));
    let ahead = r#",equipment="cdu1",horizon_s="3600""#;
    assert!(has("isotherm_heat_forecast_upper_kilowatts", ahead, "340"));
    assert!(has(
        "isotherm_events_total",
        r#",severity="warning",code="stale_reading""#,
        "1"
    ));
    assert!(has("isotherm_device_connected", r#",device="cdu2""#, "0"));
    assert!(has("isotherm_feed_unknown_nodes", "", "2\n") && has("isotherm_feed_failures_total", "", "3\n"));
    assert!(has("isotherm_feed_clock_ahead_seconds", "", "-7\n"));

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/dashboards/prometheus");
    let files = std::fs::read_dir(folder).unwrap();
    let dashboards = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let panels = dashboards.flat_map(|bytes| {
        let dashboard: Value = serde_json::from_slice(&bytes).unwrap();
        dashboard["panels"].as_array().unwrap().clone()
    });
    let mut used = BTreeSet::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let words = expression
                .split(|c| !is_name(c))
                .filter(|word| word.starts_with("isotherm_"));
            used.extend(words.map(str::to_owned));
        }
    }
    let unknown: Vec<_> = used.difference(&families).collect();
    assert!(
        unknown.is_empty(),
        "the dashboard asks for {unknown:?}, which /metrics does not have"
    );
    assert!(used.len() >= 20, "{used:?}");
}
