//! Start and stop of a controller.

use super::clock::{Clock, Origin};
use super::control_loop::{ControlLoop, Ended};
use super::keeper::{Checkpoint, Keeper};
use super::learning::Learning;
use super::models::{Models, ModelsError, name_of};
use super::pairing::Pairing;
use super::show::Past;
use crate::api::{self, Mode};
use crate::cycle::{Core, Mind};
use crate::field::Field;
use crate::forecast::JobModel;
use crate::jobs::Outlooks;
use crate::pair::{Pair, Permit};
use crate::site::Site;
use crate::snapshot::{Event, Severity};
use crate::store::{Books, Disk, Forwarder, Pace, RealDisk, Store};
use crate::workload::{Events, Feed};
use jiff::tz::TimeZone;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Requests that may wait for the next cycle.
const REQUESTS: usize = 64;

/// How long open answers of the page may take at the end.
const PAGE_CLOSES: Duration = Duration::from_secs(2);

/// What the caller may set beyond the site.
#[derive(Debug, Clone)]
pub struct Options {
    /// A real or a simulated plant.
    pub mode: Mode,
    /// How much faster than real time the plant's time runs; 1 on a real plant.
    pub speed: f64,
    /// Where accelerated time starts; without it at the start of the controller.
    pub origin: Option<Origin>,
    /// What the record is written through.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Plant,
            speed: 1.0,
            origin: None,
            disk: Arc::new(RealDisk),
        }
    }
}

/// Why a controller did not start, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The time zone is unknown.
    #[error("time zone `{0}` is not in the IANA database: write one such as `Europe/Berlin`")]
    TimeZone(String),
    /// The record could not be opened.
    #[error("the record in `{dir}` could not be opened")]
    Store {
        /// Directory.
        dir: String,
        /// Cause.
        source: crate::store::StoreError,
    },
    /// The model could not be read.
    #[error("the model `{file}` could not be read")]
    ModelFile {
        /// File.
        file: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The model is damaged or foreign.
    #[error("the model `{file}` cannot be used")]
    Model {
        /// File.
        file: String,
        /// Cause.
        source: crate::forecast::ModelError,
    },
    /// The address of the page could not be bound.
    #[error("`{address}` could not be listened on (api.listen)")]
    Listen {
        /// Address.
        address: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The forwarding cannot work as configured.
    #[error("{0}")]
    Forward(String),
    /// The pair cannot work as configured.
    #[error("{0}")]
    Pair(String),
    /// The users' file or the certificate is wrong.
    #[error("{0}")]
    Access(String),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
    /// A step panicked; every point was released.
    #[error("a control step panicked (a bug): every point was given back to the plant as found")]
    Panicked,
    /// A task died.
    #[error("a task of the service died")]
    Task(#[source] tokio::task::JoinError),
}

/// A running controller.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    control: JoinHandle<Ended>,
    page: JoinHandle<std::io::Result<()>>,
}

impl Service {
    /// Where the page and REST listen.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives every point back, closes the record and stops.
    pub async fn stop(self) -> Result<(), ServiceError> {
        // No receiver means that the tasks have ended already.
        self.stop.send_replace(true);
        let ended = self.control.await.map_err(ServiceError::Task)?;
        // Slow readers get a moment to take the last answers.
        if tokio::time::timeout(PAGE_CLOSES, self.page).await.is_err() {
            tracing::debug!("a reader of the page did not go in time");
        }
        match ended {
            Ended::Asked => Ok(()),
            Ended::Panicked => Err(ServiceError::Panicked),
        }
    }
}

/// The runtime for [`start`].
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// The model that a site asks for.
pub fn load_model(site: &Site) -> Result<JobModel, ServiceError> {
    let file = &site.forecast.model;
    if file.is_empty() {
        return Ok(JobModel::embedded());
    }
    let bytes = std::fs::read(file).map_err(|source| ServiceError::ModelFile {
        file: file.clone(),
        source,
    })?;
    JobModel::from_bytes(&bytes).map_err(|source| ServiceError::Model {
        file: file.clone(),
        source,
    })
}

/// The model to start with: the one that was appointed last, unless the site's file names one that never was in use
/// here. One that cannot be used leaves the one before it in place.
fn chosen_model(site: &Site, base: JobModel, wall_ms: i64) -> (JobModel, Vec<Event>) {
    let mut events = Vec::new();
    if site.store.dir.is_empty() {
        return (base, events);
    }
    let models = Models::beside(Path::new(&site.store.dir));
    let mut refused = |error: &ModelsError| {
        events.push(Event {
            severity: Severity::Warning,
            code: "model_refused".into(),
            subject: "model".into(),
            text: error.to_string(),
        });
    };
    let named = name_of(base.fingerprint());
    let history = models.history().unwrap_or_else(|error| {
        refused(&error);
        Vec::new()
    });
    if !history.iter().any(|one| one.model == named) {
        let kept = models.keep(&base, "").and_then(|name| {
            let why = if site.forecast.model.is_empty() {
                "the program carries it".to_owned()
            } else {
                format!("the site's file names {}", site.forecast.model)
            };
            models.appoint(&name, wall_ms, &why)
        });
        if let Err(error) = kept {
            refused(&error);
        }
        return (base, events);
    }
    for appointment in history.iter().rev() {
        match models.load(&appointment.model) {
            Ok(model) => return (model, events),
            Err(error) => refused(&error),
        }
    }
    (base, events)
}

/// What the page and REST see of jobs.
struct DeskView {
    outlooks: watch::Receiver<Option<Arc<Outlooks>>>,
    events: Events,
}

impl api::JobDesk for DeskView {
    fn outlooks(&self) -> Option<Arc<Outlooks>> {
        self.outlooks.borrow().clone()
    }

    fn take_event(&self, event: &[u8]) -> Result<(), String> {
        self.events.take(event).map_err(|error| error.to_string())
    }
}

/// Starts the links, the loop and the page.
pub async fn start(mut site: Site, options: Options) -> Result<Service, ServiceError> {
    let zone = TimeZone::get(&site.time_zone).map_err(|_| ServiceError::TimeZone(site.time_zone.clone()))?;
    let base = load_model(&site)?;
    let dir = site.store.dir.clone();
    let store =
        Store::open_on(&site.store, Arc::clone(&options.disk)).map_err(|source| ServiceError::Store { dir, source })?;
    let books =
        (!site.store.dir.is_empty()).then(|| Books::open_on(Path::new(&site.store.dir), Arc::clone(&options.disk)));
    let books = books.transpose().map_err(|source| ServiceError::Store {
        dir: site.store.dir.clone(),
        source,
    })?;
    let (mind, mut mono_base_ms, own_ms) = remembered(&store, &site);
    if site.pair.is_on() {
        // Both controllers' times count from the same moment, so that either can go on from the other's memory.
        let wall_ms = jiff::Timestamp::now().as_millisecond();
        mono_base_ms = mono_base_ms.max(u64::try_from(wall_ms).unwrap_or_default());
        // A broker knows each client by one name.
        for client_id in [&mut site.mqtt.client_id, &mut site.dsx.mqtt.client_id] {
            client_id.push('-');
            client_id.push_str(&site.pair.id);
        }
    }
    let clock = Clock::new(
        zone,
        mono_base_ms,
        options.speed,
        options.origin.unwrap_or_else(Origin::now),
    );
    let listener = TcpListener::bind(&site.api.listen)
        .await
        .map_err(|source| ServiceError::Listen {
            address: site.api.listen.clone(),
            source,
        })?;
    let address = listener.local_addr().map_err(|source| ServiceError::Listen {
        address: site.api.listen.clone(),
        source,
    })?;

    let site = Arc::new(site);
    let (model, chosen) = chosen_model(&site, base, clock.now().wall_ms);
    let model = Arc::new(model);
    let (learning, outlooks) = Learning::start(Arc::clone(&site), Arc::clone(&model)).map_err(ServiceError::Thread)?;
    let core = Core::new(Arc::clone(&site), model, true);
    let now = {
        let clock = clock.clone();
        Arc::new(move || clock.now())
    };
    let pair = site.pair.is_on().then(|| Pair::start(&site.pair, &site.name));
    let pair = pair.transpose().map_err(ServiceError::Pair)?;
    let permit = pair.as_ref().map_or_else(Permit::always, |pair| pair.permit().clone());
    let field = Field::start_under(permit, Arc::clone(&site), now.clone(), options.speed);
    let feed = Feed::start(Arc::clone(&site), now, options.speed);
    let keeper = Keeper::start(store, books, Arc::clone(&site)).map_err(ServiceError::Thread)?;
    let forwarder = Forwarder::start(&site, keeper.store(), Pace::default()).map_err(ServiceError::Forward)?;
    let (stop, stopped) = watch::channel(false);
    let (request_sender, requests) = mpsc::channel(REQUESTS);

    let past = Arc::new(Past(keeper.store()));
    let desk = Arc::new(DeskView {
        outlooks,
        events: feed.events(),
    });
    let access = api::Access::of(&site).map_err(ServiceError::Access)?;
    let (board, shared) = api::open(site, options.mode, options.speed, past, desk, request_sender);
    let mut stopping = stopped.clone();
    let page = api::serve(listener, shared.behind(access), async move {
        // An error means that the service is gone, which is a reason to stop too.
        let _gone = stopping.wait_for(|stop| *stop).await.is_err();
    });
    let control = ControlLoop {
        core,
        mind,
        clock,
        field,
        feed,
        learning,
        notices: chosen,
        pairing: pair.map(|pair| Pairing::new(pair, own_ms)),
        keeper,
        forwarder,
        board,
        requests,
        stop: stopped,
    };
    Ok(Service {
        address,
        stop,
        control: tokio::spawn(control.run()),
        page: tokio::spawn(page),
    })
}

/// The memory of the last run, the monotonic time at which it goes on, and the wall time at which it was saved, ms; or a
/// new one.
fn remembered(store: &Store, site: &Site) -> (Mind, u64, i64) {
    let Some(bytes) = store.load_mind() else {
        return (Mind::new(site.control.strategy), 0, 0);
    };
    match postcard::from_bytes::<Checkpoint>(&bytes) {
        Ok(checkpoint) => {
            let gap_ms = jiff::Timestamp::now()
                .as_millisecond()
                .saturating_sub(checkpoint.now.wall_ms)
                .max(0);
            tracing::info!(
                cycle = checkpoint.mind.cycle,
                gap_s = gap_ms / 1000,
                "the memory of the last run is taken up"
            );
            let mono_ms = checkpoint.now.mono_ms.saturating_add_signed(gap_ms);
            (checkpoint.mind, mono_ms, checkpoint.now.wall_ms)
        }
        Err(error) => {
            tracing::warn!(%error, "the memory of the last run is from another version: starting anew");
            (Mind::new(site.control.strategy), 0, 0)
        }
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn signals() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tracing::error!("SIGTERM cannot be caught");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => tracing::info!("interrupted: stopping"),
            Err(error) => tracing::error!(%error, "SIGINT cannot be caught"),
        },
    }
}
