//! The books: pages of a quarter of an hour in a journal of their own, which is kept for good. A year takes some ten MiB.

use super::disk::{Disk, RealDisk};
use super::journal::{Journal, Manner};
use super::read::{ReadError, Records};
use super::{SEGMENT_BYTES, StoreError, checkpoint};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;

const BOOKS: &str = "books";

/// The journal of the books in a store's directory.
#[derive(Debug)]
pub struct Books {
    journal: Journal,
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
        Ok(Self { journal })
    }

    /// Appends a page.
    pub fn append<T: Serialize>(&mut self, wall_ms: i64, page: &T) -> Result<(), StoreError> {
        let bytes = postcard::to_stdvec(page).map_err(StoreError::Serialise)?;
        let written = self.journal.append((wall_ms, wall_ms), &bytes);
        if written.is_err() {
            self.journal.count_loss();
        }
        written
            .and_then(|_| self.journal.sync())
            .map_err(|source| StoreError::Write { what: "books", source })
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
