//! What may be in five minutes: the room that setpoints have to leave for what can fail, and the facility water that a
//! full load would need. Own arithmetic on nameplates and readings; no model of any strategy, no forecast.

use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Presence, Readings, Side, id};
use super::report::Level;
use super::trouble::capacity_kj_k;
use crate::site::{AirUnit, Cdu, FacilityLoop, Site};
use serde::{Deserialize, Serialize};

/// How far it looks ahead, s.
const AHEAD_S: f64 = 300.0;
/// For how long a CDU at its rated heat has to stay within its critical supply limit without any facility water, s: the
/// standby pump of the skid needs it to come up.
const RIDE_S: f64 = 12.0;
/// For how long a room has to stay within its critical limit without its air unit, s: a transfer to the other supply.
const AIR_RIDE_S: f64 = 60.0;
/// Heat that a room's air, racks and structure hold per kelvin, as time of the air unit's full flow, s.
const ROOM_S: f64 = 120.0;
/// Share of its cooling that a coil loses while its water slows down.
const HALF: f64 = 0.5;
/// Share of the hot aisle's air that comes around into a room.
const AROUND: f64 = 0.25;
/// Heat capacity of water, kJ/(L K).
const WATER_KJ_L_K: f64 = 4.17;
/// Heat capacity of air at 25 degC and standard pressure, kJ/(m3 K).
const AIR_KJ_M3_K: f64 = 1.19;
/// By how much an exchanger may be worse than its nameplate.
const WORSE: f64 = 1.25;
/// Time constant of the trend of the facility water, s: pipes mix and sensors lag.
const TREND_S: f64 = 120.0;

/// What is remembered of each loop's water.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Outlook {
    /// Smoothed temperature, degC, and its trend, K/s.
    loops: Vec<Option<(f64, f64)>>,
    looked_ms: Option<u64>,
}

pub(super) fn watch(readings: &Readings<'_>, outlook: &mut Outlook, facts: &mut Facts) {
    let site = readings.site;
    outlook.follow(readings);
    facts.supply_ceiling_c = site.cdus.iter().map(|cdu| supply_ceiling_c(site, cdu)).collect();
    facts.air_ceiling_c = site
        .air_units
        .iter()
        .map(|unit| air_ceiling_c(readings, unit))
        .collect();
    facts.water_ceiling_c = site.loops.iter().map(|unit| water_ceiling_c(readings, unit)).collect();
    for cdu in &site.cdus {
        ahead(readings, outlook, facts, cdu);
    }
}

impl Outlook {
    fn follow(&mut self, readings: &Readings<'_>) {
        let site = readings.site;
        let dt_s = self.looked_ms.map_or(0.0, |at| readings.now.seconds_since(at));
        self.looked_ms = Some(readings.now.mono_ms);
        self.loops.resize(site.loops.len(), None);
        for (unit, slot) in site.loops.iter().zip(&mut self.loops) {
            let Some(water_c) = readings.worst(id(unit.points.supply_temperature), Side::High) else {
                continue;
            };
            let share = (dt_s / TREND_S).min(1.0);
            let (smooth_c, _) = slot.unwrap_or((water_c, 0.0));
            // The lag of a first-order filter behind a ramp is its slope times its time constant.
            *slot = Some((smooth_c + share * (water_c - smooth_c), (water_c - smooth_c) / TREND_S));
        }
    }
}

/// The warmest supply setpoint from which a CDU at its rated heat rides through a change of the loop's pumps, degC. Never
/// below release: the plant as found is not ours to judge.
fn supply_ceiling_c(site: &Site, cdu: &Cdu) -> f64 {
    let plate = &cdu.nameplate;
    let racks_kw: f64 = cdu
        .racks
        .iter()
        .filter_map(|rack| site.racks.get(rack.0))
        .map(|rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction)
        .sum();
    let rise_k = RIDE_S * racks_kw.min(plate.rated_kw) / capacity_kj_k(plate.coolant, plate.volume_l).max(1.0);
    let limit = site.limits.secondary_supply_c;
    let setpoint = id(cdu.points.secondary_supply_temperature_setpoint);
    let release = setpoint
        .and_then(|point| site.points.get(point.0)?.write)
        .map(|write| write.release);
    let ceiling_c = limit.target.min(limit.critical - rise_k);
    release.map_or(ceiling_c, |release_c| ceiling_c.max(release_c))
}

/// The warmest supply air from which a room rides through a minute without its unit, degC; `None` where nobody can say.
fn air_ceiling_c(readings: &Readings<'_>, unit: &AirUnit) -> Option<f64> {
    let site = readings.site;
    let points = &unit.points;
    let room_c = readings.worst(id(points.room_temperature), Side::High)?;
    let supply_c = readings.worst(id(points.supply_air_temperature), Side::Low)?;
    let racks = site.racks.iter();
    let air_kw: f64 = racks
        .map(|rack| {
            let point = id(rack.points.power);
            let rated_kw = rack.nameplate.rated_kw;
            let power_kw = match readings.presence(point) {
                Presence::Here => readings.worst(point, Side::High).unwrap_or(rated_kw),
                Presence::Lost | Presence::Never => rated_kw,
            };
            power_kw.max(0.0) * (1.0 - rack.nameplate.liquid_fraction)
        })
        .sum();
    let all_kw: f64 = site.air_units.iter().map(|unit| unit.nameplate.rated_kw).sum();
    let own_kw = air_kw * unit.nameplate.rated_kw / all_kw.max(f64::MIN_POSITIVE);
    let kj_k = ROOM_S * unit.nameplate.air_flow_m3_s * AIR_KJ_M3_K;
    let rise_k = AIR_RIDE_S * own_kw / kj_k.max(f64::MIN_POSITIVE);
    // While the skid's pumps change over, the coil does about half of its work.
    let back_c = readings
        .worst(id(points.return_air_temperature), Side::High)
        .unwrap_or(supply_c);
    let rise_k = rise_k.max(HALF * (back_c - supply_c));
    let allowed_c = site.limits.room_c.target.min(site.limits.room_c.critical - rise_k);
    let setpoint = id(points.supply_air_temperature_setpoint);
    let release = setpoint
        .and_then(|point| site.points.get(point.0)?.write)
        .map(|write| write.release);
    let ceiling_c = supply_c + (allowed_c - room_c);
    Some(release.map_or(ceiling_c, |release_c| ceiling_c.max(release_c.min(allowed_c))))
}

/// The warmest facility water from which every room on a loop stays within its critical limit through a minute without
/// towers and fans, degC: air that stands in a coil gets as warm as its water. `None` where no room is on the loop.
fn water_ceiling_c(readings: &Readings<'_>, unit: &FacilityLoop) -> Option<f64> {
    let site = readings.site;
    let racks = unit
        .cdus
        .iter()
        .filter_map(|cdu| site.cdus.get(cdu.0))
        .flat_map(|cdu| &cdu.racks);
    let heat_kw: f64 = racks
        .filter_map(|rack| site.racks.get(rack.0))
        .map(|rack| rack.nameplate.rated_kw)
        .sum();
    let rise_k = AIR_RIDE_S * heat_kw / (unit.nameplate.volume_l * WATER_KJ_L_K).max(f64::MIN_POSITIVE);
    let rooms = unit.air_units.iter().filter_map(|unit| site.air_units.get(unit.0));
    let ceilings = rooms.filter_map(|room| {
        let back_c = readings.worst(id(room.points.return_air_temperature), Side::High)?;
        let blown_c = readings.worst(id(room.points.supply_air_temperature), Side::Low)?;
        Some(site.limits.room_c.critical - rise_k - AROUND * (back_c - blown_c).max(0.0))
    });
    ceilings.reduce(f64::min)
}

/// Whether a CDU could hold its critical limit in five minutes at its racks' rated heat with its valve wide open, by the
/// facility water that there is and its trend. Where not, the plant behind it cools now.
fn ahead(readings: &Readings<'_>, outlook: &Outlook, facts: &mut Facts, cdu: &Cdu) {
    let site = readings.site;
    let Some((_, trend)) = outlook.loops.get(cdu.facility_loop.0).copied().flatten() else {
        return;
    };
    let own = readings.worst(id(cdu.points.primary_supply_temperature), Side::High);
    let headers = site
        .loops
        .get(cdu.facility_loop.0)
        .map(|unit| id(unit.points.supply_temperature));
    let header_c = headers.and_then(|point| readings.worst(point, Side::High));
    let Some(water_c) = own.into_iter().chain(header_c).reduce(f64::max) else {
        return;
    };
    let racks = cdu.racks.iter().filter_map(|rack| site.racks.get(rack.0));
    let heat_kw: f64 = racks
        .map(|rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction)
        .sum();
    let plate = &cdu.nameplate;
    let approach_k = WORSE * plate.approach_k * (heat_kw / plate.rated_kw).min(1.5);
    let then_c = water_c + trend.max(0.0) * AHEAD_S + approach_k;
    let critical_c = site.limits.secondary_supply_c.critical;
    let Some(point) = id(cdu.points.secondary_supply_temperature) else {
        return;
    };
    let subject = Subject::Point(point);
    let told = facts.notices.held_before(Code::OutlookLimit, subject);
    if then_c >= critical_c - if told { 1.0 } else { 0.0 } {
        // As much as the loss of the readings that it is found from, so that losing them never cools less.
        let duty = Duty {
            level: Level::Guarded,
            own: 0.8,
            plant: 0.8,
        };
        facts.require_loop(cdu.facility_loop.0, duty);
        let text = || {
            format!(
                "a full load in five minutes would warm the supply to {then_c:.1} degC, critical {critical_c}: the facility water is cooled"
            )
        };
        facts.cause(site, point, text);
        facts.notices.holds(site, Code::OutlookLimit, subject, text);
    }
}
