//! Samples through the store: what goes in comes out, from memory and from disk.

use super::*;
use crate::site::load_embedded;
use crate::snapshot::{Quality, Reading};

fn demo() -> Site {
    load_embedded("demo").unwrap().unwrap()
}

/// Some value that changes from cycle to cycle and differs from point to point.
fn value(point: usize, cycle: u64) -> f64 {
    let whole = (point as u64 * 31 + cycle * 7) % 1000;
    match point % 3 {
        0 => whole as f64 / 10.0,
        1 => whole as f64 * 0.01,
        _ => (whole as f64).sqrt(),
    }
}

fn snapshot(site: &Site, cycle: u64) -> Snapshot {
    let now = now(cycle * 5);
    let readings = (0..site.points.len()).map(|point| {
        let mono_ms = now.mono_ms.saturating_sub(point as u64 % 7);
        Some(Reading {
            value: value(point, cycle),
            quality: Quality::Good,
            mono_ms,
        })
    });
    Snapshot {
        now,
        readings: readings.collect(),
    }
}

fn feed(store: &mut Store, site: &Site, cycles: std::ops::Range<u64>) {
    for cycle in cycles {
        store.append_samples(site, &snapshot(site, cycle)).unwrap();
    }
}

/// The samples of a point, one a step of 5 s.
fn samples(store: &Store, point: usize, cycles: std::ops::Range<u64>) -> Vec<u64> {
    let (from_ms, to_ms) = (now(cycles.start * 5).wall_ms - 10, now(cycles.end * 5).wall_ms - 10);
    let count = usize::try_from(cycles.end - cycles.start).unwrap();
    store
        .series(PointId(point), from_ms, to_ms, count)
        .iter()
        .map(|step| step.mean.to_bits())
        .collect()
}

fn given(point: usize, cycles: std::ops::Range<u64>) -> Vec<u64> {
    cycles.map(|cycle| value(point, cycle).to_bits()).collect()
}

#[test]
fn samples_come_back_bit_for_bit_from_memory_and_from_disk() {
    let (site, dir) = (demo(), tempfile::tempdir().unwrap());
    let mut store = open(dir.path());
    feed(&mut store, &site, 0..300);
    for point in [0, 1, 2, site.points.len() - 1] {
        assert_eq!(
            samples(&store, point, 0..300),
            given(point, 0..300),
            "point {point} from memory"
        );
    }
    drop(store);
    let mut store = open(dir.path());
    feed(&mut store, &site, 300..310);
    for point in [0, 1, 2, site.points.len() - 1] {
        assert_eq!(
            samples(&store, point, 0..310),
            given(point, 0..310),
            "point {point} from disk and memory"
        );
    }
    let (_, verified) = verify(dir.path()).unwrap();
    assert_eq!(
        verified.entries, 3,
        "two chunks of ten minutes, and the rest on closing"
    );
}

#[test]
fn a_reading_seen_twice_is_kept_once_and_bad_ones_do_not_count() {
    let site = demo();
    let mut store = Store::open(&settings(Path::new(""), 1, 1)).unwrap();
    let first = snapshot(&site, 1);
    store.append_samples(&site, &first).unwrap();
    let mut again = Snapshot {
        now: now(7),
        ..first.clone()
    };
    store.append_samples(&site, &again).unwrap();
    again.readings[0] = Some(Reading {
        value: 999.0,
        quality: Quality::Bad,
        mono_ms: now(8).mono_ms,
    });
    again.readings[3] = Some(Reading {
        value: value(3, 1) + 2.0,
        quality: Quality::Good,
        mono_ms: now(8).mono_ms,
    });
    store.append_samples(&site, &Snapshot { now: now(8), ..again }).unwrap();
    let (from_ms, to_ms) = (now(0).wall_ms, now(100).wall_ms);
    let all = |point| store.series(PointId(point), from_ms, to_ms, 1);
    assert_eq!(
        all(0),
        [Bucket {
            ms: from_ms,
            mean: value(0, 1),
            min: value(0, 1),
            max: value(0, 1)
        }]
    );
    let low = value(3, 1);
    assert_eq!(
        all(3),
        [Bucket {
            ms: from_ms,
            mean: (low + (low + 2.0)) / 2.0,
            min: low,
            max: low + 2.0
        }]
    );
    assert_eq!(store.series(PointId(0), to_ms, from_ms, 10), []);
    assert_eq!(store.series(PointId(9999), from_ms, to_ms, 10), []);
}

#[test]
fn points_are_found_by_tag_after_the_configuration_changed() {
    let (mut site, dir) = (demo(), tempfile::tempdir().unwrap());
    feed(&mut open(dir.path()), &site, 0..10);
    let (tag, last) = (site.points[0].tag.clone(), site.points.len() - 1);
    site.points.swap(0, last);
    site.hash.push('x');
    let mut store = open(dir.path());
    feed(&mut store, &site, 10..20);
    assert_eq!(site.point(&tag), Some(PointId(last)));
    let found = samples(&store, last, 0..20);
    assert_eq!(found[..10], given(0, 0..10)[..], "by its tag in the old layout");
    assert_eq!(found[10..], given(last, 10..20)[..], "by its place in the new one");
}

#[test]
fn a_crash_takes_no_more_than_the_open_chunk() {
    let (site, dir, crashed) = (demo(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = open(dir.path());
    feed(&mut store, &site, 0..200);
    fs::create_dir(crashed.path().join(SAMPLES)).unwrap();
    for (_, file) in segment::list(&dir.path().join(SAMPLES)).unwrap() {
        fs::copy(&file, crashed.path().join(SAMPLES).join(file.file_name().unwrap())).unwrap();
    }
    let mut survivor = open(crashed.path());
    feed(&mut survivor, &site, 200..201);
    let kept = samples(&survivor, 0, 0..200);
    assert_eq!(kept, given(0, 0..121), "120 cycles of 5 s are ten minutes");
}

#[test]
fn chunks_wait_in_memory_while_the_disk_is_full() {
    let (site, dir, disk) = (demo(), tempfile::tempdir().unwrap(), SmallDisk::with_space(100));
    let mut store = Store::open_on(&settings(dir.path(), 30, 100), Arc::new(disk.clone())).unwrap();
    let failed = (0..400)
        .filter(|cycle| store.append_samples(&site, &snapshot(&site, *cycle)).is_err())
        .count();
    assert!(failed > 200 && store.outage().is_some());
    assert_eq!(samples(&store, 0, 0..400), given(0, 0..400), "the page goes on");
    disk.0.store(10 << 20, Ordering::Relaxed);
    feed(&mut store, &site, 400..401);
    assert_eq!(store.outage(), None);
    drop(store);
    let mut store = open(dir.path());
    feed(&mut store, &site, 401..402);
    assert_eq!(samples(&store, 0, 0..402), given(0, 0..402), "nothing is lost");
    assert_eq!(verify(dir.path()).unwrap().1.outages[0].lost, 0);
}

#[test]
fn without_a_directory_a_day_stays_in_memory() {
    let mut site = demo();
    site.points.truncate(3);
    let mut store = Store::open(&settings(Path::new(""), 1, 1)).unwrap();
    let cycles = 2 * 17_280;
    for cycle in 0..cycles {
        let mut snapshot = snapshot(&site, cycle);
        snapshot.readings.truncate(3);
        store.append_samples(&site, &snapshot).unwrap();
    }
    let (from_ms, to_ms) = (now(0).wall_ms, now(cycles * 5).wall_ms);
    let steps = store.series(PointId(1), from_ms, to_ms, 48);
    assert!((24..=26).contains(&steps.len()), "{} hours", steps.len());
    assert_eq!(steps.last().unwrap().ms, from_ms + 47 * 3_600_000);
}
