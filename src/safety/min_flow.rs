//! The floor under a CDU's differential pressure: every rack gets the flow that its heat needs.

use super::demand::within;
use super::readings::{Presence, Readings, Side, id};
use crate::site::{Cdu, Rack};

/// How far the measured relation of pressure to squared flow may lie from the nameplate's, either way. Beyond it the
/// sensors are wrong rather than the pipes; without sensors the worse end is taken.
const RESISTANCE_SPREAD: f64 = 2.0;

/// Share of rated flow below which the relation is not measured: both readings are mostly noise there.
const LEAST_FLOW: f64 = 0.1;

/// The differential pressure that gives every rack its smallest flow, kPa. At most what its setpoint may be.
pub(super) fn pressure_kpa(readings: &Readings<'_>, cdu: &Cdu) -> f64 {
    let flow_lpm = flow_lpm(readings, cdu);
    resistance(readings, cdu) * flow_lpm * flow_lpm
}

/// Total flow at which every rack has its smallest flow, L/min: racks share the flow by their nameplates, so the one
/// with the most heat for its share decides.
fn flow_lpm(readings: &Readings<'_>, cdu: &Cdu) -> f64 {
    let racks = || cdu.racks.iter().filter_map(|rack| readings.site.racks.get(rack.0));
    let all_lpm: f64 = racks().map(|rack| rack.nameplate.flow_lpm).sum();
    racks()
        .map(|rack| rack.nameplate.min_flow_lpm_per_kw * heat_kw(readings, rack) * all_lpm / rack.nameplate.flow_lpm)
        .fold(0.0, f64::max)
}

/// The most heat that a rack may be giving to its coolant by now, kW: its rated power where nobody knows.
fn heat_kw(readings: &Readings<'_>, rack: &Rack) -> f64 {
    let rated_kw = rack.nameplate.rated_kw;
    let point = id(rack.points.power);
    let worst_kw = readings.worst(point, Side::High).unwrap_or(rated_kw);
    let power_kw = match readings.presence(point) {
        Presence::Here => worst_kw.max(readings.site.safety.min_heat_fraction * rated_kw),
        Presence::Lost | Presence::Never => worst_kw.max(rated_kw),
    };
    power_kw * rack.nameplate.liquid_fraction
}

/// Pressure difference per squared flow, kPa/(L/min)^2 (the square law of turbulent flow): measured, within the spread.
fn resistance(readings: &Readings<'_>, cdu: &Cdu) -> f64 {
    let plate = &cdu.nameplate;
    let rated = plate.secondary_pressure_kpa / (plate.secondary_flow_lpm * plate.secondary_flow_lpm);
    let (low, high) = (rated / RESISTANCE_SPREAD, rated * RESISTANCE_SPREAD);
    let (flow, pressure) = (
        id(cdu.points.secondary_flow),
        id(cdu.points.secondary_differential_pressure),
    );
    let here = |point| readings.presence(point) == Presence::Here;
    let measured = (readings.worst(pressure, Side::High).filter(|_| here(pressure)))
        .zip(readings.worst(flow, Side::Low).filter(|_| here(flow)));
    match measured {
        Some((kpa, lpm)) if lpm > LEAST_FLOW * plate.secondary_flow_lpm => within(kpa / (lpm * lpm), low, high),
        Some(_) | None => high,
    }
}
