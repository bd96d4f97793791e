//! Every sample of every point: an open chunk in memory, recent chunks in memory, all chunks in a journal.

use super::chunk::{self, Sample};
use super::journal::{Journal, Manner, Outage, Place, Recovery};
use super::segment;
use crate::site::{PointId, Site};
use crate::snapshot::{Quality, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A chunk ends when a point has this many samples,
const CHUNK_SAMPLES: usize = 256;

/// or when it covers this much time, ms: what a crash may take from the series (the records still have it).
const CHUNK_MS: i64 = 600_000;

/// Chunks kept in memory: a day's,
const RECENT_MS: i64 = 86_400_000;

/// but no more than these bytes.
const RECENT_BYTES: usize = 64 << 20;

/// Samples of one point over a step of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// Start of the step, wall ms.
    pub ms: i64,
    /// Mean of the good samples.
    pub mean: f64,
    /// Smallest good sample.
    pub min: f64,
    /// Largest good sample.
    pub max: f64,
}

/// Which column is which point; the preface of every segment.
#[derive(Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Layout {
    tags: Vec<String>,
}

#[derive(Debug)]
struct Recent {
    from_ms: i64,
    to_ms: i64,
    bytes: Vec<u8>,
    layout: Arc<Layout>,
    /// Where it is on disk, `None` as long as it is not.
    place: Option<Place>,
}

/// A chunk that is on disk alone.
#[derive(Debug)]
struct OnDisk {
    from_ms: i64,
    to_ms: i64,
    place: Place,
    layout: Arc<Layout>,
}

#[derive(Debug, Default)]
pub(super) struct Series {
    journal: Option<Journal>,
    /// Of the configuration whose layout is in force.
    site_hash: String,
    layout: Arc<Layout>,
    open: Vec<Vec<Sample>>,
    /// For each point the monotonic time of its last sample, ms: a reading is kept once, however often it is seen.
    last_mono_ms: Vec<Option<u64>>,
    open_span_ms: Option<(i64, i64)>,
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    on_disk: Vec<OnDisk>,
}

impl Series {
    /// Series with a journal in `dir`.
    pub(super) fn open(dir: &Path, manner: Manner) -> io::Result<(Self, Vec<Recovery>)> {
        let (journal, recoveries) = Journal::open(dir, manner)?;
        let mut on_disk = Vec::new();
        let mut layout = Arc::new(Layout::default());
        for segment in journal.segments() {
            let Some(head) = segment::read_head(&segment.path)? else {
                continue;
            };
            let Ok(found) = postcard::from_bytes::<Layout>(&head.preface) else {
                continue;
            };
            if found != *layout {
                layout = Arc::new(found);
            }
            on_disk.extend(segment::skim(&segment.path)?.into_iter().map(|(offset, head)| OnDisk {
                from_ms: head.from_ms,
                to_ms: head.to_ms,
                place: Place {
                    sequence: segment.sequence,
                    offset,
                },
                layout: Arc::clone(&layout),
            }));
        }
        Ok((
            Self {
                journal: Some(journal),
                on_disk,
                ..Self::default()
            },
            recoveries,
        ))
    }

    /// Takes the readings that are new in a snapshot.
    pub(super) fn append(&mut self, site: &Site, snapshot: &Snapshot) -> io::Result<()> {
        let mut written = Ok(());
        if self.layout.tags.is_empty() || site.hash != self.site_hash {
            written = self.adopt(site);
        }
        let now = snapshot.now;
        for ((reading, column), last) in snapshot.readings.iter().zip(&mut self.open).zip(&mut self.last_mono_ms) {
            let Some(reading) = reading.filter(|reading| reading.value.is_finite()) else {
                continue;
            };
            if *last == Some(reading.mono_ms) {
                continue;
            }
            *last = Some(reading.mono_ms);
            let age_ms = i64::try_from(now.mono_ms.saturating_sub(reading.mono_ms)).unwrap_or(i64::MAX);
            let ms = now.wall_ms.saturating_sub(age_ms);
            column.push(Sample {
                ms,
                value: reading.value,
                quality: reading.quality,
            });
            let (from_ms, to_ms) = self.open_span_ms.unwrap_or((ms, ms));
            self.open_span_ms = Some((from_ms.min(ms), to_ms.max(ms)));
        }
        let full = self.open.iter().any(|column| column.len() >= CHUNK_SAMPLES)
            || self
                .open_span_ms
                .is_some_and(|(from_ms, to_ms)| to_ms - from_ms >= CHUNK_MS);
        if full {
            self.close_chunk();
        }
        written.and(self.write_pending())
    }

    /// Takes up the points of a site: what was open under another layout is closed first.
    fn adopt(&mut self, site: &Site) -> io::Result<()> {
        self.close_chunk();
        let written = self.write_pending();
        self.layout = Arc::new(Layout {
            tags: site.points.iter().map(|point| point.tag.clone()).collect(),
        });
        self.site_hash.clone_from(&site.hash);
        self.open = vec![Vec::new(); site.points.len()];
        self.last_mono_ms = vec![None; site.points.len()];
        written
    }

    fn close_chunk(&mut self) {
        let Some((from_ms, to_ms)) = self.open_span_ms.take() else {
            return;
        };
        let bytes = chunk::encode(&self.open);
        self.open.iter_mut().for_each(Vec::clear);
        self.recent_bytes += bytes.len();
        self.recent.push_back(Recent {
            from_ms,
            to_ms,
            bytes,
            layout: Arc::clone(&self.layout),
            place: None,
        });
        while let Some(oldest) = self.recent.front()
            && (to_ms - oldest.to_ms > RECENT_MS || self.recent_bytes > RECENT_BYTES)
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.bytes.len();
            match (oldest.place, &mut self.journal) {
                (Some(place), _) => {
                    let Recent {
                        from_ms, to_ms, layout, ..
                    } = oldest;
                    self.on_disk.push(OnDisk {
                        from_ms,
                        to_ms,
                        place,
                        layout,
                    });
                }
                (None, Some(journal)) => journal.count_loss(),
                (None, None) => {}
            }
        }
    }

    /// Writes the chunks that are not on disk yet; after an outage those that piled up.
    fn write_pending(&mut self) -> io::Result<()> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        for chunk in self.recent.iter_mut().filter(|chunk| chunk.place.is_none()) {
            journal.set_preface(postcard::to_stdvec(&*chunk.layout).map_err(io::Error::other)?);
            chunk.place = Some(journal.append((chunk.from_ms, chunk.to_ms), &chunk.bytes)?);
        }
        Ok(())
    }

    /// Closes the open chunk and brings everything to the disk.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.close_chunk();
        self.write_pending()?;
        self.journal.as_ref().map_or(Ok(()), Journal::sync)
    }

    /// The good samples of a point from `from_ms` up to `to_ms`, gathered into at most `max_points` steps.
    pub(super) fn query(&self, point: PointId, from_ms: i64, to_ms: i64, max_points: usize) -> Vec<Bucket> {
        let span = to_ms.saturating_sub(from_ms);
        let mut steps = Steps::new(from_ms, span, max_points);
        let Some(tag) = self.layout.tags.get(point.0).filter(|_| span > 0 && max_points > 0) else {
            return Vec::new();
        };
        let overlaps = |first_ms: i64, last_ms: i64| first_ms < to_ms && last_ms >= from_ms;
        let column = |layout: &Arc<Layout>| {
            if Arc::ptr_eq(layout, &self.layout) || layout.tags.get(point.0) == Some(tag) {
                Some(point.0)
            } else {
                layout.tags.iter().position(|known| known == tag)
            }
        };
        for chunk in self.on_disk.iter().filter(|chunk| overlaps(chunk.from_ms, chunk.to_ms)) {
            let (Some(journal), Some(column)) = (&self.journal, column(&chunk.layout)) else {
                continue;
            };
            match journal.read(chunk.place) {
                Ok(bytes) => steps.take(&chunk::decode(&bytes, column).unwrap_or_default()),
                Err(error) => tracing::warn!(%error, "a chunk of samples cannot be read"),
            }
        }
        for chunk in self.recent.iter().filter(|chunk| overlaps(chunk.from_ms, chunk.to_ms)) {
            if let Some(column) = column(&chunk.layout) {
                steps.take(&chunk::decode(&chunk.bytes, column).unwrap_or_default());
            }
        }
        steps.take(self.open.get(point.0).map_or(&[], Vec::as_slice));
        steps.finish()
    }

    /// The journal, for retention; none for series in memory.
    pub(super) const fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Deletes the oldest segment and forgets its chunks.
    pub(super) fn delete_oldest(&mut self) -> io::Result<()> {
        if let Some(sequence) = self.journal.as_mut().map_or(Ok(None), Journal::delete_oldest)? {
            self.on_disk.retain(|chunk| chunk.place.sequence != sequence);
        }
        Ok(())
    }

    /// The outage that lasts.
    pub(super) fn outage(&self) -> Option<&Outage> {
        self.journal.as_ref().and_then(Journal::outage)
    }
}

/// Samples gathered by equal steps of time.
struct Steps {
    from_ms: i64,
    step_ms: i64,
    /// Sum, count, smallest, largest.
    gathered: Vec<(f64, u64, f64, f64)>,
}

impl Steps {
    fn new(from_ms: i64, span_ms: i64, max_points: usize) -> Self {
        let points = i64::try_from(max_points).unwrap_or(i64::MAX).max(1);
        let step_ms = (span_ms.max(1) - 1) / points + 1;
        let count = usize::try_from((span_ms.max(1) - 1) / step_ms + 1).unwrap_or(0);
        Self {
            from_ms,
            step_ms,
            gathered: vec![(0.0, 0, f64::INFINITY, f64::NEG_INFINITY); count],
        }
    }

    fn take(&mut self, samples: &[Sample]) {
        for sample in samples
            .iter()
            .filter(|sample| sample.quality == Quality::Good && sample.ms >= self.from_ms)
        {
            let at = usize::try_from((sample.ms - self.from_ms) / self.step_ms).unwrap_or(usize::MAX);
            if let Some((sum, count, min, max)) = self.gathered.get_mut(at) {
                *sum += sample.value;
                *count += 1;
                *min = min.min(sample.value);
                *max = max.max(sample.value);
            }
        }
    }

    fn finish(self) -> Vec<Bucket> {
        let steps = (self.from_ms..)
            .step_by(usize::try_from(self.step_ms).unwrap_or(usize::MAX))
            .zip(self.gathered);
        steps
            .filter(|(_, (_, count, ..))| *count > 0)
            .map(|(ms, (sum, count, min, max))| Bucket {
                ms,
                mean: sum / count as f64,
                min,
                max,
            })
            .collect()
    }
}
