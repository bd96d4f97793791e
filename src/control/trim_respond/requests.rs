//! What racks, CDUs and rooms ask for: the further a value is beyond its mark, the more requests (Guideline 36's importance).

use crate::control::{View, value};
use crate::site::{AirUnit, Cdu, RackId};

/// Valve position above which a CDU asks its loop for pressure, and below which it no longer does (Guideline 36, 5.20.5).
const VALVE_ASKS: (f64, f64) = (0.95, 0.85);
/// Coolant above its setpoint that counts as one mark beyond, K.
const TRACKING_K: f64 = 1.0;
/// Room air is kept this far below its target, K.
const ROOM_RESERVE_K: f64 = 1.0;

/// None up to three requests by how far a value is beyond a mark, in steps of `step`.
fn graded(beyond: f64, step: f64) -> f64 {
    if beyond > 0.0 {
        3.0
    } else if beyond > -step {
        2.0
    } else if beyond > -2.0 * step {
        1.0
    } else {
        0.0
    }
}

/// What one rack asks of its CDU: by chip margin, coolant return and flow. A silent rack asks for what it can.
pub(super) fn of_rack(view: &View<'_>, id: RackId) -> f64 {
    let rack = &view.site.racks[id.0];
    let (limits, plate) = (&view.site.limits, &rack.nameplate);
    let by_margin = value(view, rack.points.chip_margin).map_or(3.0, |k| graded(limits.chip_margin_k.target - k, 2.0));
    let by_return = value(view, rack.points.liquid_return_temperature)
        .map_or(0.0, |c| graded(c - limits.rack_return_c.target, 2.0));
    let heat_kw = view.heat.racks.get(id.0).map_or(0.0, |band| band.now_kw);
    let short = value(view, rack.points.liquid_flow).map_or(0.0, |lpm| {
        graded(plate.min_flow_lpm_per_kw * heat_kw - lpm, 0.05 * plate.flow_lpm)
    });
    by_margin.max(by_return).max(short)
}

/// What warm coolant asks of the CDU's own reset and of its loop: K above the setpoint.
pub(super) fn of_tracking(view: &View<'_>, cdu: &Cdu) -> f64 {
    let supply = value(view, cdu.points.secondary_supply_temperature);
    let setpoint = value(view, cdu.points.secondary_supply_temperature_setpoint);
    match (supply, setpoint) {
        (Some(supply), Some(setpoint)) => match supply - setpoint {
            error if error > 2.0 * TRACKING_K => 3.0,
            error if error > TRACKING_K => 2.0,
            _ => 0.0,
        },
        _ => 0.0,
    }
}

/// Whether a CDU's primary valve asks for pressure, with the hysteresis of Guideline 36. A silent valve asks.
pub(super) fn valve_asks(view: &View<'_>, cdu: &Cdu, asked: bool) -> bool {
    let mark = if asked { VALVE_ASKS.1 } else { VALVE_ASKS.0 };
    value(view, cdu.points.primary_valve_position).is_none_or(|position| position > mark)
}

/// What a room asks of its air unit: by its temperature. A silent room asks for what it can.
pub(super) fn of_room(view: &View<'_>, unit: &AirUnit) -> f64 {
    let target_c = view.site.limits.room_c.target - ROOM_RESERVE_K;
    value(view, unit.points.room_temperature).map_or(3.0, |c| graded(c - target_c, 0.5))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "requests are whole numbers")]
    use super::graded;

    #[test]
    fn requests_grow_with_severity() {
        let by_margin = |margin_k: f64| graded(10.0 - margin_k, 2.0);
        let found = [15.0, 13.0, 11.0, 9.0].map(by_margin);
        assert!(
            found
                .iter()
                .zip([0.0, 1.0, 2.0, 3.0])
                .all(|(found, expected)| (found - expected).abs() < 1e-12)
        );
    }
}
