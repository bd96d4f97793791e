//! A served hall, and a small client of its own.

use isotherm::api::{self, Board, DeviceView, Edges, FeedView, History, JobDesk, Mode, Sample, StoreView};
use isotherm::cycle::CycleRecord;
use isotherm::jobs::Outlooks;
use isotherm::site::{Site, load_embedded};
use isotherm::snapshot::Request;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The point whose record is broken.
pub(crate) const BROKEN: &str = "cdu1.secondary_flow";
/// The token of a scheduler's scripts.
pub(crate) const FEED_TOKEN: &str = "a token for scripts";

/// A record of readings that grow by one each minute; one tag cannot be read.
pub(crate) struct Minutes;

impl History for Minutes {
    fn series(
        &self,
        family: &str,
        labels: &[(&str, &str)],
        from_ms: i64,
        to_ms: i64,
        _max_points: usize,
    ) -> Result<Vec<Sample>, String> {
        if labels.contains(&("tag", BROKEN)) {
            return Err("segment 7 is damaged".to_owned());
        }
        assert!(
            ["point", "heat_kilowatts", "it_power_kilowatts"].contains(&family),
            "{family}"
        );
        let minutes = (from_ms..=to_ms).step_by(60_000).enumerate();
        Ok(minutes
            .map(|(index, at)| (at, f64::from(u32::try_from(index).unwrap())))
            .collect())
    }
}

/// Nobody has a queue, and the events that come are kept.
#[derive(Default)]
pub(crate) struct Jobs {
    pub(crate) outlooks: Mutex<Option<Arc<Outlooks>>>,
    pub(crate) events: Mutex<Vec<Vec<u8>>>,
}

impl JobDesk for Jobs {
    fn outlooks(&self) -> Option<Arc<Outlooks>> {
        self.outlooks.lock().unwrap().clone()
    }

    fn take_event(&self, event: &[u8]) -> Result<(), String> {
        if event.is_empty() {
            return Err("not a job event: empty".into());
        }
        self.events.lock().unwrap().push(event.to_vec());
        Ok(())
    }
}

/// A served site, its board, and what the controller would get.
pub(crate) struct Hall {
    pub(crate) site: Arc<Site>,
    pub(crate) address: SocketAddr,
    pub(crate) board: Board,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) server: JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn hall(token: &str) -> Hall {
    let mut site = load_embedded("demo").unwrap().unwrap();
    FEED_TOKEN.clone_into(&mut site.api.feed_token);
    token.clone_into(&mut site.api.operator_token);
    "shift".clone_into(&mut site.api.operator_name);
    serve(site).await
}

/// A served site, behind the door that its settings ask for.
pub(crate) async fn serve(site: Site) -> Hall {
    let access = api::Access::of(&site).unwrap();
    let site = Arc::new(site);
    let (sender, requests) = mpsc::channel(4);
    let jobs = Arc::new(Jobs::default());
    let desk = Arc::clone(&jobs) as Arc<dyn JobDesk>;
    let (board, shared) = api::open(Arc::clone(&site), Mode::Simulated, 1.0, Arc::new(Minutes), desk, sender);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(api::serve(listener, shared.behind(access), async move {
        drop(stopped.await);
    }));
    Hall {
        site,
        address,
        board,
        jobs,
        requests,
        stop,
        server,
    }
}

impl Hall {
    pub(crate) fn show(&mut self, record: &CycleRecord) {
        let edges = Edges {
            step_ms: 0.4,
            late: 2,
            overruns: 1,
            devices: vec![
                DeviceView {
                    id: "cdu1".into(),
                    connected: true,
                    age_s: Some(0.5),
                    ..DeviceView::default()
                },
                DeviceView {
                    id: "cdu2".into(),
                    errors: 3,
                    last_error: Some("refused".into()),
                    ..DeviceView::default()
                },
            ],
            feed: FeedView {
                source: "slurm",
                text: "1 jobs from slurm".into(),
                failures: 3,
                unknown_nodes: 2,
                clock_ahead_s: Some(-7.0),
                ..FeedView::default()
            },
            store: StoreView {
                state: "ok".into(),
                segments: 2,
                bytes: 4096,
            },
            ..Edges::default()
        };
        self.board.show(record, edges);
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        call(
            self.address,
            &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        )
        .await
    }

    pub(crate) async fn post(&self, token: Option<&str>, body: &str) -> Reply {
        call(self.address, &posting(token, body)).await
    }
}

pub(crate) fn posting(token: Option<&str>, body: &str) -> String {
    let token = token
        .map(|token| format!("authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    format!(
        "POST /api/v1/requests HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         {token}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    /// Checks that this is a problem of a status that speaks of something.
    pub(crate) fn is_problem(&self, status: u16, about: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(about), "`{detail}` does not speak of `{about}`");
    }
}

pub(crate) async fn call(address: SocketAddr, request: &str) -> Reply {
    let answered = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let text = tokio::time::timeout(Duration::from_secs(20), answered)
        .await
        .expect("the server answers");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        body.to_owned()
    };
    Reply {
        status,
        head: head.to_owned(),
        body,
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&rest[..size]);
        body = &rest[(size + 2).min(rest.len())..];
    }
    whole
}
