//! Forwarding against a small server of the test's own, which can be slow, wrong, full, or silent about what it drops.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use flate2::read::GzDecoder;
use isotherm::site::{ForwardProtocol, ReadBack, Site, StoreSettings, load_embedded};
use isotherm::snapshot::Quality;
use isotherm::store::{CanaryStatus, ForwardStatus, Forwarder, Pace, Sample, SeriesName, Store};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const START_MS: i64 = 1_780_012_800_000;

const PACE: Pace = Pace {
    idle: Duration::from_millis(10),
    timeout: Duration::from_millis(300),
    first_retry: Duration::from_millis(10),
    last_retry: Duration::from_millis(40),
    canary: Duration::from_millis(50),
    settle: Duration::from_millis(20),
};

/// What the server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    /// Answers a status and keeps nothing.
    Answers(u16),
    /// Refuses a batch that has a line with this value.
    Refuses(&'static str),
    /// Refuses batches of more lines.
    AtMost(usize),
    /// Accepts and keeps nothing.
    Forgets,
    /// Takes, but answers too late.
    Sleeps,
    /// Closes the connection in the middle.
    HangsUp,
}

#[derive(Debug)]
struct Taken {
    mood: Mood,
    /// How often each line without its value was taken.
    lines: BTreeMap<String, u32>,
    requests: u32,
    heads: Vec<String>,
}

/// A server of the line protocol, with a query interface for the canary.
struct Server {
    address: String,
    taken: Arc<Mutex<Taken>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(mood: Mood, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let taken = Arc::new(Mutex::new(Taken {
            mood,
            lines: BTreeMap::new(),
            requests: 0,
            heads: Vec::new(),
        }));
        let shared = Arc::clone(&taken);
        let task = tokio::spawn(async move {
            // Its connections end with the task.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, taken, task }
    }

    fn set(&self, mood: Mood) {
        self.taken.lock().unwrap().mood = mood;
    }

    fn lines(&self) -> BTreeMap<String, u32> {
        let taken = self.taken.lock().unwrap();
        let samples = taken.lines.iter().filter(|(line, _)| !line.contains("canary="));
        samples.map(|(line, times)| (line.clone(), *times)).collect()
    }
}

async fn serve(mut stream: TcpStream, taken: Arc<Mutex<Taken>>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body: Vec<u8> = buffer.drain(..length).collect();
        let mood = taken.lock().unwrap().mood;
        if mood == Mood::HangsUp {
            return;
        }
        let (status, text) = answer(&head, &body, &mut taken.lock().unwrap());
        if mood == Mood::Sleeps {
            tokio::time::sleep(PACE.timeout * 2).await;
        }
        let reply = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(head: &str, body: &[u8], taken: &mut Taken) -> (u16, String) {
    taken.requests += 1;
    taken.heads.push(head.to_owned());
    if head.starts_with("GET /api/v1/query") {
        let canaries = taken
            .lines
            .keys()
            .filter_map(|line| line.split_once("canary=")?.1.split(' ').next()?.parse().ok());
        let newest = canaries.max_by(f64::total_cmp);
        let result = newest.map_or(String::new(), |value| {
            format!(r#"{{"metric":{{}},"value":[0,"{value}"]}}"#)
        });
        return (200, format!(r#"{{"data":{{"result":[{result}]}}}}"#));
    }
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    match taken.mood {
        Mood::Answers(status) => return (status, "not today".to_owned()),
        Mood::Refuses(value) if lines.iter().any(|line| line.contains(value)) => {
            return (400, format!("cannot parse {value}"));
        }
        Mood::AtMost(most) if lines.len() > most => return (413, String::new()),
        Mood::Forgets => return (204, String::new()),
        _ => {}
    }
    for line in lines {
        *taken.lines.entry(line.to_owned()).or_default() += 1;
    }
    (204, String::new())
}

fn store(dir: &Path) -> Store {
    let settings = StoreSettings {
        dir: dir.to_string_lossy().into_owned(),
        retention_days: 400,
        raw_days: 400,
        minute_days: 400,
        quarter_days: 400,
        max_mib: 1000,
    };
    Store::open(&settings).unwrap()
}

fn site(address: &str, read_back: ReadBack) -> Site {
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.forward.protocol = ForwardProtocol::Influxdb2;
    site.forward.url = format!("http://{address}");
    "a b".clone_into(&mut site.forward.org);
    "halls".clone_into(&mut site.forward.bucket);
    "a-secret".clone_into(&mut site.forward.token);
    site.forward.read_back = read_back;
    site.forward.batch = 500;
    site
}

/// Three series at 30 s; the quality of every tenth is bad.
fn feed(store: &Mutex<Store>, rows: std::ops::Range<i64>) {
    for row in rows {
        let ms = START_MS + row * 30_000;
        let rows = (0..3_i64).map(|series| {
            let quality = if row % 10 == 9 { Quality::Bad } else { Quality::Good };
            let value = (row * 3 + series) as f64 / 10.0;
            (
                SeriesName::point(&format!("cdu{series}.power"), "kW"),
                Sample { ms, value, quality },
            )
        });
        store
            .lock()
            .unwrap()
            .append_rows(ms, &rows.collect::<Vec<_>>())
            .unwrap();
    }
}

/// The lines that those rows are.
fn expected(rows: std::ops::Range<i64>) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows.filter(|row| row % 10 != 9) {
        for series in 0..3 {
            let (value, ms) = ((row * 3 + series) as f64 / 10.0, START_MS + row * 30_000);
            lines.push(format!(
                "isotherm,site=demo,tag=cdu{series}.power,unit=kW point={value} {ms}"
            ));
        }
    }
    lines.sort();
    lines
}

async fn until(forwarder: &Forwarder, what: &str, condition: impl Fn(&ForwardStatus) -> bool) -> ForwardStatus {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let status = forwarder.status();
        if condition(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what}: {status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn all_taken(forwarder: &Forwarder, server: &Server, rows: std::ops::Range<i64>) {
    let lines = expected(rows);
    let what = format!("{} lines", lines.len());
    until(forwarder, &what, |_| server.lines().keys().eq(lines.iter())).await;
}

fn start(server: &Server, store: &Arc<Mutex<Store>>, read_back: ReadBack) -> Forwarder {
    let site = site(&server.address, read_back);
    Forwarder::start(&site, Arc::clone(store), PACE).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_good_sample_arrives_under_its_documented_name_with_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Mutex::new(store(dir.path())));
    feed(&store, 0..200);
    let server = Server::start(Mood::Takes, 0).await;
    let forwarder = start(&server, &store, ReadBack::None);
    all_taken(&forwarder, &server, 0..200).await;
    feed(&store, 200..205);
    all_taken(&forwarder, &server, 0..205).await;
    let status = until(&forwarder, "nothing left", |status| status.backlog == 0).await;
    assert_eq!((status.rejected, status.failures, status.waits), (0, 0, None));
    assert!(
        server.lines().values().all(|times| *times == 1),
        "nothing went wrong, so nothing is sent twice"
    );
    let head = server.taken.lock().unwrap().heads[0].clone();
    assert!(
        head.starts_with("POST /api/v2/write?org=a%20b&bucket=halls&precision=ms HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("authorization: Token a-secret\r\n") && head.contains("content-encoding: gzip\r\n"),
        "{head}"
    );
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_any_kind_is_waited_out_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Mutex::new(store(dir.path())));
    let server = Server::start(Mood::Takes, 0).await;
    let forwarder = start(&server, &store, ReadBack::None);
    let mut fed = 0;
    for mood in [
        Mood::Answers(503),
        Mood::Answers(429),
        Mood::Answers(401),
        Mood::Answers(404),
        Mood::Sleeps,
        Mood::HangsUp,
    ] {
        server.set(mood);
        let before = forwarder.status().failures;
        feed(&store, fed..fed + 100);
        fed += 100;
        let status = until(&forwarder, "trouble", |status| status.failures > before + 1).await;
        assert!(
            status.waits.is_some() && status.backlog > 0 && status.lag_s > 0.0,
            "{mood:?}: {status:?}"
        );
        server.set(Mood::Takes);
        all_taken(&forwarder, &server, 0..fed).await;
        let status = until(&forwarder, "nothing left", |status| {
            status.backlog == 0 && status.waits.is_none()
        })
        .await;
        assert_eq!((status.rejected, status.lag_s.to_bits()), (0, 0.0_f64.to_bits()));
    }
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_and_restarts_of_both_sides_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kept = Arc::new(Mutex::new(store(dir.path())));
    let server = Server::start(Mood::Takes, 0).await;
    let port = server.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let forwarder = start(&server, &kept, ReadBack::None);
    feed(&kept, 0..300);
    all_taken(&forwarder, &server, 0..300).await;
    let first = server.lines();
    server.task.abort();
    drop(server.task.await);
    feed(&kept, 300..400);
    let status = until(&forwarder, "trouble", |status| status.failures > 2).await;
    assert!(status.waits.is_some());
    forwarder.stop().await;
    drop(kept);

    let kept = Arc::new(Mutex::new(store(dir.path())));
    feed(&kept, 400..410);
    // The server comes back with nothing: it lost what it had taken last.
    let server = Server::start(Mood::Takes, port).await;
    let forwarder = start(&server, &kept, ReadBack::None);
    until(&forwarder, "nothing left", |status| {
        status.sent > 0 && status.backlog == 0
    })
    .await;
    let mut all = server.lines();
    assert!(all.len() < 410 * 3, "whole chunks that were settled are not sent again");
    for (line, times) in first {
        *all.entry(line).or_default() += times;
    }
    assert!(all.keys().eq(expected(0..410).iter()));
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_database_refuses_are_found_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Mutex::new(store(dir.path())));
    feed(&store, 0..150);
    let server = Server::start(Mood::Refuses("point=33.3 "), 0).await;
    let forwarder = start(&server, &store, ReadBack::None);
    let status = until(&forwarder, "nothing left", |status| {
        status.sent > 0 && status.backlog == 0
    })
    .await;
    assert_eq!((status.rejected, status.failures), (1, 0));
    assert!(
        status
            .why_rejected
            .is_some_and(|why| why.contains("cannot parse point=33.3"))
    );
    let mut lines = expected(0..150);
    lines.retain(|line| !line.contains("point=33.3 "));
    assert!(server.lines().keys().eq(lines.iter()));
    assert!(server.taken.lock().unwrap().requests < 40, "a search by halves");

    server.set(Mood::Answers(400));
    let requests = server.taken.lock().unwrap().requests;
    feed(&store, 150..250);
    let status = until(&forwarder, "all refused", |status| {
        status.rejected > 1 && status.backlog == 0
    })
    .await;
    assert_eq!(status.rejected, 1 + 90 * 3);
    assert!(
        server.taken.lock().unwrap().requests - requests < 400,
        "the search has an end"
    );
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_shrink_to_what_the_database_takes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Mutex::new(store(dir.path())));
    feed(&store, 0..400);
    let server = Server::start(Mood::AtMost(60), 0).await;
    let forwarder = start(&server, &store, ReadBack::None);
    all_taken(&forwarder, &server, 0..400).await;
    assert_eq!(forwarder.status().rejected, 0);
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_accepts_and_drops_is_found_out_and_sent_all_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Mutex::new(store(dir.path())));
    feed(&store, 0..100);
    let server = Server::start(Mood::Takes, 0).await;
    let forwarder = start(&server, &store, ReadBack::Prometheus);
    until(&forwarder, "a canary", |status| status.canary == CanaryStatus::Kept).await;
    let probe = server
        .taken
        .lock()
        .unwrap()
        .lines
        .keys()
        .find(|line| line.contains("canary="))
        .cloned();
    let probe = probe.expect("a canary was sent");
    assert!(
        probe.starts_with("isotherm,site=demo,probe=a\\ b\\,c\\=d\"e'f canary="),
        "{probe}"
    );

    server.set(Mood::Forgets);
    feed(&store, 100..200);
    let status = until(&forwarder, "found out", |status| status.canary == CanaryStatus::Missing).await;
    assert!(status.failures > 0);
    server.set(Mood::Takes);
    all_taken(&forwarder, &server, 0..200).await;
    until(&forwarder, "a canary again", |status| {
        status.canary == CanaryStatus::Kept
    })
    .await;
    forwarder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_said_before_the_start() {
    let store = Arc::new(Mutex::new(
        Store::open(&StoreSettings {
            dir: String::new(),
            ..load_embedded("demo").unwrap().unwrap().store
        })
        .unwrap(),
    ));
    let mut nowhere = site("127.0.0.1:1", ReadBack::None);
    let said = |site: &Site| {
        Forwarder::start(site, Arc::clone(&store), PACE)
            .err()
            .unwrap_or_default()
    };
    "/nowhere/token".clone_into(&mut nowhere.forward.token_file);
    assert!(said(&nowhere).starts_with("forward.token_file `/nowhere/token`: "));
    nowhere.forward.token_file.clear();
    "a\nb".clone_into(&mut nowhere.forward.token);
    assert!(said(&nowhere).contains("the token has a character"));
    nowhere.forward.token.clear();
    "https://127.0.0.1:1".clone_into(&mut nowhere.forward.url);
    "/nowhere/ca.pem".clone_into(&mut nowhere.forward.ca_file);
    let why = said(&nowhere);
    assert!(why.contains("/nowhere/ca.pem") || why.contains("no TLS"), "{why}");
    nowhere.forward.protocol = ForwardProtocol::None;
    assert!(Forwarder::start(&nowhere, store, PACE).unwrap().is_none());
}
