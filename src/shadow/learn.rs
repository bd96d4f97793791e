//! The model's ratios, from telemetry: slow filters, bounded, still where a reading is missing or says little.

use super::laws::{AIR_EXPONENT, FAN_EXPONENT, Skid, fan_speed, pump_share, water};
use super::steady::{AIR_CARRIES, Conditions, branch_kpa, cdu_exchanger, coil_exchanger, rated_flow_lpm};
use super::value;
use crate::site::{FacilityLoop, Site};
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

/// Time constant of the filters, s.
const MEMORY_S: f64 = 3.0 * 3600.0;
/// What a ratio may be at all.
const BOUNDS: (f64, f64) = (0.4, 2.5);
/// Most friction of pipes, over that assumed at first.
const PIPE_MOST: f64 = 10.0;
/// Share of a rated flow or load from which a measurement says something.
const TELLS: f64 = 0.15;

/// A ratio that follows what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Ratio {
    value: f64,
    /// Time for which it has followed, s: at first it follows faster.
    known_s: f64,
}

impl Default for Ratio {
    fn default() -> Self {
        Self {
            value: 1.0,
            known_s: 0.0,
        }
    }
}

impl Ratio {
    pub(super) const fn get(self) -> f64 {
        self.value
    }

    fn follow(&mut self, seen: f64, passed_s: f64) {
        if seen.is_finite() && seen > 0.0 {
            self.known_s = (self.known_s + passed_s).min(MEMORY_S);
            let share = (passed_s / self.known_s.max(600.0)).min(1.0);
            self.value += share * (seen.clamp(BOUNDS.0, BOUNDS.1) - self.value);
        }
    }
}

/// A ratio of power, with where it was seen. The nameplate is right at its rated point, and a ratio seen at part load is
/// taken over the less the further another load is from there.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Local {
    ratio: Ratio,
    /// Power by the law where it was seen, kW.
    at_kw: f64,
}

impl Local {
    /// The power for one that the law says, kW.
    pub(super) fn apply(self, law_kw: f64) -> f64 {
        if self.at_kw <= 0.0 || law_kw <= 0.0 {
            return law_kw;
        }
        let near = (self.at_kw / law_kw).min(law_kw / self.at_kw);
        law_kw * (1.0 + (self.ratio.get() - 1.0) * near)
    }

    fn follow(&mut self, seen_kw: f64, law_kw: f64, passed_s: f64) {
        self.ratio.follow(seen_kw / law_kw, passed_s);
        let share = if self.at_kw > 0.0 {
            (passed_s / MEMORY_S).min(1.0)
        } else {
            1.0
        };
        self.at_kw += share * (law_kw - self.at_kw);
    }
}

/// Ratios of a CDU.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct CduRatios {
    /// Pressure over the square law of the flow.
    pub(super) resistance: Ratio,
    /// Conductance.
    pub(super) ua: Ratio,
    /// Flow through the open primary valve.
    pub(super) primary: Ratio,
    /// Electric power beyond the law, kW: controls, and a pump that is not as rated.
    pub(super) beyond_kw: f64,
}

/// Ratios of an air unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct AirRatios {
    pub(super) heat: Ratio,
    pub(super) ua: Ratio,
    pub(super) fan: Ratio,
    /// Water that the coil's branch was seen to pass, over the rated flow at a branch's rated pressure.
    pub(super) water: Ratio,
}

/// Ratios of the plant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Learned {
    pub(super) cdus: Vec<CduRatios>,
    pub(super) air_units: Vec<AirRatios>,
    /// Friction of each loop's pipes outside the hall, kPa per (L/min)^2.
    pub(super) pipes: Vec<f64>,
    /// Pumps of each loop.
    pub(super) pumps: Vec<Local>,
    /// Heat-rejection capacity of each loop.
    pub(super) capacity: Vec<Ratio>,
    /// Fan power of each loop's cells over the law.
    pub(super) fans: Vec<Ratio>,
    /// Heat that each network takes at most, kW.
    pub(super) demand_kw: Vec<f64>,
}

impl Learned {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            cdus: vec![CduRatios::default(); site.cdus.len()],
            air_units: vec![AirRatios::default(); site.air_units.len()],
            pipes: site.loops.iter().map(first_pipe_k).collect(),
            pumps: vec![Local::default(); site.loops.len()],
            capacity: vec![Ratio::default(); site.loops.len()],
            fans: vec![Ratio::default(); site.loops.len()],
            demand_kw: site.reuse.iter().map(|unit| unit.nameplate.rated_kw).collect(),
        }
    }

    pub(super) fn update(&mut self, site: &Site, snapshot: &Snapshot, conditions: &Conditions, passed_s: f64) {
        for (id, ratios) in self.cdus.iter_mut().enumerate() {
            learn_cdu(site, snapshot, id, ratios, passed_s);
        }
        for (id, ratios) in self.air_units.iter_mut().enumerate() {
            learn_air(site, snapshot, conditions, id, ratios, passed_s);
        }
        for (id, unit) in site.loops.iter().enumerate() {
            let points = &unit.points;
            let (flow, kpa) = (
                value(snapshot, points.flow),
                value(snapshot, points.differential_pressure),
            );
            if let (Some(pipe_k), Some(ratio), Some(flow), Some(kpa)) =
                (self.pipes.get_mut(id), self.pumps.get_mut(id), flow, kpa)
                && flow > TELLS * unit.nameplate.pump_flow_lpm
            {
                let skid = Skid {
                    plate: &unit.nameplate,
                    pipe_k: *pipe_k,
                };
                if let (Some(running), Some(speed)) = (
                    value(snapshot, points.pumps_running),
                    value(snapshot, points.pump_speed),
                ) && running >= 1.0
                    && speed > unit.nameplate.pump_min_speed
                {
                    let most = PIPE_MOST * first_pipe_k(unit);
                    let seen = skid.pipe_of(flow, kpa, running, speed).clamp(0.0, most);
                    *pipe_k += (passed_s / MEMORY_S).min(1.0) * (seen - *pipe_k);
                }
                if let Some(kw) = value(snapshot, points.power) {
                    ratio.follow(kw, skid.kw(flow, kpa), passed_s);
                }
            }
            if let (Some(capacity), Some(fans)) = (self.capacity.get_mut(id), self.fans.get_mut(id)) {
                learn_rejection(site, snapshot, conditions, id, capacity, fans, passed_s);
            }
        }
        for (unit, demand_kw) in site.reuse.iter().zip(&mut self.demand_kw) {
            let points = &unit.points;
            let (Some(kw), Some(supply), Some(valve)) = (
                value(snapshot, points.heat),
                value(snapshot, points.network_supply_temperature),
                value(snapshot, points.valve_position),
            ) else {
                continue;
            };
            // A supply warmer than the contract asks for shows a network that throttles for want of demand.
            let throttled = valve > 0.5 && supply > unit.nameplate.min_supply_c + 1.0;
            let (towards, memory_s) = if throttled {
                (kw, 900.0)
            } else {
                (unit.nameplate.rated_kw, MEMORY_S)
            };
            *demand_kw += (passed_s / memory_s).min(1.0) * (towards.clamp(0.0, unit.nameplate.rated_kw) - *demand_kw);
        }
    }
}

/// Friction of the pipes where nothing is known yet: 40 % of the rated head at the rated flow of all pumps.
fn first_pipe_k(unit: &FacilityLoop) -> f64 {
    let flow = rated_flow_lpm(unit);
    0.4 * unit.nameplate.pump_head_kpa / (flow * flow)
}

fn learn_cdu(site: &Site, snapshot: &Snapshot, id: usize, ratios: &mut CduRatios, passed_s: f64) {
    let Some(cdu) = site.cdus.get(id) else { return };
    let (plate, points) = (&cdu.nameplate, &cdu.points);
    let Some(flow) = value(snapshot, points.secondary_flow).map(|lpm| lpm / plate.secondary_flow_lpm) else {
        return;
    };
    if flow < TELLS {
        return;
    }
    let kpa = value(snapshot, points.secondary_differential_pressure);
    if let Some(kpa) = kpa {
        ratios
            .resistance
            .follow(kpa / (plate.secondary_pressure_kpa * flow * flow), passed_s);
        if let Some(kw) = value(snapshot, points.power) {
            let beyond = kw - plate.pump_kw * pump_share(flow, kpa / plate.secondary_pressure_kpa);
            let limit = 0.3 * plate.pump_kw;
            ratios.beyond_kw += (passed_s / MEMORY_S).min(1.0) * (beyond.clamp(-limit, limit) - ratios.beyond_kw);
        }
    }
    let primary = value(snapshot, points.primary_flow).map(|lpm| lpm / plate.primary_flow_lpm);
    let header = site
        .loops
        .get(cdu.facility_loop.0)
        .and_then(|unit| value(snapshot, unit.points.differential_pressure));
    if let (Some(primary), Some(header), Some(valve)) =
        (primary, header, value(snapshot, points.primary_valve_position))
        && valve > 0.9
        && header > TELLS * plate.primary_pressure_kpa
    {
        ratios
            .primary
            .follow(primary / (header / plate.primary_pressure_kpa).sqrt(), passed_s);
    }
    if let (Some(primary), Some(supply), Some(back), Some(cold)) = (
        primary,
        value(snapshot, points.secondary_supply_temperature),
        value(snapshot, points.secondary_return_temperature),
        value(snapshot, points.primary_supply_temperature),
    ) && primary > TELLS
        && back > cold + 2.0
    {
        let exchanger = cdu_exchanger(cdu, 1.0);
        let per_k = flow * exchanger.hot * (back - supply) / (back - cold);
        if let Some(seen) = exchanger.ratio_of(flow, primary, per_k) {
            ratios.ua.follow(seen, passed_s);
        }
    }
}

fn learn_air(
    site: &Site,
    snapshot: &Snapshot,
    conditions: &Conditions,
    id: usize,
    ratios: &mut AirRatios,
    passed_s: f64,
) {
    let Some(unit) = site.air_units.get(id) else { return };
    let (plate, points) = (&unit.nameplate, &unit.points);
    let (Some(supply), Some(back), Some(speed)) = (
        value(snapshot, points.supply_air_temperature),
        value(snapshot, points.return_air_temperature),
        value(snapshot, points.fan_speed),
    ) else {
        return;
    };
    if speed < TELLS || back - supply < 1.0 {
        return;
    }
    let carried = AIR_CARRIES * plate.air_flow_m3_s * speed * (back - supply);
    ratios.heat.follow(carried / conditions.air_kw.max(1.0), passed_s);
    if let Some(kw) = value(snapshot, points.power) {
        ratios
            .fan
            .follow(kw / (plate.fan_kw * libm::pow(speed, FAN_EXPONENT)), passed_s);
    }
    // What the loop carries beyond its CDUs goes through its coils.
    let Some(around) = site.loops.get(unit.facility_loop.0) else {
        return;
    };
    let cdus: Option<f64> = around
        .cdus
        .iter()
        .map(|cdu| value(snapshot, site.cdus.get(cdu.0)?.points.primary_flow))
        .sum();
    if let (Some(flow), Some(cdus), Some(cold)) = (
        value(snapshot, around.points.flow),
        cdus,
        value(snapshot, around.points.supply_temperature),
    ) {
        let coils = around.air_units.len() as f64;
        let water = (flow - cdus) / (coils * plate.water_flow_lpm);
        let exchanger = coil_exchanger(unit, 1.0);
        // The valve's position is not read: the branch passes at least what was seen.
        if let Some(kpa) = value(snapshot, around.points.differential_pressure).filter(|kpa| *kpa > 1.0) {
            let seen = water / (kpa / branch_kpa(site, around)).sqrt();
            if seen > ratios.water.get() {
                ratios.water.follow(seen, passed_s);
            }
        }
        if water > TELLS
            && back > cold + 2.0
            && let Some(seen) = exchanger.ratio_of(speed, water, carried / (back - cold))
        {
            ratios.ua.follow(seen, passed_s);
        }
    }
}

fn learn_rejection(
    site: &Site,
    snapshot: &Snapshot,
    conditions: &Conditions,
    id: usize,
    capacity: &mut Ratio,
    fans: &mut Ratio,
    passed_s: f64,
) {
    let Some(unit) = site.loops.get(id) else { return };
    let (Some(flow), Some(supply), Some(back)) = (
        value(snapshot, unit.points.flow),
        value(snapshot, unit.points.supply_temperature),
        value(snapshot, unit.points.return_temperature),
    ) else {
        return;
    };
    let reuse = unit.reuse.iter().filter_map(|id| site.reuse.get(id.0));
    let reused: f64 = reuse.filter_map(|unit| value(snapshot, unit.points.heat)).sum();
    let heat_kw = flow * water() * (back - supply) - reused;
    let cells = unit.rejection.iter().filter_map(|id| site.rejection.get(id.0));
    let running: Vec<_> = cells
        .filter(|cell| value(snapshot, cell.points.running).is_some_and(|on| on >= 0.5))
        .collect();
    let count = running.len() as f64;
    let Some(first) = running.first() else { return };
    let plate = &first.nameplate;
    let speeds: Option<Vec<f64>> = running
        .iter()
        .map(|cell| value(snapshot, cell.points.fan_speed))
        .collect();
    let Some(speeds) = speeds else { return };
    let speed = speeds.iter().sum::<f64>() / count;
    let powers: Option<f64> = running.iter().map(|cell| value(snapshot, cell.points.power)).sum();
    if speed < plate.min_speed + 0.05 || heat_kw / count < TELLS * plate.rated_kw {
        return;
    }
    if let Some(kw) = powers {
        let law: f64 = speeds
            .iter()
            .map(|speed| plate.power_kw * libm::pow(*speed, FAN_EXPONENT))
            .sum();
        fans.follow(kw / law, passed_s);
    }
    // A wide-open fan says only that the water is warmer than asked for, which tells the capacity just as well.
    let believed = fan_speed(plate, 1.0, (heat_kw / count, flow / count, supply), conditions);
    if believed.is_finite() {
        capacity.follow(libm::pow(believed / speed, AIR_EXPONENT), passed_s);
    }
}
