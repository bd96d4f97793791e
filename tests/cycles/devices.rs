//! Arming, heartbeats, local control, read-back: checklist items 1, 2, 17.

use super::bench::{Bench, OTHER_PRESSURE, PRESSURE};
use isotherm::safety::Level;

#[test]
fn a_device_without_a_short_comms_timeout_is_never_written() {
    for timeout_s in [0.0, 121.0] {
        Bench::new()
            .set("cdu1.comms_timeout", timeout_s)
            .run(30.0)
            .expect_unwritten(PRESSURE)
            .expect_unwritten("cdu1.heartbeat")
            .expect(OTHER_PRESSURE, 150.0)
            .expect_event_about("not_armed", "cdu1");
    }
}

#[test]
fn a_device_that_loses_its_timeout_is_ramped_to_release_and_left() {
    Bench::steady()
        .set("cdu1.comms_timeout", 0.0)
        .cycle()
        .expect(PRESSURE, 125.0)
        .cycle()
        .expect(PRESSURE, 150.0)
        .cycle()
        .expect_unwritten(PRESSURE)
        .run(30.0)
        .expect_unwritten("cdu1.heartbeat");
}

#[test]
fn every_cycle_has_its_beat() {
    let bench = Bench::new()
        .cycle()
        .expect("cdu1.heartbeat", 1.0)
        .cycle()
        .expect("tower3.heartbeat", 2.0);
    bench
        .run(5.0 * 65_533.0)
        .expect("loop1.heartbeat", 65_535.0)
        .cycle()
        .expect("loop1.heartbeat", 0.0);
}

#[test]
fn a_device_that_does_not_take_our_beat_is_failed_over() {
    Bench::steady()
        .refuse("cdu1.heartbeat")
        .run(25.0)
        .expect_level(Level::Normal)
        .run(10.0)
        .expect_level(Level::Failsafe)
        .expect_event_about("heartbeat_lost", "cdu1")
        .expect(PRESSURE, 220.0)
        .expect(OTHER_PRESSURE, 150.0);
}

#[test]
fn a_device_in_local_control_is_followed_and_taken_back_without_a_bump() {
    Bench::steady()
        .set("cdu1.local_control", 1.0)
        .set(PRESSURE, 180.0)
        .cycle()
        .expect(PRESSURE, 180.0)
        .expect_event_about("local_control", "cdu1")
        .run(60.0)
        .expect(PRESSURE, 180.0)
        .set("cdu1.local_control", 0.0)
        .cycle()
        .expect(PRESSURE, 178.75)
        .expect_events("write_mismatch", 0);
}

#[test]
fn a_changed_setpoint_is_taken_over_and_fought_for_only_so_often() {
    let mut bench = Bench::steady();
    for kpa in [200.0, 60.0, 180.0] {
        bench = bench.set(PRESSURE, kpa).cycle().expect_events("write_mismatch", 1);
    }
    bench
        .set(PRESSURE, 90.0)
        .cycle()
        .expect_unwritten(PRESSURE)
        .expect(OTHER_PRESSURE, 150.0)
        .run(1700.0)
        .expect_unwritten(PRESSURE)
        .run(400.0)
        .expect(PRESSURE, 100.0)
        .expect_events("point_yielded_over", 1);
}

#[test]
fn a_device_that_refuses_writes_is_noticed() {
    let bench = Bench::steady().refuse(PRESSURE).plan(PRESSURE, 200.0).run(60.0);
    bench
        .expect_event_about("write_mismatch", PRESSURE)
        .expect_event_about("point_yielded", PRESSURE);
}
