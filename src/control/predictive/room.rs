//! How an air unit keeps its room at a facility-water temperature.

use super::ladder::COST_HORIZON;
use super::learn::{Learned, air_heat_kw};
use super::model::air::{AirModel, AirPoint};
use super::model::facility;
use crate::control::{View, value};

/// Fan speeds of an air unit that are looked at.
const AIR_SPEEDS: u32 = 8;
/// Room air stays this far below its target, K.
pub(super) const ROOM_RESERVE_K: f64 = 0.7;
/// Warmest the room may get by a load that the fan then answers, below the target, K.
const ROOM_PEAK_RESERVE_K: f64 = 0.3;

/// How an air unit runs at one facility-water temperature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub point: AirPoint,
    pub fan_kw: f64,
    pub water_lpm: f64,
    /// Header pressure with which the open coil takes its water, kPa.
    pub header_kpa: f64,
    /// How far the room's limit cannot be kept, 0 where it can.
    pub short: f64,
}

/// The cheapest way to keep an air unit's room at water of `water_c`, where a litre of it costs `litre_kw`.
pub(super) fn cheapest(view: &View<'_>, learned: &Learned, id: usize, water_c: f64, litre_kw: f64) -> Room {
    let unit = &view.site.air_units[id];
    let model = AirModel::new(unit, learned.air_units[id]);
    let around = &view.site.loops[unit.facility_loop.0];
    let target_c = view.site.limits.room_c.target;
    let heat_kw = air_heat_kw(view, |band| band.mean_kw[COST_HORIZON]);
    let upper_kw = air_heat_kw(view, |band| band.upper_kw[COST_HORIZON]).max(heat_kw);
    let slowest = unit.nameplate.min_speed;
    let now = value(view, unit.points.fan_speed);
    let mut best: Option<(f64, AirPoint)> = None;
    for step in 0..=AIR_SPEEDS {
        let speed = slowest + f64::from(step) / f64::from(AIR_SPEEDS) * (1.0 - slowest);
        // A fan moves by one step a choice: the coil's valve must follow it.
        if now.is_some_and(|now| (speed - now).abs() > 1.01 * (1.0 - slowest) / f64::from(AIR_SPEEDS)) {
            continue;
        }
        let Some(point) = model.at_speed(heat_kw, speed, target_c - ROOM_RESERVE_K, water_c) else {
            continue;
        };
        let cost = model.fan_kw(speed) + litre_kw * point.water * unit.nameplate.water_flow_lpm;
        if best.as_ref().is_some_and(|(least, _)| cost >= *least) {
            break;
        }
        best = Some((cost, point));
    }
    // At full speed the room must manage the upper heat.
    let peak = model
        .at_speed(upper_kw, 1.0, target_c - ROOM_PEAK_RESERVE_K, water_c)
        .is_some();
    let fallback = AirPoint {
        speed: 1.0,
        supply_c: model.supply_c(upper_kw, 1.0, target_c - ROOM_RESERVE_K),
        water: 1.0,
    };
    let short = match (&best, peak) {
        (Some(_), true) => 0.0,
        // The further the water is above the air that the room asks for, the worse.
        _ => 0.1 + 0.1 * (water_c - fallback.supply_c + unit.nameplate.approach_k).max(0.0),
    };
    let point = best.map_or(fallback, |(_, point)| point);
    Room {
        point,
        fan_kw: model.fan_kw(point.speed),
        water_lpm: point.water * unit.nameplate.water_flow_lpm,
        header_kpa: model.branch_kpa(point.water, facility::branch_kpa(view.site, around)),
        short,
    }
}

/// Fan power of an air unit at a speed, kW.
pub(super) fn fan_kw(view: &View<'_>, learned: &Learned, id: usize, speed: f64) -> f64 {
    AirModel::new(&view.site.air_units[id], learned.air_units[id]).fan_kw(speed)
}
