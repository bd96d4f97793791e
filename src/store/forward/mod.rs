//! Forwarding: what the store has, in the order in which it came, to a database of the site's choice.
//!
//! At least once: a place in the store moves on only behind what the database took. Resending is harmless, since a
//! sample is named by its series and its time. Servers lose what they took but had not written yet when they are killed:
//! after every trouble the forwarding goes back to where it stood [`Pace::settle`] before, and that place is the one
//! that survives a restart. It never holds up a cycle: it is a task of its own, which holds the store only while it
//! reads.

mod canary;
mod line;
mod remote_write;
mod sink;
mod status;
mod tls;

pub use status::{CanaryStatus, ForwardStatus};

use super::journal::Place;
use super::names::SeriesName;
use super::tail::{Cursor, Portion};
use super::{Sample, Store};
use crate::site::{ForwardProtocol, ForwardSettings, Site};
use crate::snapshot::Quality;
use canary::Canary;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sink::{Ended, Sink};
use status::Shared;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A sample and its series.
pub(crate) type Row = (Arc<SeriesName>, Sample);

/// File of the place, in the store's directory.
const PLACE: &str = "forward";

/// Requests that one batch may take beyond its first, to find the rows that a database refuses; the parts that are left
/// then are dropped whole.
const SEARCHES: u32 = 40;

/// Smallest batch after a database found one too large.
const LEAST_BATCH: usize = 100;

/// How the forwarding keeps time, on the real clock.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Wait between two looks at a store that has nothing new.
    pub idle: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// First wait after trouble; doubled each time,
    pub first_retry: Duration,
    /// up to this.
    pub last_retry: Duration,
    /// Between two canaries.
    pub canary: Duration,
    /// What a server may lose when it is killed.
    pub settle: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_mins(1),
            canary: Duration::from_mins(1),
            settle: Duration::from_mins(1),
        }
    }
}

/// A forwarding under way.
#[derive(Debug)]
pub struct Forwarder {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Forwarder {
    /// Starts forwarding, where the site wants it. The error is a sentence that names the key.
    pub fn start(site: &Site, store: Arc<Mutex<Store>>, pace: Pace) -> Result<Option<Self>, String> {
        let settings = &site.forward;
        if settings.protocol == ForwardProtocol::None {
            return Ok(None);
        }
        let token = token(settings)?;
        let urls = [&settings.url, &settings.read_url];
        let tls = tls::connector(urls.iter().any(|url| url.starts_with("https:")), &settings.ca_file)?;
        let sink = Sink::new(settings, &site.name, &token, tls.clone(), &pace)?;
        let canary = Canary::new(settings, &site.name, &token, tls, &pace)?;
        let shared = Arc::new(Shared::new(settings.url.clone()));
        let (stop, stopped) = watch::channel(false);
        let (saved, cursor) = {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            let saved = store.dir().map(|dir| SavedPlace::new(dir, settings));
            let whole = saved.as_ref().and_then(SavedPlace::load);
            (saved, store.samples.cursor_after(whole))
        };
        let run = Run {
            store,
            sink,
            canary,
            pace,
            batch: settings.batch as usize,
            settled: cursor.clone(),
            candidate: None,
            cursor,
            saved,
            shared: Arc::clone(&shared),
            canary_ms: None,
            canary_at: None,
        };
        Ok(Some(Self {
            shared,
            stop,
            task: tokio::spawn(run.run(stopped)),
        }))
    }

    /// How it goes.
    pub fn status(&self) -> ForwardStatus {
        self.shared.get()
    }

    /// Ends the task; what is under way is sent again by the next one.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the forwarding panicked");
        }
    }
}

/// The secret, from the configuration (which the environment may set) or from its file.
fn token(settings: &ForwardSettings) -> Result<String, String> {
    if settings.token_file.is_empty() {
        return Ok(settings.token.clone());
    }
    let text = fs::read_to_string(&settings.token_file)
        .map_err(|error| format!("forward.token_file `{}`: {error}", settings.token_file))?;
    Ok(text.trim().to_owned())
}

/// The place in the store that survives a restart.
#[derive(Debug)]
struct SavedPlace {
    file: PathBuf,
    /// Names the database: another one is sent everything.
    target: String,
    last: Option<Place>,
}

#[derive(Serialize, Deserialize)]
struct PlaceFile {
    target: String,
    place: Place,
}

impl SavedPlace {
    fn new(dir: &Path, settings: &ForwardSettings) -> Self {
        let named = format!(
            "{:?} {} {} {}",
            settings.protocol, settings.url, settings.org, settings.bucket
        );
        let digest = Sha256::digest(named.as_bytes());
        Self {
            file: dir.join(PLACE),
            target: digest
                .iter()
                .take(8)
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
            last: None,
        }
    }

    fn load(&self) -> Option<Place> {
        let bytes = fs::read(&self.file).ok()?;
        let saved: PlaceFile = serde_json::from_slice(&bytes).ok()?;
        (saved.target == self.target).then_some(saved.place)
    }

    /// Saves a place, in one step; without one that is new it does nothing.
    fn save(&mut self, place: Option<Place>) {
        let Some(place) = place.filter(|place| self.last != Some(*place)) else {
            return;
        };
        let target = self.target.clone();
        let saved = serde_json::to_vec(&PlaceFile { target, place }).map_err(std::io::Error::other);
        let new = self.file.with_extension("new");
        let written = saved
            .and_then(|bytes| fs::write(&new, bytes))
            .and_then(|()| fs::rename(&new, &self.file));
        match written {
            Ok(()) => self.last = Some(place),
            // A restart then sends more again, which is harmless.
            Err(error) => tracing::warn!(%error, "the place of the forwarding could not be saved"),
        }
    }
}

/// What became of a portion.
#[derive(Debug, Default)]
struct Delivered {
    sent: u64,
    rejected: u64,
    why: Option<String>,
}

/// The task.
struct Run {
    store: Arc<Mutex<Store>>,
    sink: Sink,
    canary: Option<Canary>,
    pace: Pace,
    batch: usize,
    cursor: Cursor,
    /// Where the forwarding goes back to.
    settled: Cursor,
    /// Where it will go back to, and since when.
    candidate: Option<(Instant, Cursor)>,
    saved: Option<SavedPlace>,
    shared: Arc<Shared>,
    /// The last canary that was sent, and when.
    canary_ms: Option<i64>,
    canary_at: Option<Instant>,
}

impl Run {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        loop {
            let wait = match self.turn().await {
                Ok(Some(())) => {
                    failures = 0;
                    Duration::ZERO
                }
                Ok(None) => {
                    failures = 0;
                    self.pace.idle
                }
                Err((why, after)) => {
                    self.shared.trouble(&why);
                    if failures == 0 {
                        tracing::warn!(%why, "forwarding waits: the samples are kept");
                    }
                    // What the server took last may be gone with it.
                    self.cursor = self.settled.clone();
                    self.candidate = None;
                    let wait = self.backoff(failures).max(after.unwrap_or_default());
                    failures = failures.saturating_add(1);
                    wait
                }
            };
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Doubling, between a half and the whole of it by chance: many halls that lost one database do not return in step.
    fn backoff(&self, failures: u32) -> Duration {
        let whole = self
            .pace
            .first_retry
            .saturating_mul(1 << failures.min(16))
            .min(self.pace.last_retry);
        let chance = RandomState::new().hash_one(failures) % 1000;
        whole.mul_f64(0.5 + chance as f64 / 2000.0)
    }

    /// Sends what comes next; `None` where there is nothing new.
    async fn turn(&mut self) -> Result<Option<()>, (String, Option<Duration>)> {
        let portion = self.read().await.map_err(|why| (why, None))?;
        if portion.gone > 0 {
            self.shared.gone(portion.gone);
            tracing::warn!(
                chunks = portion.gone,
                "the store gave chunks up before they were forwarded"
            );
        }
        let nothing_new = portion.rows.is_empty() && portion.next == self.cursor;
        let mut rows: Vec<Row> = portion.rows;
        rows.retain(|(_, sample)| sample.quality == Quality::Good);
        let canary = self.due_canary();
        let mut verified = self.canary.is_none();
        if let Some(ms) = canary {
            verified = self.look_for_canary(ms).await?;
            rows.push(canary::row(ms));
        }
        let delivered = self.deliver(&rows).await?;
        if let Some(ms) = canary {
            (self.canary_ms, self.canary_at) = (Some(ms), Some(Instant::now()));
        }
        self.cursor = portion.next;
        self.settle(verified, canary.is_some());
        self.shared.went(delivered.sent, delivered.rejected, delivered.why);
        Ok((!nothing_new).then_some(()))
    }

    /// The next rows; notes what is left, whatever becomes of them.
    async fn read(&self) -> Result<Portion, String> {
        let (store, cursor, batch) = (Arc::clone(&self.store), self.cursor.clone(), self.batch);
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            shared.left(store.samples.backlog(&cursor));
            store.samples.portion(&cursor, batch)
        });
        match read.await {
            Ok(Ok(portion)) => Ok(portion),
            Ok(Err(error)) => Err(format!("the store cannot be read: {error}")),
            Err(error) => Err(format!("the store cannot be read: {error}")),
        }
    }

    /// Sends rows; those that the database refuses are searched for by halves, dropped and counted.
    async fn deliver(&mut self, rows: &[Row]) -> Result<Delivered, (String, Option<Duration>)> {
        let mut delivered = Delivered::default();
        let mut searches = SEARCHES;
        let mut parts: Vec<&[Row]> = rows.chunks(self.batch.max(1)).collect();
        parts.reverse();
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.sink.send(part).await {
                Ended::Accepted => delivered.sent += part.len() as u64,
                Ended::Rejected(why) => {
                    if part.len() == 1 || searches == 0 {
                        delivered.rejected += part.len() as u64;
                    } else {
                        searches -= 1;
                        halve(&mut parts, part);
                    }
                    delivered.why = Some(why);
                }
                Ended::TooLarge if part.len() > 1 => {
                    self.batch = (part.len() / 2).clamp(LEAST_BATCH.min(self.batch), self.batch);
                    halve(&mut parts, part);
                }
                Ended::TooLarge => {
                    delivered.rejected += 1;
                    delivered.why = Some("a single row is too large".to_owned());
                }
                Ended::Trouble(why, after) => return Err((why, after)),
            }
        }
        Ok(delivered)
    }

    /// What was sent long enough ago is the place to go back to; where a canary is read back, what was sent before one
    /// that was seen since.
    fn settle(&mut self, verified: bool, with_canary: bool) {
        if verified
            && let Some((since, settled)) = &self.candidate
            && since.elapsed() >= self.pace.settle
        {
            self.settled = settled.clone();
            self.candidate = None;
            if let Some(saved) = &mut self.saved {
                saved.save(self.settled.whole);
            }
        }
        if self.candidate.is_none() && (with_canary || self.canary.is_none()) {
            self.candidate = Some((Instant::now(), self.cursor.clone()));
        }
    }

    /// The time of a canary that is due.
    fn due_canary(&self) -> Option<i64> {
        self.canary.as_ref()?;
        let due = self.canary_at.is_none_or(|at| at.elapsed() >= self.pace.canary);
        due.then(|| jiff::Timestamp::now().as_millisecond())
    }

    /// Reads the last canary back, before the next one is sent; `false` where there is none yet.
    async fn look_for_canary(&mut self, now_ms: i64) -> Result<bool, (String, Option<Duration>)> {
        let (Some(canary), Some(sent_ms)) = (&mut self.canary, self.canary_ms) else {
            return Ok(false);
        };
        let newest = canary
            .newest(now_ms)
            .await
            .map_err(|why| (format!("the canary cannot be read back: {why}"), None))?;
        if newest.is_some_and(|newest| newest >= canary::value(sent_ms)) {
            self.shared.canary(true);
            return Ok(true);
        }
        self.shared.canary(false);
        self.canary_at = None;
        self.canary_ms = None;
        Err((
            "the database accepts what it does not keep: the canary is not there".to_owned(),
            None,
        ))
    }
}

fn halve<'r>(parts: &mut Vec<&'r [Row]>, part: &'r [Row]) {
    let (first, second) = part.split_at(part.len() / 2);
    parts.push(second);
    parts.push(first);
}
