//! REST, live stream, dashboard and `/metrics`.
//!
//! The service makes a pair with [`open`]: a [`Board`], on which it shows the record of each cycle, and a [`Shared`],
//! which [`serve`] reads. Nothing here decides anything about cooling: what a person asks goes to the next cycle as a
//! [`Request`] and is answered from that cycle's record.
//!
//! The routes are listed once, in `routes`; `/api/v1/openapi.json` describes each with its parameters and answers.
//!
//! Every error is a problem document (RFC 9457) that says what to send instead.

mod access;
mod actions;
mod board;
mod guard;
mod jobs;
mod limiter;
mod metrics;
mod openapi;
mod page;
mod paging;
mod people;
mod problem;
mod requests;
mod rest;
mod routes;
mod sessions;
mod shapes;
mod sheet;
mod stream;
mod tls;
mod trend;
mod view;

use crate::jobs::Outlooks;
use crate::site::Site;
use crate::snapshot::Request;
pub use access::Access;
use access::Peer;
use axum::Router;
use board::Seen;
pub use board::{Board, EVENTS, Edges, Figures};
pub use metrics::Take;
pub use people::{People, Role, random, to_hex};
pub use requests::read_request;
use std::fmt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
pub use trend::Sample;
pub use view::{
    AdviceView, AlarmView, BooksView, CduView, ControlView, DeviceView, EquipmentView, EventView, FeedView,
    ForecastView, ForwardView, JobView, JobsView, Mode, OwnerView, PaceView, PairView, RackView, ReadingView, RideView,
    ScoreView, SetpointView, StoreView, View, ZoneView,
};

/// Most live streams at a time.
const STREAMS: usize = 64;

/// Where the past of a series comes from.
pub trait History: Send + Sync {
    /// The good samples of a series, by its family and labels as in `/metrics` but without `isotherm_` and the site, in a
    /// span of wall time (ms, both ends included), oldest first, best thinned to `max_points`. May block. The error is a
    /// sentence for the caller.
    fn series(
        &self,
        family: &str,
        labels: &[(&str, &str)],
        from_ms: i64,
        to_ms: i64,
        max_points: usize,
    ) -> Result<Vec<Sample>, String>;
}

/// Where the outlooks of jobs come from, and job events go to.
pub trait JobDesk: Send + Sync {
    /// Every job as it is expected to go on; `None` before the first queue.
    fn outlooks(&self) -> Option<Arc<Outlooks>>;

    /// Takes a job event of a scheduler's script. The error is a sentence for the caller.
    fn take_event(&self, event: &[u8]) -> Result<(), String>;
}

/// What the server reads.
#[derive(Clone)]
pub struct Shared {
    site: Arc<Site>,
    seen: Seen,
    history: Arc<dyn History>,
    desk: Arc<dyn JobDesk>,
    requests: mpsc::Sender<Request>,
    streams: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
    access: Access,
}

impl Shared {
    /// The same behind another door than the operator's token alone.
    #[must_use]
    pub fn behind(self, access: Access) -> Self {
        Self { access, ..self }
    }
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
    desk: Arc<dyn JobDesk>,
    requests: mpsc::Sender<Request>,
) -> (Board, Shared) {
    let (board, seen) = Board::new(Arc::clone(&site), mode, speed, Arc::clone(&desk));
    let (_, stopping) = watch::channel(false);
    let streams = Arc::new(Semaphore::new(STREAMS));
    let access = Access::new(People::with_token(&site), None);
    (
        board,
        Shared {
            site,
            seen,
            history,
            desk,
            requests,
            streams,
            stopping,
            access,
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
    let mut access = shared.access.clone();
    access.closed = !loopback;
    let tls = access.tls().cloned();
    if access.closed && tls.is_none() {
        tracing::warn!("the page is open to a network without TLS: set api.tls_certificate and api.tls_key");
    }
    let shared = Shared {
        stopping,
        access,
        ..shared
    };
    let service = router(shared, loopback).into_make_service_with_connect_info::<Peer>();
    let shutdown = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    match tls {
        None => axum::serve(listener, service).with_graceful_shutdown(shutdown).await,
        Some(tls) => {
            let listener = tls::TlsListener::new(listener, tls)?;
            axum::serve(listener, service).with_graceful_shutdown(shutdown).await
        }
    }
}

fn router(shared: Shared, loopback: bool) -> Router {
    page::routes(routes::router())
        .method_not_allowed_fallback(rest::wrong_method)
        .fallback(rest::not_found)
        .layer(axum::middleware::from_fn_with_state(shared.clone(), access::door))
        .layer(axum::middleware::from_fn_with_state(loopback, guard::guard))
        .with_state(shared)
}
