//! Questions about the past: a range of a series gathered into steps, and its last value.
//!
//! A range is answered day by day (UTC) from the coarsest tier whose buckets are no longer than the steps asked for;
//! where the raw samples of a day are gone, from the finest tier that has it.

use super::chunk_log::{ChunkLog, ChunkRef};
use super::column::{Sample, get_buckets, get_samples};
use super::names::SeriesName;
use super::rollup::{Bucket, DAY_MS, HOLD_MS, MINUTE_MS, QUARTER_MS};
use super::samples::Samples;
use crate::snapshot::Quality;
use std::collections::BTreeMap;

/// No question reaches farther, ms: some 280,000 years.
const FARTHEST_MS: i64 = 1 << 53;

impl Samples {
    /// Wall times of the oldest and the newest sample of all tiers, ms.
    fn span_ms(&self) -> Option<(i64, i64)> {
        let chunks = self.logs().into_iter().flat_map(|log| log.chunks().iter());
        let spans = chunks
            .map(|chunk| (chunk.from_ms, chunk.to_ms))
            .chain(self.open_span_ms());
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// The good samples from `from_ms` up to `to_ms`, gathered into at most `max_points` equal steps; steps without a
    /// sample are left out.
    pub(super) fn query(&self, name: &SeriesName, from_ms: i64, to_ms: i64, max_points: usize) -> Vec<Bucket> {
        let (from_ms, to_ms) = (
            from_ms.clamp(-FARTHEST_MS, FARTHEST_MS),
            to_ms.clamp(-FARTHEST_MS, FARTHEST_MS),
        );
        let span = to_ms - from_ms;
        let Some((oldest_ms, newest_ms)) = self.span_ms().filter(|_| span > 0 && max_points > 0) else {
            return Vec::new();
        };
        let mut steps = Steps::new(from_ms, span, max_points);
        // Days without samples are not walked through, however far the question reaches.
        let (from_ms, to_ms) = (from_ms.max(oldest_ms), to_ms.min(newest_ms + 1));
        let tiers = [
            (QUARTER_MS, &self.quarters, days(&self.quarters, from_ms, to_ms)),
            (MINUTE_MS, &self.minutes, days(&self.minutes, from_ms, to_ms)),
        ];
        let raw_from_ms = self.raw.chunks().front().map_or(i64::MAX, |chunk| chunk.from_ms);
        let mut day = from_ms.div_euclid(DAY_MS);
        // Neighbouring days that raw samples answer are scanned together.
        let mut raw: Option<(i64, i64)> = None;
        while day * DAY_MS < to_ms {
            let (start_ms, end_ms) = ((day * DAY_MS).max(from_ms), ((day + 1) * DAY_MS).min(to_ms));
            let has = |(_, _, days): &&(i64, &ChunkLog, BTreeMap<i64, &ChunkRef>)| days.contains_key(&day);
            let coarse = tiers
                .iter()
                .filter(has)
                .find(|(length_ms, ..)| *length_ms <= steps.step_ms);
            let is_gone = (day + 1) * DAY_MS <= raw_from_ms;
            let tier = coarse.or_else(|| tiers.iter().rev().find(has).filter(|_| is_gone));
            if let Some((length_ms, log, days)) = tier {
                for bucket in days
                    .get(&day)
                    .map(|chunk| buckets(log, chunk, name))
                    .unwrap_or_default()
                {
                    if (start_ms..end_ms).contains(&bucket.ms) {
                        steps.take_bucket(&bucket, *length_ms);
                    }
                }
            } else {
                raw = Some((raw.map_or(start_ms, |(from_ms, _)| from_ms), end_ms));
            }
            if (tier.is_some() || end_ms == to_ms)
                && let Some((from_ms, to_ms)) = raw.take()
            {
                self.scan(name, from_ms, to_ms, |samples| steps.take(samples, from_ms, to_ms));
                steps.end(to_ms);
            }
            day += 1;
        }
        steps.finish()
    }

    /// Hands out the raw samples, good or not, of the chunks that have any from `from_ms` up to `to_ms`; a part may reach
    /// beyond.
    pub(super) fn scan(&self, name: &SeriesName, from_ms: i64, to_ms: i64, mut take: impl FnMut(&[Sample])) {
        let mut reader = self.raw.reader();
        for chunk in self.raw.chunks().iter().filter(|chunk| chunk.overlaps(from_ms, to_ms)) {
            let read = reader.find(chunk, name).and_then(|(times, body)| {
                if times.is_empty() {
                    Ok(Vec::new())
                } else {
                    Ok(get_samples(&times, &body)?)
                }
            });
            match read {
                Ok(samples) => take(&samples),
                Err(error) => tracing::warn!(%name, %error, "a chunk of samples cannot be read"),
            }
        }
        if let Some(open) = self.find(name).and_then(|index| self.open.get(index)) {
            take(open);
        }
    }

    /// The last good sample, no older than `since_ms`.
    pub(super) fn last(&self, name: &SeriesName, since_ms: i64) -> Option<Sample> {
        let newest_good = |samples: &[Sample]| {
            let found = samples.iter().rev().find(|sample| sample.quality == Quality::Good);
            found.filter(|sample| sample.ms >= since_ms).copied()
        };
        let open = self.find(name).and_then(|index| self.open.get(index));
        if let Some(found) = open.and_then(|open| newest_good(open)) {
            return Some(found);
        }
        let mut reader = self.raw.reader();
        let chunks = self
            .raw
            .chunks()
            .iter()
            .rev()
            .take_while(|chunk| chunk.to_ms >= since_ms);
        for chunk in chunks {
            if let Ok((times, body)) = reader.find(chunk, name)
                && !times.is_empty()
                && let Ok(samples) = get_samples(&times, &body)
                && let Some(found) = newest_good(&samples)
            {
                return Some(found);
            }
        }
        None
    }
}

/// The buckets of a series in a day of a tier.
pub(super) fn buckets(log: &ChunkLog, chunk: &ChunkRef, name: &SeriesName) -> Vec<Bucket> {
    let read = log.reader().find(chunk, name).and_then(|(times, body)| {
        if times.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(get_buckets(&times, &body)?)
        }
    });
    read.unwrap_or_else(|error| {
        tracing::warn!(%name, %error, "a day of a coarse tier cannot be read");
        Vec::new()
    })
}

/// The days (UTC) of a tier that overlap a range.
fn days(log: &ChunkLog, from_ms: i64, to_ms: i64) -> BTreeMap<i64, &ChunkRef> {
    let chunks = log.chunks().iter().filter(|chunk| chunk.overlaps(from_ms, to_ms));
    chunks.map(|chunk| (chunk.from_ms.div_euclid(DAY_MS), chunk)).collect()
}

/// Samples and buckets gathered by equal steps of time.
struct Steps {
    from_ms: i64,
    step_ms: i64,
    gathered: Vec<Sums>,
    /// Time of the last good sample.
    before_ms: i64,
    /// The step that the last one fell into, and its start: most samples fall into it, or into the next.
    place: usize,
    start_ms: i64,
}

#[derive(Clone, Copy)]
struct Sums {
    sum: f64,
    count: u32,
    covered_ms: i64,
    min: f64,
    max: f64,
    last: (i64, f64),
}

impl Steps {
    fn new(from_ms: i64, span_ms: i64, max_points: usize) -> Self {
        let points = i64::try_from(max_points).unwrap_or(i64::MAX).max(1);
        let step_ms = (span_ms.max(1) - 1) / points + 1;
        let count = usize::try_from((span_ms.max(1) - 1) / step_ms + 1).unwrap_or(0);
        let none = Sums {
            sum: 0.0,
            count: 0,
            covered_ms: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last: (i64::MIN, 0.0),
        };
        Self {
            from_ms,
            step_ms,
            gathered: vec![none; count],
            before_ms: i64::MIN,
            place: 0,
            start_ms: from_ms,
        }
    }

    fn at(&mut self, ms: i64) -> Option<&mut Sums> {
        let place = ms.checked_sub(self.from_ms).filter(|after| *after >= 0)? / self.step_ms;
        self.gathered.get_mut(usize::try_from(place).ok()?)
    }

    /// Counts a time between two samples as covered, step by step.
    fn cover(&mut self, mut from_ms: i64, to_ms: i64) {
        from_ms = from_ms.max(self.from_ms);
        while from_ms < to_ms {
            let end_ms = from_ms + self.step_ms - (from_ms - self.from_ms) % self.step_ms;
            let Some(sums) = self.at(from_ms) else { return };
            sums.covered_ms += end_ms.min(to_ms) - from_ms;
            from_ms = end_ms;
        }
    }

    fn take(&mut self, samples: &[Sample], from_ms: i64, to_ms: i64) {
        let good = |sample: &&Sample| sample.quality == Quality::Good && (from_ms..to_ms).contains(&sample.ms);
        for Sample { ms, value, .. } in samples.iter().filter(good).copied() {
            let before_ms = std::mem::replace(&mut self.before_ms, ms);
            let held = (0..=HOLD_MS).contains(&ms.saturating_sub(before_ms));
            let after = ms - self.start_ms;
            if after >= self.step_ms && after < 2 * self.step_ms && before_ms >= self.start_ms {
                let end_ms = self.start_ms + self.step_ms;
                if held && let Some(sums) = self.gathered.get_mut(self.place) {
                    sums.covered_ms += end_ms - before_ms;
                }
                (self.place, self.start_ms) = (self.place + 1, end_ms);
                if held && let Some(sums) = self.gathered.get_mut(self.place) {
                    sums.covered_ms += ms - end_ms;
                }
            } else if (0..self.step_ms).contains(&after) && before_ms >= self.start_ms {
                if held && let Some(sums) = self.gathered.get_mut(self.place) {
                    sums.covered_ms += ms - before_ms;
                }
            } else {
                if held {
                    self.cover(before_ms, ms);
                }
                let place = (ms - self.from_ms).max(0) / self.step_ms;
                self.place = usize::try_from(place).unwrap_or(usize::MAX);
                self.start_ms = self.from_ms + place * self.step_ms;
            }
            if let Some(sums) = self.gathered.get_mut(self.place) {
                sums.add(value, 1, value, value, (ms, value));
            }
        }
    }

    /// Ends a span of raw samples: the last one holds on for a while.
    fn end(&mut self, to_ms: i64) {
        if (0..=HOLD_MS).contains(&to_ms.saturating_sub(self.before_ms)) {
            self.cover(self.before_ms, to_ms);
        }
        self.before_ms = i64::MIN;
    }

    fn take_bucket(&mut self, bucket: &Bucket, length_ms: i64) {
        if let Some(sums) = self.at(bucket.ms) {
            let last = (bucket.ms, bucket.last);
            sums.add(bucket.mean, bucket.count, bucket.min, bucket.max, last);
            sums.covered_ms += i64::from(bucket.covered_percent) * length_ms / 100;
        }
    }

    fn finish(self) -> Vec<Bucket> {
        let starts = (self.from_ms..).step_by(usize::try_from(self.step_ms).unwrap_or(usize::MAX));
        let steps = starts.zip(self.gathered).filter(|(_, sums)| sums.count > 0);
        let bucket = |(ms, sums): (i64, Sums)| Bucket {
            ms,
            count: sums.count,
            covered_percent: u8::try_from((sums.covered_ms * 100 / self.step_ms).clamp(0, 100)).unwrap_or(100),
            mean: sums.sum / f64::from(sums.count),
            min: sums.min,
            max: sums.max,
            last: sums.last.1,
        };
        steps.map(bucket).collect()
    }
}

impl Sums {
    fn add(&mut self, mean: f64, count: u32, min: f64, max: f64, last: (i64, f64)) {
        self.sum += mean * f64::from(count);
        self.count = self.count.saturating_add(count);
        self.min = self.min.min(min);
        self.max = self.max.max(max);
        if last.0 >= self.last.0 {
            self.last = last;
        }
    }
}
