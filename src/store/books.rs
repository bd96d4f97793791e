//! The books: pages of a quarter of an hour in a journal of their own, which is kept for good. A year takes some ten MiB.

use super::disk::{Disk, RealDisk};
use super::journal::{Journal, Manner};
use super::read::{ReadError, Records};
use super::{SEGMENT_BYTES, StoreError, checkpoint};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

const BOOKS: &str = "books";
/// Pages that wait at most: those of a month.
const MOST_WAITING: usize = 31 * 96;

/// The journal of the books in a store's directory.
#[derive(Debug)]
pub struct Books {
    journal: Journal,
    /// Pages that the disk refused, with their times: they go first with the next one.
    waiting: VecDeque<(i64, Vec<u8>)>,
}

impl Books {
    /// Opens the books in a directory, made where absent.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_on(dir, Arc::new(RealDisk))
    }

    /// [`Books::open`] with the writes going through `disk`.
    pub fn open_on(dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let manner = Manner {
            disk,
            segment_bytes: SEGMENT_BYTES,
            segment_days: 31,
            in_order: true,
        };
        let (journal, recoveries) = Journal::open(&dir.join(BOOKS), manner).map_err(|source| StoreError::Open {
            dir: dir.to_owned(),
            source,
        })?;
        for recovery in recoveries {
            tracing::warn!(file = %recovery.file.display(), "{}", recovery.what);
        }
        Ok(Self {
            journal,
            waiting: VecDeque::new(),
        })
    }

    /// Appends a page. Where the disk refuses, the page waits in memory for the next append or [`Books::flush`]: a page
    /// that were lost would take its counters out of its day, whose shares are only handed over at the day's end.
    pub fn append<T: Serialize>(&mut self, wall_ms: i64, page: &T) -> Result<(), StoreError> {
        let bytes = postcard::to_stdvec(page).map_err(StoreError::Serialise)?;
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
            self.journal.count_loss();
        }
        self.waiting.push_back((wall_ms, bytes));
        self.flush()
    }

    /// Writes the pages that wait.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let fail = |source| StoreError::Write { what: "books", source };
        while let Some((wall_ms, bytes)) = self.waiting.front() {
            let written = self.journal.append((*wall_ms, *wall_ms), bytes);
            written.and_then(|_| self.journal.sync()).map_err(fail)?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.journal.segments().is_empty()
    }

    /// The pages in a store's directory, oldest first. Needs no lock: a controller may be writing.
    pub fn read<T: DeserializeOwned>(dir: &Path) -> Result<Records<T>, ReadError> {
        Records::open(&dir.join(BOOKS))
    }
}

/// The newest memory of a controller that was saved whole in a store's directory.
pub fn saved_mind(dir: &Path) -> Option<Vec<u8>> {
    checkpoint::load(dir)
}
