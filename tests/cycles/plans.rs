//! What becomes of a plan: checklist items 3, 4, 19.

use super::bench::{Bench, LOOP_PRESSURE, PRESSURE, SUPPLY};
use isotherm::safety::Level;
use isotherm::site::StrategyKind;
use isotherm::snapshot::{Author, RequestKind};

#[test]
fn one_impossible_value_refuses_the_zones_whole_set() {
    for nonsense in [f64::NAN, f64::INFINITY, 500.0, -1.0] {
        Bench::steady()
            .plan(LOOP_PRESSURE, nonsense)
            .plan(PRESSURE, 150.0)
            .cycle()
            .expect(PRESSURE, 100.0)
            .expect(LOOP_PRESSURE, 150.0)
            .expect_event_about("plan_rejected", "hall")
            .expect_level(Level::Normal);
    }
}

#[test]
fn a_plan_for_what_is_no_setpoint_is_refused() {
    for tag in ["cdu1.secondary_flow", "cdu1.heartbeat"] {
        Bench::steady()
            .plan(tag, 1.0)
            .plan(PRESSURE, 150.0)
            .cycle()
            .expect(PRESSURE, 100.0);
    }
}

#[test]
fn what_is_not_planned_goes_back_to_release_at_its_rate() {
    let bench = Bench::steady()
        .set(LOOP_PRESSURE, 150.0)
        .plan(LOOP_PRESSURE, 200.0)
        .run(60.0);
    let mut bench = bench.expect(LOOP_PRESSURE, 200.0);
    bench = bench.plan(LOOP_PRESSURE, 150.0).cycle().expect(LOOP_PRESSURE, 198.75);
    bench.run(300.0).expect(LOOP_PRESSURE, 150.0);
}

#[test]
fn an_override_beats_the_plan_within_bounds_and_ends_by_time() {
    let bench = Bench::steady()
        .override_for(PRESSURE, 900.0, 60.0)
        .run(60.0)
        .expect(PRESSURE, 220.0);
    assert_eq!(bench.author(PRESSURE), Some(&Author::Operator("engineer".into())));
    bench
        .expect_events("override_set", 1)
        .cycle()
        .expect(PRESSURE, 218.75)
        .expect_events("override_ended", 1);
}

#[test]
fn an_override_lives_no_longer_than_the_site_allows() {
    Bench::steady()
        .override_for(PRESSURE, 200.0, 1e9)
        .run(14_400.0)
        .expect(PRESSURE, 200.0)
        .cycle()
        .expect(PRESSURE, 198.75);
}

#[test]
fn only_operators_override_and_safety_still_demands() {
    let bench = Bench::steady();
    let point = bench.id(PRESSURE);
    let kind = RequestKind::Override {
        point,
        value: 200.0,
        for_s: 60.0,
    };
    bench
        .ask_as(Author::Strategy(StrategyKind::Predictive), kind)
        .cycle()
        .expect(PRESSURE, 100.0)
        .expect_events("request_refused", 1)
        .override_for(PRESSURE, 20.0, 600.0)
        .set("cdu1.secondary_supply_temperature", 44.0)
        .cycle()
        .expect(PRESSURE, 220.0);
}

#[test]
fn an_override_may_be_ended() {
    let bench = Bench::steady()
        .override_for(SUPPLY, 20.0, 600.0)
        .run(60.0)
        .expect(SUPPLY, 20.0);
    let point = bench.id(SUPPLY);
    bench
        .ask(RequestKind::ClearOverride { point })
        .cycle()
        .expect(SUPPLY, 20.0 + 0.5 / 12.0)
        .ask(RequestKind::ClearOverride { point })
        .cycle()
        .expect_events("request_refused", 1);
}

#[test]
fn the_changes_say_what_was_wanted_given_and_why() {
    let bench = Bench::steady().plan(PRESSURE, 50.0).cycle();
    let change = bench
        .report
        .changes
        .iter()
        .find(|change| change.tag == PRESSURE)
        .unwrap();
    assert!((change.wanted - 50.0).abs() < 1e-9 && change.given.is_some_and(|kpa| (kpa - 98.75).abs() < 1e-9));
    assert_eq!(change.why, "rate limit");
}
