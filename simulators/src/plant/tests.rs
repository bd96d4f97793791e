//! The whole plant: balances, settling, physics that must be monotonic, comms loss, determinism.

use super::demo_hall::{MILD, NETWORK, run, set, spec, truth};
use super::*;

const TROPICAL: WeatherSample = WeatherSample {
    dry_bulb_c: 33.0,
    rh: 0.6,
    pressure_kpa: 99.0,
    wet_bulb_c: 26.5,
};

fn plant() -> Plant {
    Plant::new(&spec(), 7).unwrap()
}

/// Takes remote control of these devices and keeps it for the next minute.
fn beat(plant: &mut Plant, ids: &[&str]) {
    for id in ids {
        let tag = format!("{id}.heartbeat");
        let next = truth(plant, &tag) + 1.0;
        set(plant, &tag, next);
    }
}

/// A day with a load and weather that never rest.
fn restless_day(plant: &mut Plant, dt: f64) {
    let mut t = 0.0;
    while t < 86_400.0 {
        let hour = t / 3600.0;
        let day = libm::sin(core::f64::consts::TAU * (hour - 9.0) / 24.0);
        let weather = WeatherSample {
            dry_bulb_c: 18.0 + 8.0 * day,
            rh: 0.6 - 0.2 * day,
            pressure_kpa: 99.0,
            wet_bulb_c: 13.0 + 3.5 * day,
        };
        let mut racks = [0.0; 16];
        for (n, kw) in racks.iter_mut().enumerate() {
            *kw = if libm::sin(hour * 3.0 + n as f64) > 0.2 {
                118.0
            } else {
                26.0
            };
        }
        plant.advance(
            dt,
            &Drive {
                rack_it_kw: &racks,
                weather,
                network: NETWORK,
            },
        );
        if libm::fmod(t, 45.0) < dt {
            beat(plant, &["hx1"]);
            set(plant, "hx1.valve_setpoint", 0.6);
        }
        t += dt;
    }
}

#[test]
fn energy_and_water_close_over_a_day() {
    let mut plant = plant();
    let start = plant.totals();
    restless_day(&mut plant, 5.0);
    let end = plant.totals();
    let heat_in = end.it_kwh + end.machine_heat_kwh;
    let heat_out = end.rejected_kwh + end.reused_kwh + end.unremoved_kwh + end.stored_kwh - start.stored_kwh;
    assert!((heat_in / heat_out - 1.0).abs() < 1e-3, "{heat_in} in, {heat_out} out");
    assert!(end.reused_kwh > 0.05 * heat_in, "{}", end.reused_kwh);
    let water_out = end.evaporation_l + end.drift_l + end.blowdown_l + end.basin_l - start.basin_l;
    assert!(
        (end.makeup_l / water_out - 1.0).abs() < 1e-3,
        "{} in, {water_out} out",
        end.makeup_l
    );
    // Mostly latent: 2430 kJ/kg would be 1.48 L/kWh, less what leaves as warm air.
    let per_kwh = end.evaporation_l / end.rejected_kwh;
    assert!((0.9..1.45).contains(&per_kwh), "{per_kwh} L/kWh");
    let listed: f64 = end.equipment_kwh.iter().map(|(_, kwh)| kwh).sum();
    assert!((listed - end.cooling_kwh).abs() < 1e-6);
    let pue = end.site_kwh() / end.it_kwh;
    assert!((1.02..1.12).contains(&pue), "{pue}");
}

#[test]
fn meters_count_what_was_used_within_their_class() {
    let mut plant = plant();
    run(&mut plant, 6.0 * 3600.0, 5.0, 90.0, MILD);
    let totals = plant.totals();
    for (tag, want) in [
        ("meter_it.energy", totals.it_kwh),
        ("meter_site.energy", totals.site_kwh()),
        ("meter_cooling.energy", totals.cooling_kwh),
        ("meter_makeup.volume", totals.makeup_l),
        ("meter_blowdown.volume", totals.blowdown_l),
    ] {
        let got = plant.measure(plant.signal(tag).unwrap());
        assert!((got / want - 1.0).abs() < 0.0101, "{tag}: {got} is not {want}");
    }
    let cells: f64 = (1..=3).map(|n| truth(&plant, &format!("ct{n}.makeup_volume"))).sum();
    assert!((cells - totals.makeup_l).abs() < 1e-6);
}

#[test]
fn same_seed_same_bits_and_other_seed_other_plant() {
    let bits = |seed: u64| {
        let mut plant = Plant::new(&spec(), seed).unwrap();
        run(&mut plant, 900.0, 5.0, 80.0, MILD);
        plant
            .signals()
            .map(|(_, id)| plant.measure(id).to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(3), bits(3));
    assert_ne!(bits(3), bits(4));
}

#[test]
fn the_step_of_the_caller_matters_little() {
    let state = |dt: f64| {
        let mut plant = plant();
        run(&mut plant, 3600.0, dt, 60.0, MILD);
        run(&mut plant, 600.0, dt, 115.0, MILD);
        [
            "cdu1.secondary_supply_temperature",
            "rack01.chip_margin",
            "fws.supply_temperature",
            "fws.return_temperature",
        ]
        .map(|tag| truth(&plant, tag))
    };
    let (fine, coarse) = (state(1.0), state(60.0));
    for (a, b) in fine.iter().zip(coarse) {
        assert!((a - b).abs() < 0.5, "{fine:?} {coarse:?}");
    }
}

#[test]
fn local_loops_settle_from_idle_to_full_load() {
    for kw in [24.0, 70.0, 118.0] {
        let mut plant = plant();
        run(&mut plant, 2.0 * 3600.0, 5.0, kw, MILD);
        let mut worst = [0.0f64; 4];
        for _ in 0..120 {
            run(&mut plant, 5.0, 5.0, kw, MILD);
            for (tag, want, slot) in [
                ("cdu2.secondary_supply_temperature", 30.0, 0),
                ("cdu2.secondary_differential_pressure", 110.0, 1),
                ("fws.differential_pressure", 90.0, 2),
                ("ahu1.supply_air_temperature", 27.0, 3),
            ] {
                worst[slot] = worst[slot].max((truth(&plant, tag) - want).abs());
            }
        }
        assert!(
            worst[0] < 0.3 && worst[1] < 1.0 && worst[2] < 1.0 && worst[3] < 0.5,
            "{kw} kW: {worst:?}"
        );
        let leaving = truth(&plant, "ct1.leaving_temperature");
        assert!((leaving - 24.0).abs() < 1.6, "{kw} kW: {leaving}");
    }
}

#[test]
fn a_load_step_reaches_chips_in_seconds_and_the_loop_in_minutes() {
    let mut plant = plant();
    run(&mut plant, 3600.0, 5.0, 24.0, MILD);
    let margin = |plant: &Plant| truth(plant, "rack05.chip_margin");
    let (idle, return_idle) = (margin(&plant), truth(&plant, "fws.return_temperature"));
    run(&mut plant, 10.0, 1.0, 120.0, MILD);
    let (early, return_early) = (margin(&plant), truth(&plant, "fws.return_temperature"));
    let mut worst = early;
    for _ in 0..180 {
        run(&mut plant, 5.0, 5.0, 120.0, MILD);
        worst = worst.min(margin(&plant));
    }
    let (late, return_late) = (margin(&plant), truth(&plant, "fws.return_temperature"));
    assert!(idle - early > 0.6 * (idle - late), "{idle} {early} {late}");
    assert!(
        return_early - return_idle < 0.3 * (return_late - return_idle),
        "{return_idle} {return_early} {return_late}"
    );
    assert!(
        worst < late - 0.3 && worst > 0.0,
        "the supply overshoots before the valve has opened: {worst} {late}"
    );
    assert!((12.0..40.0).contains(&late), "{late}");
}

#[test]
fn more_of_each_actuator_does_what_it_should() {
    let after = |tag: &'static str, value: f64, seen: &str| {
        let mut plant = plant();
        let ids = ["fws", "ct1", "ct2", "ct3", "ahu1", "cdu1"];
        for _ in 0..120 {
            beat(&mut plant, &ids);
            set(&mut plant, tag, value);
            run(&mut plant, 30.0, 5.0, 110.0, MILD);
        }
        truth(&plant, seen)
    };
    let dp = "cdu1.secondary_differential_pressure_setpoint";
    assert!(after(dp, 120.0, "rack01.chip_margin") > after(dp, 60.0, "rack01.chip_margin") + 1.0);
    assert!(after(dp, 120.0, "cdu1.power") > 1.5 * after(dp, 60.0, "cdu1.power"));
    let supply = "cdu1.secondary_supply_temperature_setpoint";
    assert!(after(supply, 30.0, "rack01.chip_margin") > after(supply, 35.0, "rack01.chip_margin") + 3.0);
    assert!(after(supply, 30.0, "cdu1.primary_flow") > after(supply, 35.0, "cdu1.primary_flow"));
    let header = "fws.differential_pressure_setpoint";
    assert!(after(header, 110.0, "fws.power") > after(header, 60.0, "fws.power"));
    let fan = "ahu1.fan_speed_setpoint";
    assert!(after(fan, 1.0, "ahu1.return_air_temperature") < after(fan, 0.6, "ahu1.return_air_temperature"));
    assert!(after(fan, 1.0, "ahu1.power") > after(fan, 0.6, "ahu1.power"));
    let tower = "ct1.supply_temperature_setpoint";
    assert!(after(tower, 20.0, "ct1.leaving_temperature") < after(tower, 26.0, "ct1.leaving_temperature") - 3.0);
    assert!(after(tower, 20.0, "ct1.power") > after(tower, 26.0, "ct1.power"));
    assert!(after("ct1.enable", 0.0, "ct2.fan_speed") > after("ct1.enable", 1.0, "ct2.fan_speed"));
}

#[test]
fn hot_humid_weather_lifts_the_loop_above_its_setpoint() {
    let mut plant = plant();
    run(&mut plant, 2.0 * 3600.0, 5.0, 118.0, TROPICAL);
    let supply = truth(&plant, "fws.supply_temperature");
    assert!((27.5..32.0).contains(&supply), "{supply}");
    assert!(truth(&plant, "ct1.fan_speed") > 0.99);
    let dew_point = truth(&plant, "ahu1.room_relative_humidity");
    assert!((0.2..0.75).contains(&dew_point), "{dew_point}");
}

#[test]
fn frost_does_not_overcool_the_basins() {
    let frost = WeatherSample {
        dry_bulb_c: -15.0,
        rh: 0.7,
        pressure_kpa: 99.0,
        wet_bulb_c: -15.6,
    };
    let mut plant = plant();
    run(&mut plant, 6.0 * 3600.0, 5.0, 24.0, frost);
    let leaving = truth(&plant, "ct1.leaving_temperature");
    assert!(leaving > 18.0, "{leaving}");
}

#[test]
fn pumps_stage_with_the_load_and_never_stop() {
    let mut plant = plant();
    run(&mut plant, 3600.0, 5.0, 24.0, MILD);
    assert!((truth(&plant, "fws.pumps_running") - 1.0).abs() < 1e-9);
    run(&mut plant, 3600.0, 5.0, 118.0, MILD);
    assert!((truth(&plant, "fws.pumps_running") - 2.0).abs() < 1e-9);
    assert!((truth(&plant, "fws.differential_pressure") - 90.0).abs() < 1.0);
}

#[test]
fn cdus_disturb_each_other_through_the_loop() {
    let mut plant = plant();
    run(&mut plant, 3600.0, 5.0, 80.0, MILD);
    let before = truth(&plant, "cdu2.primary_flow");
    beat(&mut plant, &["cdu1"]);
    set(&mut plant, "cdu1.secondary_supply_temperature_setpoint", 26.0);
    run(&mut plant, 15.0, 1.0, 80.0, MILD);
    let after = truth(&plant, "cdu2.primary_flow");
    assert!((after - before).abs() > 0.5, "{before} {after}");
}

#[test]
fn a_silent_supervisor_loses_control_after_the_timeout() {
    let mut plant = plant();
    let setpoint = "cdu1.secondary_supply_temperature_setpoint";
    run(&mut plant, 600.0, 5.0, 80.0, MILD);
    assert!(
        truth(&plant, "cdu1.local_control") > 0.5,
        "local until the first heartbeat"
    );
    for _ in 0..40 {
        beat(&mut plant, &["cdu1"]);
        set(&mut plant, setpoint, 34.0);
        run(&mut plant, 30.0, 5.0, 80.0, MILD);
    }
    assert!(truth(&plant, "cdu1.local_control") < 0.5);
    assert!((truth(&plant, "cdu1.secondary_supply_temperature") - 34.0).abs() < 0.3);
    run(&mut plant, 65.0, 5.0, 80.0, MILD);
    assert!(truth(&plant, "cdu1.local_control") > 0.5);
    assert!(
        (truth(&plant, setpoint) - 30.0).abs() < 1e-9,
        "the register shows the device's own setpoint"
    );
    run(&mut plant, 900.0, 5.0, 80.0, MILD);
    assert!((truth(&plant, "cdu1.secondary_supply_temperature") - 30.0).abs() < 0.3);
}

#[test]
fn writes_are_refused_with_a_reason() {
    let mut plant = plant();
    let mut write = |tag: &str, value| {
        let signal = plant.signal(tag).unwrap();
        plant.write(signal, value)
    };
    assert_eq!(write("cdu1.secondary_flow", 1.0), Err(WriteError::ReadOnly));
    assert_eq!(write("weather.dry_bulb", 1.0), Err(WriteError::ReadOnly));
    assert!(matches!(
        write("cdu1.secondary_supply_temperature_setpoint", 5.0),
        Err(WriteError::OutOfRange { .. })
    ));
    assert!(write("cdu1.secondary_supply_temperature_setpoint", 28.0).is_ok());
    assert!(plant.signal("cdu9.power").is_none());
}

#[test]
fn every_mistake_of_a_specification_is_named() {
    let mut bad = spec();
    bad.racks[0].cdu = "cdu77".into();
    bad.loops[0].pump_head_kpa = 40.0;
    bad.cdus[1].approach_k = f64::NAN;
    bad.air_units[0].id = "cdu1".into();
    let error = Plant::new(&bad, 1).unwrap_err();
    for word in ["cdu77", "pump_head_kpa", "approach_k", "used twice"] {
        assert!(error.problems.iter().any(|p| p.contains(word)), "{word}: {error}");
    }
    let mut tight = spec();
    tight.cdus[0].approach_k = 0.1;
    tight.cdus[1].pump_kw = 0.5;
    let error = Plant::new(&tight, 1).unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
}

#[test]
fn nonsense_from_outside_does_not_enter() {
    let mut plant = plant();
    run(&mut plant, 600.0, 5.0, 80.0, MILD);
    let weather = WeatherSample {
        dry_bulb_c: f64::NAN,
        ..MILD
    };
    let racks = [f64::NAN, -5.0, f64::INFINITY];
    plant.advance(
        f64::NAN,
        &Drive {
            rack_it_kw: &racks,
            weather,
            network: NETWORK,
        },
    );
    plant.advance(
        60.0,
        &Drive {
            rack_it_kw: &racks,
            weather,
            network: NETWORK,
        },
    );
    let tags: Vec<_> = plant
        .signals()
        .filter(|(tag, _)| !tag.starts_with("weather"))
        .map(|(_, id)| id)
        .collect();
    assert!(tags.iter().all(|id| plant.truth(*id).is_finite()));
}

#[test]
fn measured_values_are_near_the_truth_and_stable_between_steps() {
    let mut plant = plant();
    run(&mut plant, 3600.0, 5.0, 90.0, MILD);
    for (tag, tolerance) in [
        ("cdu1.secondary_supply_temperature", 0.3),
        ("cdu1.secondary_flow", 15.0),
        ("rack03.chip_margin", 2.0),
        ("weather.dry_bulb", 0.3),
        ("ahu1.room_relative_humidity", 0.04),
    ] {
        let signal = plant.signal(tag).unwrap();
        assert!((plant.measure(signal) - plant.truth(signal)).abs() < tolerance, "{tag}");
        assert_eq!(plant.measure(signal).to_bits(), plant.measure(signal).to_bits());
    }
}
