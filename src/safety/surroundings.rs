//! Leaks, and weather beyond the design.

use super::demand::within;
use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Readings, Side, id};
use super::report::Level;
use crate::site::PointId;
use thermo::moist_air::{STANDARD_PRESSURE_PA, clamped, pressure_at_altitude_pa};

/// How far the wet bulb falls below the design before that is told to be over, K.
const WEATHER_HYSTERESIS_K: f64 = 0.5;

pub(super) fn watch(readings: &Readings<'_>, facts: &mut Facts) {
    let site = readings.site;
    for (cdu, index) in site.cdus.iter().zip(0..) {
        leak(readings, facts, id(cdu.points.leak), index);
    }
    for rack in &site.racks {
        leak(readings, facts, id(rack.points.leak), rack.cdu.0);
    }
    weather(readings, facts);
}

/// Any leak holds every setpoint of its CDU and of the plant behind it where it is, towards more cooling excepted.
/// The last word of a leak sensor stands until the sensor itself takes it back.
fn leak(readings: &Readings<'_>, facts: &mut Facts, point: Option<PointId>, cdu: usize) {
    let (Some(point), Some(value)) = (point, readings.last(point)) else {
        return;
    };
    if value < 0.5 {
        return;
    }
    facts.require_cdu(cdu, Duty::of(Level::Guarded));
    let site = readings.site;
    facts.cause(site, point, || {
        let tag = site.points.get(point.0).map_or("", |spec| spec.tag.as_str());
        format!("{tag}: no setpoint is lowered while it lasts")
    });
    let subject = Subject::Point(point);
    facts.notices.holds(site, Code::Leak, subject, || {
        "a leak is reported; no setpoint is lowered while it lasts".into()
    });
    facts.notices.holds(site, Code::IsolationRequested, subject, || {
        "asks for the liquid isolation of this equipment; a person or the building's own system acts".into()
    });
}

/// Weather beyond the design is told by itself, so that "hot because of the weather" differs from "badly controlled".
fn weather(readings: &Readings<'_>, facts: &mut Facts) {
    let site = readings.site;
    let Some(station) = &site.weather else { return };
    let dry_bulb = id(station.points.dry_bulb);
    let (Some(point), Some(dry_bulb_c), Some(humidity)) = (
        dry_bulb,
        readings.present(dry_bulb),
        readings.present(id(station.points.relative_humidity)),
    ) else {
        return;
    };
    let pressure_pa = readings
        .worst(id(station.points.pressure), Side::High)
        .map_or_else(
            || pressure_at_altitude_pa(site.altitude_m).unwrap_or(STANDARD_PRESSURE_PA),
            |kpa| kpa * 1000.0,
        )
        .max(30_000.0);
    let wet_bulb_c = clamped::wet_bulb_c(within(dry_bulb_c, -60.0, 70.0), humidity, pressure_pa);
    let design_c = site.limits.design_wet_bulb_c;
    let told = facts
        .notices
        .held_before(Code::WeatherOutsideDesign, Subject::Point(point));
    if wet_bulb_c > design_c - if told { WEATHER_HYSTERESIS_K } else { 0.0 } {
        facts
            .notices
            .holds(site, Code::WeatherOutsideDesign, Subject::Point(point), || {
                format!("the wet bulb of {wet_bulb_c:.1} degC is beyond the design's {design_c} degC")
            });
    }
}
