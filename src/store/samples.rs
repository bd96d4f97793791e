//! Every sample of every series: the open chunk in memory and in its log, closed chunks in a journal, and the coarser
//! tiers made of them.

use super::chunk::Chunk;
use super::chunk_log::{ChunkLog, ChunkRef};
use super::column::{Sample, put_samples};
use super::disk::Disk;
use super::journal::{Journal, Manner, Outage, Recovery};
use super::names::SeriesName;
use super::rollup::{self, DAY_MS, QUARTER_MS};
use super::wal::{self, Row, Wal};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A chunk ends with its quarter of an hour; or when a series has this many rows,
const CHUNK_ROWS: usize = 16_384;

/// or all series together this many: what memory holds.
const CHUNK_ROWS_IN_ALL: usize = 4 << 20;

/// Most series; further ones are refused, so that a label that never repeats cannot eat the memory.
const MAX_SERIES: usize = 200_000;

pub(super) const RAW: &str = "samples";
const MINUTES: &str = "minutes";
const QUARTERS: &str = "quarters";

#[derive(Debug, Default)]
pub(super) struct Samples {
    dir: PathBuf,
    pub raw: ChunkLog,
    pub minutes: ChunkLog,
    pub quarters: ChunkLog,
    pub series: Vec<Arc<SeriesName>>,
    index: HashMap<Arc<SeriesName>, usize>,
    /// By series.
    pub open: Vec<Vec<Sample>>,
    open_rows: usize,
    open_span_ms: Option<(i64, i64)>,
    /// The quarter of an hour of the open chunk.
    open_quarter: i64,
    disk: Option<Arc<dyn Disk>>,
    wal: Option<Wal>,
    outage: Option<Outage>,
    /// The day of the newest chunk when the tiers were last made.
    rolled_on: Option<i64>,
}

impl Samples {
    /// Samples in `dir`, which is made where absent.
    pub(super) fn open(dir: &Path, manner: &Manner) -> io::Result<(Self, Vec<Recovery>)> {
        let tier = |name: &str, segment_days| {
            let manner = Manner {
                segment_days,
                in_order: false,
                ..manner.clone()
            };
            ChunkLog::open(&dir.join(name), manner)
        };
        let (raw, mut recoveries) = tier(RAW, 1)?;
        let (minutes, more) = tier(MINUTES, 30)?;
        recoveries.extend(more);
        let (quarters, more) = tier(QUARTERS, 360)?;
        recoveries.extend(more);
        let mut samples = Self {
            dir: dir.to_owned(),
            raw,
            minutes,
            quarters,
            disk: Some(Arc::clone(&manner.disk)),
            ..Self::default()
        };
        recoveries.extend(samples.take_up()?);
        samples.roll_days()?;
        Ok((samples, recoveries))
    }

    /// The samples in `dir`, for reading alone: a controller may be writing.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let mut samples = Self {
            dir: dir.to_owned(),
            raw: ChunkLog::read(&dir.join(RAW))?,
            minutes: ChunkLog::read(&dir.join(MINUTES))?,
            quarters: ChunkLog::read(&dir.join(QUARTERS))?,
            ..Self::default()
        };
        samples.take_up()?;
        Ok(samples)
    }

    /// Takes up the series of all chunks, and the open chunk that the last run left.
    fn take_up(&mut self) -> io::Result<Option<Recovery>> {
        for name in self.raw.names().cloned().collect::<BTreeSet<_>>() {
            self.series_of(name);
        }
        let Some(found) = wal::read(&self.dir)? else {
            return Ok(None);
        };
        let places = || self.raw.chunks().iter().filter_map(ChunkRef::place);
        if places().any(|place| place >= found.base) {
            return Ok(None);
        }
        let series: Vec<_> = (found.names.into_iter())
            .map(|name| self.series_of(Arc::new(name)))
            .collect();
        for (place, sample) in found.rows {
            if let Some(Some(index)) = series.get(place) {
                self.push(*index, sample);
                self.open_quarter = self.open_quarter.max(sample.ms.div_euclid(QUARTER_MS));
            }
        }
        Ok((found.torn_bytes > 0).then(|| Recovery {
            file: wal::path(&self.dir),
            what: format!(
                "the last append was cut off, {} bytes: it was never acknowledged and is left out",
                found.torn_bytes
            ),
        }))
    }

    /// The index of a series, which is made where it is new; `None` where there are too many.
    pub(super) fn series_of(&mut self, name: Arc<SeriesName>) -> Option<usize> {
        if let Some(known) = self.index.get(&name) {
            return Some(*known);
        }
        if self.series.len() >= MAX_SERIES {
            return None;
        }
        let index = self.series.len();
        self.series.push(Arc::clone(&name));
        self.index.insert(name, index);
        self.open.push(Vec::new());
        Some(index)
    }

    /// The index of a series that exists.
    pub(super) fn find(&self, name: &SeriesName) -> Option<usize> {
        self.index.get(name).copied()
    }

    fn push(&mut self, index: usize, sample: Sample) {
        if let Some(column) = self.open.get_mut(index) {
            column.push(sample);
            self.open_rows += 1;
            let (from_ms, to_ms) = self.open_span_ms.unwrap_or((sample.ms, sample.ms));
            self.open_span_ms = Some((from_ms.min(sample.ms), to_ms.max(sample.ms)));
        }
    }

    /// Appends rows at a wall time. An answer of `Ok` acknowledges them: no crash of the process takes them. After an
    /// error they are in memory, and on disk with a later append that succeeds.
    pub(super) fn append(&mut self, now_ms: i64, rows: &[Row]) -> io::Result<()> {
        let quarter = now_ms.div_euclid(QUARTER_MS);
        let full = self.open_rows >= CHUNK_ROWS_IN_ALL || self.open.iter().any(|column| column.len() >= CHUNK_ROWS);
        if self.open_rows > 0 && (full || quarter != self.open_quarter) {
            self.close_chunk();
        }
        self.open_quarter = quarter;
        for (index, sample) in rows {
            self.push(*index, *sample);
        }
        let written = self.write(rows);
        match &written {
            Err(error) => {
                let outage = Outage {
                    since_ms: now_ms,
                    reason: error.to_string(),
                    lost: 0,
                };
                self.outage.get_or_insert(outage);
            }
            Ok(()) => self.outage = None,
        }
        written
    }

    fn write(&mut self, rows: &[Row]) -> io::Result<()> {
        self.write_chunks()?;
        self.roll_days()?;
        let Some(disk) = &self.disk else { return Ok(()) };
        let logged = match &mut self.wal {
            Some(wal) => wal.append(&**disk, &self.series, rows),
            None => self.begin_wal(),
        };
        // What an append left out, the log begun anew has.
        logged.inspect_err(|_| self.wal = None)
    }

    fn begin_wal(&mut self) -> io::Result<()> {
        let (Some(disk), Some(journal)) = (&self.disk, self.raw.journal()) else {
            return Ok(());
        };
        let columns = self.open.iter().enumerate();
        let all: Vec<Row> = columns
            .flat_map(|(index, column)| column.iter().map(move |sample| (index, *sample)))
            .collect();
        self.wal = Some(Wal::begin(&self.dir, &**disk, journal.end(), &self.series, &all)?);
        Ok(())
    }

    fn close_chunk(&mut self) {
        let Some(span_ms) = self.open_span_ms.take() else {
            return;
        };
        let mut chunk = Chunk::default();
        for (name, column) in self.series.iter().zip(&mut self.open) {
            if column.is_empty() {
                continue;
            }
            let mut body = Vec::new();
            put_samples(&mut body, column);
            chunk.push(Arc::clone(name), column.iter().map(|sample| sample.ms).collect(), body);
            column.clear();
        }
        self.open_rows = 0;
        self.raw.push(span_ms, chunk);
    }

    /// Brings closed chunks to the disk; the log of the open one begins anew once they are.
    fn write_chunks(&mut self) -> io::Result<()> {
        if self.raw.write_pending()? {
            // Only what is surely on disk may leave the log.
            self.raw.journal().map_or(Ok(()), Journal::sync)?;
            self.wal = None;
        }
        Ok(())
    }

    /// Makes the coarser tiers of the days that are over.
    fn roll_days(&mut self) -> io::Result<()> {
        if self.disk.is_none() {
            return Ok(());
        }
        let Some(newest) = self.raw.chunks().back().map(|chunk| chunk.to_ms.div_euclid(DAY_MS)) else {
            return Ok(());
        };
        if self.rolled_on == Some(newest) {
            return self.write_tiers();
        }
        let day_of = |ms: i64| ms.div_euclid(DAY_MS);
        let rolled: BTreeSet<i64> = self
            .minutes
            .chunks()
            .iter()
            .map(|chunk| day_of(chunk.from_ms))
            .collect();
        let with_samples = self
            .raw
            .chunks()
            .iter()
            .filter(|chunk| chunk.to_ms - chunk.from_ms < 2 * DAY_MS);
        let days: BTreeSet<i64> = with_samples
            .flat_map(|chunk| day_of(chunk.from_ms)..=day_of(chunk.to_ms))
            .collect();
        for day in days.difference(&rolled).filter(|day| **day < newest) {
            let (minutes, quarters) = rollup::roll(&self.raw, *day);
            let span_ms = (day * DAY_MS, (day + 1) * DAY_MS - 1);
            self.minutes.push(span_ms, minutes);
            self.quarters.push(span_ms, quarters);
        }
        self.rolled_on = Some(newest);
        self.write_tiers()
    }

    fn write_tiers(&mut self) -> io::Result<()> {
        self.minutes.write_pending()?;
        self.quarters.write_pending().map(|_| ())
    }

    /// Closes the open chunk and brings everything to the disk.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.close_chunk();
        self.write_chunks()?;
        for log in self.logs() {
            log.journal().map_or(Ok(()), Journal::sync)?;
        }
        Ok(())
    }

    /// Brings everything appended to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.wal.as_ref().map_or(Ok(()), Wal::sync)
    }

    /// The tiers, the finest first.
    pub(super) const fn logs(&self) -> [&ChunkLog; 3] {
        [&self.raw, &self.minutes, &self.quarters]
    }

    /// The tiers, the finest first.
    pub(super) const fn logs_mut(&mut self) -> [&mut ChunkLog; 3] {
        [&mut self.raw, &mut self.minutes, &mut self.quarters]
    }

    /// The outage that lasts.
    pub(super) fn outage(&self) -> Option<&Outage> {
        let mut journals = self.logs().into_iter().filter_map(ChunkLog::journal);
        journals.find_map(Journal::outage).or(self.outage.as_ref())
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let journals = self.logs().into_iter().filter_map(ChunkLog::journal);
        journals.map(Journal::bytes).sum::<u64>() + self.wal.as_ref().map_or(0, Wal::bytes)
    }

    /// Rows in the open chunk.
    pub(super) const fn open_rows(&self) -> usize {
        self.open_rows
    }

    /// Wall times of the first and the last row in the open chunk, ms.
    pub(super) const fn open_span_ms(&self) -> Option<(i64, i64)> {
        self.open_span_ms
    }
}
