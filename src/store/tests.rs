//! The store as a whole: crashes, full disks, tampering, retention.

mod series;
mod tiers;

use super::disk::tests::SmallDisk;
use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::sync::atomic::Ordering;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    cycle: u64,
    text: String,
}

fn record(cycle: u64) -> Record {
    Record {
        cycle,
        text: format!("cdu1 at {} L/min because the forecast rises", 400 + cycle % 90),
    }
}

pub(super) fn now(seconds: u64) -> Now {
    Now {
        mono_ms: seconds * 1000,
        wall_ms: 1_780_000_000_000 + i64::try_from(seconds).unwrap() * 1000,
        utc_offset_s: 0,
    }
}

fn settings(dir: &Path, retention_days: u32, max_mib: u64) -> StoreSettings {
    StoreSettings {
        dir: dir.to_string_lossy().into_owned(),
        retention_days,
        raw_days: retention_days,
        minute_days: 366,
        quarter_days: 3653,
        max_mib,
    }
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(&settings(dir, 30, 100)).unwrap()
}

fn append(store: &mut Store, cycles: std::ops::Range<u64>) {
    for cycle in cycles {
        store.append_record(now(cycle * 5), &record(cycle)).unwrap();
    }
}

fn cycles(dir: &Path) -> Vec<u64> {
    Store::records::<Record>(dir)
        .unwrap()
        .map(|entry| entry.unwrap().cycle)
        .collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    segment::list(&dir.join(RECORDS))
        .unwrap()
        .into_iter()
        .map(|(_, path)| path)
        .collect()
}

#[test]
fn records_read_back_and_reopening_continues_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), 0..50);
    let (before, _) = verify(dir.path()).unwrap();
    append(&mut open(dir.path()), 50..80);
    assert_eq!(cycles(dir.path()), (0..80).collect::<Vec<_>>());
    let (after, _) = verify(dir.path()).unwrap();
    assert_eq!((before.entries, after.entries, after.segments), (50, 80, 1));
    assert_ne!(before.head, after.head);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_the_rest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), 0..3);
    let file = files(dir.path()).remove(0);
    let three = fs::read(&file).unwrap();
    append(&mut open(dir.path()), 3..4);
    let four = fs::read(&file).unwrap();
    for length in three.len()..four.len() {
        fs::write(&file, &four[..length]).unwrap();
        let torn = length - three.len();
        assert_eq!(
            verify(dir.path()).unwrap().0.torn_bytes,
            torn,
            "a reader beside the writer is not disturbed"
        );
        assert_eq!(cycles(dir.path()), [0, 1, 2]);
        let mut store = open(dir.path());
        assert_eq!(
            store.recoveries().len(),
            usize::from(torn > 0),
            "a cut of {torn} bytes is told"
        );
        append(&mut store, 10..11);
        drop(store);
        assert_eq!(cycles(dir.path()), [0, 1, 2, 10]);
        assert_eq!(verify(dir.path()).unwrap().0.torn_bytes, 0);
    }
}

#[test]
fn a_segment_torn_in_its_header_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), 0..3);
    let second = segment::path(&dir.path().join(RECORDS), 2);
    for length in 0..44 {
        fs::write(&second, vec![0; length]).unwrap();
        fs::write(&second, &fs::read(files(dir.path()).remove(0)).unwrap()[..length]).unwrap();
        assert_eq!(open(dir.path()).recoveries().len(), 1);
        assert!(!second.exists());
    }
    append(&mut open(dir.path()), 3..4);
    assert_eq!(cycles(dir.path()), [0, 1, 2, 3]);
}

#[test]
fn damage_before_the_tail_is_kept_for_the_audit_and_writing_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut open(dir.path()), 0..20);
    let file = files(dir.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&file, &bytes).unwrap();
    append(&mut open(dir.path()), 20..25);
    assert_eq!(fs::read(&file).unwrap(), bytes, "evidence stays");
    let found: Vec<_> = Store::records::<Record>(dir.path()).unwrap().collect();
    assert_eq!(found.iter().filter(|entry| entry.is_err()).count(), 1);
    assert_eq!(found.last().unwrap().as_ref().unwrap().cycle, 24);
    let Err(ReadError::Flaw(flaw)) = verify(dir.path()) else {
        panic!("not found")
    };
    assert!(flaw.file == file && flaw.offset <= middle && flaw.offset > 0, "{flaw}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_changed_bit_goes_unseen(at in any::<prop::sample::Index>(), bit in 0..8) {
        let dir = tempfile::tempdir().unwrap();
        append(&mut open(dir.path()), 0..6);
        let honest = verify(dir.path()).unwrap().0;
        let file = files(dir.path()).remove(0);
        let mut bytes = fs::read(&file).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        fs::write(&file, &bytes).unwrap();
        if let Ok((found, _)) = verify(dir.path()) {
            prop_assert!(found.torn_bytes > 0 && found.head != honest.head, "only the last frame may look cut off");
        }
    }
}

#[test]
fn a_missing_segment_and_a_swapped_one_are_found() {
    let dir = tempfile::tempdir().unwrap();
    for day in 0..4 {
        append(&mut open(dir.path()), day * 17_280..day * 17_280 + 5); // 86,400 s of 5 s cycles
    }
    let files = files(dir.path());
    assert_eq!(files.len(), 4, "a segment a day");
    let aside = dir.path().join("aside");
    fs::rename(&files[1], &aside).unwrap();
    assert!(
        verify(dir.path())
            .unwrap_err()
            .to_string()
            .contains("segment 2 before it is missing")
    );
    fs::copy(&files[2], &files[1]).unwrap();
    assert!(verify(dir.path()).unwrap_err().to_string().contains("renamed"));
    fs::rename(&aside, &files[1]).unwrap();
    verify(dir.path()).unwrap();
    fs::remove_file(&files[0]).unwrap();
    assert_eq!(
        verify(dir.path()).unwrap().0.segments,
        3,
        "the oldest segments go by retention"
    );
}

#[test]
fn a_full_disk_degrades_tells_and_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::with_space(1000);
    let mut store = Store::open_on(&settings(dir.path(), 30, 100), Arc::new(disk.clone())).unwrap();
    let mut kept = Vec::new();
    for cycle in 0..60 {
        match store.append_record(now(cycle), &record(cycle)) {
            Ok(()) => kept.push(cycle),
            Err(StoreError::Write { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::StorageFull),
            Err(other) => panic!("{other}"),
        }
    }
    let lost = 60 - kept.len() as u64;
    let outage = store.outage().unwrap().clone();
    assert!(
        lost > 10 && outage.lost == lost && outage.since_ms == now(kept.len() as u64).wall_ms,
        "{outage:?}"
    );
    assert!(store.save_mind(&[0; 64]).is_err());
    assert_eq!(cycles(dir.path()), kept, "readers see whole records only");

    disk.0.store(1 << 20, Ordering::Relaxed);
    store.append_record(now(60), &record(60)).unwrap();
    kept.push(60);
    assert_eq!(store.outage(), None);
    drop(store);
    assert_eq!(cycles(dir.path()), kept);
    let verified = verify(dir.path()).unwrap().0;
    assert_eq!(verified.outages, [outage], "the gap is part of the record");
    assert_eq!(verified.torn_bytes, 0);
}

#[test]
fn a_disk_without_space_for_a_first_segment_recovers_too() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::with_space(10);
    let mut store = Store::open_on(&settings(dir.path(), 30, 100), Arc::new(disk.clone())).unwrap();
    assert!(store.append_record(now(0), &record(0)).is_err());
    assert!(files(dir.path()).is_empty());
    disk.0.store(1 << 20, Ordering::Relaxed);
    append(&mut store, 1..3);
    assert_eq!(cycles(dir.path()), [1, 2]);
}

#[test]
fn old_segments_are_deleted_by_age_and_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(dir.path(), 3, 100)).unwrap();
    for day in 0..10 {
        append(&mut store, day * 17_280..day * 17_280 + 3);
    }
    drop(store);
    let first = *cycles(dir.path()).first().unwrap();
    assert_eq!(first, 6 * 17_280, "three whole days and the present one");
    verify(dir.path()).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(dir.path(), 30, 1)).unwrap();
    for second in 0..200_u16 {
        let hash = |part: u16| {
            sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(
                [second, part].map(u16::to_le_bytes).concat(),
            ))
        };
        let noise: Vec<u8> = (0..625).flat_map(hash).collect();
        store.append_record(now(second.into()), &noise).unwrap();
        assert!(store.bytes() <= (1 << 20) + 40_000, "{} bytes", store.bytes());
    }
    assert!(store.bytes() > 1 << 19);
    verify(dir.path()).unwrap();
}

#[test]
fn a_clock_that_jumps_ahead_does_not_empty_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&settings(dir.path(), 3, 100)).unwrap();
    for day in [0, 1, 2, 4000, 4001] {
        append(&mut store, day * 17_280..day * 17_280 + 1);
    }
    assert_eq!(cycles(dir.path()).len(), 3, "a segment for each day that shall be kept");
}

#[test]
fn two_controllers_cannot_share_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(
        Store::open(&settings(dir.path(), 1, 1)),
        Err(StoreError::InUse(_))
    ));
    drop(first);
    open(dir.path());
}

#[test]
fn an_empty_directory_name_keeps_nothing_on_disk() {
    let mut store = Store::open(&settings(Path::new(""), 30, 100)).unwrap();
    store.append_record(now(0), &record(0)).unwrap();
    store.save_mind(b"mind").unwrap();
    assert_eq!((store.load_mind(), store.bytes(), store.outage()), (None, 0, None));
}

/// Pages that a full disk refused are written with the first that it takes, in order.
#[test]
fn pages_of_the_books_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::with_space(10_000);
    let mut books = Books::open_on(dir.path(), Arc::new(disk.clone())).unwrap();
    books.append(now(0).wall_ms, &record(0)).unwrap();
    disk.0.store(0, Ordering::Relaxed);
    for cycle in 1..4 {
        assert!(books.append(now(cycle).wall_ms, &record(cycle)).is_err());
    }
    disk.0.store(1 << 20, Ordering::Relaxed);
    books.flush().unwrap();
    let pages: Vec<Record> = Books::read(dir.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(pages, (0..4).map(record).collect::<Vec<_>>());
}
