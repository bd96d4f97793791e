//! The floor under coolant supply temperatures: no pipe in a room may be colder than its dew point and a margin.
//!
//! The floor is stronger than any demand for cooling: colder than this never cools better, it drips.

use super::demand::within;
use super::facts::Facts;
use super::notices::{Code, Subject};
use super::readings::{Presence, Readings, Side, id};
use crate::site::{AirUnit, ZoneId};
use thermo::moist_air::clamped;

/// What a measured dew point may be too low, K, with what local loops add: 3 % relative humidity and 0.3 K of the room's sensors
/// make up to 0.9 K of dew point at 24 degC and 40 to 60 %, and a CDU's loop swings by a few tenths
/// around its setpoint.
const UNCERTAINTY_K: f64 = 1.0;

/// Finds each zone's floor, and tells where the coolant is already too cold.
pub(super) fn watch(readings: &Readings<'_>, facts: &mut Facts) {
    let site = readings.site;
    let limits = &site.limits;
    let rooms: Vec<(ZoneId, f64)> = site
        .air_units
        .iter()
        .map(|unit| (unit.zone, room_c(readings, facts, unit)))
        .collect();
    let all_c = rooms.iter().map(|(_, dew_c)| *dew_c).reduce(f64::max);
    for (zone, index) in facts.zones.iter_mut().zip(0..) {
        let own = rooms
            .iter()
            .filter(|(room, _)| *room == ZoneId(index))
            .map(|(_, dew_c)| *dew_c);
        // A zone without an air unit of its own stands in a room that others share.
        let dew_c = own.reduce(f64::max).or(all_c).unwrap_or(limits.dew_point_fallback_c);
        zone.supply_floor_c = dew_c + limits.dew_point_margin_k.target;
    }
    facts.dew_close = vec![false; site.loops.len()];
    for cdu in &site.cdus {
        let supply = id(cdu.points.secondary_supply_temperature);
        let (Some(point), Some(supply_c), Some(zone)) =
            (supply, readings.worst(supply, Side::Low), facts.zones.get(cdu.zone.0))
        else {
            continue;
        };
        let margin_k = supply_c - (zone.supply_floor_c - limits.dew_point_margin_k.target);
        // By what is read, not by what may be: a supply that is lost is no reason to warm its water.
        let read_k = readings.present(supply).map(|read_c| margin_k + read_c - supply_c);
        if read_k.is_some_and(|read_k| read_k < limits.dew_point_margin_k.target)
            && let Some(close) = facts.dew_close.get_mut(cdu.facility_loop.0)
        {
            *close = true;
        }
        if margin_k < limits.dew_point_margin_k.critical {
            facts
                .notices
                .holds(site, Code::CondensationRisk, Subject::Point(point), || {
                    format!(
                        "the coolant may be only {margin_k:.1} K above the room's dew point, critical {} K",
                        limits.dew_point_margin_k.critical
                    )
                });
        }
    }
}

/// The highest dew point that a room may have by now, degC. Without its sensors: the configured one, or what the last
/// good readings allow where that is higher.
fn room_c(readings: &Readings<'_>, facts: &mut Facts, unit: &AirUnit) -> f64 {
    let (temperature, humidity) = (id(unit.points.room_temperature), id(unit.points.room_relative_humidity));
    let worst = readings
        .worst(temperature, Side::High)
        .zip(readings.worst(humidity, Side::High));
    let dew_c = worst.map(|(t_c, share)| clamped::dew_point_c(within(t_c, -60.0, 70.0), share) + UNCERTAINTY_K);
    let here = |point| readings.presence(point) == Presence::Here;
    if let Some(dew_c) = dew_c.filter(|_| here(temperature) && here(humidity)) {
        return dew_c;
    }
    let fallback_c = readings.site.limits.dew_point_fallback_c;
    let assumed_c = dew_c.map_or(fallback_c, |dew_c| dew_c.max(fallback_c));
    if let Some(point) = humidity.or(temperature) {
        facts
            .notices
            .holds(readings.site, Code::DewPointUnknown, Subject::Point(point), || {
                format!("the room's dew point is unknown; {assumed_c:.1} degC is assumed")
            });
    }
    assumed_c
}
