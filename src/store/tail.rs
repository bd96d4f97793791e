//! Reading the samples in the order in which they came, from a place on: what forwarding follows.
//!
//! A place is a chunk, a column in it, and for the open chunk how many rows of each series were read. Only whole chunks
//! have a place that survives a restart; what was read of a later one is read again.

use super::column::{Sample, get_samples};
use super::journal::Place;
use super::names::SeriesName;
use super::samples::Samples;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Where a reader stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Number of the chunk.
    chunk: u64,
    /// Columns read of it, where it is closed.
    columns: usize,
    /// By series: rows read of it while it was open.
    rows: HashMap<usize, usize>,
    /// The last chunk that was read whole and is on disk.
    pub whole: Option<Place>,
}

/// What comes next.
#[derive(Debug, Default)]
pub(super) struct Portion {
    pub rows: Vec<(Arc<SeriesName>, Sample)>,
    /// Where the reader stands after it.
    pub next: Cursor,
    /// Chunks that are gone: retention, or an outage of the disk that outlasted the memory, was faster than the reader.
    pub gone: u64,
}

/// What a reader has before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub rows: u64,
    /// Wall time of the first sample that is not read, ms; `None` where all are.
    pub from_ms: Option<i64>,
    /// Wall time of the newest sample, ms.
    pub newest_ms: Option<i64>,
}

impl Samples {
    /// A reader that stands behind a chunk; before all where it is `None`.
    pub(super) fn cursor_after(&self, whole: Option<Place>) -> Cursor {
        let is_next = |place: Option<Place>| place.is_none_or(|place| whole.is_none_or(|whole| place > whole));
        let next = self.raw.chunks().iter().find(|chunk| is_next(chunk.place()));
        Cursor {
            chunk: next.map_or(self.raw.next_number(), |chunk| chunk.number),
            whole,
            ..Cursor::default()
        }
    }

    /// The next rows, about `most`; none where the reader has all.
    pub(super) fn portion(&self, cursor: &Cursor, most: usize) -> io::Result<Portion> {
        let mut portion = Portion {
            next: cursor.clone(),
            ..Portion::default()
        };
        let next = &mut portion.next;
        let found = self.raw.chunks().iter().find(|chunk| chunk.number >= next.chunk);
        let number = found.map_or(self.raw.next_number(), |chunk| chunk.number);
        if number > next.chunk {
            portion.gone = number - next.chunk;
            *next = Cursor {
                chunk: number,
                whole: next.whole,
                ..Cursor::default()
            };
        }
        let Some(chunk) = found else {
            for (series, (name, open)) in self.series.iter().zip(&self.open).enumerate() {
                let read = next.rows.entry(series).or_default();
                let new = open.get(*read..).unwrap_or_default();
                portion
                    .rows
                    .extend(new.iter().map(|sample| (Arc::clone(name), *sample)));
                *read = open.len();
                if portion.rows.len() >= most {
                    break;
                }
            }
            return Ok(portion);
        };
        let loaded = self.raw.load(chunk)?;
        let series = loaded.series()?;
        for name in series.iter().skip(next.columns) {
            let (times, body) = loaded.find(name)?;
            let samples = get_samples(&times, &body)?;
            let read = self.find(name).and_then(|index| next.rows.get(&index));
            let new = samples.get(read.copied().unwrap_or(0)..).unwrap_or_default();
            portion
                .rows
                .extend(new.iter().map(|sample| (Arc::clone(name), *sample)));
            next.columns += 1;
            if portion.rows.len() >= most {
                break;
            }
        }
        if next.columns >= series.len() {
            *next = Cursor {
                chunk: number + 1,
                whole: chunk.place().or(next.whole),
                ..Cursor::default()
            };
        }
        Ok(portion)
    }

    /// What a reader has before it. Of a chunk that is read in part, the rows that it read of the open one are left out.
    pub(super) fn backlog(&self, cursor: &Cursor) -> Backlog {
        let read: usize = cursor.rows.values().sum();
        let chunks = || self.raw.chunks().iter().filter(|chunk| chunk.number >= cursor.chunk);
        let closed: u64 = chunks().map(|chunk| u64::from(chunk.rows)).sum();
        let rows = (closed + self.open_rows() as u64).saturating_sub(read as u64);
        let from_ms = chunks().map(|chunk| chunk.from_ms).min();
        let from_ms = from_ms.or_else(|| {
            let first_new = |(series, open): (usize, &Vec<Sample>)| {
                let read = cursor.rows.get(&series).copied().unwrap_or(0);
                open.get(read).map(|sample| sample.ms)
            };
            self.open.iter().enumerate().filter_map(first_new).min()
        });
        let newest_ms = self.open_span_ms().map(|(_, to_ms)| to_ms);
        Backlog {
            rows,
            from_ms: from_ms.filter(|_| rows > 0),
            newest_ms: newest_ms.or_else(|| self.raw.chunks().back().map(|chunk| chunk.to_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::snapshot::Quality;
    use crate::store::tests::{now, open};
    use crate::store::{Sample, SeriesName, Store};
    use std::collections::BTreeMap;

    fn feed(store: &mut Store, cycles: std::ops::Range<u64>) {
        for cycle in cycles {
            let ms = now(cycle * 30).wall_ms;
            let rows = (0..5_u64).map(|series| {
                let sample = Sample {
                    ms,
                    value: (cycle * 10 + series) as f64,
                    quality: Quality::Good,
                };
                (SeriesName::new("a", &[("n", &series.to_string())]), sample)
            });
            store.append_rows(ms, &rows.collect::<Vec<_>>()).unwrap();
        }
    }

    #[test]
    fn every_row_comes_once_from_open_and_closed_chunks_and_again_only_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let mut cursor = store.samples.cursor_after(None);
        let mut seen: BTreeMap<(String, i64), u32> = BTreeMap::new();
        let mut fed = 0;
        for step in 0..60_u64 {
            feed(&mut store, fed..fed + step % 11);
            fed += step % 11;
            if step % 3 == 0 {
                continue;
            }
            loop {
                let before = store.samples.backlog(&cursor).rows;
                let portion = store.samples.portion(&cursor, 7).unwrap();
                assert_eq!(portion.gone, 0);
                let done = portion.rows.is_empty() && portion.next == cursor;
                for (name, sample) in &portion.rows {
                    *seen.entry((name.to_string(), sample.ms)).or_default() += 1;
                }
                cursor = portion.next;
                if done {
                    assert_eq!((before, store.samples.backlog(&cursor).from_ms), (0, None));
                    break;
                }
                assert!(before > 0 || portion.rows.is_empty());
            }
        }
        assert!(seen.values().all(|times| *times == 1));
        assert_eq!(seen.len() as u64, (fed - 5 * u64::from(60 % 3 == 1)) * 5);

        let whole = cursor.whole;
        assert!(whole.is_some());
        drop(store);
        let store = open(dir.path());
        let mut cursor = store.samples.cursor_after(whole);
        let left = store.samples.backlog(&cursor).rows;
        assert!(left > 0 && left < fed * 5, "{left}");
        let mut again = 0;
        loop {
            let portion = store.samples.portion(&cursor, 1000).unwrap();
            again += portion.rows.len() as u64;
            if portion.rows.is_empty() && portion.next == cursor {
                break;
            }
            cursor = portion.next;
        }
        assert_eq!(again, left);
        assert_eq!(store.samples.backlog(&store.samples.cursor_after(None)).rows, fed * 5);
    }
}
