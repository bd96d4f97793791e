//! Faults by chance on the simulated hall: never less safe with the controller than without it.

use isotherm::safety::Level;
use isotherm::site::load_embedded;
use isotherm::trial::faults::{campaign, singles};
use simulators::faults::Kind;

/// Days of the short campaign; `isotherm faults --days 1000` is the whole one.
const DAYS: usize = 6;
const SEED: u64 = 1;

#[test]
fn some_days_of_random_faults_leave_the_hall_no_less_safe_than_its_local_control() {
    let site = load_embedded("demo").unwrap().unwrap();
    let found = campaign(&site, SEED, DAYS, false, |_| {}).unwrap();
    println!(
        "{DAYS} days from seed {SEED}: {} faults, {:.3} K min with the controller, {:.3} without",
        found.faults, found.limit_k_min, found.limit_k_min_local
    );
    assert!(found.faults > 10, "chance brought only {} faults", found.faults);
    assert!(found.worse.is_empty(), "{:#?}", found.worse);
}

#[test]
fn every_fault_alone_is_noticed_in_its_time_and_leaves_the_hall_no_less_safe() {
    let site = load_embedded("demo").unwrap().unwrap();
    let rows = singles(&site, SEED).unwrap();
    assert_eq!(rows.len(), Kind::ALL.len());
    for row in &rows {
        assert!(
            row.limit_k_min <= row.limit_k_min_local + 1e-6,
            "{}: {} K min, local {}",
            row.name,
            row.limit_k_min,
            row.limit_k_min_local
        );
    }
    // What shows at once, wherever it is; a valve or an exchanger shows only when the load moves.
    for name in [
        "loop_pump_trip",
        "low_flow",
        "sensor_dropout",
        "leak",
        "comms_loss",
        "broker_loss",
        "clock_skew",
    ] {
        let row = rows.iter().find(|row| row.name == name).unwrap();
        let (detected, within) = (row.detected_s.unwrap_or(f64::INFINITY), row.detect_within_s.unwrap());
        assert!(
            detected <= within,
            "{name}: noticed after {detected} s, within {within}"
        );
    }
    let state = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.state);
    assert_eq!(state("sensor_dropout"), Some(Level::Failsafe));
    assert_eq!(state("leak"), Some(Level::Guarded));
    assert_eq!(state("primary_no_flow"), Some(Level::Failsafe));
}
