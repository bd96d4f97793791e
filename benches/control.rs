//! What a plan costs: time for each strategy on the large site, averaged over a minute of cycles, so that the predictive
//! strategy's choice of the whole operating point is in it.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use isotherm::control::{State, plan};
use isotherm::site::{Site, StrategyKind, load_embedded};
use isotherm::snapshot::{HORIZONS, HeatBand, HeatForecast, HeatSource, Now, Quality, Reading, Snapshot};
use std::hint::black_box;

/// Cycles in a minute at the site's period of 15 s.
const CYCLES: u64 = 4;

fn now(cycle: u64) -> Now {
    Now {
        mono_ms: 15_000 * cycle,
        wall_ms: 1_780_000_000_000,
        utc_offset_s: 0,
    }
}

/// Every reading in the middle of its plausible range, temperatures at usual values.
fn snapshot(site: &Site) -> Snapshot {
    let mut snapshot = Snapshot::empty(site.points.len(), now(0));
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
            mono_ms: 0,
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

fn plans(c: &mut Criterion) {
    let site = load_embedded("frontier")
        .expect("frontier is embedded")
        .expect("frontier is without mistakes");
    let (snapshot, heat) = (snapshot(&site), heat(&site));
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

criterion_group!(benches, plans);
criterion_main!(benches);
