//! Leaks, and weather beyond the design.

use super::demand::within;
use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Readings, Side, id};
use super::report::Level;
use crate::site::{Cdu, PointId};
use thermo::moist_air::{STANDARD_PRESSURE_PA, clamped, pressure_at_altitude_pa};

/// How far the wet bulb falls below the design before that is told to be over, K.
const WEATHER_HYSTERESIS_K: f64 = 0.5;

/// How bad a leak is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// One rack: a tray, a hose.
    Minor,
    /// The CDU itself, or several of its racks: the loop.
    Major,
    /// The loop leaks and its pressure or flow falls: it is losing coolant.
    Critical,
}

/// Values of a device's own `leak_level`.
const LEVELS: [(f64, Severity); 3] = [
    (2.5, Severity::Critical),
    (1.5, Severity::Major),
    (0.5, Severity::Minor),
];

pub(super) fn watch(readings: &Readings<'_>, facts: &mut Facts) {
    let site = readings.site;
    facts.leaks = vec![None; site.cdus.len()];
    for (cdu, index) in site.cdus.iter().zip(0..) {
        leaks(readings, facts, cdu, index);
    }
    weather(readings, facts);
}

/// What a device says of its own leak. A sensor that is broken is no leak: that is told by itself.
fn reported(readings: &Readings<'_>, facts: &mut Facts, leak: Leak) -> Option<Severity> {
    let site = readings.site;
    if let Some(fault) = leak.sensor_fault
        && readings.last(Some(fault)).is_some_and(|flag| flag >= 0.5)
    {
        facts
            .notices
            .holds(site, Code::LeakSensorFault, Subject::Point(fault), || {
                "the leak sensor is broken: its leaks are not believed, have it looked at".into()
            });
        return None;
    }
    let level = readings.last(leak.level).unwrap_or(0.0);
    let flag = readings.last(leak.flag).is_some_and(|flag| flag >= 0.5);
    let by_level = LEVELS
        .iter()
        .find(|(least, _)| level >= *least)
        .map(|(_, severity)| *severity);
    by_level.max(flag.then_some(Severity::Minor))
}

/// The points that speak of one equipment's leak.
#[derive(Clone, Copy)]
struct Leak {
    flag: Option<PointId>,
    level: Option<PointId>,
    sensor_fault: Option<PointId>,
}

/// Any leak holds every setpoint of its CDU and of the plant behind it where it is, towards more cooling excepted.
/// The last word of a leak sensor stands until the sensor itself takes it back.
fn leaks(readings: &Readings<'_>, facts: &mut Facts, cdu: &Cdu, index: usize) {
    let site = readings.site;
    let points = &cdu.points;
    let own = Leak {
        flag: id(points.leak),
        level: id(points.leak_level),
        sensor_fault: id(points.leak_sensor_fault),
    };
    let mut found: Vec<(PointId, Severity)> = Vec::new();
    if let Some(severity) = reported(readings, facts, own)
        && let Some(point) = own.flag.or(own.level)
    {
        // Water under the CDU is of the loop, whatever the sensor calls it.
        found.push((point, severity.max(Severity::Major)));
    }
    let of_loop = found.len();
    for rack in cdu.racks.iter().filter_map(|rack| site.racks.get(rack.0)) {
        let leak = Leak {
            flag: id(rack.points.leak),
            level: id(rack.points.leak_level),
            sensor_fault: id(rack.points.leak_sensor_fault),
        };
        if let Some(severity) = reported(readings, facts, leak)
            && let Some(point) = leak.flag.or(leak.level)
        {
            found.push((point, severity));
            facts.leaking_racks.push(rack.name.clone());
        }
    }
    let Some(mut severity) = found.iter().map(|(_, severity)| *severity).max() else {
        return;
    };
    if found.len() > 1 {
        severity = severity.max(Severity::Major);
    }
    let device = cdu.device.map(Subject::Device);
    let falls = device.is_some_and(|device| {
        [Code::LowFlow, Code::LowPressure]
            .iter()
            .any(|code| facts.notices.is_held(*code, device))
    });
    if of_loop > 0 && falls {
        severity = Severity::Critical;
    }
    if let Some(slot) = facts.leaks.get_mut(index) {
        *slot = Some(severity);
    }
    facts.require_cdu(index, Duty::of(Level::Guarded));
    let name = match severity {
        Severity::Minor => "minor",
        Severity::Major => "major",
        Severity::Critical => "critical",
    };
    for (point, _) in found {
        facts.cause(site, point, || {
            let tag = site.points.get(point.0).map_or("", |spec| spec.tag.as_str());
            format!("{tag}: a {name} leak; no setpoint is lowered while it lasts")
        });
        let subject = Subject::Point(point);
        facts.notices.holds(site, Code::Leak, subject, || {
            format!("a leak is reported, {name} so far; no setpoint is lowered while it lasts")
        });
        facts.notices.holds(site, Code::IsolationRequested, subject, || {
            "asks for the isolation of this equipment; a person or the building's own system acts".into()
        });
    }
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
