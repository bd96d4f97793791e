//! Guideline 36 for liquid cooling: racks and CDUs ask for cooling by their margins, resets trim and respond.
//!
//! Each reset has two halves, as in Guideline 36's chilled-water plant reset: the first raises pressure from its
//! floor to its maximum at the warmest temperature, the second lowers the temperature at full pressure.

use super::reset::{Reset, first_half, second_half};
use super::{Setpoints, Strategy, View, bounds};
use crate::site::{AirUnit, Cdu, FacilityLoop, RackId, StrategyKind};
use crate::snapshot::{Plan, PlanReport, PlanStatus};
use serde::{Deserialize, Serialize};
use thermo::{Celsius, Fraction, KelvinDelta, LitresPerMinute};

/// Ripple of a device's own temperature loop, kept clear of the limit, K.
const RIPPLE_K: f64 = 1.0;
/// Valve position above which a CDU asks the facility loop for more (Guideline 36: above 95 % until below 85 %).
const VALVE_ASKS: f64 = 0.95;
/// Facility return above the network's return from which heat export is worth its valve, K.
const EXPORT_K: f64 = 2.0;
/// Where resets start: full pressure, warmest temperature for CDUs; half of the temperature range for loops.
const START: [f64; 3] = [0.5, 0.75, 0.5];

/// The resets of a hall.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct TrimRespond {
    cdus: Vec<Reset>,
    loops: Vec<Reset>,
    air_units: Vec<Reset>,
}

impl Strategy for TrimRespond {
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String> {
        let site = view.site;
        let settings = &site.control.trim_respond;
        self.cdus.resize(site.cdus.len(), Reset::new(START[0]));
        self.loops.resize(site.loops.len(), Reset::new(START[1]));
        self.air_units.resize(site.air_units.len(), Reset::new(START[2]));

        let mut asking = Vec::new();
        let mut setpoints = Setpoints::default();
        for (cdu, reset) in site.cdus.iter().zip(&mut self.cdus) {
            let requests = cdu.racks.iter().map(|id| rack_requests(view, *id)).sum();
            reset.step(settings, requests, view.now);
            if requests > settings.ignored_requests {
                asking.push(cdu.name.as_str());
            }
            put_cdu(view, cdu, reset.value, &mut setpoints);
        }
        for (unit, reset) in site.loops.iter().zip(&mut self.loops) {
            let cdus = unit.cdus.iter().map(|id| cdu_requests(view, &site.cdus[id.0]));
            let air = unit
                .air_units
                .iter()
                .map(|id| room_requests(view, &site.air_units[id.0]));
            let requests = cdus.chain(air).sum();
            reset.step(settings, requests, view.now);
            if requests > settings.ignored_requests {
                asking.push(unit.name.as_str());
            }
            put_loop(view, unit, reset.value, &mut setpoints);
        }
        for (unit, reset) in site.air_units.iter().zip(&mut self.air_units) {
            // One unit has nobody to share its requests with: none is ignored.
            let requests = room_requests(view, unit) + settings.ignored_requests;
            reset.step(settings, requests, view.now);
            put_air(view, unit, reset.value, &mut setpoints);
        }
        let sentence = if asking.is_empty() {
            "Trimming: nothing asks for more cooling.".to_owned()
        } else {
            format!("Responding: {} ask for more cooling.", asking.join(", "))
        };
        Ok(Plan {
            strategy: StrategyKind::TrimRespond,
            status: PlanStatus::Complete,
            setpoints: setpoints.complete(site),
            report: PlanReport {
                sentence,
                ..PlanReport::default()
            },
        })
    }
}

/// One to three requests by how far a value is beyond a mark, in steps of `step`; the pattern of Guideline 36.
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

/// What one rack asks: by chip margin, coolant return and flow. A silent rack asks for what it can.
fn rack_requests(view: &View<'_>, id: RackId) -> f64 {
    let rack = &view.site.racks[id.0];
    let (limits, plate) = (&view.site.limits, &rack.nameplate);
    let margin = view.snapshot.get(rack.points.chip_margin).map(KelvinDelta::get);
    let by_margin = margin.map_or(3.0, |k| graded(limits.chip_margin_k.target - k, 2.0));
    let back = view
        .snapshot
        .get(rack.points.liquid_return_temperature)
        .map(Celsius::get);
    let by_return = back.map_or(0.0, |c| graded(c - limits.rack_return_c.target, 2.0));
    let heat_kw = view.heat.racks.get(id.0).map_or(0.0, |band| band.now_kw);
    let flow = view.snapshot.get(rack.points.liquid_flow).map(LitresPerMinute::get);
    let short = flow.map_or(0.0, |lpm| {
        graded(plate.min_flow_lpm_per_kw * heat_kw - lpm, 0.05 * plate.flow_lpm)
    });
    by_margin.max(by_return).max(short)
}

/// What one CDU asks of its loop: by valve, and by the coolant above its setpoint.
fn cdu_requests(view: &View<'_>, cdu: &Cdu) -> f64 {
    let get = |point| view.snapshot.get(point).map(Celsius::get);
    let valve = view
        .snapshot
        .get(cdu.points.primary_valve_position)
        .map_or(1.0, Fraction::get);
    let error_k = match (
        get(cdu.points.secondary_supply_temperature),
        get(cdu.points.secondary_supply_temperature_setpoint),
    ) {
        (Some(supply), Some(setpoint)) => supply - setpoint,
        _ => 0.0,
    };
    if error_k > 2.0 {
        3.0
    } else if error_k > 1.0 {
        2.0
    } else if valve > VALVE_ASKS {
        1.0
    } else {
        0.0
    }
}

/// What a room asks: by its temperature.
fn room_requests(view: &View<'_>, unit: &AirUnit) -> f64 {
    let room = view.snapshot.get(unit.points.room_temperature).map(Celsius::get);
    room.map_or(3.0, |c| graded(c - (view.site.limits.room_c.target - RIPPLE_K), 1.0))
}

fn put_cdu(view: &View<'_>, cdu: &Cdu, reset: f64, setpoints: &mut Setpoints) {
    let site = view.site;
    if let Some(write) = bounds(site, cdu.points.secondary_differential_pressure_setpoint) {
        let floor = write.min + site.control.trim_respond.pressure_floor * (write.max - write.min);
        let kpa = floor + first_half(reset) * (write.max - floor);
        setpoints.put(site, cdu.points.secondary_differential_pressure_setpoint, kpa);
    }
    if let Some(write) = bounds(site, cdu.points.secondary_supply_temperature_setpoint) {
        let warmest = write.max.min(site.limits.secondary_supply_c.target - RIPPLE_K);
        let c = warmest - second_half(reset) * (warmest - write.min);
        setpoints.put(site, cdu.points.secondary_supply_temperature_setpoint, c);
    }
}

fn put_loop(view: &View<'_>, unit: &FacilityLoop, reset: f64, setpoints: &mut Setpoints) {
    let site = view.site;
    if let Some(write) = bounds(site, unit.points.differential_pressure_setpoint) {
        setpoints.put(
            site,
            unit.points.differential_pressure_setpoint,
            write.min + first_half(reset) * (write.max - write.min),
        );
    }
    for id in &unit.rejection {
        let cell = &site.rejection[id.0];
        // More cells at lower speed cost less than fewer at higher (fan law), so all run.
        setpoints.put(site, cell.points.enable, 1.0);
        if let Some(write) = bounds(site, cell.points.supply_temperature_setpoint) {
            let c = write.max - second_half(reset) * (write.max - write.min);
            setpoints.put(site, cell.points.supply_temperature_setpoint, c);
        }
    }
    for id in &unit.reuse {
        let reuse = &site.reuse[id.0];
        let back = view.snapshot.get(unit.points.return_temperature);
        let network = view.snapshot.get(reuse.points.network_return_temperature);
        let worth = matches!((back, network), (Some(back), Some(network)) if (back - network).get() > EXPORT_K);
        setpoints.put(site, reuse.points.valve_setpoint, f64::from(u8::from(worth)));
    }
}

fn put_air(view: &View<'_>, unit: &AirUnit, reset: f64, setpoints: &mut Setpoints) {
    let site = view.site;
    if let Some(write) = bounds(site, unit.points.fan_speed_setpoint) {
        setpoints.put(
            site,
            unit.points.fan_speed_setpoint,
            write.min + first_half(reset) * (write.max - write.min),
        );
    }
    if let Some(write) = bounds(site, unit.points.supply_air_temperature_setpoint) {
        let c = write.max - second_half(reset) * (write.max - write.min);
        setpoints.put(site, unit.points.supply_air_temperature_setpoint, c);
    }
}
