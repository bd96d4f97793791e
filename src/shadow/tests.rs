//! The shadow on its own steady plant.

use super::*;
use crate::site::load_embedded;
use crate::snapshot::{HeatSource, Reading};

/// The demo hall at half load on a warm day, under its release values.
fn hall() -> (Site, Snapshot) {
    let site = load_embedded("demo").unwrap().unwrap();
    let now = Now {
        mono_ms: 0,
        wall_ms: 0,
        utc_offset_s: 0,
    };
    let mut snapshot = Snapshot::empty(site.points.len(), now);
    for (slot, spec) in snapshot.readings.iter_mut().zip(&site.points) {
        let value = match (spec.write, spec.quantity.as_str()) {
            (Some(write), _) => Some(write.release),
            (None, "power") if spec.tag.starts_with('r') && !spec.tag.starts_with("reuse") => Some(75.0),
            (None, "dry_bulb") => Some(24.0),
            (None, "relative_humidity") => Some(0.6),
            (None, "network_return_temperature") => Some(30.0),
            _ => None,
        };
        *slot = value.map(|value| Reading {
            value,
            quality: Quality::Good,
            mono_ms: 0,
        });
    }
    (site, snapshot)
}

#[test]
fn under_release_the_model_and_fixed_are_the_same() {
    let (site, snapshot) = hall();
    let mut state = State::default();
    let found = watch(
        &site,
        &snapshot,
        &HeatForecast {
            source: HeatSource::Feedback,
            cdus: Vec::new(),
            racks: Vec::new(),
            notes: Vec::new(),
            demotions: Vec::new(),
            covered: [None; crate::snapshot::HORIZONS],
        },
        &mut state,
        snapshot.now,
    )
    .unwrap();
    assert!((found.model_kw - found.fixed_kw).abs() < 1e-9, "{found:?}");
    // Pumps of four CDUs and two skids near their plates, towers at full speed below their setpoint's reach.
    assert!((40.0..95.0).contains(&found.fixed_kw), "{found:?}");
}

#[test]
fn colder_setpoints_cost_more_and_a_lost_rack_says_nothing() {
    let (site, snapshot) = hall();
    let learned = Learned::new(&site);
    let conditions = Conditions::now(&site, &snapshot).unwrap();
    let shifted = |by: f64| {
        move |site: &Site, point: PointId| {
            let spec = site.points.get(point.0)?;
            let release = spec.write?.release;
            Some(if spec.quantity.ends_with("temperature_setpoint") {
                release + by
            } else {
                release
            })
        }
    };
    let kw = |by: f64| {
        let setpoint = shifted(by);
        steady(&site, &learned, &conditions, &|point| setpoint(&site, point))
            .unwrap()
            .kw
    };
    assert!(
        kw(4.0) < kw(0.0) && kw(8.0) < kw(4.0),
        "{} {} {}",
        kw(0.0),
        kw(4.0),
        kw(8.0)
    );
    let mut lost = snapshot.clone();
    lost.readings[site.point("r03.power").unwrap().0] = None;
    assert!(Conditions::now(&site, &lost).is_none());
}
