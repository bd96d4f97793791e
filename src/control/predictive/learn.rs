//! Learns the ratios of the model from telemetry: slow filters, bounded, still where data are missing.

use super::model::{CduModel, CduRatios, Outdoors, carries, chip_rise_k, counterflow_ntu, fan_speed, loop_pump_kw};
use crate::control::View;
use crate::site::{Cdu, FacilityLoop, RejectionKind};
use serde::{Deserialize, Serialize};
use thermo::{Celsius, Coolant, Fraction, Kilopascals, Kilowatts, LitresPerMinute, Quantity};

/// Share of a difference taken up in one second of plant time: a time constant of about five minutes.
const SHARE_PER_S: f64 = 1.0 / 300.0;
/// What a ratio may be at all: beyond it lies a broken sensor, not a plant.
const BOUNDS: (f64, f64) = (0.4, 2.5);
/// Least share of a nameplate flow or load at which a measurement says something.
const TELLS: f64 = 0.15;

/// What is learned of a plant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Learned {
    pub cdus: Vec<CduRatios>,
    /// Chip rise of each rack over the nameplate's.
    pub chips: Vec<f64>,
    /// Pump power of each loop over the model's.
    pub pumps: Vec<f64>,
    /// Heat-rejection capacity of each loop over the nameplates'.
    pub rejection: Vec<f64>,
    /// Room air above what the model says for the coil's water, K, of each air unit.
    pub rooms_k: Vec<f64>,
    /// Heat that each network takes at most at present, kW.
    pub demand_kw: Vec<f64>,
    learned_mono_ms: Option<u64>,
}

impl Learned {
    /// Takes up this cycle's measurements.
    pub(super) fn update(&mut self, view: &View<'_>, outdoors: &Outdoors) {
        let site = view.site;
        self.cdus.resize(site.cdus.len(), CduRatios::default());
        self.chips.resize(site.racks.len(), 1.0);
        self.pumps.resize(site.loops.len(), 1.0);
        self.rejection.resize(site.loops.len(), 1.0);
        self.rooms_k.resize(site.air_units.len(), 0.0);
        let rated = |id: usize| site.reuse.get(id).map_or(0.0, |unit| unit.nameplate.rated_kw);
        for id in self.demand_kw.len()..site.reuse.len() {
            self.demand_kw.push(rated(id));
        }
        let elapsed_s = self
            .learned_mono_ms
            .map_or(0.0, |at| view.now.seconds_since(at).min(60.0));
        self.learned_mono_ms = Some(view.now.mono_ms);
        let share = (elapsed_s * SHARE_PER_S).min(0.5);
        for (cdu, ratios) in site.cdus.iter().zip(&mut self.cdus) {
            learn_cdu(view, cdu, ratios, share);
        }
        for (id, ratio) in self.chips.iter_mut().enumerate() {
            learn_chip(view, id, ratio, share);
        }
        for (id, unit) in site.loops.iter().enumerate() {
            learn_loop(
                view,
                unit,
                &mut self.pumps[id],
                &mut self.rejection[id],
                outdoors,
                share,
            );
        }
        for (id, unit) in site.reuse.iter().enumerate() {
            let heat = value(view, unit.points.heat);
            let open = value(view, unit.points.valve_position).is_some_and(|position| position > 0.8);
            if let Some(heat) = heat.filter(|_| open) {
                self.demand_kw[id] += share * (heat - self.demand_kw[id]);
            } else {
                // Nothing is learned behind a closed valve: expect the rated heat again, slowly.
                self.demand_kw[id] += 0.1 * share * (rated(id) - self.demand_kw[id]);
            }
        }
    }
}

/// The good value of a point.
pub(super) fn value<Q: Quantity>(view: &View<'_>, point: Option<crate::site::Point<Q>>) -> Option<f64> {
    view.snapshot.get(point).map(Quantity::get)
}

fn follow(ratio: &mut f64, seen: f64, share: f64) {
    if seen.is_finite() && seen > 0.0 {
        *ratio += share * (seen.clamp(BOUNDS.0, BOUNDS.1) - *ratio);
    }
}

fn learn_cdu(view: &View<'_>, cdu: &Cdu, ratios: &mut CduRatios, share: f64) {
    let (plate, points) = (&cdu.nameplate, &cdu.points);
    let Some(flow) = value::<LitresPerMinute>(view, points.secondary_flow) else {
        return;
    };
    let secondary = flow / plate.secondary_flow_lpm;
    if secondary < TELLS {
        return;
    }
    if let Some(kpa) = value::<Kilopascals>(view, points.secondary_differential_pressure) {
        follow(
            &mut ratios.resistance,
            kpa / (plate.secondary_pressure_kpa * secondary * secondary),
            share,
        );
    }
    let model = CduModel::new(
        cdu,
        CduRatios {
            pump: 1.0,
            ua: 1.0,
            ..*ratios
        },
    );
    if let Some(kw) = value::<Kilowatts>(view, points.power) {
        follow(&mut ratios.pump, kw / model.pump_kw(secondary), share);
    }
    let c = |point| value::<Celsius>(view, point);
    let (Some(supply), Some(back), Some(facility), Some(primary)) = (
        c(points.secondary_supply_temperature),
        c(points.secondary_return_temperature),
        c(points.primary_supply_temperature),
        value::<LitresPerMinute>(view, points.primary_flow),
    ) else {
        return;
    };
    let primary = primary / plate.primary_flow_lpm;
    let (hot, cold) = (
        flow * carries(plate.coolant),
        primary * plate.primary_flow_lpm * carries(Coolant::Water),
    );
    let heat_kw = hot * (back - supply);
    let (least, most) = (hot.min(cold), hot.max(cold));
    let effectiveness = heat_kw / (least * (back - facility));
    // Near 0 and 1 the number of transfer units hangs on the sensors' last digit.
    if primary > TELLS && heat_kw > TELLS * plate.rated_kw && (0.2..0.95).contains(&effectiveness) {
        let ua = counterflow_ntu(effectiveness, least / most) * least;
        follow(&mut ratios.ua, ua / model.ua(secondary, primary), share);
    }
}

fn learn_chip(view: &View<'_>, id: usize, ratio: &mut f64, share: f64) {
    let rack = &view.site.racks[id];
    let (plate, points) = (&rack.nameplate, &rack.points);
    let (Some(margin), Some(supply), Some(flow), Some(power)) = (
        value(view, points.chip_margin),
        value(view, points.liquid_supply_temperature),
        value(view, points.liquid_flow),
        value(view, points.power),
    ) else {
        return;
    };
    // Under half load the hottest chip's share of the rack's power is not the nameplate's.
    if power < 0.5 * plate.rated_kw || flow < TELLS * plate.flow_lpm {
        return;
    }
    let seen = (plate.chip_limit_c - margin - supply)
        / chip_rise_k(plate, power * plate.liquid_fraction, flow / plate.flow_lpm);
    // A hotter chip than believed is believed at once, a cooler one slowly.
    let share = if seen > *ratio { (20.0 * share).min(1.0) } else { share };
    follow(ratio, seen, share);
}

fn learn_loop(
    view: &View<'_>,
    unit: &FacilityLoop,
    pump: &mut f64,
    capacity: &mut f64,
    outdoors: &Outdoors,
    share: f64,
) {
    let points = &unit.points;
    let (Some(flow), Some(kpa)) = (value(view, points.flow), value(view, points.differential_pressure)) else {
        return;
    };
    if let Some(kw) = value(view, points.power) {
        follow(pump, kw / loop_pump_kw(unit, flow, kpa), share);
    }
    let (Some(supply), Some(back)) = (
        value(view, points.supply_temperature),
        value(view, points.return_temperature),
    ) else {
        return;
    };
    let reused: f64 = unit
        .reuse
        .iter()
        .filter_map(|id| value(view, view.site.reuse[id.0].points.heat))
        .sum();
    let heat_kw = flow * carries(Coolant::Water) * (back - supply) - reused;
    let running = unit
        .rejection
        .iter()
        .map(|id| &view.site.rejection[id.0])
        .filter(|cell| value(view, cell.points.running).is_some_and(|on| on >= 0.5));
    let (mut count, mut speed, mut plate) = (0.0, 0.0, None);
    for cell in running {
        let Some(seen) = value::<Fraction>(view, cell.points.fan_speed) else {
            return;
        };
        count += 1.0;
        speed += seen;
        plate = Some(&cell.nameplate);
    }
    let Some(plate) = plate.filter(|plate| plate.kind != RejectionKind::Chiller) else {
        return;
    };
    let speed = speed / count;
    // A stopped or wide-open fan says only that the water is colder, or warmer, than it can hold.
    if heat_kw < TELLS * plate.rated_kw || !(plate.min_speed + 0.05..0.98).contains(&speed) {
        return;
    }
    let per_cell = heat_kw / count;
    let range_k = per_cell / (flow / count * carries(Coolant::Water));
    let believed = fan_speed(plate, 1.0, per_cell, supply, range_k, outdoors);
    if believed.is_finite() {
        follow(capacity, libm::pow(believed / speed, 0.6), share);
    }
}
