//! REST, live stream, dashboard and `/metrics`.
//!
//! The service makes a pair with [`open`]: a [`Board`], on which it shows the record of each cycle, and a [`Shared`],
//! which [`serve`] reads. Nothing here decides anything about cooling: what a person asks goes to the next cycle as a
//! [`Request`] and is answered from that cycle's record.
//!
//! | path | what it answers |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /api/v1/site` | what stands where: nameplates, limits, prices |
//! | `GET /api/v1/state` | the latest [`View`] |
//! | `GET /api/v1/stream` | views as server-sent events named `view`, at most five in two seconds |
//! | `GET /api/v1/points` | every point with unit, device, bounds and last reading |
//! | `GET /api/v1/series?tags=&from=&to=&points=` | past values of points and of a few derived series |
//! | `GET /api/v1/events` | the latest [`EVENTS`] events, newest first |
//! | `POST /api/v1/requests` | an operator's request; needs `Authorization: Bearer <token>` |
//! | `GET /metrics` | the Prometheus text format |
//! | `GET /healthz` | 200 while cycles go on, else 503 |
//!
//! Every error is a problem document (RFC 9457) that says what to send instead.

mod board;
mod guard;
mod metrics;
mod page;
mod problem;
mod requests;
mod rest;
mod sheet;
mod stream;
mod trend;
mod view;

use crate::site::{PointId, Site};
use crate::snapshot::Request;
use axum::Router;
use axum::routing::{get, post};
use board::Seen;
pub use board::{Board, EVENTS, Edges};
use std::fmt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
pub use trend::Sample;
pub use view::{
    BooksView, CduView, ControlView, DeviceView, EquipmentView, EventView, ForecastView, JobView, JobsView, Mode,
    OwnerView, PaceView, RackView, ReadingView, SetpointView, StoreView, View, ZoneView,
};

/// Most live streams at a time.
const STREAMS: usize = 64;

/// Where the past readings of points come from.
pub trait History: Send + Sync {
    /// The good readings of a point in a span of wall time (ms, both ends included), oldest first, best thinned to
    /// `max_points`. May block. The error is a sentence for the caller.
    fn series(&self, point: PointId, from_ms: i64, to_ms: i64, max_points: usize) -> Result<Vec<Sample>, String>;
}

/// What the server reads.
#[derive(Clone)]
pub struct Shared {
    site: Arc<Site>,
    seen: Seen,
    history: Arc<dyn History>,
    requests: mpsc::Sender<Request>,
    streams: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("site", &self.site.name)
            .finish_non_exhaustive()
    }
}

/// The two ends of the interface: the service shows cycles on the board, [`serve`] reads the other end and sends
/// people's requests.
pub fn open(
    site: Arc<Site>,
    mode: Mode,
    speed: f64,
    history: Arc<dyn History>,
    requests: mpsc::Sender<Request>,
) -> (Board, Shared) {
    let (board, seen) = Board::new(Arc::clone(&site), mode, speed);
    let (_, stopping) = watch::channel(false);
    let streams = Arc::new(Semaphore::new(STREAMS));
    (
        board,
        Shared {
            site,
            seen,
            history,
            requests,
            streams,
            stopping,
        },
    )
}

/// Serves until `shutdown` ends; streams are closed then, and answers under way are finished.
pub async fn serve(
    listener: TcpListener,
    shared: Shared,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let loopback = listener.local_addr()?.ip().is_loopback();
    let (stop, stopping) = watch::channel(false);
    let router = router(Shared { stopping, ..shared }, loopback);
    let shutdown = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

fn router(shared: Shared, loopback: bool) -> Router {
    let router = Router::new()
        .route("/api/v1/site", get(rest::site))
        .route("/api/v1/state", get(rest::state))
        .route("/api/v1/points", get(rest::points))
        .route("/api/v1/series", get(rest::series))
        .route("/api/v1/events", get(rest::events))
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/requests", post(rest::request))
        .route("/healthz", get(rest::healthz))
        .route("/metrics", get(rest::metrics));
    page::routes(router)
        .method_not_allowed_fallback(rest::wrong_method)
        .fallback(rest::not_found)
        .layer(axum::middleware::from_fn_with_state(loopback, guard::guard))
        .with_state(shared)
}
