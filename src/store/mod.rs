//! Every sample and every decision on local disk, with nothing to install.
//!
//! A directory holds `records/` (the journal of cycles), `samples/` (the journal of columnar chunks), `mind` (the
//! newest checkpoint), `mind.previous` and `lock`. Both journals are append-only and hash-chained; see [`verify`].
//! A disk that refuses to write puts the store into an [`Outage`]: appends answer an error, reads go on from memory,
//! every further append tries again, and the first that succeeds records what is missing.

mod books;
mod checkpoint;
mod chunk;
mod disk;
mod frame;
mod journal;
mod read;
mod segment;
mod series;
mod varint;

pub use books::{Books, saved_mind};
pub use chunk::Sample;
pub use disk::{Disk, RealDisk};
pub use journal::{Outage, Recovery};
pub use read::{Flaw, ReadError, Records, Verified};
pub use series::Bucket;

use crate::site::{PointId, Site, StoreSettings};
use crate::snapshot::{Now, Snapshot};
use journal::{Journal, Manner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use series::Series;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORDS: &str = "records";
const SAMPLES: &str = "samples";

/// Largest segment; deletion goes by whole segments.
const SEGMENT_BYTES: u64 = 16 << 20;

/// How often appended records are forced to the disk, s: what a power cut may take. A crash of the process alone takes
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

/// The local record of one controller.
#[derive(Debug)]
pub struct Store {
    disk: Option<OnDisk>,
    samples: Series,
    recoveries: Vec<Recovery>,
}

#[derive(Debug)]
struct OnDisk {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    records: Journal,
    synced_mono_ms: Option<u64>,
    retention_days: u32,
    max_bytes: u64,
    /// Held as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens the store that the settings name; an empty directory name keeps a day of samples in memory and no more.
    pub fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        Self::open_on(settings, Arc::new(RealDisk))
    }

    /// [`Store::open`] with the writes going through `disk`.
    pub fn open_on(settings: &StoreSettings, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        if settings.dir.is_empty() {
            return Ok(Self {
                disk: None,
                samples: Series::default(),
                recoveries: Vec::new(),
            });
        }
        let dir = PathBuf::from(&settings.dir);
        let lock = lock(&dir)?;
        let fail = |source| StoreError::Open {
            dir: dir.clone(),
            source,
        };
        let max_bytes = settings.max_mib.saturating_mul(1 << 20);
        let segment_bytes = (max_bytes / 16).clamp(1 << 16, SEGMENT_BYTES);
        let manner = |in_order| Manner {
            disk: Arc::clone(&disk),
            segment_bytes,
            in_order,
        };
        let (records, mut recoveries) = Journal::open(&dir.join(RECORDS), manner(true)).map_err(fail)?;
        let (samples, more) = Series::open(&dir.join(SAMPLES), manner(false)).map_err(fail)?;
        recoveries.extend(more);
        for Recovery { file, what } in &recoveries {
            tracing::warn!(file = %file.display(), "{what}");
        }
        let on_disk = OnDisk {
            dir,
            disk,
            records,
            synced_mono_ms: None,
            retention_days: settings.retention_days,
            max_bytes,
            _lock: lock,
        };
        Ok(Self {
            disk: Some(on_disk),
            samples,
            recoveries,
        })
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
            written = disk.records.sync();
            disk.synced_mono_ms = Some(now.mono_ms);
        }
        let retained = self.retain(now.wall_ms);
        written
            .and(retained)
            .map_err(|source| StoreError::Write { what: "record", source })
    }

    /// Appends the readings that are new in a snapshot. They are in memory at once and on disk with their chunk.
    pub fn append_samples(&mut self, site: &Site, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.samples.append(site, snapshot).map_err(|source| StoreError::Write {
            what: "samples",
            source,
        })
    }

    /// The good samples of a point from `from_ms` up to `to_ms` (wall ms), gathered into at most `max_points` equal
    /// steps; steps without a sample are left out.
    pub fn series(&self, point: PointId, from_ms: i64, to_ms: i64, max_points: usize) -> Vec<Bucket> {
        self.samples.query(point, from_ms, to_ms, max_points)
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

    /// What was mended when the store was opened.
    pub fn recoveries(&self) -> &[Recovery] {
        &self.recoveries
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.records.bytes()) + self.samples.journal().map_or(0, Journal::bytes)
    }

    /// Segments on disk.
    pub fn segments(&self) -> u64 {
        let count = |journal: &Journal| journal.segments().len() as u64;
        self.disk.as_ref().map_or(0, |disk| count(&disk.records)) + self.samples.journal().map_or(0, count)
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

    /// Deletes the oldest segments that are too old, or too many for the size.
    fn retain(&mut self, now_ms: i64) -> io::Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let (days, max_bytes) = (disk.retention_days, disk.max_bytes);
        let outlived = |journal: &Journal| journal.is_oldest_outlived(now_ms, days);
        while outlived(&disk.records) {
            disk.records.delete_oldest()?;
        }
        while self.samples.journal().is_some_and(outlived) {
            self.samples.delete_oldest()?;
        }
        while self.bytes() > max_bytes {
            let Some(disk) = &mut self.disk else { break };
            let samples_ms = self.samples.journal().and_then(Journal::oldest_ms);
            match (disk.records.oldest_ms(), samples_ms) {
                (None, None) => break,
                (Some(record_ms), Some(sample_ms)) if sample_ms < record_ms => self.samples.delete_oldest()?,
                (Some(_), _) => drop(disk.records.delete_oldest()?),
                (None, Some(_)) => self.samples.delete_oldest()?,
            }
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the last samples were not kept");
        }
    }
}

/// Checks both journals of a store's directory, records first: checksums, hash chain, packing, no segment missing
/// between the oldest and the newest. What the chain cannot show is the loss of whole segments at the beginning (that
/// is retention) and of frames at the end: compare [`Verified::head`] with one that was noted elsewhere.
pub fn verify(dir: &Path) -> Result<(Verified, Verified), ReadError> {
    Ok((read::verify(&dir.join(RECORDS))?, read::verify(&dir.join(SAMPLES))?))
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
