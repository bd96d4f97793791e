//! A process is killed while it appends to the store, again and again; nothing that it acknowledged may be missing.
//!
//! The child is this very test program: it appends cycles, and prints the number of each as soon as it is acknowledged.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use isotherm::site::StoreSettings;
use isotherm::snapshot::{Now, Quality};
use isotherm::store::{Sample, SeriesName, Store, verify};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const DIR: &str = "ISOTHERM_TEST_STORE";
const SERIES: u64 = 40;
/// 40 s a cycle: a chunk, its log begun anew and the roll-up of a day come often.
const CYCLE_MS: i64 = 40_000;
const START_MS: i64 = 1_780_012_800_000;

fn settings(dir: &Path) -> StoreSettings {
    StoreSettings {
        dir: dir.to_string_lossy().into_owned(),
        retention_days: 3650,
        raw_days: 3650,
        minute_days: 3650,
        quarter_days: 3650,
        max_mib: 10_000,
    }
}

fn name(series: u64) -> SeriesName {
    SeriesName::new("point", &[("tag", &format!("rack{series}.power"))])
}

fn value(series: u64, cycle: u64) -> f64 {
    ((series * 7919 + cycle * 104_729) % 100_000) as f64 / 100.0
}

fn now(cycle: u64) -> Now {
    Now {
        mono_ms: cycle * 500,
        wall_ms: START_MS + i64::try_from(cycle).unwrap() * CYCLE_MS,
        utc_offset_s: 0,
    }
}

/// The cycles that are there whole, in order.
fn kept(dir: &Path) -> (Vec<u64>, Vec<u64>) {
    let store = Store::open(&settings(dir)).unwrap();
    let cycles = Store::records::<u64>(dir)
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    // One cycle further than the records: the kill may fall between its samples and its record, even the first one's.
    let end = cycles.last().map_or(1, |last| last + 2);
    let mut sampled: Vec<u64> = Vec::new();
    for series in 0..SERIES {
        let steps = usize::try_from(end).unwrap();
        let found = store.series(&name(series), START_MS, now(end).wall_ms, steps);
        let mut of_series = Vec::new();
        for bucket in found {
            let cycle = u64::try_from((bucket.ms - START_MS) / CYCLE_MS).unwrap();
            assert_eq!(
                (bucket.count, bucket.mean.to_bits()),
                (1, value(series, cycle).to_bits()),
                "cycle {cycle}"
            );
            of_series.push(cycle);
        }
        if series == 0 {
            sampled = of_series;
        } else {
            assert_eq!(sampled, of_series, "a cycle is there for all series or for none");
        }
    }
    (cycles, sampled)
}

/// Not a test: what the killed process does.
#[test]
#[ignore = "the child of the tests below"]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let mut store = Store::open(&settings(Path::new(&dir))).unwrap();
    let mut first = String::new();
    std::io::stdin().read_line(&mut first).unwrap();
    for cycle in first.trim().parse::<u64>().unwrap().. {
        let rows: Vec<_> = (0..SERIES)
            .map(|series| {
                let sample = Sample {
                    ms: now(cycle).wall_ms,
                    value: value(series, cycle),
                    quality: Quality::Good,
                };
                (name(series), sample)
            })
            .collect();
        store.append_rows(now(cycle).wall_ms, &rows).unwrap();
        store.append_record(now(cycle), &cycle).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "kept {cycle}").unwrap();
        out.flush().unwrap();
    }
}

fn kill_while_writing(rounds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (mut next, mut acknowledged) = (0, 0);
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{next}").unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (first, begun) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            let cycles = lines.filter_map(|line| line.strip_prefix("kept ")?.parse::<u64>().ok());
            cycles.inspect(|cycle| first.send(*cycle).unwrap()).last()
        });
        if round % 4 > 0 {
            begun.recv_timeout(Duration::from_secs(20)).expect("the child writes");
        }
        // From before the store is open to some hundred cycles later.
        std::thread::sleep(Duration::from_millis(1 + round * 37 % 100));
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(last) = reader.join().unwrap() {
            acknowledged = last + 1;
        }
        let (records, samples) = kept(dir.path());
        for (what, found) in [("records", &records), ("samples", &samples)] {
            let known = u64::try_from(found.len()).unwrap();
            assert!(
                known >= acknowledged,
                "round {round}: {known} {what} of {acknowledged} acknowledged"
            );
            assert!(
                found.iter().copied().eq(0..known),
                "round {round}: {what} have a gap or are doubled"
            );
        }
        // What was appended but not acknowledged may be there or not, samples and record each for itself.
        next = u64::try_from(records.len().max(samples.len())).unwrap();
        if records.len() != samples.len() {
            // Level them, as a controller that goes on would not: it never writes the same cycle twice.
            let mut store = Store::open(&settings(dir.path())).unwrap();
            assert_eq!(samples.len(), records.len() + 1, "samples are appended first");
            store.append_record(now(next - 1), &(next - 1)).unwrap();
        }
        acknowledged = next;
    }
    let (records, samples) = verify(dir.path()).unwrap();
    println!(
        "{rounds} kills, {next} cycles kept, {} and {} entries, chains whole",
        records.entries, samples.entries
    );
    assert!(next > rounds * 10, "the child hardly wrote: {next} cycles");
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    kill_while_writing(12);
}

#[test]
#[ignore = "two hundred kills take a minute"]
fn nothing_acknowledged_is_lost_to_two_hundred_kills() {
    kill_while_writing(200);
}
