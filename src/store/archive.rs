//! Reading the samples of a store from its directory, with or without a controller at work in it: export and analysis.

use super::column::Sample;
use super::names::SeriesName;
use super::query::buckets;
use super::read::ReadError;
use super::rollup::{Bucket, DAY_MS};
use super::samples::Samples;
use std::path::Path;
use std::sync::Arc;

/// How fine an answer shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Every sample.
    Raw,
    /// Buckets of a minute.
    Minutes,
    /// Buckets of a quarter of an hour.
    Quarters,
}

/// The samples in a store's directory.
#[derive(Debug)]
pub struct Archive {
    samples: Samples,
}

impl Archive {
    /// Opens a directory for reading. Needs no lock.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let samples = Samples::read(dir).map_err(|source| ReadError::Io {
            file: dir.to_owned(),
            source,
        })?;
        Ok(Self { samples })
    }

    /// Every series, by name.
    pub fn series(&self) -> Vec<Arc<SeriesName>> {
        let logs = self.samples.logs().into_iter();
        let mut names: Vec<_> = logs.flat_map(|log| log.names().cloned()).collect();
        names.extend(self.samples.series.iter().cloned());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Hands out the samples of a series from `from_ms` up to `to_ms` (wall ms), good or not.
    pub fn samples(&self, name: &SeriesName, from_ms: i64, to_ms: i64, take: &mut dyn FnMut(&Sample)) {
        self.samples.scan(name, from_ms, to_ms, |part| {
            part.iter()
                .filter(|sample| (from_ms..to_ms).contains(&sample.ms))
                .for_each(&mut *take);
        });
    }

    /// Hands out the buckets of a series that begin from `from_ms` up to `to_ms` (wall ms). A tier has the days that are
    /// over (UTC).
    pub fn buckets(&self, tier: Tier, name: &SeriesName, from_ms: i64, to_ms: i64, take: &mut dyn FnMut(&Bucket)) {
        let log = match tier {
            Tier::Quarters => &self.samples.quarters,
            Tier::Minutes | Tier::Raw => &self.samples.minutes,
        };
        let until_ms = to_ms.saturating_add(DAY_MS);
        for chunk in log.chunks().iter().filter(|chunk| chunk.overlaps(from_ms, until_ms)) {
            buckets(log, chunk, name)
                .iter()
                .filter(|bucket| (from_ms..to_ms).contains(&bucket.ms))
                .for_each(&mut *take);
        }
    }
}
