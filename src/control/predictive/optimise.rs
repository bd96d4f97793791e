//! The cheapest operating point of a facility-water loop and its CDUs.

use super::learn::{Learned, value};
use super::model::{
    CduModel, Outdoors, RackLimits, air, air_fan_kw, carries, fan_kw, fan_speed, loop_pump_kw, reuse_kw, water_l_per_h,
};
use super::{COOLANT_RESERVE_K, COST_HORIZON, needed_share};
use crate::control::{Setpoints, View, bounds};
use crate::site::FacilityLoop;
use crate::snapshot::PlanReport;
use serde::{Deserialize, Serialize};
use thermo::{Coolant, moist_air};

/// Candidates of the facility-water temperature, and of each CDU's coolant temperature.
const FACILITY_STEPS: u32 = 16;
const SUPPLY_STEPS: u32 = 8;
/// Least distance of coolant supply and facility supply, K: less is no exchanger's approach.
const LEAST_APPROACH_K: f64 = 0.8;
/// Valve position at which a branch is planned: the rest is authority for the CDU's own loop.
const VALVE_PLANNED: f64 = 0.85;
/// Least approach to the wet bulb that is worth a fan, K.
const LEAST_TOWER_APPROACH_K: f64 = 1.5;
/// A new point must beat the last one by this share of its cost, so that noise does not move the plant.
const WORTH_MOVING: f64 = 0.01;
/// Room air stays this far below its target, K.
const ROOM_RESERVE_K: f64 = 1.0;

/// An operating point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    /// Facility-water supply, degC.
    pub facility_c: f64,
    /// Pressure difference of the facility headers, kPa.
    pub header_kpa: f64,
    /// Coolant supply of each CDU of the loop, degC.
    pub supply_c: Vec<f64>,
    /// Heat-rejection units that run, the first ones of the loop's list.
    pub units: usize,
    /// Whether each heat-reuse exchanger is open.
    pub export: Vec<bool>,
    /// Fan speed and supply air temperature of each air unit of the loop.
    pub air: Vec<(f64, f64)>,
    /// Expected cost per hour by term.
    pub cost_per_h: Vec<(String, f64)>,
    /// Expected cooling power, kW.
    pub cooling_kw: f64,
    /// What binds each CDU's flow.
    pub binding: Vec<String>,
}

impl Point {
    fn cost(&self) -> f64 {
        self.cost_per_h.iter().map(|(_, cost)| cost).sum()
    }
}

/// Chooses the point; `None` where no candidate keeps every limit.
pub(super) fn choose(
    view: &View<'_>,
    learned: &Learned,
    unit: &FacilityLoop,
    id: usize,
    limits: &RackLimits,
    outdoors: &Outdoors,
    last: Option<&Point>,
) -> Option<Point> {
    let site = view.site;
    let cell = site.rejection.get(unit.rejection.first()?.0)?;
    let write = bounds(site, cell.points.supply_temperature_setpoint)?;
    let coldest = write
        .min
        .max(outdoors.wet_bulb_c + LEAST_TOWER_APPROACH_K)
        .min(write.max);
    let try_at = |facility_c: f64| evaluate(view, learned, unit, id, limits, outdoors, facility_c);
    let mut best: Option<Point> = None;
    for step in 0..=FACILITY_STEPS {
        let share = f64::from(step) / f64::from(FACILITY_STEPS);
        let candidate = try_at(coldest + share * (write.max - coldest));
        if let Some(candidate) = candidate
            && best.as_ref().is_none_or(|best| candidate.cost() < best.cost())
        {
            best = Some(candidate);
        }
    }
    let best = best?;
    // The last point under today's conditions: moving must be worth it.
    let kept = last.and_then(|last| try_at(last.facility_c.clamp(coldest, write.max)));
    match kept {
        Some(kept) if best.cost() > kept.cost() - WORTH_MOVING * kept.cost().abs() => Some(kept),
        _ => Some(best),
    }
}

/// The best point at one facility-water temperature, or `None` where a limit cannot be kept.
fn evaluate(
    view: &View<'_>,
    learned: &Learned,
    unit: &FacilityLoop,
    id: usize,
    limits: &RackLimits,
    outdoors: &Outdoors,
    facility_c: f64,
) -> Option<Point> {
    let site = view.site;
    let hour = view.now.local_hour();
    let price =
        site.prices.energy_at(hour) + site.prices.carbon_g_per_kwh_at(hour) / 1000.0 * site.prices.carbon_per_kg;
    let dew_c = dew_point_c(view) + site.limits.dew_point_margin_k.target + COOLANT_RESERVE_K;
    let rated_lpm = unit.nameplate.pump_flow_lpm * unit.nameplate.pumps as f64;

    let (mut cdu_kw, mut flow_lpm, mut header_kpa, mut heat_kw) = (0.0, 0.0, 0.0_f64, 0.0);
    let (mut supply_c, mut binding) = (Vec::new(), Vec::new());
    for cdu_id in &unit.cdus {
        let cdu = &site.cdus[cdu_id.0];
        let model = CduModel::new(cdu, learned.cdus[cdu_id.0]);
        let bound = bounds(site, cdu.points.secondary_supply_temperature_setpoint)?;
        let pressure = bounds(site, cdu.points.secondary_differential_pressure_setpoint)?;
        let warmest = bound.max.min(site.limits.secondary_supply_c.target - COOLANT_RESERVE_K);
        let coldest = bound.min.max(dew_c).max(facility_c + LEAST_APPROACH_K);
        if coldest > warmest {
            return None;
        }
        let band = &view.heat.cdus[cdu_id.0];
        let (mean_kw, upper_kw) = (band.mean_kw[COST_HORIZON].max(1.0), band.peak_upper_kw(900.0).max(1.0));
        let mut best: Option<(f64, f64, f64, f64, f64, String)> = None;
        for step in 0..=SUPPLY_STEPS {
            let c = coldest + f64::from(step) / f64::from(SUPPLY_STEPS) * (warmest - coldest);
            let (share, binds) = needed_share(view, learned, cdu_id.0, c, limits);
            let share = share.max(model.flow_share(pressure.min));
            if model.pressure_kpa(share) > pressure.max {
                continue;
            }
            // The valve must manage the upper heat; the pumps carry the mean.
            let (Some(upper), Some(mean)) = (
                model.primary_share(upper_kw, share, c, facility_c),
                model.primary_share(mean_kw, share, c, facility_c),
            ) else {
                continue;
            };
            let pump_kw = model.pump_kw(share);
            let lpm = mean * cdu.nameplate.primary_flow_lpm;
            let kpa = model.branch_kpa(upper) / (VALVE_PLANNED * VALVE_PLANNED);
            // What a litre more costs the loop's pumps at the rated point stands for the coupling between CDUs.
            let cost = pump_kw + lpm / rated_lpm * unit.nameplate.pump_kw * unit.nameplate.pumps as f64;
            if best.as_ref().is_none_or(|best| cost < best.0) {
                let rack = &site.racks[binds.rack].name;
                best = Some((
                    cost,
                    c,
                    pump_kw,
                    lpm,
                    kpa,
                    format!("{} by {} of {rack}", cdu.name, binds.limit),
                ));
            }
        }
        let (_, c, pump_kw, lpm, kpa, why) = best?;
        cdu_kw += pump_kw;
        flow_lpm += lpm;
        header_kpa = header_kpa.max(kpa);
        heat_kw += mean_kw + pump_kw;
        supply_c.push(c);
        binding.push(why);
    }

    let mut air_points = Vec::new();
    let mut air_kw = 0.0;
    for air_id in &unit.air_units {
        let air_unit = &site.air_units[air_id.0];
        let heat: f64 = air_heat_kw(view) / site.air_units.len() as f64;
        let room_c = site.limits.room_c.target - ROOM_RESERVE_K - learned.rooms_k[air_id.0];
        let (speed, supply_air_c) = air(&air_unit.nameplate, heat, facility_c, room_c);
        if speed > 1.0 {
            return None;
        }
        let speed = (1.1 * speed).clamp(air_unit.nameplate.min_speed, 1.0);
        air_kw += air_fan_kw(&air_unit.nameplate, speed);
        heat_kw += heat + air_fan_kw(&air_unit.nameplate, speed);
        flow_lpm += air_unit.nameplate.water_flow_lpm * (heat / air_unit.nameplate.rated_kw).clamp(0.3, 1.0);
        air_points.push((speed, supply_air_c));
    }

    let header = bounds(site, unit.points.differential_pressure_setpoint)?;
    let header_kpa = header_kpa.max(header.min);
    if header_kpa > header.max || flow_lpm > rated_lpm {
        return None;
    }
    let pump_kw = learned.pumps[id] * loop_pump_kw(unit, flow_lpm, header_kpa);
    let return_c = facility_c + (heat_kw + pump_kw) / (flow_lpm * carries(Coolant::Water)).max(1e-6);

    let (export, reused_kw) = export(view, learned, unit, return_c);
    let rejected_kw = (heat_kw + pump_kw - reused_kw).max(0.0);
    let range_k = rejected_kw / (flow_lpm * carries(Coolant::Water)).max(1e-6);
    let (units, fans_kw) = cells(
        view,
        learned.rejection[id],
        unit,
        rejected_kw,
        facility_c,
        range_k,
        outdoors,
    )?;
    let plate = &site.rejection[unit.rejection[0].0].nameplate;
    let (makeup_l, blowdown_l) = water_l_per_h(plate, rejected_kw);

    let prices = &site.prices;
    let cost_per_h = vec![
        ("CDU pumps".to_owned(), cdu_kw * price),
        ("facility pumps".to_owned(), pump_kw * price),
        ("tower fans".to_owned(), fans_kw * price),
        ("air fans".to_owned(), air_kw * price),
        (
            "water".to_owned(),
            (makeup_l * prices.water_per_m3 + blowdown_l * prices.sewer_per_m3) / 1000.0,
        ),
        ("heat sold".to_owned(), -reused_kw * prices.heat_per_kwh),
    ];
    let cooling_kw = cdu_kw + pump_kw + fans_kw + air_kw;
    Some(Point {
        facility_c,
        header_kpa,
        supply_c,
        units,
        export,
        air: air_points,
        cost_per_h,
        cooling_kw,
        binding,
    })
}

/// The number of heat-rejection units at which the fans cost least, and their power; `None` where all at full speed do
/// not reach the temperature.
fn cells(
    view: &View<'_>,
    capacity: f64,
    unit: &FacilityLoop,
    heat_kw: f64,
    facility_c: f64,
    range_k: f64,
    outdoors: &Outdoors,
) -> Option<(usize, f64)> {
    let plate = &view.site.rejection[unit.rejection.first()?.0].nameplate;
    let mut best: Option<(usize, f64)> = None;
    for count in 1..=unit.rejection.len() {
        let speed = fan_speed(plate, capacity, heat_kw / count as f64, facility_c, range_k, outdoors);
        let kw = count as f64 * fan_kw(plate, speed);
        if speed <= 1.0 && best.is_none_or(|(_, least)| kw <= least) {
            best = Some((count, kw));
        }
    }
    best
}

/// Which exchangers are worth opening, and the heat that they take.
fn export(view: &View<'_>, learned: &Learned, unit: &FacilityLoop, return_c: f64) -> (Vec<bool>, f64) {
    let mut open = Vec::new();
    let mut sum_kw = 0.0;
    for id in &unit.reuse {
        let reuse = &view.site.reuse[id.0];
        let network = value(view, reuse.points.network_return_temperature);
        let kw = network
            .map_or(0.0, |c| reuse_kw(&reuse.nameplate, return_c, c))
            .min(learned.demand_kw[id.0]);
        // Water warmer than the loop must never come back from the network.
        let worth = network.is_some_and(|c| return_c > c + 1.0) && view.site.prices.heat_per_kwh >= 0.0;
        open.push(worth);
        sum_kw += if worth { kw } else { 0.0 };
    }
    (open, sum_kw)
}

/// Highest dew point of the rooms, degC; the fallback where a sensor is silent.
fn dew_point_c(view: &View<'_>) -> f64 {
    let dew = view.site.air_units.iter().map(|unit| {
        let room = value(view, unit.points.room_temperature);
        let humidity = value(view, unit.points.room_relative_humidity);
        match (room, humidity) {
            (Some(c), Some(rh)) => moist_air::clamped::dew_point_c(c, rh),
            _ => view.site.limits.dew_point_fallback_c,
        }
    });
    dew.reduce(f64::max).unwrap_or(view.site.limits.dew_point_fallback_c)
}

/// Heat of all racks into the room air now, kW.
fn air_heat_kw(view: &View<'_>) -> f64 {
    let racks = view.site.racks.iter().zip(&view.heat.racks);
    racks
        .map(|(rack, band)| band.mean_kw[COST_HORIZON] * (1.0 / rack.nameplate.liquid_fraction - 1.0))
        .sum()
}

/// Setpoints of the loop, its heat rejection, export and air units.
pub(super) fn put(view: &View<'_>, unit: &FacilityLoop, point: &Point, setpoints: &mut Setpoints) {
    let site = view.site;
    setpoints.put(site, unit.points.differential_pressure_setpoint, point.header_kpa);
    for (place, id) in unit.rejection.iter().enumerate() {
        let cell = &site.rejection[id.0];
        setpoints.put(site, cell.points.enable, f64::from(u8::from(place < point.units)));
        setpoints.put(site, cell.points.supply_temperature_setpoint, point.facility_c);
    }
    for (id, open) in unit.reuse.iter().zip(&point.export) {
        setpoints.put(site, site.reuse[id.0].points.valve_setpoint, f64::from(u8::from(*open)));
    }
    for (id, (speed, supply_c)) in unit.air_units.iter().zip(&point.air) {
        let air_unit = &site.air_units[id.0];
        setpoints.put(site, air_unit.points.fan_speed_setpoint, *speed);
        setpoints.put(site, air_unit.points.supply_air_temperature_setpoint, *supply_c);
    }
}

/// Reasons for a person.
pub(super) fn report(view: &View<'_>, points: &[Point]) -> PlanReport {
    let mut report = PlanReport::default();
    let mut sentences = Vec::new();
    for (unit, point) in view.site.loops.iter().zip(points) {
        let supply = point.supply_c.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        sentences.push(format!(
            "{} runs at {:.1} degC with {} of {} units, coolant at up to {supply:.1} degC, for {:.0} kW of cooling power",
            unit.name,
            point.facility_c,
            point.units,
            unit.rejection.len(),
            point.cooling_kw
        ));
        report.binding.extend(point.binding.iter().cloned());
        for (name, cost) in &point.cost_per_h {
            report.cost_per_h.push((name.clone(), *cost));
        }
        report.cooling_kw = Some(report.cooling_kw.unwrap_or(0.0) + point.cooling_kw);
    }
    sentences.extend(view.heat.notes.first().cloned());
    report.sentence = format!("{}.", sentences.join("; "));
    report
}
