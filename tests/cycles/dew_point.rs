//! The floor under supply temperatures: checklist item 14.

use super::bench::{Bench, SUPPLY};
use isotherm::safety::Level;
use thermo::moist_air::dew_point;
use thermo::{Celsius, Fraction};

/// What the floor should be, by the exact dew point, the demo's margin of 3 K, and 1 K for sensors and loops.
#[expect(clippy::unwrap_used, reason = "a test may panic")]
fn floor(room_c: f64, humidity: f64) -> f64 {
    dew_point(Celsius::new(room_c).unwrap(), Fraction::new(humidity).unwrap())
        .unwrap()
        .get()
        + 4.0
}

#[test]
fn no_plan_and_no_demand_goes_below_the_dew_point_and_its_margin() {
    let floor_c = floor(27.0, 0.6);
    Bench::steady()
        .set("air1.room_temperature", 27.0)
        .set("air1.room_relative_humidity", 0.6)
        .plan(SUPPLY, 18.0)
        .run(300.0)
        .expect(SUPPLY, floor_c)
        .set("cdu1.secondary_supply_temperature", 44.0)
        .cycle()
        .expect_level(Level::Critical)
        .expect(SUPPLY, floor_c);
}

#[test]
fn a_rising_dew_point_lifts_the_setpoint_at_once() {
    Bench::steady()
        .plan(SUPPLY, 18.0)
        .run(300.0)
        .expect(SUPPLY, 18.0)
        .set("air1.room_relative_humidity", 0.7)
        .cycle()
        .expect(SUPPLY, floor(24.0, 0.7));
}

#[test]
fn a_lost_humidity_sensor_drifts_and_then_takes_the_fixed_minimum() {
    let bench = Bench::steady()
        .plan(SUPPLY, 18.0)
        .run(300.0)
        .lose("air1.room_relative_humidity")
        .run(60.0);
    // Beyond one cycle of 5 s: 0.0005 of humidity a second. The temperature is fresh.
    let bench = bench.expect(SUPPLY, 18.0).expect_level(Level::Normal);
    assert!(floor(24.0, 0.4 + 0.0005 * 55.0) < 18.0);
    bench
        .cycle()
        .expect_level(Level::Failsafe)
        .expect(SUPPLY, 20.0)
        .expect_event_about("dew_point_unknown", "air1.room_relative_humidity");
}

#[test]
fn a_lost_humidity_sensor_never_lowers_a_floor_that_was_higher() {
    let worst = floor(24.0, 0.8 + 0.0005 * 55.0);
    Bench::steady()
        .set("air1.room_relative_humidity", 0.8)
        .cycle()
        .plan(SUPPLY, 18.0)
        .lose("air1.room_relative_humidity")
        .run(300.0)
        .expect(SUPPLY, worst);
}

#[test]
fn coolant_too_close_to_the_dew_point_is_an_alarm() {
    Bench::steady()
        .set("cdu1.secondary_supply_temperature", 11.0)
        .cycle()
        .expect_event_about("condensation_risk", "cdu1.secondary_supply_temperature");
}
