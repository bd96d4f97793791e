//! What the record costs: time for each cycle, bytes for each sample, on a stream like the demo's.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use isotherm::site::{PointId, Site, StoreSettings, load_embedded};
use isotherm::snapshot::{Now, Quality, Reading, Snapshot};
use isotherm::store::Store;
use std::hint::black_box;

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
}

fn store(dir: &std::path::Path) -> Store {
    let settings = StoreSettings {
        dir: dir.to_string_lossy().into_owned(),
        retention_days: 30,
        max_mib: 1000,
    };
    Store::open(&settings).expect("a fresh directory opens")
}

fn samples(c: &mut Criterion) {
    let mut plant = Plant::new();
    let site = plant.site.clone();
    let points = site.points.len();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut kept = store(dir.path());
    let hours: Vec<Snapshot> = (0..4 * 720).map(|_| plant.cycle()).collect();
    for snapshot in &hours {
        kept.append_samples(&site, snapshot).expect("there is space");
    }
    kept.flush().expect("there is space");
    let sampled = hours.len() * points;
    println!(
        "{points} points: {sampled} samples take {} bytes, {:.2} each",
        kept.bytes(),
        kept.bytes() as f64 / sampled as f64
    );

    let (from_ms, to_ms) = (hours[0].now.wall_ms, hours[hours.len() - 1].now.wall_ms);
    c.bench_function("series of 4 h from memory", |bencher| {
        bencher.iter(|| black_box(kept.series(PointId(5), from_ms, to_ms, 500)));
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
    drop(kept);
    let mut reopened = store(dir.path());
    reopened.append_samples(&site, &plant.cycle()).expect("there is space");
    c.bench_function("series of 4 h from disk", |bencher| {
        bencher.iter(|| black_box(reopened.series(PointId(5), from_ms, to_ms, 500)));
    });
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

criterion_group!(benches, samples, records);
criterion_main!(benches);
