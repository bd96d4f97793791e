//! What may be in five minutes, and the upper bound of the forecast: checklist items 6, 7, 15.

use super::bench::{Bench, LOOP_PRESSURE, PRESSURE, SUPPLY};
use isotherm::safety::Level;
use isotherm::site::Authority;

#[test]
fn facility_water_that_a_full_load_could_not_bear_is_cooled_before_it_comes() {
    Bench::steady()
        .set("loop1.supply_temperature", 38.5)
        .run(60.0)
        .expect_event_about("outlook_limit", "cdu1.secondary_supply_temperature")
        .expect_level(Level::Guarded)
        .run(600.0)
        .expect(LOOP_PRESSURE, 230.0);
}

#[test]
fn a_trend_counts_as_much_as_a_level() {
    // 24 degC are far from any limit; rising by 3 K a minute they are at it in five.
    let mut bench = Bench::steady();
    for step in 0..36 {
        bench = bench
            .set("loop1.supply_temperature", 24.0 + 0.25 * f64::from(step))
            .cycle();
    }
    bench.expect_event_about("outlook_limit", "cdu1.secondary_supply_temperature");
}

#[test]
fn a_plan_that_the_upper_bound_would_take_to_a_chips_limit_cools_no_less() {
    let held = Bench::steady()
        .foresee(400.0)
        .plan(PRESSURE, 20.0)
        .plan(SUPPLY, 36.0)
        .run(600.0);
    held.expect_level(Level::Normal)
        .expect(PRESSURE, 100.0)
        .expect(SUPPLY, 25.0);
    Bench::steady()
        .foresee(200.0)
        .plan(PRESSURE, 60.0)
        .plan(SUPPLY, 27.0)
        .run(900.0)
        .expect(PRESSURE, 60.0)
        .expect(SUPPLY, 27.0);
}

#[test]
fn a_forecast_that_no_rack_could_give_is_out_of_its_distribution() {
    for upper_kw in [f64::NAN, -5.0, 1000.0] {
        Bench::steady()
            .foresee(upper_kw)
            .plan(PRESSURE, 60.0)
            .run(40.0)
            .expect(PRESSURE, 100.0)
            .expect_event_about("plan_rejected", "hall")
            .run(30.0)
            .expect_authority(Authority::Bounded);
    }
}

#[test]
fn a_room_keeps_what_a_minute_without_its_unit_takes() {
    let tag = "air1.supply_air_temperature_setpoint";
    // Half of the 7 K between the air that is blown and that comes back: 29.5 of 33 degC, and the room is 4 K above it.
    Bench::steady().plan(tag, 32.0).run(900.0).expect(tag, 25.5);
}

#[test]
fn the_last_unit_of_a_loop_is_never_switched_off() {
    Bench::steady()
        .plan("tower1.enable", 0.0)
        .plan("tower2.enable", 0.0)
        .plan("tower3.enable", 0.0)
        .run(120.0)
        .expect("tower1.enable", 1.0)
        .expect("tower2.enable", 0.0)
        .expect("tower3.enable", 0.0);
}
