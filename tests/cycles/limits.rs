//! Levels, demands, rates: checklist items 5, 8, 9, 10, 15, 16, 27.

use super::bench::{Bench, LOOP_PRESSURE, OTHER_PRESSURE, PRESSURE, SUPPLY};
use isotherm::safety::Level;

/// Heat of four racks of 120 kW with 0.87 in the coolant, kW.
const RATED_KW: f64 = 4.0 * 120.0 * 0.87;

/// The critical supply of 43 degC less what 250 L of PG25 warm by in 12 s without facility water.
fn ceiling_c(heat_kw: f64) -> f64 {
    let kj_k = 250.0 * 60.0 * thermo::Coolant::Pg25.kw_per_lpm_k(35.0);
    43.0 - 12.0 * heat_kw / kj_k
}

#[test]
fn boot_is_most_cooling_until_every_required_point_has_reported() {
    Bench::new()
        .silence("r01.chip_margin")
        .run(30.0)
        .expect_level(Level::Failsafe)
        .expect(PRESSURE, 220.0)
        .expect(LOOP_PRESSURE, 250.0)
        // The room's dew point of 9.58 degC, 1 K for its sensors, and 3 K.
        .expect("tower1.supply_temperature_setpoint", 13.5823)
        .expect_event_about("missing_reading", "r01.chip_margin")
        .set("r01.chip_margin", 30.0)
        .cycle()
        .expect_level(Level::Normal);
}

#[test]
fn a_complete_hall_starts_from_the_setpoints_that_it_finds() {
    Bench::new()
        .set(PRESSURE, 90.0)
        .plan(PRESSURE, 200.0)
        .cycle()
        .expect_level(Level::Normal)
        .expect(PRESSURE, 115.0)
        .cycle()
        .expect(PRESSURE, 140.0);
}

#[test]
fn more_cooling_goes_fast_and_less_goes_slowly() {
    Bench::steady()
        .expect(PRESSURE, 100.0)
        .plan(PRESSURE, 150.0)
        .cycle()
        .expect(PRESSURE, 125.0)
        .plan(PRESSURE, 50.0)
        .cycle()
        .expect(PRESSURE, 123.75)
        .plan(SUPPLY, 40.0)
        .cycle()
        .expect(SUPPLY, 25.0 + 0.5 / 12.0);
}

#[test]
fn no_supply_setpoint_leaves_less_room_than_a_change_of_pumps_needs() {
    Bench::steady()
        .plan(SUPPLY, 42.0)
        .run(3600.0)
        .expect_level(Level::Normal)
        .expect(SUPPLY, ceiling_c(RATED_KW));
}

#[test]
fn critical_is_most_cooling_at_once_and_lasts_until_the_target() {
    Bench::steady()
        .set("cdu1.secondary_supply_temperature", 41.0)
        .cycle()
        .expect_level(Level::Guarded)
        .plan(PRESSURE, 50.0)
        .cycle()
        .expect(PRESSURE, 100.0)
        .set("cdu1.secondary_supply_temperature", 43.0)
        .cycle()
        .expect_level(Level::Critical)
        .expect(PRESSURE, 220.0)
        .expect(LOOP_PRESSURE, 250.0)
        .expect(OTHER_PRESSURE, 150.0)
        .set("cdu1.secondary_supply_temperature", 41.0)
        .cycle()
        .expect_level(Level::Critical)
        .expect(PRESSURE, 220.0)
        .set("cdu1.secondary_supply_temperature", 39.0)
        .cycle()
        .expect_level(Level::Normal)
        .expect(PRESSURE, 218.75)
        .expect_events("limit_critical", 1);
}

#[test]
fn a_falling_margin_counts_like_a_rising_temperature() {
    Bench::steady()
        .set("r03.chip_margin", 4.9)
        .cycle()
        .expect_level(Level::Critical)
        .expect(PRESSURE, 220.0)
        .set("r03.chip_margin", 0.5)
        .cycle()
        .expect_event_about("beyond_trip", "r03.chip_margin");
}

#[test]
fn no_time_in_critical_changes_anything() {
    Bench::steady()
        .set("r03.chip_margin", 4.0)
        .cycle()
        .expect_events("limit_critical", 1)
        .run(4.0 * 3600.0)
        .expect_level(Level::Critical)
        .expect(PRESSURE, 220.0)
        .expect_events("limit_critical", 0);
}

#[test]
fn each_rack_keeps_the_flow_that_its_heat_needs() {
    // 120 kW x 0.87 in the coolant of one rack asks for 93.96 of its 157 L/min, so for 375.84 L/min in all; measured are
    // 67.1 kPa at 420 L/min.
    let expected = 67.1 * (375.84_f64 / 420.0).powi(2);
    Bench::steady()
        .set("r02.power", 120.0)
        .plan(PRESSURE, 20.0)
        .run(600.0)
        .expect_level(Level::Normal)
        .expect(PRESSURE, expected)
        .set("r02.power", 60.0)
        .run(600.0)
        .expect(PRESSURE, 20.0);
}

#[test]
fn without_flow_sensors_the_worse_end_of_the_nameplate_counts() {
    // Twice the nameplate's 150 kPa at 628 L/min.
    let expected = 2.0 * 150.0 * (375.84_f64 / 628.0).powi(2);
    Bench::steady()
        .set("r02.power", 120.0)
        .silence("cdu1.secondary_differential_pressure")
        .plan(PRESSURE, 20.0)
        .run(900.0)
        .expect_level(Level::Normal)
        .expect(PRESSURE, expected);
}

#[test]
fn a_leak_freezes_every_lowering_and_asks_for_isolation() {
    Bench::steady()
        .set("r01.leak", 1.0)
        .plan(PRESSURE, 30.0)
        .plan(LOOP_PRESSURE, 40.0)
        .cycle()
        .expect_event_about("leak", "r01.leak")
        .expect_event_about("isolation_requested", "r01.leak")
        .run(300.0)
        .expect(PRESSURE, 100.0)
        .expect(LOOP_PRESSURE, 150.0)
        .expect_events("leak", 1)
        .plan(PRESSURE, 120.0)
        .run(60.0)
        .expect(PRESSURE, 120.0)
        .set("r01.leak", 0.0)
        .plan(PRESSURE, 30.0)
        .cycle()
        .expect(PRESSURE, 118.75)
        .expect_events("leak_over", 1);
}

#[test]
fn weather_beyond_the_design_is_an_event_of_its_own() {
    Bench::steady()
        .set("weather.dry_bulb", 30.0)
        .set("weather.relative_humidity", 0.6)
        .run(60.0)
        .expect_level(Level::Normal)
        .expect_events("weather_outside_design", 1)
        .set("weather.dry_bulb", 20.0)
        .cycle()
        .expect_events("weather_outside_design_over", 1);
}
