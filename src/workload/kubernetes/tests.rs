//! The feed against an API server that is made up here: as the real one answers, and as a broken or hostile one might.

use crate::site::{Secret, Site, WorkloadSettings, load_embedded};
use crate::snapshot::{Job, JobState, Now};
use crate::workload::{Feed, NowFn};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PODS: &str = "/api/v1/pods";
const JOBS: &str = "/apis/batch/v1/jobs";
const WORKLOADS: &str = "/apis/kueue.x-k8s.io/v1beta1/workloads";

/// What the server answers to a watch before it streams.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Gone,
    Refuses,
}

struct Script {
    lists: BTreeMap<&'static str, (u64, Vec<Value>)>,
    page: usize,
    mood: Mood,
    token: Option<&'static str>,
    kueue: bool,
    /// Versions that watches of pods asked for.
    watched: Vec<String>,
    /// Lists of pods that were read, page by page.
    listed: usize,
    streams: BTreeMap<&'static str, UnboundedSender<String>>,
    /// What a watch of pods says first.
    first: VecDeque<String>,
}

/// A server on loopback.
#[derive(Clone)]
struct Server(Arc<Mutex<Script>>);

impl Server {
    async fn start() -> (Self, String) {
        let script = Script {
            lists: [(PODS, (1, vec![])), (JOBS, (1, vec![])), (WORKLOADS, (1, vec![]))].into(),
            page: 500,
            mood: Mood::Well,
            token: None,
            kueue: true,
            watched: vec![],
            listed: 0,
            streams: BTreeMap::new(),
            first: VecDeque::new(),
        };
        let server = Self(Arc::new(Mutex::new(script)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, url)
    }

    fn with<R>(&self, change: impl FnOnce(&mut Script) -> R) -> R {
        change(&mut self.0.lock().unwrap())
    }

    fn list(&self, path: &'static str, version: u64, items: Vec<Value>) {
        self.with(|script| script.lists.insert(path, (version, items)));
    }

    /// Says a line on the watch that stands.
    async fn say(&self, path: &'static str, line: &str) {
        until("a watch", || {
            self.with(|script| script.streams.get(path).is_some_and(|stream| !stream.is_closed()))
        })
        .await;
        self.with(|script| script.streams[path].send(format!("{line}\n")).unwrap());
    }

    async fn event(&self, path: &'static str, kind: &str, object: &Value) {
        self.say(path, &json!({"type": kind, "object": object}).to_string())
            .await;
    }

    fn end_watches(&self) {
        self.with(|script| script.streams.clear());
    }
}

async fn answer(
    State(server): State<Server>,
    uri: Uri,
    headers: HeaderMap,
    query: Query<BTreeMap<String, String>>,
) -> Response {
    let Query(query) = query;
    let path = uri.path().replace("/namespaces/research", "");
    let Some(path) = [PODS, JOBS, WORKLOADS].into_iter().find(|known| *known == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    server.with(|script| {
        let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
        if script
            .token
            .is_some_and(|token| bearer != Some(&format!("Bearer {token}")))
        {
            return (
                StatusCode::UNAUTHORIZED,
                r#"{"kind":"Status","message":"Unauthorized"}"#,
            )
                .into_response();
        }
        if path == WORKLOADS && !script.kueue {
            return StatusCode::NOT_FOUND.into_response();
        }
        if query.contains_key("watch") {
            watch(script, path, &query["resourceVersion"])
        } else {
            list(script, path, &query)
        }
    })
}

fn list(script: &mut Script, path: &'static str, query: &BTreeMap<String, String>) -> Response {
    let from: usize = query.get("continue").map_or(0, |from| from.parse().unwrap());
    if path == PODS {
        script.listed += 1;
    }
    let (version, items) = &script.lists[path];
    let upto = (from + script.page).min(items.len());
    let more = if upto < items.len() {
        upto.to_string()
    } else {
        String::new()
    };
    let body = json!({
        "metadata": {"resourceVersion": version.to_string(), "continue": more},
        "items": items[from..upto],
    });
    body.to_string().into_response()
}

fn watch(script: &mut Script, path: &'static str, version: &str) -> Response {
    match script.mood {
        Mood::Gone => return (StatusCode::GONE, "{}").into_response(),
        Mood::Refuses => return (StatusCode::FORBIDDEN, r#"{"message":"pods is forbidden"}"#).into_response(),
        Mood::Well => {}
    }
    let (sender, receiver) = unbounded_channel();
    if path == PODS {
        script.watched.push(version.to_owned());
        script.first.drain(..).for_each(|line| sender.send(line).unwrap());
    }
    script.streams.insert(path, sender);
    let stream = futures_util::stream::unfold(receiver, |mut receiver: UnboundedReceiver<String>| async move {
        let line = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(line), receiver))
    });
    Body::from_stream(stream).into_response()
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn feed(url: &str, token: Secret, namespace: &str) -> Feed {
    feed_over(url, token, namespace, "")
}

fn feed_over(url: &str, token: Secret, namespace: &str, ca_file: &str) -> Feed {
    let mut site: Site = load_embedded("demo").unwrap().unwrap();
    site.workload = WorkloadSettings::Kubernetes {
        url: url.to_owned(),
        namespace: namespace.to_owned(),
        token,
        ca_file: ca_file.to_owned(),
    };
    let begun = Instant::now();
    let wall_ms = jiff::Timestamp::now().as_millisecond();
    let clock: NowFn = Arc::new(move || {
        let mono_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
        Now {
            mono_ms,
            wall_ms: wall_ms + i64::try_from(mono_ms).unwrap(),
            utc_offset_s: 0,
        }
    });
    // So that changes are handed over every 40 ms.
    Feed::start(Arc::new(site), clock, 50.0)
}

fn pod(name: &str, gpus: &str, node: &str, phase: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "research", "creationTimestamp": "2026-01-01T00:00:00Z",
                     "resourceVersion": "5", "labels": {"batch.kubernetes.io/job-name": "train"}},
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": {"nvidia.com/gpu": gpus, "cpu": "8"}}},
                                                   {"resources": {}}]},
        "status": {"phase": phase, "startTime": "2026-01-01T00:01:00Z",
                   "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:30Z"}]},
    })
}

fn batch_job(suspend: bool) -> Value {
    json!({
        "metadata": {"name": "train", "namespace": "research", "creationTimestamp": "2025-12-31T23:59:00Z",
                     "labels": {"kueue.x-k8s.io/queue-name": "gold"}},
        "spec": {"parallelism": 2, "suspend": suspend, "activeDeadlineSeconds": 7200,
                 "template": {"spec": {"priorityClassName": "high",
                              "containers": [{"resources": {"requests": {"nvidia.com/gpu": 4}}}]}}},
        "status": {},
    })
}

fn workload(admitted: &str) -> Value {
    json!({
        "metadata": {"name": "job-train-1a2b", "namespace": "research", "creationTimestamp": "2025-12-31T23:59:01Z",
                     "ownerReferences": [{"kind": "Job", "name": "train", "controller": true}]},
        "spec": {"queueName": "gold", "podSets": [{"count": 2, "template": {"spec": {
                 "containers": [{"resources": {"requests": {"nvidia.com/gpu": "4"}}}]}}}]},
        "status": {"conditions": [{"type": "Admitted", "status": admitted, "lastTransitionTime": "2026-01-01T00:00:20Z"}]},
    })
}

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn state(feed: &Feed) -> Option<JobState> {
    feed.queue().jobs.first().map(|job| job.state)
}

#[tokio::test]
async fn a_job_is_followed_from_its_queue_to_its_end() {
    let (server, url) = Server::start().await;
    server.list(JOBS, 3, vec![batch_job(true)]);
    server.list(WORKLOADS, 3, vec![workload("False")]);
    let feed = feed(&url, Secret::None, "research");
    until("the waiting job", || !feed.queue().jobs.is_empty()).await;
    let job: Job = feed.queue().jobs[0].clone();
    assert_eq!(
        job.state,
        JobState::Pending {
            expected_start_ms: None
        }
    );
    assert_eq!(
        (job.id.as_str(), job.user.as_str(), job.account.as_str()),
        ("research/train", "research", "gold")
    );
    assert_eq!(
        (job.gpus, job.node_count, job.submit_ms),
        (8, 2, ms("2025-12-31T23:59:00Z"))
    );

    server.event(WORKLOADS, "MODIFIED", &workload("True")).await;
    let admitted = ms("2026-01-01T00:00:20Z");
    until("the admission", || {
        state(&feed) == Some(JobState::Starting { start_ms: admitted })
    })
    .await;
    server
        .event(PODS, "ADDED", &pod("train-0", "4", "r01n01", "Pending"))
        .await;
    let bound = ms("2026-01-01T00:00:30Z");
    until("the binding", || {
        state(&feed) == Some(JobState::Starting { start_ms: bound })
    })
    .await;
    server
        .event(PODS, "ADDED", &pod("train-1", "4", "elsewhere", "Running"))
        .await;
    server
        .event(PODS, "MODIFIED", &pod("train-0", "4", "r01n01", "Running"))
        .await;
    let started = ms("2026-01-01T00:01:00Z");
    until("the start", || {
        feed.queue()
            .jobs
            .first()
            .is_some_and(|job| job.nodes == ["elsewhere", "r01n01"])
            && state(&feed) == Some(JobState::Running { start_ms: started })
    })
    .await;
    assert_eq!(
        (feed.queue().jobs[0].gpus, feed.queue().jobs.len()),
        (8, 1),
        "three objects, one job"
    );
    assert_eq!(feed.status().unknown_nodes, 1);
    let codes: Vec<_> = feed.take_notices().into_iter().map(|notice| notice.code).collect();
    assert!(codes.contains(&"feed_unknown_nodes".to_owned()), "{codes:?}");

    server
        .event(PODS, "DELETED", &pod("train-1", "4", "elsewhere", "Failed"))
        .await;
    server
        .event(PODS, "MODIFIED", &pod("train-0", "4", "r01n01", "Succeeded"))
        .await;
    let mut done = batch_job(false);
    done["status"]["conditions"] = json!([{"type": "Complete", "status": "True", "lastTransitionTime": ""}]);
    server.event(JOBS, "MODIFIED", &done).await;
    server.event(WORKLOADS, "DELETED", &workload("True")).await;
    until("the end", || feed.queue().jobs.is_empty()).await;
    let before = feed.queue().mono_ms;
    until("a confirmation without news", || feed.queue().mono_ms > before).await;
    feed.shutdown().await;
}

#[tokio::test]
async fn bookmarks_move_the_version_and_gone_means_a_new_list() {
    let (server, url) = Server::start().await;
    server.with(|script| script.page = 2);
    let names = ["a", "b", "c", "d", "e"];
    server.list(PODS, 10, names.iter().map(|name| alone(name)).collect());
    let feed = feed(&url, Secret::None, "");
    until("all five, over three pages", || feed.queue().jobs.len() == 5).await;
    assert_eq!(server.with(|script| script.listed), 3);
    server
        .event(
            PODS,
            "BOOKMARK",
            &json!({"kind": "Pod", "metadata": {"resourceVersion": "17"}}),
        )
        .await;
    // What the server said last must have arrived before it ends the watch.
    server.event(PODS, "ADDED", &with_version(&alone("f"), "18")).await;
    until("the sixth", || feed.queue().jobs.len() == 6).await;
    server
        .event(
            PODS,
            "BOOKMARK",
            &json!({"kind": "Pod", "metadata": {"resourceVersion": "19"}}),
        )
        .await;
    server.event(PODS, "DELETED", &with_version(&alone("f"), "20")).await;
    until("the sixth gone", || feed.queue().jobs.len() == 5).await;
    server.end_watches();
    until("the next watch", || server.with(|script| script.watched.len() >= 2)).await;
    assert_eq!(server.with(|script| script.watched.clone()), ["10", "20"]);
    assert_eq!(server.with(|script| script.listed), 3, "no list in between");

    // The version is too old: said in the stream, and then by the status.
    server.list(PODS, 30, vec![alone("z")]);
    server
        .say(
            PODS,
            r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#,
        )
        .await;
    until("the new list", || feed.queue().jobs.len() == 1).await;
    assert_eq!(feed.queue().jobs[0].id, "research/z");
    server.with(|script| script.mood = Mood::Gone);
    server.list(PODS, 40, vec![]);
    server.end_watches();
    until("an empty list", || feed.queue().jobs.is_empty()).await;
    server.with(|script| script.mood = Mood::Well);
    until("a watch from it", || {
        server.with(|script| script.watched.last().is_some_and(|last| last == "40"))
    })
    .await;
    feed.shutdown().await;
}

/// A pod of its own.
fn alone(name: &str) -> Value {
    let mut pod = pod(name, "1", "r01n01", "Running");
    pod["metadata"]["labels"] = json!({});
    pod
}

fn with_version(object: &Value, version: &str) -> Value {
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = json!(version);
    object
}

#[tokio::test]
async fn a_cluster_without_kueue_is_whole_and_a_lost_watch_lets_the_queue_grow_old() {
    let (server, url) = Server::start().await;
    server.with(|script| script.kueue = false);
    server.list(PODS, 10, vec![alone("a")]);
    let feed = feed(&url, Secret::None, "");
    until("the queue", || feed.queue().jobs.len() == 1).await;
    server.with(|script| script.mood = Mood::Refuses);
    server.end_watches();
    until("the refusal", || {
        feed.status()
            .last_error
            .is_some_and(|error| error.contains("service account"))
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stale = feed.queue();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(feed.queue(), stale, "neither forgotten nor confirmed");
    server.with(|script| script.mood = Mood::Well);
    until("the return", || feed.queue().mono_ms > stale.mono_ms).await;
    let codes: Vec<_> = feed.take_notices().into_iter().map(|notice| notice.code).collect();
    assert!(
        codes.contains(&"feed_failing".to_owned()) && codes.contains(&"feed_back".to_owned()),
        "{codes:?}"
    );
    assert_eq!(feed.status().last_error, None);
    feed.shutdown().await;
}

#[tokio::test]
async fn a_renewed_token_is_taken_up() {
    let (server, url) = Server::start().await;
    server.with(|script| script.token = Some("second"));
    server.list(PODS, 10, vec![alone("a")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let feed = feed(&url, Secret::File(file.display().to_string()), "");
    until("the refusal", || {
        feed.status()
            .last_error
            .is_some_and(|error| error.contains("renew the token"))
    })
    .await;
    assert!(!feed.status().text().contains("first"), "the token stays inside");
    std::fs::write(&file, "second\n").unwrap();
    until("the queue", || feed.queue().jobs.len() == 1).await;
    feed.shutdown().await;
}

#[tokio::test]
async fn hostile_answers_are_refused_and_the_rest_goes_on() {
    let (server, url) = Server::start().await;
    server.list(
        PODS,
        10,
        vec![
            alone("a"),
            pod("bad", "-3", "", "Pending"),
            json!({"metadata": {}}),
            json!("pod"),
            json!({"metadata": {"name": "x".repeat(1000)}}),
        ],
    );
    let feed = feed(&url, Secret::None, "");
    until("the one good pod", || feed.queue().jobs.len() == 1).await;
    until("the refusals", || feed.status().failures >= 3).await;
    for line in [
        r#"{"type":"RENAMED","object":{"metadata":{"name":"a"}}}"#.to_owned(),
        r#"{"type":"ADDED","object":{"metadata":{"name":"q","namespace":"n"},"spec":{"containers":[{"resources":{"limits":{"nvidia.com/gpu":"many"}}}]}}}"#.to_owned(),
        r#"{"type":"ADDED","object":{"metadata":{"name":"q","namespace":"n"},"spec":{"containers":7}}}"#.to_owned(),
    ] {
        let failures = feed.status().failures;
        server.say(PODS, &line).await;
        until("the refusal", || feed.status().failures > failures).await;
    }
    // What ends the watch, and an endless line.
    for line in [
        "no json".to_owned(),
        format!("{{\"type\":\"ADDED\",\"x\":\"{}", "y".repeat(5 << 20)),
    ] {
        let (failures, watches) = (feed.status().failures, server.with(|script| script.watched.len()));
        server.say(PODS, &line).await;
        until("the failure", || feed.status().failures > failures).await;
        until("another watch", || server.with(|script| script.watched.len() > watches)).await;
    }
    assert_eq!(feed.queue().jobs.len(), 1);
    server.event(PODS, "ADDED", &alone("b")).await;
    until("the next good one", || feed.queue().jobs.len() == 2).await;
    feed.shutdown().await;
}

/// Certificates by the openssl command: two authorities, and a server's by the first; `false` where it is not at hand.
fn certificates(dir: &std::path::Path) -> bool {
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let commands = [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -subj /CN=ours -days 2",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout other.key -out other.pem -subj /CN=other -days 2",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=server",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    ];
    commands.iter().all(|command| {
        let run = std::process::Command::new("openssl")
            .args(command.split(' '))
            .current_dir(dir)
            .output();
        run.is_ok_and(|run| run.status.success())
    })
}

/// TLS before a plain server; answers the port.
async fn with_tls(dir: &std::path::Path, plain: String) -> u16 {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ServerConfig, crypto};
    let chain = vec![CertificateDer::from_pem_file(dir.join("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, plain) = (acceptor.clone(), plain.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut upstream = tokio::net::TcpStream::connect(plain).await.unwrap();
                tokio::io::copy_bidirectional(&mut stream, &mut upstream).await.ok();
            });
        }
    });
    port
}

#[tokio::test]
async fn https_is_spoken_to_a_server_that_the_clusters_authority_vouches_for_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    if !certificates(dir.path()) {
        eprintln!("skipped: the openssl command is not at hand");
        return;
    }
    let (server, url) = Server::start().await;
    server.list(PODS, 10, vec![alone("a")]);
    let port = with_tls(dir.path(), url.trim_start_matches("http://").to_owned()).await;
    let ca = |name: &str| dir.path().join(name).display().to_string();
    let url = format!("https://127.0.0.1:{port}");
    let trusted = feed_over(&url, Secret::Value("a-token".into()), "", &ca("ca.pem"));
    until("the queue over TLS", || trusted.queue().jobs.len() == 1).await;
    trusted.shutdown().await;
    let foreign = feed_over(&url, Secret::Value("a-token".into()), "", &ca("other.pem"));
    until("the refusal", || {
        foreign
            .status()
            .last_error
            .is_some_and(|error| error.contains("certificate"))
    })
    .await;
    assert!(foreign.queue().jobs.is_empty());
    foreign.shutdown().await;
    let none = feed_over(&url, Secret::None, "", &ca("server.key"));
    until("no authority", || {
        none.status()
            .last_error
            .is_some_and(|error| error.contains("no certificate"))
    })
    .await;
    none.shutdown().await;
}

#[test]
fn accelerators_of_every_kind_are_counted() {
    let of = |limits: Value, init: Value| {
        let object = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"resources": {"limits": limits}}],
                            "initContainers": [{"resources": {"limits": init}}]}, "status": {"phase": "Pending"}});
        super::objects::pod(&object).unwrap().map_or(0.0, |pod| pod.gpus)
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    near(of(json!({"nvidia.com/gpu": "8"}), json!({})), 8.0);
    near(of(json!({"amd.com/gpu": 4, "cpu": "1500m"}), json!({})), 4.0);
    near(of(json!({"nvidia.com/mig-3g.20gb": "2"}), json!({})), 6.0 / 7.0);
    near(of(json!({"nvidia.com/gpu": "1"}), json!({"nvidia.com/gpu": "2"})), 2.0);
    near(of(json!({"cpu": "4", "memory": "8Gi"}), json!({})), 0.0);
}
