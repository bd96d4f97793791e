//! The feed over real files, processes and a socket.

use super::*;
use crate::site::{MqttSettings, Secret, load_embedded};
use crate::snapshot::{JobState, Now};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn site(workload: WorkloadSettings) -> Arc<Site> {
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.workload = workload;
    Arc::new(site)
}

fn clock() -> NowFn {
    let start = Instant::now();
    Arc::new(move || {
        let mono_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
        Now {
            mono_ms,
            wall_ms: 1_700_000_000_000 + i64::try_from(mono_ms).unwrap(),
            utc_offset_s: 0,
        }
    })
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn document(ids: &[u32]) -> String {
    let jobs = ids.iter().map(|id| {
        format!(
            r#"{{"job_id": {id}, "job_state": "RUNNING", "nodes": "r01n[01-02],elsewhere{id}", "node_count": 3,
            "tres_alloc_str": "gres/gpu=12", "start_time": 1700000000, "submit_time": 1700000000, "time_limit": 60}}"#
        )
    });
    format!(r#"{{"jobs": [{}]}}"#, jobs.collect::<Vec<_>>().join(","))
}

/// Writes as a careful exporter does: beside, then in place.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes_and_its_loss_keeps_the_last_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.json");
    replace(&path, &document(&[1]));
    let text = path.display().to_string();
    let feed = Feed::start(
        site(WorkloadSettings::File {
            path: text,
            period_s: 1.0,
        }),
        clock(),
        50.0,
    );
    until("the first queue", || feed.queue().jobs.len() == 1).await;
    let status = feed.status();
    assert_eq!(
        (status.unknown_nodes, status.unknown_examples),
        (1, vec!["elsewhere1".to_owned()])
    );
    assert!(feed.status().text().contains("elsewhere1"), "{}", feed.status().text());
    let reads = feed.status().reads;

    replace(&path, &document(&[1, 2, 3]));
    until("the second queue", || feed.queue().jobs.len() == 3).await;
    assert_eq!(feed.status().reads, reads + 1, "an unchanged file is not read again");
    let read_ms = feed.queue().mono_ms;

    replace(&path, "{\"jobs\": [");
    until("the failure", || feed.status().failures > 0).await;
    assert_eq!(
        (feed.queue().jobs.len(), feed.queue().mono_ms),
        (3, read_ms),
        "the last queue stays and grows old"
    );
    std::fs::remove_file(&path).unwrap();
    until("the loss", || {
        feed.status()
            .last_error
            .is_some_and(|error| error.contains("queue.json"))
    })
    .await;

    replace(&path, &document(&[4]));
    until("the return", || feed.queue().jobs.len() == 1).await;
    assert!(feed.queue().mono_ms > read_ms);
    feed.shutdown().await;
}

#[tokio::test]
async fn a_command_is_run_and_one_that_hangs_or_fails_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.json");
    std::fs::write(&path, document(&[7])).unwrap();
    let command = vec!["cat".to_owned(), path.display().to_string()];
    let feed = Feed::start(site(WorkloadSettings::Slurm { command, period_s: 1.0 }), clock(), 50.0);
    until("the queue", || feed.queue().jobs.len() == 1).await;
    feed.shutdown().await;

    let run = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    let failed = |script: &str, patience| {
        let command = run(script);
        async move { poll::output(&command, patience).await.unwrap_err().to_string() }
    };
    let begun = Instant::now();
    assert!(
        failed("exec sleep 60", Duration::from_millis(200))
            .await
            .contains("took longer")
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
    let minute = Duration::from_mins(1);
    assert!(
        failed("echo 'slurmctld is down' >&2; exit 3", minute)
            .await
            .contains("slurmctld is down")
    );
    assert!(failed("exec cat /dev/zero", minute).await.contains("more than"));
    assert!(poll::output(&["no-such-program".to_owned()], minute).await.is_err());
}

/// slurmrestd as far as it is asked: takes one token, and says what it is told to.
async fn slurmrestd(answer: Arc<std::sync::Mutex<(u16, String)>>) -> String {
    use axum::http::{HeaderMap, StatusCode};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slurm/v0.0.38", listener.local_addr().unwrap());
    let jobs = move |headers: HeaderMap| async move {
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
        let (status, body) = if is("x-slurm-user-name", "isotherm") && is("x-slurm-user-token", "eyJ.right") {
            answer.lock().unwrap().clone()
        } else {
            (401, r#"{"errors": []}"#.to_owned())
        };
        // 100 s ahead of the tests' clock.
        let date = [("date", "Tue, 14 Nov 2023 22:15:00 GMT")];
        (StatusCode::from_u16(status).unwrap(), date, body)
    };
    let router = axum::Router::new().route("/slurm/v0.0.38/jobs", axum::routing::get(jobs));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn slurmrestd_is_asked_with_its_token_and_its_clock_is_compared() {
    let answer = Arc::new(std::sync::Mutex::new((200, document(&[1]))));
    let url = slurmrestd(Arc::clone(&answer)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let settings = |url: String| WorkloadSettings::Slurmrestd {
        url,
        user: "isotherm".into(),
        token: Secret::File(file.display().to_string()),
        period_s: 1.0,
    };
    let feed = Feed::start(site(settings(url.clone())), clock(), 1.0);
    let failed = |part: &'static str| {
        let status = feed.status();
        status.last_error.is_some_and(|error| error.contains(part))
    };
    until("the missing file", || failed("token")).await;
    for (token, part) in [
        ("two words", "holds no token"),
        ("eyJ.wrong", "scontrol token username=isotherm"),
    ] {
        std::fs::write(&file, token).unwrap();
        until(part, || failed(part)).await;
    }
    assert!(!feed.status().text().contains("eyJ.wrong"), "the token stays inside");
    std::fs::write(&file, "SLURM_JWT=eyJ.right\n").unwrap();
    until("the queue", || feed.queue().jobs.len() == 1).await;
    let ahead_s = feed.status().clock_ahead_s.unwrap();
    assert!((80.0..=100.0).contains(&ahead_s), "{ahead_s}");
    let codes: Vec<_> = feed.take_notices().into_iter().map(|notice| notice.code).collect();
    assert!(codes.contains(&"feed_clock_skew".to_owned()), "{codes:?}");
    for (status, body, part) in [
        (
            500,
            r#"{"errors": [{"description": "Unable to contact slurm controller"}]}"#,
            "Unable to contact",
        ),
        (404, "", "workload.url"),
        (200, "<html>", "squeue --json"),
    ] {
        *answer.lock().unwrap() = (status, body.to_owned());
        until(part, || failed(part)).await;
    }
    assert_eq!(feed.queue().jobs.len(), 1, "the last queue stays");
    feed.shutdown().await;
    let dead = Feed::start(site(settings("http://127.0.0.1:9/slurm".into())), clock(), 1.0);
    until("nobody there", || {
        dead.status()
            .last_error
            .is_some_and(|error| error.contains("127.0.0.1:9"))
    })
    .await;
    dead.shutdown().await;
}

#[tokio::test]
async fn a_prologs_word_shows_at_once_over_a_queue_that_is_read_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.json");
    let pending = r#"{"jobs": [{"job_id": 7, "job_state": "PENDING", "node_count": 2, "tres_req_str": "gres/gpu=8"}]}"#;
    replace(&path, pending);
    let text = path.display().to_string();
    let feed = Feed::start(
        site(WorkloadSettings::File {
            path: text,
            period_s: 3600.0,
        }),
        clock(),
        1.0,
    );
    until("the queue", || feed.queue().jobs.len() == 1).await;
    let say = |event: &str, time_ms: i64| {
        let text = format!(
            r#"{{"event": "{event}", "time_ms": {time_ms}, "job": {{"id": "7", "nodes": ["r01n[01-02]"], "expected_start_ms": null}}}}"#
        );
        feed.events().take(text.as_bytes())
    };
    let start_ms = 1_700_000_030_000;
    say("announce", start_ms).unwrap();
    let job = feed.queue().jobs[0].clone();
    assert_eq!(
        (job.state, job.gpus, job.nodes.len()),
        (JobState::Starting { start_ms }, 8, 2)
    );
    // The script's clock is half a minute ahead.
    assert!(feed.status().clock_ahead_s.is_some_and(|ahead_s| ahead_s > 20.0));
    say("end", start_ms + 1).unwrap();
    assert!(feed.queue().jobs.is_empty());
    assert!(
        feed.events()
            .take(b"nonsense")
            .unwrap_err()
            .to_string()
            .contains("not a job event")
    );
    assert_eq!((feed.status().announced, feed.status().failures), (2, 1));
    let codes: Vec<_> = feed.take_notices().into_iter().map(|notice| notice.code).collect();
    assert_eq!(codes, ["feed_clock_skew", "feed_refused"]);
    feed.shutdown().await;
}

#[tokio::test]
async fn events_alone_make_a_queue_and_without_a_source_none_is_taken() {
    let feed = Feed::start(site(WorkloadSettings::Events), clock(), 50.0);
    until("an empty queue that is true", || feed.queue().mono_ms.is_some()).await;
    feed.events()
        .take(event("start", 1_700_000_000_000, "1").as_bytes())
        .unwrap();
    assert_eq!(feed.queue().jobs.len(), 1);
    let told_ms = feed.queue().mono_ms;
    until("a confirmation", || feed.queue().mono_ms > told_ms).await;
    assert_eq!(feed.queue().jobs.len(), 1);
    feed.events()
        .take(event("end", 1_700_000_001_000, "1").as_bytes())
        .unwrap();
    assert!(feed.queue().jobs.is_empty());
    feed.shutdown().await;
    let none = Feed::start(site(WorkloadSettings::None), clock(), 1.0);
    let refused = none
        .events()
        .take(event("start", 1, "1").as_bytes())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("workload.source"), "{refused}");
    none.shutdown().await;
}

#[tokio::test]
async fn a_trace_is_replayed_in_the_plants_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.csv");
    std::fs::write(&path, "id,submit_s,start_s,end_s,gpus\na,0,0,1000000,8\n").unwrap();
    let path = path.display().to_string();
    let feed = Feed::start(site(WorkloadSettings::Trace { path }), clock(), 50.0);
    until("the job", || feed.queue().jobs.len() == 1).await;
    assert!(matches!(feed.queue().jobs[0].state, JobState::Running { .. }));
    feed.shutdown().await;
}

/// The broker's side of one connection, as far as a subscriber needs it (MQTT 3.1.1): accepts, acknowledges the
/// subscription, then publishes the events at `QoS` 0.
async fn broker(listener: &TcpListener, events: &[String]) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(packet(&mut stream).await.0 >> 4, 1, "CONNECT");
    stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    let (kind, body) = packet(&mut stream).await;
    assert_eq!(kind >> 4, 8, "SUBSCRIBE");
    stream.write_all(&[0x90, 3, body[0], body[1], 0]).await.unwrap();
    for event in events {
        let topic = b"isotherm/jobs";
        let mut length = 2 + topic.len() + event.len();
        let mut bytes = vec![0x30];
        while length > 127 {
            bytes.push(u8::try_from(length % 128).unwrap() | 0x80);
            length /= 128;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend([0, u8::try_from(topic.len()).unwrap()]);
        bytes.extend(topic);
        bytes.extend(event.as_bytes());
        stream.write_all(&bytes).await.unwrap();
    }
    stream
}

async fn packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let kind = stream.read_u8().await.unwrap();
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = stream.read_u8().await.unwrap();
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (kind, body)
}

fn event(kind: &str, time_ms: i64, id: &str) -> String {
    format!(
        r#"{{"event": "{kind}", "time_ms": {time_ms}, "job": {{"id": "{id}", "user": "u", "account": "a", "name": "n",
        "partition": "p", "gpus": 4, "node_count": 1, "nodes": ["r01n01"], "submit_ms": 1, "time_limit_s": 0,
        "expected_start_ms": null}}}}"#
    )
}

#[tokio::test]
async fn events_make_a_queue_that_outlives_the_broker_and_is_true_again_after_it_returns() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.workload = WorkloadSettings::Mqtt {
        topic: "isotherm/jobs/#".into(),
    };
    site.mqtt = MqttSettings {
        broker: listener.local_addr().unwrap().to_string(),
        ..site.mqtt
    };
    let feed = Feed::start(Arc::new(site), clock(), 50.0);

    let events = [
        event("submit", 1, "1"),
        event("start", 2, "1"),
        "nonsense".into(),
        event("submit", 3, "2"),
    ];
    let connection = broker(&listener, &events).await;
    until("both jobs", || feed.queue().jobs.len() == 2).await;
    assert_eq!(feed.queue().jobs[0].state, JobState::Running { start_ms: 2 });
    assert_eq!(
        (feed.status().reads, feed.status().failures),
        (3, 1),
        "nonsense is counted"
    );
    let first_ms = feed.queue().mono_ms;
    until("a confirmation without news", || feed.queue().mono_ms > first_ms).await;

    drop(connection);
    until("the loss", || feed.status().failures > 1).await;
    assert_eq!(feed.queue().jobs.len(), 2, "the last queue stays");
    let connection = broker(&listener, &[event("end", 4, "1")]).await;
    until("the end", || feed.queue().jobs.len() == 1).await;
    feed.shutdown().await;
    drop(connection);
}
