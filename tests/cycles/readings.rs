//! Missing, old, frozen and impossible readings: checklist items 11, 12, 13.

use super::bench::{Bench, LOOP_PRESSURE, OTHER_PRESSURE, PRESSURE, RACK_KW};
use isotherm::safety::Level;

#[test]
fn a_reading_ages_towards_its_worst_case_before_it_is_lost() {
    // 30 K of margin, 1 K/s beyond one cycle of 5 s: 10 K after 25 s, 5 K after 30 s, lost after that.
    Bench::steady()
        .lose("r01.chip_margin")
        .run(20.0)
        .expect_level(Level::Normal)
        .run(10.0)
        .expect_level(Level::Critical)
        .run(5.0)
        .expect_level(Level::Failsafe)
        .expect(PRESSURE, 220.0)
        .expect(OTHER_PRESSURE, 150.0)
        .expect_event_about("missing_reading", "r01.chip_margin")
        .set("r01.chip_margin", 30.0)
        .cycle()
        .expect_level(Level::Normal)
        .expect_events("missing_reading_over", 1);
}

#[test]
fn failsafe_has_a_strength_for_each_cause_and_the_strongest_wins() {
    // A loop's own temperature has no limit: four fifths of the way from 150 to 250 kPa.
    Bench::steady()
        .lose("loop1.supply_temperature")
        .run(35.0)
        .expect_level(Level::Failsafe)
        .expect(LOOP_PRESSURE, 230.0)
        .expect(PRESSURE, 100.0)
        .lose("r05.chip_margin")
        .run(35.0)
        .expect(LOOP_PRESSURE, 250.0)
        .expect(OTHER_PRESSURE, 220.0);
}

#[test]
fn a_reading_that_is_not_required_may_go() {
    Bench::steady()
        .silence("cdu1.primary_flow")
        .silence("r01.liquid_return_temperature")
        .run(120.0)
        .expect_level(Level::Normal);
}

#[test]
fn a_flagged_value_is_no_value() {
    Bench::steady()
        .set("cdu1.secondary_supply_temperature", 50.0)
        .doubt("cdu1.secondary_supply_temperature")
        .cycle()
        .expect_level(Level::Normal)
        .run(30.0)
        .expect_level(Level::Failsafe);
}

#[test]
fn a_frozen_sensor_is_lost_once_the_heat_has_moved() {
    let frozen = "cdu1.secondary_supply_temperature";
    let mut bench = Bench::steady().freeze(frozen).run(300.0).expect_level(Level::Normal);
    for rack in ["r01", "r02", "r03", "r04"] {
        bench = bench
            .set(&format!("{rack}.power"), 2.0 * RACK_KW - 10.0)
            .set(&format!("{rack}.chip_margin"), 20.0);
    }
    bench
        .set("cdu1.secondary_return_temperature", 43.0)
        .run(50.0)
        .expect_level(Level::Normal)
        .run(15.0)
        .expect_level(Level::Failsafe)
        .expect_event_about("frozen_reading", frozen)
        .expect_events("frozen_reading", 1)
        .set(frozen, 30.1)
        .cycle()
        .expect_level(Level::Normal);
}

#[test]
fn swapped_temperatures_and_backward_flow_are_told_and_not_believed() {
    Bench::steady()
        .set("cdu1.secondary_supply_temperature", 37.5)
        .set("cdu1.secondary_return_temperature", 30.0)
        .run(60.0)
        .expect_level(Level::Normal)
        .run(120.0)
        .expect_level(Level::Failsafe)
        .expect_event_about("implausible_reading", "cdu1.secondary_supply_temperature");
    Bench::steady()
        .set("cdu2.secondary_flow", -50.0)
        .cycle()
        .expect_level(Level::Failsafe)
        .expect(OTHER_PRESSURE, 220.0)
        .expect_event_about("implausible_reading", "cdu2.secondary_flow");
}

#[test]
fn an_energy_balance_that_does_not_close_freezes_every_lowering() {
    Bench::steady()
        .run(900.0)
        .expect_events("energy_imbalance", 0)
        .set("cdu1.secondary_flow", 640.0)
        .run(1800.0)
        .expect_level(Level::Guarded)
        .plan(PRESSURE, 60.0)
        .run(60.0)
        .expect(PRESSURE, 100.0)
        .expect_event_about("energy_imbalance", "cdu1.secondary_flow")
        .expect_events("energy_imbalance", 1);
}
