//! Who may write: checklist items 3, 19, 20.

use super::bench::{Bench, LOOP_PRESSURE, PRESSURE, SUPPLY};
use isotherm::safety::Level;
use isotherm::site::{Authority, StrategyKind, ZoneId};
use isotherm::snapshot::{Author, RequestKind};

#[test]
fn observing_and_advising_write_nothing() {
    for authority in [Authority::Observe, Authority::Advise] {
        let bench = Bench::with(|site| site.zones[0].authority = authority)
            .plan(PRESSURE, 100.0)
            .run(60.0);
        assert!(bench.commands.is_empty());
        let bench = bench
            .expect_authority(authority)
            .override_for(PRESSURE, 100.0, 60.0)
            .cycle();
        bench
            .expect_events("request_refused", 1)
            .release()
            .expect_unwritten(PRESSURE);
    }
}

#[test]
fn bounded_stays_in_the_band_around_the_setpoint_found_unless_safety_demands() {
    Bench::with(|site| site.zones[0].authority = Authority::Bounded)
        .set(PRESSURE, 100.0)
        .plan(PRESSURE, 30.0)
        .plan(SUPPLY, 40.0)
        .run(600.0)
        .expect(PRESSURE, 70.0)
        .expect(SUPPLY, 27.0)
        .set("cdu1.secondary_supply_temperature", 44.0)
        .cycle()
        .expect(PRESSURE, 220.0);
}

#[test]
fn the_end_of_authority_is_a_ramp_to_release_and_then_silence() {
    let bench = Bench::steady()
        .authority(Authority::Observe)
        .cycle()
        .expect(PRESSURE, 125.0);
    assert_eq!(bench.author(PRESSURE), Some(&Author::Release));
    let bench = bench.cycle().expect(PRESSURE, 150.0).run(120.0);
    assert!(bench.commands.is_empty(), "{:?}", bench.commands);
    bench
        .expect_authority(Authority::Observe)
        .expect_events("authority_set", 1);
}

#[test]
fn stop_gives_everything_back_in_the_same_cycle() {
    let bench = Bench::steady()
        .ask(RequestKind::Stop)
        .cycle()
        .expect(PRESSURE, 150.0)
        .expect_unwritten("cdu1.heartbeat");
    let bench = bench
        .expect_authority(Authority::Observe)
        .expect_events("stopped", 1)
        .cycle();
    assert!(bench.commands.is_empty());
}

#[test]
fn release_gives_back_what_was_held_and_nothing_else() {
    Bench::steady()
        .release()
        .expect(PRESSURE, 150.0)
        .expect(SUPPLY, 25.0)
        .expect_unwritten("cdu1.heartbeat");
    Bench::new().release().expect_unwritten(PRESSURE);
}

#[test]
fn vetoes_lower_authority_step_by_step_and_clean_time_returns_it() {
    let bench = Bench::steady()
        .plan(LOOP_PRESSURE, f64::NAN)
        .run(45.0)
        .expect_authority(Authority::Full);
    let bench = bench
        .cycle()
        .expect_authority(Authority::Bounded)
        .run(50.0)
        .expect_authority(Authority::Advise);
    let bench = bench.expect_events("authority_demoted", 2).plan(LOOP_PRESSURE, 150.0);
    let bench = bench
        .run(1795.0)
        .expect_authority(Authority::Advise)
        .expect_unwritten(PRESSURE);
    bench
        .run(10.0)
        .expect_authority(Authority::Full)
        .expect_events("authority_returned", 1);
}

#[test]
fn lost_readings_lower_to_bounded_and_boot_does_not() {
    Bench::steady()
        .lose("r01.power")
        .run(35.0)
        .expect_level(Level::Failsafe)
        .expect_authority(Authority::Bounded)
        .set("r01.power", 60.0)
        .run(1795.0)
        .expect_authority(Authority::Bounded)
        .run(10.0)
        .expect_authority(Authority::Full);
    Bench::new()
        .silence("r01.power")
        .run(60.0)
        .expect_level(Level::Failsafe)
        .expect_authority(Authority::Full);
}

#[test]
fn only_a_person_raises_authority() {
    let raise = || RequestKind::SetAuthority {
        zone: ZoneId(0),
        authority: Authority::Full,
    };
    Bench::with(|site| site.zones[0].authority = Authority::Advise)
        .ask_as(Author::Strategy(StrategyKind::Predictive), raise())
        .cycle()
        .expect_authority(Authority::Advise)
        .expect_events("request_refused", 1)
        .ask(raise())
        .cycle()
        .expect_authority(Authority::Full);
}

#[test]
fn a_plan_in_advise_is_written_while_a_person_accepts_it_and_no_longer() {
    let accept = |for_s: f64| RequestKind::AcceptPlan { zone: ZoneId(0), for_s };
    let bench = Bench::with(|site| site.zones[0].authority = Authority::Advise)
        .plan(PRESSURE, 100.0)
        .run(60.0)
        .expect_unwritten(PRESSURE)
        .hush()
        .ask_as(Author::Strategy(StrategyKind::Predictive), accept(600.0))
        .ask(accept(0.0))
        .cycle()
        .expect_events("request_refused", 2)
        .expect_unwritten(PRESSURE)
        .ask(accept(600.0))
        .cycle()
        .expect_authority(Authority::Full)
        .expect_events("plan_accepted", 1);
    assert!(bench.commanded(PRESSURE).is_some());
    bench
        .run(900.0)
        .expect_authority(Authority::Advise)
        .expect_unwritten(PRESSURE)
        .expect_events("plan_over", 1)
        .ask(accept(600.0))
        .cycle()
        .expect_authority(Authority::Full)
        .ask(RequestKind::DeclinePlan { zone: ZoneId(0) })
        .cycle()
        .expect_authority(Authority::Advise)
        .expect_events("plan_declined", 1);
    Bench::steady()
        .hush()
        .ask(accept(600.0))
        .cycle()
        .expect_events("request_refused", 1);
}
