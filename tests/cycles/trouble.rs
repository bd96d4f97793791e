//! Equipment in trouble, sensors that disagree, leaks by their severity: checklist items 12, 15, 16.

use super::bench::{Bench, LOOP_PRESSURE, PRESSURE, SUPPLY};
use isotherm::safety::{AskKind, Level};

#[test]
fn a_valve_that_stands_still_while_its_temperature_is_off_is_stuck() {
    Bench::steady()
        .set("cdu1.primary_valve_position", 0.4)
        .run(120.0)
        .expect_events("valve_stuck", 0)
        .set("cdu1.secondary_supply_temperature", 26.5)
        .run(70.0)
        .expect_event_about("valve_stuck", "cdu1")
        .run(60.0)
        .expect(LOOP_PRESSURE, 250.0);
}

#[test]
fn pressure_that_does_not_come_cools_the_coolant_instead() {
    Bench::steady()
        .set("cdu1.secondary_differential_pressure", 85.0)
        .set("cdu1.secondary_flow", 500.0)
        .run(90.0)
        .expect_level(Level::Normal)
        .run(20.0)
        .expect_event_about("low_flow", "cdu1")
        .expect_level(Level::Failsafe)
        .expect(PRESSURE, 220.0)
        .expect(SUPPLY, 18.0);
}

/// At most cooling more pressure is asked for than the pumps have: that is no trouble, or boot would never end.
#[test]
fn a_cdu_that_gives_its_rated_flow_lacks_no_pressure() {
    Bench::steady()
        .set("cdu1.secondary_differential_pressure", 85.0)
        .set("cdu1.secondary_flow", 640.0)
        .run(200.0)
        .expect_events("low_flow", 0);
}

#[test]
fn a_collapsed_pressure_is_seen_within_two_cycles_more() {
    Bench::steady()
        .set("cdu1.secondary_differential_pressure", 10.0)
        .run(15.0)
        .expect_event_about("low_pressure", "cdu1")
        .expect_level(Level::Failsafe);
    Bench::steady()
        .set("loop1.differential_pressure", 20.0)
        .run(10.0)
        .expect_event_about("low_pressure", "loop1")
        .expect_level(Level::Guarded);
}

/// Losing the reading while its trouble is under way forgives nothing.
#[test]
fn a_collapse_that_is_under_way_goes_on_when_its_reading_is_lost() {
    Bench::steady()
        .set("cdu1.secondary_differential_pressure", 10.0)
        .run(5.0)
        .expect_events("low_pressure", 0)
        .lose("cdu1.secondary_differential_pressure")
        .run(60.0)
        .expect_event_about("low_pressure", "cdu1")
        .expect_level(Level::Failsafe);
}

#[test]
fn coolant_that_misses_the_racks_is_told() {
    Bench::steady()
        .set("cdu1.secondary_flow", 640.0)
        .run(110.0)
        .expect_event_about("flow_lost", "cdu1")
        .expect_level(Level::Guarded);
}

#[test]
fn a_supply_that_stays_too_warm_cools_the_facility_water() {
    // Far from its limit it is told and no more.
    Bench::steady()
        .set("cdu1.secondary_supply_temperature", 28.0)
        .run(100.0)
        .expect_events("high_supply", 0)
        .run(30.0)
        .expect_event_about("high_supply", "cdu1")
        .run(60.0)
        .expect(LOOP_PRESSURE, 150.0);
    Bench::steady()
        .set("cdu1.secondary_supply_temperature", 38.0)
        .run(190.0)
        .expect_event_about("high_supply", "cdu1")
        .expect(LOOP_PRESSURE, 250.0);
}

#[test]
fn without_facility_water_the_racks_are_asked_to_draw_less() {
    let bench = Bench::steady()
        .set("cdu1.primary_flow", 1.0)
        .run(10.0)
        .expect_level(Level::Critical)
        .expect_event_about("primary_lost", "cdu1")
        .expect(PRESSURE, 220.0);
    let caps: Vec<_> = bench
        .report
        .asks
        .iter()
        .filter(|ask| ask.kind == AskKind::PowerCap)
        .collect();
    assert_eq!(caps.len(), 4);
    // 18 K of 1000 kJ/K over five minutes are 60 kW of coolant heat for all four.
    let sum: f64 = caps.iter().filter_map(|ask| ask.kw).sum();
    assert!((55.0..75.0).contains(&sum), "{sum}");
    let bench = bench.set("cdu1.primary_flow", 300.0).cycle();
    assert!(bench.report.asks.is_empty());
}

#[test]
fn a_fan_that_stands_is_replaced_by_the_other_cells() {
    Bench::steady()
        .plan("tower1.enable", 0.0)
        .run(60.0)
        .set("tower2.running", 1.0)
        .set("tower2.fan_speed", 0.0)
        .set("tower2.leaving_temperature", 26.0)
        .run(70.0)
        .expect_event_about("fan_trip", "tower2")
        .expect("tower1.enable", 1.0);
}

#[test]
fn a_supply_sensor_that_its_racks_outvote_is_not_believed() {
    Bench::steady()
        .set("r01.liquid_supply_temperature", 25.0)
        .set("r02.liquid_supply_temperature", 25.1)
        .set("r03.liquid_supply_temperature", 24.9)
        .set("r04.liquid_supply_temperature", 60.0)
        .set("cdu1.secondary_supply_temperature", 23.5)
        .run(25.0)
        .expect_level(Level::Normal)
        .run(15.0)
        .expect_event_about("sensors_disagree", "cdu1.secondary_supply_temperature")
        .expect_level(Level::Failsafe);
}

#[test]
fn chips_that_are_cooler_than_their_power_allows_are_not_believed() {
    Bench::steady()
        .set("r01.power", 120.0)
        .set("r01.chip_margin", 60.0)
        .run(70.0)
        .expect_event_about("sensors_disagree", "r01.chip_margin")
        .expect_level(Level::Failsafe);
}

#[test]
fn a_room_sensor_outside_its_own_air_is_not_believed() {
    Bench::steady()
        .set("air1.room_temperature", 17.0)
        .run(70.0)
        .expect_event_about("sensors_disagree", "air1.room_temperature")
        .expect_level(Level::Failsafe);
}

#[test]
fn a_leak_in_one_rack_isolates_that_rack() {
    let bench = Bench::steady().set("r01.leak", 1.0).cycle();
    assert_eq!(
        bench.asks(),
        [(AskKind::LiquidIsolation, "r01"), (AskKind::NoNewJobs, "r01")]
    );
    let bench = bench.set("r01.leak", 0.0).cycle();
    assert!(bench.asks().is_empty());
}

#[test]
fn two_leaks_on_a_loop_are_a_major_one() {
    let bench = Bench::steady().set("r01.leak", 1.0).set("r02.leak", 1.0).cycle();
    let asks = bench.asks();
    assert!(asks.contains(&(AskKind::ElectricalIsolation, "r02")), "{asks:?}");
    assert!(asks.contains(&(AskKind::NoNewJobs, "r04")), "{asks:?}");
    assert!(!asks.contains(&(AskKind::LiquidIsolation, "r04")), "{asks:?}");
    assert!(!asks.iter().any(|(_, of)| *of == "r05"), "{asks:?}");
}

#[test]
fn a_loop_that_leaks_and_loses_pressure_is_a_critical_one() {
    let bench = Bench::steady()
        .set("cdu1.leak", 1.0)
        .set("cdu1.secondary_differential_pressure", 20.0)
        .run(20.0);
    let asks = bench.asks();
    assert!(asks.contains(&(AskKind::LiquidIsolation, "cdu1")), "{asks:?}");
    assert_eq!(
        asks.iter()
            .filter(|(kind, _)| *kind == AskKind::ElectricalIsolation)
            .count(),
        4
    );
    assert!(
        bench.report.zones[0]
            .causes
            .iter()
            .any(|cause| cause.contains("critical leak"))
    );
}
