//! What a facility-water loop costs at a water temperature, with everything else chosen for it.

use super::ladder::{COST_HORIZON, CduPoint, Ladder};
use super::learn::{Learned, air_heat_kw};
use super::model::air::{AirModel, AirPoint};
use super::model::rejection::{Duty, Outdoors, fan_kw, fan_speed, water_l_per_h};
use super::model::{carries, facility};
use super::need::Binding;
use crate::control::{View, bounds, value};
use crate::site::{FacilityLoop, RejectionKind, RejectionNameplate, WriteSpec};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use thermo::Coolant;

/// Share of a branch's open flow that is planned: the rest is authority for the valves' own loops.
const FLOW_PLANNED: f64 = 0.75;
/// Fan speeds of an air unit that are looked at.
const AIR_SPEEDS: u32 = 8;
/// Room air stays this far below its target, K.
pub(super) const ROOM_RESERVE_K: f64 = 1.5;
/// Warmest the room may get by a load that the fan then answers, below the target, K.
const ROOM_PEAK_RESERVE_K: f64 = 0.5;
/// What a limit missed by its own size costs per hour: more than any saving.
const SHORT_COST: f64 = 1e6;

/// Expected cost per hour, in the site's currency.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Costs {
    pub cdu_pumps: f64,
    pub facility_pumps: f64,
    pub rejection_fans: f64,
    pub air_fans: f64,
    pub water: f64,
    pub heat_sold: f64,
}

impl Costs {
    pub(super) fn sum(&self) -> f64 {
        self.cdu_pumps + self.facility_pumps + self.rejection_fans + self.air_fans + self.water - self.heat_sold
    }
}

/// How a loop and its CDUs run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OperatingPoint {
    /// Facility-water supply, degC.
    pub water_c: f64,
    /// What a litre per minute of facility water was taken to cost, kW.
    pub litre_kw: f64,
    /// Pressure difference of the facility headers, kPa.
    pub header_kpa: f64,
    /// Coolant supply of each CDU of the loop, degC.
    pub supply_c: Vec<f64>,
    /// What asks for each CDU's flow; nothing where its pressure is at the lower bound.
    pub binding: Vec<Option<Binding>>,
    /// Heat-rejection units that run.
    pub units: usize,
    /// Position of each heat-reuse exchanger's valve.
    pub export: Vec<f64>,
    /// Fan speed and supply air temperature of each air unit of the loop.
    pub air: Vec<(f64, f64)>,
    pub costs: Costs,
    /// Expected cooling power, kW.
    pub cooling_kw: f64,
    /// How far the limits cannot be kept, 0 where they can.
    pub short: f64,
}

impl OperatingPoint {
    /// Money per hour, with what is short of a limit far above all money.
    pub(super) fn rank(&self) -> f64 {
        self.costs.sum() + SHORT_COST * self.short
    }
}

/// How an air unit runs at one facility-water temperature.
#[derive(Debug, Clone, Copy)]
struct Room {
    point: AirPoint,
    fan_kw: f64,
    water_lpm: f64,
    /// Header pressure with which the open coil takes its water, kPa.
    header_kpa: f64,
    /// How far the room's limit cannot be kept, 0 where it can.
    short: f64,
}

/// What stays the same while candidates of one loop are compared.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    view: &'a View<'a>,
    learned: &'a Learned,
    unit: &'a FacilityLoop,
    id: usize,
    outdoors: Outdoors,
    ladders: Vec<Ladder<'a>>,
    header: WriteSpec,
    plate: &'a RejectionNameplate,
    /// Bounds of the facility-water setpoint, degC.
    pub water: (f64, f64),
    /// Price of electricity and of its carbon, per kWh.
    price: f64,
}

impl<'a> Trial<'a> {
    /// Says why where the model does not know the loop's plant.
    pub(super) fn new(view: &'a View<'a>, learned: &'a Learned, id: usize, outdoors: Outdoors) -> Result<Self, String> {
        let site = view.site;
        let unit = &site.loops[id];
        let unknown = |what: &str| format!("{} {what}", unit.name);
        let units: Vec<_> = unit.rejection.iter().map(|id| &site.rejection[id.0]).collect();
        let Some(first) = units.first() else {
            return Err(unknown("has no heat rejection"));
        };
        let plate = &first.nameplate;
        let known = plate.kind != RejectionKind::Chiller;
        if !known || units.iter().any(|unit| unit.nameplate.kind != plate.kind) {
            return Err(unknown(
                "has heat rejection other than tower cells alone or dry coolers alone",
            ));
        }
        let write = bounds(site, first.points.supply_temperature_setpoint);
        let header = bounds(site, unit.points.differential_pressure_setpoint);
        let (Some(write), Some(header)) = (write, header) else {
            return Err(unknown("has no setpoints to choose"));
        };
        let ladders: Option<Vec<_>> = unit.cdus.iter().map(|cdu| Ladder::new(view, learned, cdu.0)).collect();
        let hour = view.now.local_hour();
        let wall_ms = view.now.wall_ms;
        let carbon = site.carbon_g_per_kwh(wall_ms, hour) / 1000.0 * site.prices.carbon_per_kg;
        Ok(Self {
            view,
            learned,
            unit,
            id,
            outdoors,
            ladders: ladders.ok_or_else(|| unknown("has CDUs without setpoints"))?,
            header,
            plate,
            water: (write.min, write.max),
            price: site.energy_price(wall_ms, hour) + carbon,
        })
    }

    /// CDUs of the loop.
    pub(super) fn cdus(&self) -> usize {
        self.ladders.len()
    }

    /// The temperature that the air outside sets under the water's, degC.
    pub(super) fn ambient_c(&self) -> f64 {
        match self.plate.kind {
            RejectionKind::TowerCell => self.outdoors.wet_bulb_c,
            RejectionKind::DryCooler | RejectionKind::Chiller if self.plate.spray => self.outdoors.wet_bulb_c,
            RejectionKind::DryCooler | RejectionKind::Chiller => self.outdoors.dry_bulb_c,
        }
    }

    /// The loop at a water temperature. `hints` are the CDUs' rungs of the last candidate.
    pub(super) fn at(
        &self,
        water_c: f64,
        litre_kw: f64,
        units: RangeInclusive<usize>,
        hints: &mut [usize],
    ) -> OperatingPoint {
        let cdus = self
            .ladders
            .iter()
            .zip(hints)
            .map(|(ladder, hint)| ladder.cheapest(water_c, litre_kw, hint));
        let cdus: Vec<CduPoint> = cdus.collect();
        let rooms = self.unit.air_units.iter().map(|id| self.room(id.0, water_c, litre_kw));
        let rooms: Vec<Room> = rooms.collect();
        let mut short =
            cdus.iter().map(|cdu| cdu.short).sum::<f64>() + rooms.iter().map(|room| room.short).sum::<f64>();

        let cdu_kw: f64 = cdus.iter().map(|cdu| cdu.pump_kw).sum();
        let air_kw: f64 = rooms.iter().map(|room| room.fan_kw).sum();
        let flow_lpm =
            cdus.iter().map(|cdu| cdu.primary_lpm).sum::<f64>() + rooms.iter().map(|room| room.water_lpm).sum::<f64>();
        let coils = rooms.iter().map(|room| room.header_kpa);
        let needed_kpa =
            cdus.iter().map(|cdu| cdu.header_kpa).chain(coils).fold(0.0, f64::max) / (FLOW_PLANNED * FLOW_PLANNED);
        short += (needed_kpa / self.header.max - 1.0).clamp(0.0, 1.0);
        let header_kpa = needed_kpa.clamp(self.header.min, self.header.max);
        short += (flow_lpm / facility::rated_flow_lpm(self.unit) - 1.0).clamp(0.0, 1.0);
        let pump_kw = self.learned.pumps[self.id] * facility::pump_kw(self.unit, flow_lpm, header_kpa);

        let racks_kw: f64 = self.ladders.iter().map(|ladder| ladder.mean_kw).sum();
        let room_kw = air_heat_kw(self.view, |band| band.mean_kw[COST_HORIZON]) * rooms.len() as f64;
        let heat_kw = racks_kw + room_kw + cdu_kw + air_kw + pump_kw;
        let carried = (flow_lpm * carries(Coolant::Water)).max(1e-6);
        let (export, reused_kw) = self.export(flow_lpm, water_c + heat_kw / carried);
        let rejected_kw = (heat_kw - reused_kw).max(0.0);
        let (units, fans_kw, duty, missing) = self.units(water_c, rejected_kw, flow_lpm, units);
        short += missing;
        let (makeup_l, blowdown_l) = water_l_per_h(self.plate, duty, &self.outdoors);

        let prices = &self.view.site.prices;
        let each = units as f64;
        OperatingPoint {
            water_c,
            litre_kw,
            header_kpa,
            supply_c: cdus.iter().map(|cdu| cdu.supply_c).collect(),
            binding: cdus.iter().map(|cdu| cdu.binding).collect(),
            units,
            export,
            air: rooms
                .iter()
                .map(|room| (room.point.speed, room.point.supply_c))
                .collect(),
            costs: Costs {
                cdu_pumps: cdu_kw * self.price,
                facility_pumps: pump_kw * self.price,
                rejection_fans: fans_kw * self.price,
                air_fans: air_kw * self.price,
                water: each * (makeup_l * prices.water_per_m3 + blowdown_l * prices.sewer_per_m3) / 1000.0,
                heat_sold: reused_kw * prices.heat_per_kwh,
            },
            cooling_kw: cdu_kw + pump_kw + fans_kw + air_kw,
            short,
        }
    }

    /// The cheapest way to keep an air unit's room at water of `water_c`.
    fn room(&self, id: usize, water_c: f64, litre_kw: f64) -> Room {
        let unit = &self.view.site.air_units[id];
        let model = AirModel::new(unit, self.learned.air_units[id]);
        let target_c = self.view.site.limits.room_c.target;
        let heat_kw = air_heat_kw(self.view, |band| band.mean_kw[COST_HORIZON]);
        let upper_kw = air_heat_kw(self.view, |band| band.upper_kw[COST_HORIZON]).max(heat_kw);
        let slowest = unit.nameplate.min_speed;
        let now = value(self.view, unit.points.fan_speed);
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
            header_kpa: model.branch_kpa(point.water, facility::branch_kpa(self.view.site, self.unit)),
            short,
        }
    }

    /// The number of heat-rejection units at which the fans cost least: how many, fan power of all, the duty of one, and how
    /// far all at full speed fall short.
    fn units(
        &self,
        water_c: f64,
        heat_kw: f64,
        flow_lpm: f64,
        units: RangeInclusive<usize>,
    ) -> (usize, f64, Duty, f64) {
        let mut best: Option<(f64, usize, f64, Duty, f64)> = None;
        for count in units {
            let duty = Duty {
                heat_kw: heat_kw / count as f64,
                leaving_c: water_c,
                flow_lpm: flow_lpm / count as f64,
            };
            let speed = fan_speed(self.plate, self.learned.rejection[self.id], duty, &self.outdoors);
            let kw = count as f64 * fan_kw(self.plate, speed.min(1.0));
            let short = (speed.min(5.0) - 1.0).max(0.0);
            let rank = kw + SHORT_COST * short;
            if best.as_ref().is_none_or(|best| rank <= best.0) {
                best = Some((rank, count, kw, duty, short));
            }
        }
        let nothing = Duty {
            heat_kw: 0.0,
            leaving_c: water_c,
            flow_lpm,
        };
        best.map_or((1, 0.0, nothing, 1.0), |(_, count, kw, duty, short)| {
            (count, kw, duty, short)
        })
    }

    /// Which heat-reuse exchangers are worth opening, and the heat that they take.
    fn export(&self, flow_lpm: f64, return_c: f64) -> (Vec<f64>, f64) {
        let site = self.view.site;
        let mut sum_kw = 0.0;
        let valves = self.unit.reuse.iter().map(|id| {
            let unit = &site.reuse[id.0];
            // Water warmer than the loop must never come back from the network.
            let network_c = value(self.view, unit.points.network_return_temperature).filter(|c| return_c > c + 1.0);
            let Some(network_c) = network_c.filter(|_| site.prices.heat_per_kwh >= 0.0) else {
                return 0.0;
            };
            sum_kw += facility::export_kw(
                &unit.nameplate,
                flow_lpm,
                return_c,
                network_c,
                self.learned.demand_kw[id.0],
            );
            1.0
        });
        (valves.collect(), sum_kw)
    }
}
