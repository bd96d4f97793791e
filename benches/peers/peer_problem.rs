//! Our side of the comparison with do-mpc: the plans for `small.toml` at full load in several weathers, and what each took,
//! as one line of JSON. `do_mpc.py` beside this file runs it.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use isotherm::control::{State, plan};
use isotherm::site::{Site, StrategyKind, load};
use isotherm::snapshot::{HORIZONS, HeatBand, HeatForecast, HeatSource, Now, Plan, Quality, Reading, Snapshot};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Weathers of the comparison: dry bulb, degC, and relative humidity.
const WEATHERS: [(f64, f64); 6] = [
    (2.0, 0.8),
    (10.0, 0.7),
    (16.0, 0.6),
    (22.0, 0.5),
    (28.0, 0.4),
    (30.0, 0.5),
];
/// Plans per weather whose time is averaged.
const REPEATS: u32 = 200;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/small.toml");
    let site = load(&file).expect("small.toml is without mistakes");
    let results: Vec<_> = WEATHERS.iter().map(|weather| solve(&site, *weather)).collect();
    println!(
        "{}",
        json!({ "planned_with": "isotherm predictive", "results": results })
    );
}

fn solve(site: &Site, (dry_bulb, humidity): (f64, f64)) -> serde_json::Value {
    let snapshot = snapshot(site, dry_bulb, humidity);
    let heat = heat(site);
    let mut found = None;
    let began = Instant::now();
    for _ in 0..REPEATS {
        // A newborn memory each time, so that every plan is a whole choice from nameplates.
        let mut state = State::default();
        found = Some(plan(
            site,
            StrategyKind::Predictive,
            &snapshot,
            &heat,
            &mut state,
            now(),
        ));
    }
    let took = began.elapsed() / REPEATS;
    let plan = found.expect("planned at least once");
    let of = |tag: &str| value(site, &plan, tag);
    json!({
        "dry_bulb_c": dry_bulb,
        "relative_humidity": humidity,
        "heat_kw": heat.cdus.iter().map(|band| band.now_kw).sum::<f64>(),
        "seconds": took.as_secs_f64(),
        "supply_c": of("cdu1.secondary_supply_temperature_setpoint"),
        "secondary_kpa": of("cdu1.secondary_differential_pressure_setpoint"),
        "header_kpa": of("loop1.differential_pressure_setpoint"),
        "water_c": of("tower1.supply_temperature_setpoint"),
        "sentence": plan.report.sentence,
    })
}

fn value(site: &Site, plan: &Plan, tag: &str) -> f64 {
    let point = site.point(tag).expect("the tag exists");
    let setpoint = plan.setpoints.iter().find(|setpoint| setpoint.point == point);
    setpoint.expect("the plan is complete").value
}

fn now() -> Now {
    Now {
        mono_ms: 0,
        wall_ms: 1_780_000_000_000,
        utc_offset_s: 0,
    }
}

fn snapshot(site: &Site, dry_bulb: f64, humidity: f64) -> Snapshot {
    let mut snapshot = Snapshot::empty(site.points.len(), now());
    for (tag, value) in [
        ("weather.dry_bulb", dry_bulb),
        ("weather.relative_humidity", humidity),
        ("weather.pressure", 101.325),
        ("loop1.supply_temperature", 24.0),
    ] {
        let point = site.point(tag).expect("the tag exists");
        snapshot.readings[point.0] = Some(Reading {
            value,
            quality: Quality::Good,
            mono_ms: 0,
        });
    }
    snapshot
}

/// Full load, known and steady: nothing may step, so that both sides hold the same limits.
fn heat(site: &Site) -> HeatForecast {
    let band = |kw: f64| HeatBand {
        now_kw: kw,
        mean_kw: [kw; HORIZONS],
        lower_kw: [kw; HORIZONS],
        upper_kw: [kw; HORIZONS],
    };
    let rack = |rack: &isotherm::site::Rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction;
    HeatForecast {
        source: HeatSource::Queue,
        cdus: vec![band(site.racks.iter().map(rack).sum())],
        racks: site.racks.iter().map(|unit| band(rack(unit))).collect(),
        notes: Vec::new(),
        demotions: Vec::new(),
        covered: [None; HORIZONS],
    }
}
