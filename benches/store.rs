//! What the record costs: time for each cycle, bytes for each sample, time to read a day; on a stream like the demo's.
//!
//! `cargo bench --bench store`. `benches/peers/store.py` feeds the same stream to `SQLite` and `VictoriaMetrics`.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use isotherm::site::{Site, StoreSettings, load_embedded};
use isotherm::snapshot::{Now, Quality, Reading, Snapshot};
use isotherm::store::{Sample, SeriesName, Store};
use std::hint::black_box;
use std::time::Instant;

/// Readings as the demo's devices send them: registers of a tenth or hundredth that wander, with noise.
struct Plant {
    site: Site,
    raw: Vec<i32>,
    noise: u64,
    seconds: u64,
}

impl Plant {
    fn new() -> Self {
        let site = load_embedded("demo")
            .expect("the demo is embedded")
            .expect("the demo is without mistakes");
        Self {
            raw: (0..).take(site.points.len()).map(|point| 2000 + 37 * point).collect(),
            site,
            noise: 1,
            seconds: 0,
        }
    }

    fn cycle(&mut self) -> Snapshot {
        self.seconds += 5;
        let mono_ms = self.seconds * 1000;
        let now = Now {
            mono_ms,
            wall_ms: 1_780_000_000_000 + i64::try_from(mono_ms).unwrap_or(0),
            utc_offset_s: 0,
        };
        let mut readings = Vec::with_capacity(self.raw.len());
        for (raw, point) in self.raw.iter_mut().zip(&self.site.points) {
            self.noise = self
                .noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *raw += i32::from(self.noise.to_be_bytes()[0] % 7) - 3;
            // Points of one device are read together, some tens of milliseconds apart from cycle to cycle.
            let age_ms = (self.seconds / 5 * 13 + point.device.0 as u64 * 17) % 60;
            let value = f64::from(*raw) * if point.profile_point % 2 == 0 { 0.1 } else { 0.01 };
            readings.push(Some(Reading {
                value,
                quality: Quality::Good,
                mono_ms: mono_ms - age_ms,
            }));
        }
        Snapshot { now, readings }
    }

    fn name(&self, point: usize) -> SeriesName {
        let spec = self.site.points.get(point).expect("the demo has many points");
        SeriesName::point(&spec.tag, spec.unit.symbol())
    }
}

fn store(dir: &std::path::Path) -> Store {
    let settings = StoreSettings {
        dir: dir.to_string_lossy().into_owned(),
        retention_days: 30,
        raw_days: 30,
        minute_days: 366,
        quarter_days: 3653,
        max_mib: 10_000,
    };
    Store::open(&settings).expect("a fresh directory opens")
}

fn samples(c: &mut Criterion) {
    let mut plant = Plant::new();
    let site = plant.site.clone();
    let points = site.points.len();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut kept = store(dir.path());
    let day: Vec<Snapshot> = (0..17_280).map(|_| plant.cycle()).collect();
    let began = Instant::now();
    for snapshot in &day {
        kept.append_samples(&site, snapshot).expect("there is space");
    }
    kept.flush().expect("there is space");
    let sampled = day.len() * points;
    println!(
        "{points} points, a day: {sampled} samples at {:.0} samples/s, {} bytes, {:.2} each",
        sampled as f64 / began.elapsed().as_secs_f64(),
        kept.bytes(),
        kept.bytes() as f64 / sampled as f64
    );
    let (from_ms, to_ms) = (day[0].now.wall_ms, day[day.len() - 1].now.wall_ms);
    let name = plant.name(5);
    c.bench_function("a day of a series at 5 s, in 600 steps", |bencher| {
        bencher.iter(|| black_box(kept.series(&name, from_ms, to_ms, 600)));
    });
    let mut group = c.benchmark_group("samples");
    group.throughput(Throughput::Elements(points as u64));
    group.bench_function("append a cycle", |bencher| {
        bencher.iter_batched(
            || plant.cycle(),
            |snapshot| kept.append_samples(&site, &snapshot),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// A week of a few series at 1 s.
fn reading(c: &mut Criterion) {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut kept = store(dir.path());
    let name = |number: i64| SeriesName::new("point", &[("tag", &format!("cdu{number}.secondary_flow"))]);
    let start_ms = 20_600 * DAY_MS;
    let mut noise = 1_u64;
    for second in 0..7 * 86_400 {
        let ms = start_ms + second * 1000;
        let rows: Vec<(SeriesName, Sample)> = (0..10_i64)
            .map(|number| {
                noise = noise
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(number.unsigned_abs());
                let value = f64::from(i32::from(noise.to_be_bytes()[0] % 16) + 4000) / 10.0;
                let sample = Sample {
                    ms: ms + number,
                    value,
                    quality: Quality::Good,
                };
                (name(number), sample)
            })
            .collect();
        kept.append_rows(ms, &rows).expect("there is space");
    }
    drop(kept);
    let kept = store(dir.path());
    let name = name(3);
    let asked = [
        ("a day of a series at 1 s, every sample", 6, 1, 86_400),
        ("a day of a series at 1 s, in 600 steps", 6, 1, 600),
        ("a week of a series at 1 s, in 600 steps", 0, 7, 600),
        ("a week of a series at 1 s, every sample", 0, 7, 604_800),
    ];
    for (what, from, days, points) in asked {
        let (from_ms, to_ms) = (start_ms + from * DAY_MS, start_ms + (from + days) * DAY_MS);
        let found = kept.series(&name, from_ms, to_ms, points).len();
        assert!(found >= points - 1, "{what}: {found}");
        c.bench_function(what, |bencher| {
            bencher.iter(|| black_box(kept.series(&name, from_ms, to_ms, points)));
        });
    }
    let began = Instant::now();
    drop(kept);
    drop(store(dir.path()));
    println!(
        "closing and opening a week: {:.0} ms",
        began.elapsed().as_secs_f64() * 1000.0
    );
}

fn records(c: &mut Criterion) {
    let mut plant = Plant::new();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut kept = store(dir.path());
    let hour: Vec<Snapshot> = (0..720).map(|_| plant.cycle()).collect();
    for snapshot in &hour {
        kept.append_record(snapshot.now, snapshot).expect("there is space");
    }
    println!(
        "a record of {} readings takes {} bytes",
        plant.site.points.len(),
        kept.bytes() / 720
    );
    c.bench_function("append a record of a snapshot", |bencher| {
        bencher.iter_batched(
            || plant.cycle(),
            |snapshot| kept.append_record(snapshot.now, &snapshot),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, samples, reading, records);
criterion_main!(benches);
