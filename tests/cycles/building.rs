//! The building system's heartbeat, enable and override; pinned limits: checklist items 2, 3, 4.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::bench::{Bench, PRESSURE};
use isotherm::safety::Level;
use isotherm::site::{self, Site};

/// The demo hall with a building system.
fn site_with(more: &str) -> Result<Site, Vec<site::Mistake>> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.toml");
    let text = include_str!("../../config/demo.toml").to_owned()
        + more
        + "\n[building]\ndevice = { profile = \"building-io\", address = \"127.0.0.1:15060\", unit = 1 }\n";
    std::fs::write(&file, text).unwrap();
    site::load(&file)
}

/// A hall whose building beats and enables.
fn permitted(seconds: u32) -> Bench {
    let mut bench = Bench::of(site_with("").unwrap())
        .plan(PRESSURE, 100.0)
        .set("building.enable_input", 1.0);
    for beat in 0..seconds / 5 {
        bench = bench.set("building.building_heartbeat", f64::from(beat / 2)).cycle();
    }
    bench
}

#[test]
fn a_building_that_beats_and_enables_lets_us_write() {
    permitted(300)
        .expect_level(Level::Normal)
        .expect(PRESSURE, 100.0)
        .expect_events("building_lost", 0);
}

#[test]
fn without_the_buildings_beat_everything_goes_back_at_its_rate_and_is_left() {
    permitted(300)
        .run(25.0)
        .expect(PRESSURE, 100.0)
        .hush()
        .run(10.0)
        .expect_event_about("building_lost", "building")
        .run(60.0)
        .expect_unwritten(PRESSURE)
        .expect_unwritten("cdu1.heartbeat");
}

#[test]
fn a_beat_that_was_never_seen_permits_nothing() {
    Bench::of(site_with("").unwrap())
        .set("building.enable_input", 1.0)
        .silence("building.building_heartbeat")
        .run(60.0)
        .expect_unwritten(PRESSURE);
}

#[test]
fn the_enable_input_and_the_override_give_everything_back_in_the_same_cycle() {
    permitted(300)
        .set("building.enable_input", 0.0)
        .cycle()
        .expect(PRESSURE, 150.0)
        .expect_event_about("not_enabled", "building")
        .cycle()
        .expect_unwritten(PRESSURE);
    permitted(300)
        .set("building.override_input", 1.0)
        .cycle()
        .expect(PRESSURE, 150.0)
        .expect_event_about("overridden", "building");
}

#[test]
fn an_enable_input_that_is_lost_enables_nothing() {
    let mut bench = permitted(300).lose("building.enable_input");
    for beat in 0..24u32 {
        bench = bench.set("building.building_heartbeat", f64::from(1000 + beat)).cycle();
    }
    bench.expect_unwritten(PRESSURE);
}

#[test]
fn limits_that_were_signed_off_cannot_be_changed_unnoticed() {
    let signed = site_with("").unwrap().limits_hash;
    let pinned = format!("\n[safety]\nlimits_pin = \"{signed}\"\n");
    assert_eq!(site_with(&pinned).unwrap().limits_hash, signed);
    let widened = pinned + "veto_limit = 1000\n";
    let mistakes = site_with(&widened).unwrap_err();
    assert!(
        mistakes.iter().any(|mistake| mistake.key == "safety.limits_pin"),
        "{mistakes:?}"
    );
}
