//! Samples through the store: what goes in comes out, from memory and from disk.

use super::*;
use crate::site::{PointId, load_embedded};
use crate::snapshot::{Quality, Reading};
use samples::RAW;

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

/// The name of a point.
fn name(site: &Site, point: usize) -> SeriesName {
    let spec = &site.points[point];
    SeriesName::point(&spec.tag, spec.unit.symbol())
}

/// The samples of a point, one a step of 5 s.
fn samples(store: &Store, point: usize, cycles: std::ops::Range<u64>) -> Vec<u64> {
    let (from_ms, to_ms) = (now(cycles.start * 5).wall_ms - 10, now(cycles.end * 5).wall_ms - 10);
    let count = usize::try_from(cycles.end - cycles.start).unwrap();
    store
        .series(&name(&demo(), point), from_ms, to_ms, count)
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
        "one chunk at the quarter of an hour, and the rest at each closing"
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
    let all = |point| store.series(&name(&site, point), from_ms, to_ms, 1);
    let bucket = |count, covered_percent, mean, min, max| Bucket {
        ms: from_ms,
        count,
        covered_percent,
        mean,
        min,
        max,
        last: max,
    };
    let one = value(0, 1);
    // It held from its time to the newest of the store.
    assert_eq!(all(0), [bucket(1, 3, one, one, one)]);
    let (low, high) = (value(3, 1), value(3, 1) + 2.0);
    assert_eq!(all(3), [bucket(2, 3, low.midpoint(high), low, high)]);
    assert_eq!(store.series(&name(&site, 0), to_ms, from_ms, 10), []);
    assert_eq!(store.series(&SeriesName::new("nothing", &[]), from_ms, to_ms, 10), []);
    assert_eq!(
        store.last(&name(&site, 3), from_ms).map(|last| last.value.to_bits()),
        Some(high.to_bits())
    );
    assert_eq!(
        store.last(&name(&site, 0), from_ms).map(|last| last.value.to_bits()),
        Some(one.to_bits())
    );
    assert_eq!(store.last(&name(&site, 0), to_ms), None);
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
    let found = samples(&store, 0, 0..20);
    assert_eq!(
        found[..10],
        given(0, 0..10)[..],
        "by its place in the old configuration"
    );
    assert_eq!(found[10..], given(last, 10..20)[..], "by its tag in the new one");
}

/// A copy of a store's directory, as a crash would leave it.
fn crashed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let to = copy.path().join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&to).unwrap();
            for file in fs::read_dir(&path).unwrap() {
                let file = file.unwrap().path();
                fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
            }
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
    copy
}

#[test]
fn a_crash_takes_nothing_that_was_acknowledged() {
    let (site, dir) = (demo(), tempfile::tempdir().unwrap());
    let mut store = open(dir.path());
    // Before, at and after the end of a chunk.
    let mut fed = 0;
    for cycles in [3, 170, 172, 173, 174, 200, 360] {
        feed(&mut store, &site, fed..cycles);
        fed = cycles;
        let copy = crashed(dir.path());
        let survivor = open(copy.path());
        for point in [0, 1, 2] {
            assert_eq!(
                samples(&survivor, point, 0..cycles),
                given(point, 0..cycles),
                "after {cycles} cycles"
            );
        }
        drop(survivor);
        let mut again = open(copy.path());
        feed(&mut again, &site, cycles..cycles + 5);
        assert_eq!(
            samples(&again, 1, 0..cycles + 5),
            given(1, 0..cycles + 5),
            "nothing is there twice"
        );
    }
}

#[test]
fn a_crash_between_a_chunk_and_its_log_doubles_nothing() {
    let (site, dir) = (demo(), tempfile::tempdir().unwrap());
    let mut store = open(dir.path());
    feed(&mut store, &site, 0..20);
    let copy = crashed(dir.path());
    store.flush().unwrap();
    let chunk = segment::path(Path::new(RAW), 1);
    fs::copy(dir.path().join(&chunk), copy.path().join(&chunk)).unwrap();
    let mut survivor = open(copy.path());
    feed(&mut survivor, &site, 20..21);
    let (from_ms, to_ms) = (now(0).wall_ms - 10, now(105).wall_ms);
    let all = survivor.series(&name(&site, 0), from_ms, to_ms, 1);
    assert_eq!(all[0].count, 21);
}

#[test]
fn figures_are_kept_beside_the_points_though_their_list_changes() {
    let dir = tempfile::tempdir().unwrap();
    let figures: [&[(&str, &str, f64)]; 4] = [
        &[("a", "1", 1.0), ("b", "1", 2.0), ("b", "2", 3.0)],
        &[("a", "1", 1.25), ("b", "2", 3.25)],
        &[("new", "1", 7.0), ("a", "1", 1.123_456_7), ("b", "2", f64::NAN)],
        &[("a", "1", 4.0)],
    ];
    let mut store = open(dir.path());
    for (cycle, list) in (0..).zip(figures) {
        let each = |take: TakeFigure<'_>| {
            for (family, label, value) in list {
                take(family, &[("of", label)], *value);
            }
        };
        store.append_figures(now(cycle * 5), each).unwrap();
    }
    drop(store);
    let store = open(dir.path());
    let values = |family: &str, label: &str| -> Vec<f64> {
        let name = SeriesName::new(family, &[("of", label)]);
        let steps = store.series(&name, now(0).wall_ms, now(20).wall_ms, 4);
        steps.iter().map(|step| step.mean).collect()
    };
    assert_eq!(values("a", "1"), [1.0, 1.25, 1.1235, 4.0]);
    assert_eq!(values("b", "1"), [2.0]);
    assert_eq!(values("b", "2"), [3.0, 3.25]);
    assert_eq!(values("new", "1"), [7.0]);
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
    let steps = store.series(&name(&site, 1), from_ms, to_ms, 48);
    assert!((24..=26).contains(&steps.len()), "{} hours", steps.len());
    assert_eq!(steps.last().unwrap().ms, from_ms + 47 * 3_600_000);
}
