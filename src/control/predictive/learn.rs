//! Learns the ratios of the model from telemetry: slow filters, bounded, still where data are missing or say little.

use super::health::Health;
use super::model::air::{AirModel, AirRatios};
use super::model::cdu::{CduModel, CduRatios};
use super::model::chiller::ChillerModel;
use super::model::exchanger::transfer_units;
use super::model::rack::chip_rise_k;
use super::model::rejection::{Duty, FanLaw, Outdoors, transfer};
use super::model::{carries, facility};
use crate::control::{View, value};
use crate::site::{AirUnit, Cdu, FacilityLoop, Rejection, RejectionKind, RejectionNameplate, Reuse, Site};
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// Share of a difference taken up in one second of plant time: a time constant of about five minutes.
const SHARE_PER_S: f64 = 1.0 / 300.0;
/// What a ratio may be at all: beyond it lies a broken sensor, not a plant.
const BOUNDS: (f64, f64) = (0.4, 2.5);
/// Least share of a nameplate flow or load at which a measurement says something.
const TELLS: f64 = 0.15;
/// Valve position from which a branch's flow tells its open resistance.
const OPEN: f64 = 0.9;
/// Change of a rack's power since the last cycle, as a share of its rating, up to which its chips are in balance with it.
const STEADY: f64 = 0.05;
/// Supply air above its setpoint from which the coil's valve must be open, K.
const STARVED_K: f64 = 1.0;
/// How much faster a chip hotter than believed is believed than a cooler one.
const ALARM: f64 = 20.0;

/// What time of telling readings is counted to at most, s.
const TOLD_MOST_S: f64 = 86_400.0;
/// Difference of the heat on both sides of an exchanger, as a share, up to which it is taken for steady.
const BALANCED: f64 = 0.1;
/// Water off its setpoint up to which fans are taken for steady, K.
const TRACKS_K: f64 = 0.4;
/// Bounds of the growth of cells' capacity with fan speed, and the variance of log speeds that outweighs the usual growth.
const EXPONENTS: (f64, f64) = (0.5, 1.0);
const SPREAD: f64 = 0.03;
/// Least cooling of a chiller's water at which its power says something, K.
const TRIMS_K: f64 = 1.0;

/// What is learned of a plant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Learned {
    /// Ratios of each CDU.
    pub cdus: Vec<CduRatios>,
    /// Chip rise of each rack over the nameplate's.
    pub chips: Vec<f64>,
    /// Pump power of each loop over the model's.
    pub pumps: Vec<f64>,
    /// Each loop's cells or dry coolers.
    pub rejection: Vec<Cells>,
    /// Compressor power of each loop's chillers over the model's.
    pub chillers: Vec<f64>,
    /// Which equipment is not what it should be.
    pub health: Health,
    /// Ratios of each air unit.
    pub air_units: Vec<AirRatios>,
    /// Heat that each network takes at most at present, kW.
    pub demand_kw: Vec<f64>,
    /// Each rack's power in the last cycle, kW.
    last_kw: Vec<f64>,
    updated_mono_ms: Option<u64>,
}

impl Learned {
    /// Takes up this cycle's measurements; answers the time since the last, s.
    pub(super) fn update(&mut self, view: &View<'_>, outdoors: &Outdoors) -> f64 {
        let site = view.site;
        self.fit(site);
        let elapsed_s = self
            .updated_mono_ms
            .map_or(0.0, |at| view.now.seconds_since(at).min(60.0));
        self.updated_mono_ms = Some(view.now.mono_ms);
        let share = elapsed_s * SHARE_PER_S;
        self.health.watch(view, elapsed_s);
        for (cdu, ratios) in site.cdus.iter().zip(&mut self.cdus) {
            learn_cdu(view, cdu, ratios, share);
        }
        for (id, ratio) in self.chips.iter_mut().enumerate() {
            learn_chip(view, id, ratio, &mut self.last_kw[id], share);
        }
        for (id, unit) in site.loops.iter().enumerate() {
            learn_pumps(view, unit, &mut self.pumps[id], share);
            if let Some((speed, transfer)) = rejection_seen(view, unit, outdoors) {
                self.rejection[id].learn(speed, transfer, share);
            }
            learn_chillers(view, unit, &mut self.chillers[id], outdoors, share);
        }
        for (unit, ratios) in site.air_units.iter().zip(&mut self.air_units) {
            learn_air(view, unit, ratios, share);
        }
        for (unit, demand_kw) in site.reuse.iter().zip(&mut self.demand_kw) {
            learn_demand(view, unit, demand_kw, share);
        }
        elapsed_s
    }

    fn fit(&mut self, site: &Site) {
        self.cdus.resize(site.cdus.len(), CduRatios::default());
        self.chips.resize(site.racks.len(), 1.0);
        self.pumps.resize(site.loops.len(), 1.0);
        self.rejection.resize(site.loops.len(), Cells::default());
        self.chillers.resize(site.loops.len(), 1.0);
        self.air_units.resize(site.air_units.len(), AirRatios::default());
        let known = self.demand_kw.len();
        self.demand_kw
            .extend(site.reuse.iter().skip(known).map(|unit| unit.nameplate.rated_kw));
        self.last_kw.resize(site.racks.len(), 0.0);
    }
}

fn follow(ratio: &mut f64, seen: f64, share: f64) {
    if seen.is_finite() && seen > 0.0 {
        *ratio += share * (seen.clamp(BOUNDS.0, BOUNDS.1) - *ratio);
    }
}

/// Counts a cycle of telling readings.
fn told(seconds: &mut f64, share: f64) {
    *seconds = (*seconds + share / SHARE_PER_S).min(TOLD_MOST_S);
}

fn learn_cdu(view: &View<'_>, cdu: &Cdu, ratios: &mut CduRatios, share: f64) {
    let (plate, points) = (&cdu.nameplate, &cdu.points);
    let primary = value(view, points.primary_flow).map(|lpm| lpm / plate.primary_flow_lpm);
    let header = value(view, view.site.loops[cdu.facility_loop.0].points.differential_pressure);
    if let (Some(primary), Some(header), Some(position)) = (primary, header, value(view, points.primary_valve_position))
        && position > OPEN
        && header > TELLS * plate.primary_pressure_kpa
    {
        follow(
            &mut ratios.primary,
            primary / (header / plate.primary_pressure_kpa).sqrt(),
            share,
        );
        told(&mut ratios.told.primary, share);
    }
    let Some(flow) = value(view, points.secondary_flow) else {
        return;
    };
    let secondary = flow / plate.secondary_flow_lpm;
    if secondary < TELLS {
        return;
    }
    if let Some(kpa) = value(view, points.secondary_differential_pressure) {
        follow(
            &mut ratios.resistance,
            kpa / (plate.secondary_pressure_kpa * secondary * secondary),
            share,
        );
        told(&mut ratios.told.resistance, share);
    }
    let by_nameplate = CduModel::new(cdu, CduRatios::default());
    if let Some(kw) = value(view, points.power) {
        follow(&mut ratios.pump, kw / by_nameplate.pump_kw(secondary), share);
    }
    let (Some(supply), Some(back), Some(water), Some(primary)) = (
        value(view, points.secondary_supply_temperature),
        value(view, points.secondary_return_temperature),
        value(view, points.primary_supply_temperature),
        primary,
    ) else {
        return;
    };
    let (hot, cold) = (
        flow * carries(plate.coolant),
        primary * plate.primary_flow_lpm * carries(Coolant::Water),
    );
    // Heat that enters and heat that leaves differ while temperatures move: then they tell nothing.
    let Some(water_back) = value(view, points.primary_return_temperature) else {
        return;
    };
    let (into_kw, out_kw) = (hot * (back - supply), cold * (water_back - water));
    if (into_kw - out_kw).abs() > BALANCED * into_kw.max(out_kw) {
        return;
    }
    let heat_kw = 0.5 * (into_kw + out_kw);
    let (least, most) = (hot.min(cold), hot.max(cold));
    let effectiveness = heat_kw / (least * (back - water));
    // Near 0 and 1 the number of transfer units hangs on the sensors' last digit.
    if primary > TELLS && heat_kw > TELLS * plate.rated_kw && (0.2..0.95).contains(&effectiveness) {
        let ua = transfer_units(effectiveness, least / most) * least;
        follow(
            &mut ratios.ua,
            ua / by_nameplate.exchanger.ua(secondary, primary),
            share,
        );
        told(&mut ratios.told.ua, share);
    }
}

fn learn_chip(view: &View<'_>, id: usize, ratio: &mut f64, last_kw: &mut f64, share: f64) {
    let rack = &view.site.racks[id];
    let (plate, points) = (&rack.nameplate, &rack.points);
    let Some(power) = value(view, points.power) else { return };
    let steady = (power - *last_kw).abs() < STEADY * plate.rated_kw;
    *last_kw = power;
    let (Some(margin), Some(supply), Some(flow)) = (
        value(view, points.chip_margin),
        value(view, points.liquid_supply_temperature),
        value(view, points.liquid_flow),
    ) else {
        return;
    };
    // Under half load the hottest chip's share of the rack's power is not the nameplate's.
    if !steady || power < 0.5 * plate.rated_kw || flow < TELLS * plate.flow_lpm {
        return;
    }
    let believed_k = chip_rise_k(plate, power * plate.liquid_fraction, flow / plate.flow_lpm);
    let seen = (plate.chip_limit_c - margin - supply) / believed_k;
    let share = if seen > *ratio { (ALARM * share).min(1.0) } else { share };
    follow(ratio, seen, share);
}

fn learn_pumps(view: &View<'_>, unit: &FacilityLoop, ratio: &mut f64, share: f64) {
    let points = &unit.points;
    if let (Some(flow), Some(kpa), Some(kw)) = (
        value(view, points.flow),
        value(view, points.differential_pressure),
        value(view, points.power),
    ) && flow > TELLS * unit.nameplate.pump_flow_lpm
    {
        let running =
            value(view, points.pumps_running).map_or(facility::usual_pumps(unit, flow, kpa), |count| count.max(1.0));
        follow(ratio, kw / facility::pump_kw(unit, running, flow, kpa), share);
    }
}

/// What is learned of a loop's cells or dry coolers: capacity by a fast filter, its growth with fan speed by regression of
/// logarithms over a day, drawn towards the usual.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Cells {
    pub law: FanLaw,
    /// How long telling readings have shaped it, s.
    pub told_s: f64,
    /// Means of the logarithms of fan speed and of what was asked of the cells, and their variance and covariance.
    speed: f64,
    asked: f64,
    variance: f64,
    covariance: f64,
}

impl Cells {
    fn learn(&mut self, speed: f64, transfer: f64, share: f64) {
        let (x, y) = (libm::log(speed), libm::log(transfer));
        if self.told_s <= 0.0 {
            (self.speed, self.asked) = (x, y);
        }
        told(&mut self.told_s, share);
        // Early means count each reading the same; later ones forget over a day.
        let weight = (share / SHARE_PER_S / self.told_s.max(1.0)).min(1.0);
        let (dx, dy) = (x - self.speed, y - self.asked);
        self.speed += weight * dx;
        self.asked += weight * dy;
        self.variance += weight * ((1.0 - weight) * dx * dx - self.variance);
        self.covariance += weight * ((1.0 - weight) * dx * dy - self.covariance);
        let usual = FanLaw::default().exponent;
        let seen = (self.covariance + SPREAD * usual) / (self.variance + SPREAD);
        self.law.exponent = seen.clamp(EXPONENTS.0, EXPONENTS.1);
        follow(
            &mut self.law.capacity,
            transfer / libm::pow(speed, self.law.exponent),
            share,
        );
    }
}

/// The mean fan speed of the first stage and what is asked of its units, where both tell something.
fn rejection_seen(view: &View<'_>, unit: &FacilityLoop, outdoors: &Outdoors) -> Option<(f64, f64)> {
    let points = &unit.points;
    let flow = value(view, points.flow)?;
    let back = value(view, points.return_temperature)?;
    let reuse = unit.reuse.iter();
    let reused: f64 = reuse
        .filter_map(|id| value(view, view.site.reuse[id.0].points.heat))
        .sum();
    let cells = running_first_stage(view, unit)?;
    let FirstStage {
        plate,
        count,
        speed,
        leaving_c,
        wet,
        steady,
        ..
    } = cells;
    if !steady {
        return None;
    }
    let heat_kw = flow * carries(Coolant::Water) * (back - leaving_c) - reused;
    // A stopped or wide-open fan says only that the water is colder, or warmer, than it can hold.
    if heat_kw / count < TELLS * plate.rated_kw || !(plate.min_speed + 0.05..0.98).contains(&speed) {
        return None;
    }
    let duty = Duty {
        heat_kw: heat_kw / count,
        leaving_c,
        flow_lpm: flow / count,
    };
    let asked = transfer(plate, duty, outdoors, wet);
    (asked.is_finite() && asked > 0.0).then_some((speed, asked))
}

/// What a loop's cells or dry coolers do.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstStage<'a> {
    pub plate: &'a RejectionNameplate,
    /// Cells whose fans turn.
    pub count: f64,
    /// Their mean speed.
    pub speed: f64,
    /// Their water, degC.
    pub leaving_c: f64,
    /// Pads are wet.
    pub wet: bool,
    /// Power of their fans, kW.
    pub power_kw: Option<f64>,
    /// Their water is at its setpoint.
    pub steady: bool,
}

/// The cells or dry coolers of a loop that run; `None` where none does or one is silent.
pub(super) fn running_first_stage<'a>(view: &View<'a>, unit: &'a FacilityLoop) -> Option<FirstStage<'a>> {
    let mut found: Option<FirstStage<'a>> = None;
    // A cell whose fan stands among running ones is lost, or just switched.
    let running = stage(view, unit, false).filter(|cell| value(view, cell.points.running).is_some_and(|on| on >= 0.5));
    for cell in running {
        let speed = value(view, cell.points.fan_speed)?;
        if speed < 0.01 {
            continue;
        }
        let cell_c = value(view, cell.points.leaving_temperature)?;
        let off_k = cell_c - value(view, cell.points.supply_temperature_setpoint)?;
        let sum = found.get_or_insert(FirstStage {
            plate: &cell.nameplate,
            count: 0.0,
            speed: 0.0,
            leaving_c: 0.0,
            wet: false,
            power_kw: Some(0.0),
            steady: true,
        });
        sum.count += 1.0;
        sum.speed += speed;
        sum.leaving_c += cell_c;
        sum.wet |= value(view, cell.points.spray_on).is_some_and(|on| on >= 0.5);
        sum.power_kw = sum
            .power_kw
            .zip(value(view, cell.points.power))
            .map(|(sum, kw)| sum + kw);
        sum.steady &= off_k.abs() <= TRACKS_K;
    }
    let mut found = found?;
    found.speed /= found.count;
    // With chillers after them the cells' own water counts; else the loop's, which all of them make together.
    found.leaving_c = if stage(view, unit, true).next().is_some() {
        found.leaving_c / found.count
    } else {
        value(view, unit.points.supply_temperature)?
    };
    Some(found)
}

/// A loop's chillers, or its other heat rejection.
fn stage<'a>(view: &View<'a>, unit: &'a FacilityLoop, chillers: bool) -> impl Iterator<Item = &'a Rejection> {
    let site = view.site;
    let units = unit.rejection.iter().map(move |id| &site.rejection[id.0]);
    units.filter(move |unit| (unit.nameplate.kind == RejectionKind::Chiller) == chillers)
}

/// Learns compressor power, where chillers run steadily enough to trim by a kelvin.
fn learn_chillers(view: &View<'_>, unit: &FacilityLoop, ratio: &mut f64, outdoors: &Outdoors, share: f64) {
    let cells = stage(view, unit, false);
    let between: Vec<f64> = cells
        .filter(|cell| value(view, cell.points.running).is_some_and(|on| on >= 0.5))
        .filter_map(|cell| value(view, cell.points.leaving_temperature))
        .collect();
    let Some(flow) = value(view, unit.points.flow) else {
        return;
    };
    let (mut count, mut power, mut leaving, mut first) = (0.0, 0.0, 0.0, None);
    for chiller in stage(view, unit, true) {
        if value(view, chiller.points.running).is_none_or(|on| on < 0.5) {
            continue;
        }
        let readings = value(view, chiller.points.power).zip(value(view, chiller.points.leaving_temperature));
        let Some((kw, c)) = readings else { return };
        (count, power, leaving) = (count + 1.0, power + kw, leaving + c);
        first = Some(chiller);
    }
    let Some(chiller) = first else { return };
    let (each_kw, leaving_c) = (power / count, leaving / count);
    let enters_c = if between.is_empty() {
        let Some(back) = value(view, unit.points.return_temperature) else {
            return;
        };
        back
    } else {
        between.iter().sum::<f64>() / between.len() as f64
    };
    let write = chiller.points.supply_temperature_setpoint;
    let rated_c = write
        .and_then(|point| view.site.spec(point.id()).write)
        .map_or(12.0, |write| write.release);
    let model = ChillerModel {
        plate: &chiller.nameplate,
        rated_c,
        ratio: 1.0,
    };
    let heat_kw = flow * carries(Coolant::Water) * (enters_c - leaving_c) / count;
    if enters_c - leaving_c > TRIMS_K && heat_kw > TELLS * chiller.nameplate.rated_kw {
        follow(
            ratio,
            each_kw / model.power_kw(heat_kw, leaving_c, outdoors.dry_bulb_c),
            share,
        );
    }
}

fn learn_air(view: &View<'_>, unit: &AirUnit, ratios: &mut AirRatios, share: f64) {
    let points = &unit.points;
    let (Some(supply), Some(back), Some(speed)) = (
        value(view, points.supply_air_temperature),
        value(view, points.return_air_temperature),
        value(view, points.fan_speed),
    ) else {
        return;
    };
    let by_nameplate = AirModel::new(unit, AirRatios::default());
    let warming_k = back - supply;
    if speed < TELLS || warming_k < 1.0 {
        return;
    }
    if let Some(room) = value(view, points.room_temperature) {
        let mixing = ((room - supply) / warming_k).clamp(0.0, 1.0);
        ratios.mixing += share * (mixing - ratios.mixing);
    }
    if let Some(kw) = value(view, points.power) {
        follow(&mut ratios.fan, kw / by_nameplate.fan_kw(speed), share);
    }
    follow(
        &mut ratios.heat,
        warming_k / by_nameplate.warming_k(air_heat_kw(view, |band| band.now_kw), speed),
        share,
    );
    // What the loop carries beyond its CDUs goes through its coils.
    let site = view.site;
    let around = &site.loops[unit.facility_loop.0];
    let cdus: Option<f64> = around
        .cdus
        .iter()
        .map(|id| value(view, site.cdus[id.0].points.primary_flow))
        .sum();
    let coils: f64 = around
        .air_units
        .iter()
        .map(|id| site.air_units[id.0].nameplate.water_flow_lpm)
        .sum();
    if let (Some(flow), Some(cdus), Some(water_c)) = (
        value(view, around.points.flow),
        cdus,
        value(view, around.points.supply_temperature),
    ) {
        let water = (flow - cdus) / coils;
        learn_coil_water(view, unit, ratios, water, supply, share);
        let (air, cold) = by_nameplate.coil.sides(speed, water);
        let effectiveness = air * warming_k / (air.min(cold) * (back - water_c));
        if water > TELLS && (0.2..0.95).contains(&effectiveness) {
            let ua = transfer_units(effectiveness, air.min(cold) / air.max(cold)) * air.min(cold);
            follow(&mut ratios.ua, ua / by_nameplate.coil.ua(speed, water), share);
        }
    }
}

/// A coil has no valve position to read. Where its air is warmer than asked for, the valve is open and the flow tells the
/// branch; where it holds its setpoint, the branch passes at least this flow, and perhaps more: that is tried slowly.
fn learn_coil_water(view: &View<'_>, unit: &AirUnit, ratios: &mut AirRatios, water: f64, supply_c: f64, share: f64) {
    let around = &view.site.loops[unit.facility_loop.0];
    let branch_kpa = facility::branch_kpa(view.site, around);
    let (Some(header), Some(setpoint_c)) = (
        value(view, around.points.differential_pressure),
        value(view, unit.points.supply_air_temperature_setpoint),
    ) else {
        return;
    };
    if header < TELLS * branch_kpa || water < TELLS {
        return;
    }
    let seen = water / (header / branch_kpa).sqrt();
    if supply_c > setpoint_c + STARVED_K {
        follow(&mut ratios.water, seen, share);
    } else if supply_c < setpoint_c + 0.5 * STARVED_K {
        ratios.water += 0.1 * share * (BOUNDS.1 - ratios.water);
        ratios.water = ratios.water.max(seen.min(BOUNDS.1));
    }
}

fn learn_demand(view: &View<'_>, unit: &Reuse, demand_kw: &mut f64, share: f64) {
    let (plate, points) = (&unit.nameplate, &unit.points);
    let (Some(kw), Some(supply), Some(position)) = (
        value(view, points.heat),
        value(view, points.network_supply_temperature),
        value(view, points.valve_position),
    ) else {
        return;
    };
    // A supply warmer than the contract asks for means that the network throttles for want of demand. Behind a closed
    // valve, or at the contract's temperature, demand does not show: expect all of it again, slowly.
    if position > 0.5 && supply > plate.min_supply_c + 1.0 {
        *demand_kw += share * (kw.clamp(0.0, plate.rated_kw) - *demand_kw);
    } else {
        *demand_kw += 0.1 * share * (plate.rated_kw - *demand_kw);
    }
}

/// Heat of all racks into one air unit's room, kW, by some value of their bands (kW into the liquid).
pub(super) fn air_heat_kw(view: &View<'_>, of: impl Fn(&crate::snapshot::HeatBand) -> f64) -> f64 {
    let racks = view.site.racks.iter().zip(&view.heat.racks);
    let all: f64 = racks
        .map(|(rack, band)| of(band) * (1.0 / rack.nameplate.liquid_fraction - 1.0))
        .sum();
    all / view.site.air_units.len().max(1) as f64
}
