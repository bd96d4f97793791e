//! What the shadow plant's sensors would say, for a strategy that asks them: the real snapshot with what would differ.

use super::steady::Steady;
use super::{Setpoints, value};
use crate::site::{Point, Site};
use crate::snapshot::{Quality, Reading, Snapshot};

/// Chip-to-inlet resistance over relative flow: 0.3 to 0.5 for cold plates.
const CHIP_EXPONENT: f64 = 0.4;

pub(super) fn snapshot(site: &Site, real: &Snapshot, plant: &Steady, setpoints: Setpoints<'_>) -> Snapshot {
    let mut told = real.clone();
    // Written points read back what is set.
    for (id, (slot, spec)) in told.readings.iter_mut().zip(&site.points).enumerate() {
        if spec.write.is_some()
            && let Some(value) = setpoints(crate::site::PointId(id))
        {
            *slot = Some(reading(real, value));
        }
    }
    for (cdu, state) in site.cdus.iter().zip(&plant.cdus) {
        let points = &cdu.points;
        let flow_lpm = state.share * cdu.nameplate.secondary_flow_lpm;
        put(&mut told, real, points.secondary_supply_temperature, state.supply_c);
        put(&mut told, real, points.secondary_return_temperature, state.return_c);
        put(&mut told, real, points.primary_valve_position, state.valve);
        let real_lpm = value(real, points.secondary_flow).filter(|lpm| *lpm > 1.0);
        put(&mut told, real, points.secondary_flow, flow_lpm);
        for rack in cdu.racks.iter().filter_map(|id| site.racks.get(id.0)) {
            let (plate, points) = (&rack.nameplate, &rack.points);
            let (Some(margin), Some(supply), Some(flow), Some(real_lpm)) = (
                value(real, points.chip_margin),
                value(real, points.liquid_supply_temperature),
                value(real, points.liquid_flow),
                real_lpm,
            ) else {
                continue;
            };
            // The hottest chip's rise over its coolant, as measured, at the shadow's flow.
            let relative = (flow_lpm / real_lpm).max(0.05);
            let rise_k = (plate.chip_limit_c - margin - supply) * libm::pow(relative, -CHIP_EXPONENT);
            put(
                &mut told,
                real,
                points.chip_margin,
                plate.chip_limit_c - state.supply_c - rise_k,
            );
            put(&mut told, real, points.liquid_supply_temperature, state.supply_c);
            put(&mut told, real, points.liquid_flow, flow * relative);
            if let Some(back) = value(real, points.liquid_return_temperature) {
                put(
                    &mut told,
                    real,
                    points.liquid_return_temperature,
                    state.supply_c + (back - supply) / relative,
                );
            }
        }
    }
    for (unit, state) in site.loops.iter().zip(&plant.loops) {
        put(&mut told, real, unit.points.supply_temperature, state.supply_c);
        put(&mut told, real, unit.points.return_temperature, state.return_c);
    }
    for (unit, state) in site.air_units.iter().zip(&plant.air_units) {
        let points = &unit.points;
        let (supply, back, room) = (
            value(real, points.supply_air_temperature),
            value(real, points.return_air_temperature),
            value(real, points.room_temperature),
        );
        if let (Some(supply), Some(back), Some(room)) = (supply, back, room)
            && back - supply > 0.5
        {
            let mixing = ((room - supply) / (back - supply)).clamp(0.0, 1.0);
            let room_c = state.supply_c + mixing * (state.return_c - state.supply_c);
            put(&mut told, real, points.room_temperature, room_c);
        }
        put(&mut told, real, points.supply_air_temperature, state.supply_c);
        put(&mut told, real, points.return_air_temperature, state.return_c);
    }
    told
}

fn reading(real: &Snapshot, value: f64) -> Reading {
    Reading {
        value,
        quality: Quality::Good,
        mono_ms: real.now.mono_ms,
    }
}

/// Replaces what the real plant reports; what it does not report stays silent.
fn put<Q>(told: &mut Snapshot, real: &Snapshot, point: Option<Point<Q>>, value: f64) {
    let Some(id) = point.map(Point::id) else { return };
    if let Some(slot) = told.readings.get_mut(id.0)
        && slot.is_some()
        && value.is_finite()
    {
        *slot = Some(reading(real, value));
    }
}
