//! Every sample and every decision on local disk, with nothing to install.
//!
//! A directory holds `records/` (the journal of cycles), `samples/` (raw samples in columnar chunks of a quarter of an
//! hour), `minutes/` and `quarters/` (coarser tiers, made when a day is over), `open` (the log of the chunk that is
//! open), `mind` (the newest checkpoint), `mind.previous` and `lock`. Journals are append-only and hash-chained; see
//! [`verify`]. A disk that refuses to write puts the store into an [`Outage`]: appends answer an error, reads go on from
//! memory, every further append tries again, and the first that succeeds records what is missing.

mod archive;
mod books;
mod checkpoint;
mod chunk;
mod chunk_log;
mod column;
mod disk;
mod forward;
mod frame;
mod integers;
mod journal;
mod names;
mod query;
mod read;
mod rollup;
mod samples;
mod segment;
mod tail;
mod varint;
mod wal;

pub use archive::{Archive, Tier};
pub use books::{Books, saved_mind};
pub use column::Sample;
pub use disk::{Disk, RealDisk};
pub use forward::{CanaryStatus, ForwardStatus, Forwarder, Pace};
pub use journal::{Outage, Recovery};
pub use names::SeriesName;
pub use read::{Flaw, ReadError, Records, Verified};
pub use rollup::Bucket;

use crate::site::{Site, StoreSettings};
use crate::snapshot::{Now, Quality, Snapshot};
use chunk_log::ChunkLog;
use journal::{Journal, Manner};
use samples::Samples;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORDS: &str = "records";

/// Largest segment; deletion goes by whole segments.
const SEGMENT_BYTES: u64 = 16 << 20;

/// How often what was appended is forced to the disk, s: what a power cut may take. A crash of the process alone takes
/// nothing.
const SYNC_S: f64 = 30.0;

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another controller uses the directory.
    #[error("`{}` is in use by another controller: give each its own store.dir", .0.display())]
    InUse(PathBuf),
    /// The directory cannot be used.
    #[error("`{}` cannot be used", dir.display())]
    Open {
        /// The directory.
        dir: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The disk refused; the store is in an [`Outage`] and tries again with the next append.
    #[error("the {what} could not be written")]
    Write {
        /// What.
        what: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// The value cannot be serialised.
    #[error("the record cannot be serialised")]
    Serialise(#[source] postcard::Error),
}

/// Takes a figure: family, labels, value.
pub type TakeFigure<'a> = &'a mut dyn FnMut(&str, &[(&str, &str)], f64);

/// The local record of one controller.
#[derive(Debug)]
pub struct Store {
    disk: Option<OnDisk>,
    samples: Samples,
    points: Points,
    /// What the last [`Store::append_figures`] had, in its order: the next one has almost the same.
    figures: Vec<(Arc<SeriesName>, Option<usize>)>,
    recoveries: Vec<Recovery>,
}

#[derive(Debug)]
struct OnDisk {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    records: Journal,
    synced_mono_ms: Option<u64>,
    settings: StoreSettings,
    /// Held as long as the store is open.
    _lock: File,
}

/// The points of the configuration in force.
#[derive(Debug, Default)]
struct Points {
    site_hash: String,
    /// By point: its series, and the monotonic time of its last sample, ms: a reading is kept once, however often it is
    /// seen.
    known: Vec<(Option<usize>, Option<u64>)>,
}

impl Store {
    /// Opens the store that the settings name; an empty directory name keeps a day of samples in memory and no more.
    pub fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        Self::open_on(settings, Arc::new(RealDisk))
    }

    /// [`Store::open`] with the writes going through `disk`.
    pub fn open_on(settings: &StoreSettings, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let mut store = Self {
            disk: None,
            samples: Samples::default(),
            points: Points::default(),
            figures: Vec::new(),
            recoveries: Vec::new(),
        };
        if settings.dir.is_empty() {
            return Ok(store);
        }
        let dir = PathBuf::from(&settings.dir);
        let lock = lock(&dir)?;
        let fail = |source| StoreError::Open {
            dir: dir.clone(),
            source,
        };
        let manner = Manner {
            disk: Arc::clone(&disk),
            segment_bytes: (settings.max_mib.saturating_mul(1 << 20) / 16).clamp(1 << 16, SEGMENT_BYTES),
            segment_days: 1,
            in_order: true,
        };
        let (samples, recoveries) = Samples::open(&dir, &manner).map_err(fail)?;
        let (records, more) = Journal::open(&dir.join(RECORDS), manner).map_err(fail)?;
        store.samples = samples;
        store.recoveries = more.into_iter().chain(recoveries).collect();
        for Recovery { file, what } in &store.recoveries {
            tracing::warn!(file = %file.display(), "{what}");
        }
        store.disk = Some(OnDisk {
            dir,
            disk,
            records,
            synced_mono_ms: None,
            settings: settings.clone(),
            _lock: lock,
        });
        Ok(store)
    }

    /// Appends a record.
    pub fn append_record<T: Serialize>(&mut self, now: Now, record: &T) -> Result<(), StoreError> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let bytes = postcard::to_stdvec(record).map_err(StoreError::Serialise)?;
        let lasted = disk.records.outage().cloned();
        let mut written = disk.records.append((now.wall_ms, now.wall_ms), &bytes).map(|_| ());
        if written.is_err() {
            disk.records.count_loss();
        } else if let Some(outage) = lasted {
            tracing::info!(lost = outage.lost, "records are kept again");
        }
        if written.is_ok() && disk.synced_mono_ms.is_none_or(|at| now.seconds_since(at) >= SYNC_S) {
            written = disk.records.sync().and_then(|()| self.samples.sync());
            disk.synced_mono_ms = Some(now.mono_ms);
        }
        let retained = self.retain(now.wall_ms);
        written
            .and(retained)
            .map_err(|source| StoreError::Write { what: "record", source })
    }

    /// Appends the readings that are new in a snapshot. An answer of `Ok` means that no crash of the process takes them.
    pub fn append_samples(&mut self, site: &Site, snapshot: &Snapshot) -> Result<(), StoreError> {
        if self.points.known.is_empty() || site.hash != self.points.site_hash {
            let series = site.points.iter().map(|point| {
                let name = SeriesName::point(&point.tag, point.unit.symbol());
                (self.samples.series_of(Arc::new(name)), None)
            });
            self.points.known = series.collect();
            self.points.site_hash.clone_from(&site.hash);
        }
        let now = snapshot.now;
        let mut rows = Vec::with_capacity(snapshot.readings.len());
        for (reading, (series, last)) in snapshot.readings.iter().zip(&mut self.points.known) {
            let Some(reading) = reading.filter(|reading| reading.value.is_finite()) else {
                continue;
            };
            if *last == Some(reading.mono_ms) {
                continue;
            }
            *last = Some(reading.mono_ms);
            let age_ms = i64::try_from(now.mono_ms.saturating_sub(reading.mono_ms)).unwrap_or(i64::MAX);
            if let Some(series) = series {
                let sample = Sample {
                    ms: now.wall_ms.saturating_sub(age_ms),
                    value: reading.value,
                    quality: reading.quality,
                };
                rows.push((*series, sample));
            }
        }
        self.append(now.wall_ms, &rows)
    }

    /// Appends figures of one moment: family, labels and value each. Values are rounded to 0.0001, finer than anything
    /// that is measured; the records have them in full.
    pub fn append_figures(&mut self, now: Now, each: impl FnOnce(TakeFigure<'_>)) -> Result<(), StoreError> {
        let (mut rows, mut place) = (Vec::with_capacity(self.figures.len()), 0);
        each(&mut |family, labels, value| {
            if !self.figures.get(place).is_some_and(|(name, _)| name.is(family, labels)) {
                let name = Arc::new(SeriesName::new(family, labels));
                self.figures.truncate(place);
                let index = self.samples.series_of(Arc::clone(&name));
                self.figures.push((name, index));
            }
            if let Some((_, Some(series))) = self.figures.get(place)
                && value.is_finite()
            {
                let sample = Sample {
                    ms: now.wall_ms,
                    value: rounded(value),
                    quality: Quality::Good,
                };
                rows.push((*series, sample));
            }
            place += 1;
        });
        self.append(now.wall_ms, &rows)
    }

    /// Appends samples as they are: series and sample each. The time of appending is that of `now_ms`.
    pub fn append_rows(&mut self, now_ms: i64, rows: &[(SeriesName, Sample)]) -> Result<(), StoreError> {
        let finite = rows.iter().filter(|(_, sample)| sample.value.is_finite());
        let rows: Vec<_> = finite
            .filter_map(|(name, sample)| Some((self.samples.series_of(Arc::new(name.clone()))?, *sample)))
            .collect();
        self.append(now_ms, &rows)
    }

    fn append(&mut self, now_ms: i64, rows: &[(usize, Sample)]) -> Result<(), StoreError> {
        let appended = self.samples.append(now_ms, rows);
        appended.map_err(|source| StoreError::Write {
            what: "samples",
            source,
        })
    }

    /// The good samples of a series from `from_ms` up to `to_ms` (wall ms), gathered into at most `max_points` equal
    /// steps; steps without a sample are left out.
    pub fn series(&self, name: &SeriesName, from_ms: i64, to_ms: i64, max_points: usize) -> Vec<Bucket> {
        self.samples.query(name, from_ms, to_ms, max_points)
    }

    /// The last good sample of a series that is no older than `since_ms` (wall ms).
    pub fn last(&self, name: &SeriesName, since_ms: i64) -> Option<Sample> {
        self.samples.last(name, since_ms)
    }

    /// Saves the memory of the controller.
    pub fn save_mind(&self, mind: &[u8]) -> Result<(), StoreError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        checkpoint::save(&disk.dir, &*disk.disk, mind).map_err(|source| StoreError::Write {
            what: "memory of the controller",
            source,
        })
    }

    /// The newest memory that was saved whole.
    pub fn load_mind(&self) -> Option<Vec<u8>> {
        self.disk.as_ref().and_then(|disk| checkpoint::load(&disk.dir))
    }

    /// The records in a store's directory, oldest first. Needs no lock: a controller may be writing.
    pub fn records<T: DeserializeOwned>(dir: &Path) -> Result<Records<T>, ReadError> {
        Records::open(&dir.join(RECORDS))
    }

    /// The outage that lasts: since when the disk refuses, why, and how much is lost; `None` while all is kept.
    pub fn outage(&self) -> Option<&Outage> {
        let of_records = self.disk.as_ref().and_then(|disk| disk.records.outage());
        of_records.or_else(|| self.samples.outage())
    }

    /// Where it is; `None` for one in memory.
    fn dir(&self) -> Option<&Path> {
        self.disk.as_ref().map(|disk| disk.dir.as_path())
    }

    /// What was mended when the store was opened.
    pub fn recoveries(&self) -> &[Recovery] {
        &self.recoveries
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.records.bytes()) + self.samples.bytes()
    }

    /// Segments on disk.
    pub fn segments(&self) -> u64 {
        let records = self.disk.as_ref().map(|disk| &disk.records);
        let journals = self
            .samples
            .logs()
            .into_iter()
            .filter_map(ChunkLog::journal)
            .chain(records);
        journals.map(|journal| journal.segments().len() as u64).sum()
    }

    /// Brings everything to the disk.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.samples.flush().map_err(|source| StoreError::Write {
            what: "samples",
            source,
        })?;
        let Some(disk) = &self.disk else { return Ok(()) };
        disk.records.sync().map_err(|source| StoreError::Write {
            what: "records",
            source,
        })
    }

    /// Deletes the oldest segments that are too old; and where all take too much space, the oldest segment of records or
    /// raw samples, then of minutes, then of quarters.
    fn retain(&mut self, now_ms: i64) -> io::Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let settings = &disk.settings;
        while disk.records.is_oldest_outlived(now_ms, settings.retention_days) {
            disk.records.delete_oldest()?;
        }
        let days = [settings.raw_days, settings.minute_days, settings.quarter_days];
        let max_bytes = settings.max_mib.saturating_mul(1 << 20);
        for (log, days) in self.samples.logs_mut().into_iter().zip(days) {
            while log
                .journal()
                .is_some_and(|journal| journal.is_oldest_outlived(now_ms, days))
            {
                log.delete_oldest()?;
            }
        }
        while self.bytes() > max_bytes {
            let Some(disk) = &mut self.disk else { break };
            let records_ms = disk.records.oldest_ms();
            let oldest_ms = |log: &ChunkLog| log.journal().and_then(Journal::oldest_ms);
            let [raw, minutes, quarters] = self.samples.logs_mut();
            match (records_ms, oldest_ms(raw)) {
                (Some(records_ms), raw_ms) if raw_ms.is_none_or(|raw_ms| records_ms <= raw_ms) => {
                    disk.records.delete_oldest()?;
                }
                (_, Some(_)) => raw.delete_oldest()?,
                _ if oldest_ms(minutes).is_some() => minutes.delete_oldest()?,
                _ if oldest_ms(quarters).is_some() => quarters.delete_oldest()?,
                _ => break,
            }
        }
        Ok(())
    }
}

/// Four decimals, where a double has as many.
fn rounded(value: f64) -> f64 {
    if value.abs() < 1e11 {
        (value * 1e4).round() / 1e4
    } else {
        value
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the last samples were not kept");
        }
    }
}

/// Checks the journals of records and of raw samples in a store's directory: checksums, hash chain, packing, no segment
/// missing between the oldest and the newest. What the chain cannot show is the loss of whole segments at the beginning (that
/// is retention) and of frames at the end: compare [`Verified::head`] with one that was noted elsewhere.
pub fn verify(dir: &Path) -> Result<(Verified, Verified), ReadError> {
    Ok((
        read::verify(&dir.join(RECORDS))?,
        read::verify(&dir.join(samples::RAW))?,
    ))
}

/// Takes the directory for this process.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let fail = |source| StoreError::Open {
        dir: dir.to_owned(),
        source,
    };
    fs::create_dir_all(dir).map_err(fail)?;
    let file = File::options()
        .create(true)
        .append(true)
        .open(dir.join("lock"))
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}

#[cfg(test)]
mod tests;
