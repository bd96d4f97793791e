//! Coarser tiers: buckets of a minute and of a quarter of an hour, made of a day's raw chunks when the day is over.
//!
//! A tier is a function of the raw chunks and of nothing else: a crash while it is made costs nothing, it is made again.

use super::chunk::Chunk;
use super::chunk_log::{ChunkLog, Loaded};
use super::column::{Sample, get_samples, put_buckets};
use super::names::SeriesName;
use crate::snapshot::Quality;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const DAY_MS: i64 = 86_400_000;
pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const QUARTER_MS: i64 = 900_000;

/// The time between two samples counts as covered up to this, ms.
pub(super) const HOLD_MS: i64 = 60_000;

/// Good samples of one series over a step of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// Start of the step, wall ms.
    pub ms: i64,
    /// Good samples in it.
    pub count: u32,
    /// Share of the step that good samples at most a minute apart cover, %.
    pub covered_percent: u8,
    /// Their mean. In the tiers it is rounded to 0.0001, or to 0.000001 where every value of the day is below 1.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The last.
    pub last: f64,
}

/// Gathers samples, in the order of time, into steps of equal length.
#[derive(Debug)]
pub(super) struct Gather {
    step_ms: i64,
    open: Option<Sums>,
    done: Vec<Bucket>,
    last_ms: i64,
}

#[derive(Debug, Clone, Copy)]
struct Sums {
    ms: i64,
    sum: f64,
    count: u32,
    covered_ms: i64,
    min: f64,
    max: f64,
    last: f64,
}

impl Sums {
    fn close(&self, step_ms: i64) -> Bucket {
        let percent = (self.covered_ms * 100 + step_ms / 2) / step_ms;
        Bucket {
            ms: self.ms,
            count: self.count,
            covered_percent: u8::try_from(percent.clamp(0, 100)).unwrap_or(100),
            mean: self.sum / f64::from(self.count.max(1)),
            min: self.min,
            max: self.max,
            last: self.last,
        }
    }
}

impl Gather {
    pub(super) const fn new(step_ms: i64, start_ms: i64) -> Self {
        Self {
            step_ms,
            open: None,
            done: Vec::new(),
            last_ms: start_ms,
        }
    }

    /// Takes a good sample.
    pub(super) fn take(&mut self, ms: i64, value: f64) {
        let start = ms.div_euclid(self.step_ms) * self.step_ms;
        let gap = ms.saturating_sub(self.last_ms);
        let held = (0..=HOLD_MS).contains(&gap);
        if self.open.is_none_or(|open| open.ms != start)
            && let Some(mut before) = self.open.take()
        {
            if held {
                before.covered_ms += (before.ms + self.step_ms).saturating_sub(self.last_ms).max(0);
            }
            self.done.push(before.close(self.step_ms));
        }
        let open = self.open.get_or_insert(Sums {
            ms: start,
            sum: 0.0,
            count: 0,
            covered_ms: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last: value,
        });
        if held {
            open.covered_ms += ms - self.last_ms.max(start);
        }
        open.sum += value;
        open.count = open.count.saturating_add(1);
        open.min = open.min.min(value);
        open.max = open.max.max(value);
        open.last = value;
        self.last_ms = ms;
    }

    /// The steps that have a sample; `end_ms` ends the last of them.
    pub(super) fn finish(mut self, end_ms: i64) -> Vec<Bucket> {
        if let Some(mut open) = self.open.take() {
            let end = end_ms.min(open.ms + self.step_ms);
            if (0..=HOLD_MS).contains(&(end - self.last_ms)) {
                open.covered_ms += end - self.last_ms;
            }
            self.done.push(open.close(self.step_ms));
        }
        self.done
    }
}

/// The buckets of a day (UTC, counted from 1970-01-01): of a minute, and of a quarter of an hour.
pub(super) fn roll(raw: &ChunkLog, day: i64) -> (Chunk, Chunk) {
    let (from_ms, to_ms) = (day * DAY_MS, (day + 1) * DAY_MS);
    let mut loaded: Vec<Loaded<'_>> = Vec::new();
    let mut names: BTreeSet<Arc<SeriesName>> = BTreeSet::new();
    for chunk in raw.chunks().iter().filter(|chunk| chunk.overlaps(from_ms, to_ms)) {
        match raw.load(chunk).and_then(|chunk| Ok((chunk.series()?, chunk))) {
            Ok((series, chunk)) => {
                names.extend(series);
                loaded.push(chunk);
            }
            Err(error) => tracing::warn!(%error, day, "a chunk of samples is left out of its day"),
        }
    }
    let (mut minutes, mut quarters) = (Chunk::default(), Chunk::default());
    for name in names {
        let mut gathers = [Gather::new(MINUTE_MS, from_ms), Gather::new(QUARTER_MS, from_ms)];
        for chunk in &loaded {
            for sample in good(chunk, &name).filter(|sample| (from_ms..to_ms).contains(&sample.ms)) {
                for gather in &mut gathers {
                    gather.take(sample.ms, sample.value);
                }
            }
        }
        for (gather, chunk) in gathers.into_iter().zip([&mut minutes, &mut quarters]) {
            let buckets = rounded(gather.finish(to_ms));
            if !buckets.is_empty() {
                let mut body = Vec::new();
                put_buckets(&mut body, &buckets);
                chunk.push(
                    Arc::clone(&name),
                    buckets.iter().map(|bucket| bucket.ms).collect(),
                    body,
                );
            }
        }
    }
    (minutes, quarters)
}

fn good(chunk: &Loaded<'_>, name: &SeriesName) -> impl Iterator<Item = Sample> + use<> {
    let found = chunk.find(name).and_then(|(times, body)| {
        if times.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(get_samples(&times, &body)?)
        }
    });
    let samples = found.unwrap_or_else(|error| {
        tracing::warn!(%name, %error, "a column of samples is left out of its day");
        Vec::new()
    });
    samples.into_iter().filter(|sample| sample.quality == Quality::Good)
}

/// A mean has more digits than anything that was measured; without them it packs.
fn rounded(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    let largest = buckets
        .iter()
        .fold(0.0_f64, |all, bucket| all.max(bucket.max.abs()).max(bucket.min.abs()));
    let grid = if largest < 1.0 { 1e6 } else { 1e4 };
    if largest < 1e11 {
        for bucket in &mut buckets {
            bucket.mean = (bucket.mean * grid).round() / grid;
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_mean_extremes_last_count_and_coverage() {
        let mut gather = Gather::new(MINUTE_MS, 0);
        for (s, value) in [(0, 1.0), (20, 4.0), (40, 1.0), (70, 3.0), (200, 9.0), (239, 7.0)] {
            gather.take(s * 1000, value);
        }
        let found = gather.finish(DAY_MS);
        let bucket = |minute: i64, count, covered_percent, [mean, min, max, last]: [f64; 4]| Bucket {
            ms: minute * MINUTE_MS,
            count,
            covered_percent,
            mean,
            min,
            max,
            last,
        };
        assert_eq!(
            found,
            [
                bucket(0, 3, 100, [2.0, 1.0, 4.0, 1.0]),
                // Covered from its start to its only sample; the next one is too far away.
                bucket(1, 1, 17, [3.0, 3.0, 3.0, 3.0]),
                bucket(3, 2, 67, [8.0, 7.0, 9.0, 7.0]),
            ]
        );
    }

    #[test]
    fn a_clock_set_back_begins_another_bucket_and_covers_nothing_twice() {
        let mut gather = Gather::new(MINUTE_MS, 0);
        for s in [10, 50, 70, 30, 50] {
            gather.take(s * 1000, 1.0);
        }
        let found = gather.finish(DAY_MS);
        let starts: Vec<(i64, u32)> = found.iter().map(|bucket| (bucket.ms, bucket.count)).collect();
        assert_eq!(starts, [(0, 2), (MINUTE_MS, 1), (0, 2)]);
        assert!(found.iter().all(|bucket| bucket.covered_percent <= 100));
    }
}
