//! What control costs on one core: a plan of each strategy, and whole cycles, by the number of CDUs.
//!
//! A cycle of `predictive` that chooses the whole operating point (once a minute) is the dearest there is, and is what the
//! bounds are about: under 20 ms for 25 CDUs and under 200 ms for 1,000 CDUs with 10,000 racks.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use isotherm::control::{State, plan};
use isotherm::cycle::{Core, Inputs, Mind, step};
use isotherm::forecast::JobModel;
use isotherm::site::{Site, StrategyKind, load, load_embedded};
use isotherm::snapshot::{
    Duty, HORIZONS, HeatBand, HeatForecast, HeatSource, JobQueue, Now, Quality, Reading, Snapshot,
};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

/// Cycles in a minute at the site's period of 15 s.
const CYCLES: u64 = 4;
/// Halls of the growth series: CDUs, each with ten racks, 25 CDUs a loop.
const HALLS: [usize; 4] = [25, 100, 400, 1000];

fn now(cycle: u64) -> Now {
    Now {
        mono_ms: 15_000 * cycle,
        wall_ms: 1_780_000_000_000,
        utc_offset_s: 0,
    }
}

/// Every reading in the middle of its plausible range, temperatures at usual values.
fn snapshot(site: &Site, at: Now) -> Snapshot {
    let mut snapshot = Snapshot::empty(site.points.len(), at);
    for (slot, spec) in snapshot.readings.iter_mut().zip(&site.points) {
        let value = match spec.quantity.as_str() {
            "dry_bulb" => 20.0,
            "relative_humidity" | "room_relative_humidity" => 0.5,
            "secondary_supply_temperature" | "liquid_supply_temperature" => 31.0,
            "secondary_return_temperature" | "return_temperature" | "liquid_return_temperature" => 41.0,
            "chip_margin" | "primary_supply_temperature" | "supply_temperature" => 22.0,
            "room_temperature" => 26.0,
            "secondary_flow" => 900.0,
            "primary_flow" => 500.0,
            "power" => 250.0,
            _ => spec.write.map_or(
                0.5 * (spec.plausible.0.max(0.0) + spec.plausible.1.min(100.0)),
                |write| write.release,
            ),
        };
        *slot = Some(Reading {
            value,
            quality: Quality::Good,
            mono_ms: at.mono_ms,
        });
    }
    snapshot
}

fn heat(site: &Site) -> HeatForecast {
    let band = |kw: f64| HeatBand {
        now_kw: kw,
        mean_kw: [kw; HORIZONS],
        lower_kw: [0.8 * kw; HORIZONS],
        upper_kw: [1.2 * kw; HORIZONS],
    };
    HeatForecast {
        source: HeatSource::Queue,
        cdus: site
            .cdus
            .iter()
            .map(|cdu| band(240.0 * cdu.racks.len() as f64))
            .collect(),
        racks: site.racks.iter().map(|_| band(240.0)).collect(),
        notes: Vec::new(),
        demotions: Vec::new(),
        covered: [None; HORIZONS],
    }
}

/// A site like Frontier of any size.
fn hall(cdus: usize) -> Site {
    let frontier = include_str!("../config/frontier.toml");
    // Sections of Frontier's file, with every item of equipment taken out.
    let mut text = String::new();
    for section in sections(frontier) {
        let item = [
            "[[cdu]]",
            "[[rack]]",
            "[[loop]]",
            "[[tower_cell]]",
            "[[air_unit]]",
            "[[meter]]",
        ];
        if !item.iter().any(|head| section.starts_with(head)) {
            text.push_str(&section.replace("loop = \"loop1\"", ""));
        }
    }
    for hall in 1..=cdus.div_ceil(25) {
        let _infallible = write!(
            text,
            "[[loop]]\nid = \"loop{hall}\"\nvolume_l = 120000\ntransport_s = 60\npumps = 5\npump_flow_lpm = 6600\n\
             pump_head_kpa = 300\npump_kw = 55\ndevice = {{ profile = \"pump-skid\", address = \"127.0.0.1:1\", unit = 1 }}\n"
        );
        for cell in 1..=20 {
            let _infallible = write!(
                text,
                "[[tower_cell]]\nid = \"tower{hall}x{cell}\"\nloop = \"loop{hall}\"\n\
                 device = {{ address = \"127.0.0.1:2\" }}\n"
            );
        }
    }
    for cdu in 1..=cdus {
        let around = (cdu - 1) / 25 + 1;
        let _infallible = write!(
            text,
            "[[cdu]]\nid = \"cdu{cdu}\"\nloop = \"loop{around}\"\nrated_kw = 4200\nsecondary_flow_lpm = 4700\n\
             device = {{ address = \"127.0.0.1:3\" }}\n"
        );
        for rack in 1..=10 {
            let _infallible = write!(text, "[[rack]]\nid = \"r{cdu}x{rack}\"\ncdu = \"cdu{cdu}\"\n");
        }
    }
    let file = std::env::temp_dir().join(format!("isotherm-bench-{cdus}-{}.toml", std::process::id()));
    std::fs::write(&file, text).expect("a temporary file can be written");
    let site = load(&file).expect("the hall is without mistakes");
    let _gone = std::fs::remove_file(&file);
    site
}

/// A TOML text in its tables, each with its head.
fn sections(text: &str) -> Vec<String> {
    let mut sections = vec![String::new()];
    for line in text.lines() {
        if line.starts_with('[') {
            sections.push(String::new());
        }
        let last = sections.last_mut().expect("there is one");
        last.push_str(line);
        last.push('\n');
    }
    sections
}

fn plans(c: &mut Criterion) {
    let site = load_embedded("frontier")
        .expect("frontier is embedded")
        .expect("frontier is without mistakes");
    let (snapshot, heat) = (snapshot(&site, now(0)), heat(&site));
    for strategy in [StrategyKind::Fixed, StrategyKind::TrimRespond, StrategyKind::Predictive] {
        let mut state = State::default();
        for cycle in 0..CYCLES {
            black_box(plan(&site, strategy, &snapshot, &heat, &mut state, now(cycle)));
        }
        c.bench_function(&format!("a minute of plans by {} on frontier", strategy.name()), |b| {
            b.iter_batched(
                || state.clone(),
                |mut state| {
                    for cycle in CYCLES..2 * CYCLES {
                        black_box(plan(&site, strategy, &snapshot, &heat, &mut state, now(cycle)));
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// One whole cycle that chooses the operating point anew: assess, forecast, plan, judge, account, record.
fn cycles(c: &mut Criterion) {
    let model = Arc::new(JobModel::embedded());
    let mut group = c.benchmark_group("one cycle of predictive with a choice, all inclusive");
    group.sample_size(10);
    for cdus in HALLS {
        let core = Core::new(Arc::new(hall(cdus)), Arc::clone(&model), false);
        let inputs = |cycle: u64| Inputs {
            snapshot: snapshot(&core.site, now(cycle)),
            queue: JobQueue::default(),
            requests: Vec::new(),
            imposed: None,
            duty: Duty::Alone,
            notices: Vec::new(),
        };
        let mut mind = Mind::new(StrategyKind::Predictive);
        for cycle in 0..CYCLES {
            black_box(step(&core, &mut mind, inputs(cycle), now(cycle)));
        }
        group.bench_with_input(
            BenchmarkId::from_parameter(format!("{cdus} CDUs, {} racks", 10 * cdus)),
            &cdus,
            |b, _| {
                b.iter_batched(
                    || (mind.clone(), inputs(2 * CYCLES)),
                    |(mut mind, inputs)| black_box(step(&core, &mut mind, inputs, now(2 * CYCLES))),
                    BatchSize::PerIteration,
                );
            },
        );
    }
    group.finish();
}

criterion_group!(benches, plans, cycles);
criterion_main!(benches);
