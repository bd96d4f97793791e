//! The coarser tiers: made when a day is over, answering what raw samples no longer can.

use super::*;
use crate::snapshot::Quality;

const DAY_S: i64 = 86_400;
/// Midnight UTC.
const START_MS: i64 = 1_780_012_800_000;

fn name() -> SeriesName {
    SeriesName::new("point", &[("tag", "cdu1.secondary_flow")])
}

/// A value that repeats every 40 s.
fn value(s: i64) -> f64 {
    40.0 + (s % 40) as f64 / 10.0
}

fn sample(s: i64) -> (SeriesName, Sample) {
    let sample = Sample {
        ms: START_MS + s * 1000,
        value: value(s),
        quality: Quality::Good,
    };
    (name(), sample)
}

fn feed(store: &mut Store, seconds: std::ops::Range<i64>, step: usize) {
    for s in seconds.step_by(step) {
        let row = sample(s);
        store.append_rows(row.1.ms, &[row]).unwrap();
    }
}

fn steps(store: &Store, seconds: std::ops::Range<i64>, points: usize) -> Vec<Bucket> {
    store.series(
        &name(),
        START_MS + seconds.start * 1000,
        START_MS + seconds.end * 1000,
        points,
    )
}

#[test]
fn a_day_that_is_over_is_answered_alike_by_every_tier() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    feed(&mut store, 0..DAY_S + 1800, 10);
    assert_eq!(
        store.samples.minutes.chunks().len(),
        1,
        "made as soon as the next day has a chunk"
    );
    for points in [96, 1440, 24, 1] {
        let tier = steps(&store, 0..DAY_S, points);
        let gone = std::mem::take(&mut store.samples.minutes);
        let quarters = std::mem::take(&mut store.samples.quarters);
        let raw = steps(&store, 0..DAY_S, points);
        (store.samples.minutes, store.samples.quarters) = (gone, quarters);
        assert_eq!(tier.len(), points);
        for (tier, raw) in tier.iter().zip(&raw) {
            assert!((tier.mean - raw.mean).abs() < 1e-4, "{tier:?} {raw:?}");
            assert_eq!(
                (tier.ms, tier.count, tier.min, tier.max),
                (raw.ms, raw.count, raw.min, raw.max)
            );
            assert_eq!(tier.last.to_bits(), raw.last.to_bits());
            assert!(
                tier.covered_percent.abs_diff(raw.covered_percent) <= 1,
                "{tier:?} {raw:?}"
            );
        }
    }
    assert_eq!(
        steps(&store, 0..DAY_S + 1800, 10_000_000).len(),
        8640 + 180,
        "finer steps come from the raw samples"
    );
}

#[test]
fn a_question_that_reaches_to_the_ends_of_time_is_answered_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    feed(&mut store, 0..600, 10);
    for (from_ms, to_ms) in [(i64::MIN, i64::MAX), (i64::MIN, 0), (0, i64::MAX), (i64::MAX, i64::MIN)] {
        let counts = store
            .series(&name(), from_ms, to_ms, 5000)
            .iter()
            .map(|step| step.count)
            .sum::<u32>();
        assert_eq!(counts, if from_ms < to_ms && to_ms > START_MS { 60 } else { 0 });
    }
}

#[test]
fn tiers_outlive_the_raw_samples_and_each_other_as_configured() {
    let dir = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        raw_days: 3,
        minute_days: 40,
        quarter_days: 900,
        ..settings(dir.path(), 3, 100)
    };
    let mut store = Store::open(&settings).unwrap();
    for day in 0..80 {
        feed(&mut store, day * DAY_S..day * DAY_S + 3600, 30);
        let seconds = u64::try_from(day * DAY_S + 3600).unwrap();
        let wall_ms = START_MS + i64::try_from(seconds).unwrap() * 1000;
        let now = Now {
            mono_ms: seconds * 1000,
            wall_ms,
            utc_offset_s: 0,
        };
        store.append_record(now, &record(seconds)).unwrap();
    }
    drop(store);
    let store = Store::open(&settings).unwrap();
    let first_day = |log: &ChunkLog| (log.chunks()[0].from_ms - START_MS) / (DAY_S * 1000);
    let [raw, minutes, quarters] = store.samples.logs();
    assert_eq!(first_day(raw), 76, "three whole days and the present one");
    assert!((10..=39).contains(&first_day(minutes)), "{}", first_day(minutes));
    assert_eq!(first_day(quarters), 0);
    let hour = |day: i64, points| steps(&store, day * DAY_S..day * DAY_S + 3600, points);
    assert_eq!(hour(79, 120).len(), 120, "raw samples");
    assert_eq!(hour(60, 120).len(), 60, "buckets of a minute");
    assert_eq!(hour(2, 120).len(), 4, "buckets of a quarter of an hour");
    assert_eq!(hour(2, 1)[0].count, 120);
    let all = steps(&store, 0..80 * DAY_S, 80);
    assert!(all.len() == 80 && all.iter().all(|day| day.count == 120), "{all:?}");
}

#[test]
fn days_missed_by_a_crash_are_made_when_the_store_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    feed(&mut open(dir.path()), 0..7200, 30);
    feed(&mut open(dir.path()), 3 * DAY_S..3 * DAY_S + 7200, 30);
    fs::remove_dir_all(dir.path().join("minutes")).unwrap();
    fs::remove_dir_all(dir.path().join("quarters")).unwrap();
    let store = open(dir.path());
    let days: Vec<i64> = store
        .samples
        .minutes
        .chunks()
        .iter()
        .map(|chunk| (chunk.from_ms - START_MS) / DAY_S / 1000)
        .collect();
    assert_eq!(days, [0]);
    assert_eq!(steps(&store, 0..3600, 4)[0].count, 30);
}

#[test]
fn a_tier_that_cannot_be_written_is_written_later() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::with_space(1 << 20);
    let mut store = Store::open_on(&settings(dir.path(), 30, 100), Arc::new(disk.clone())).unwrap();
    feed(&mut store, 0..DAY_S - 1000, 30);
    disk.0.store(300, Ordering::Relaxed);
    for s in (DAY_S - 1000..DAY_S + 1900).step_by(30) {
        let row = sample(s);
        drop(store.append_rows(row.1.ms, &[row]));
    }
    assert!(store.outage().is_some());
    disk.0.store(1 << 20, Ordering::Relaxed);
    feed(&mut store, DAY_S + 1900..DAY_S + 2000, 30);
    assert_eq!(store.outage(), None);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.samples.quarters.chunks().len(), 1);
    let all = steps(&store, 0..DAY_S + 2000, 1);
    assert_eq!(i64::from(all[0].count), (DAY_S - 1000 + 29) / 30 + (2900 + 29) / 30 + 4);
}
