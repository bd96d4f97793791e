//! What a facility-water loop costs at a water temperature, with everything else chosen for it.

use super::ladder::{COST_HORIZON, CduPoint, Ladder};
use super::learn::{Learned, air_heat_kw};
use super::model::rejection::Outdoors;
use super::model::{carries, facility};
use super::need::{Binding, Slack};
use super::reject::{Equipment, Rejecting, Stages, in_service};
use super::room::{self, Room};
use crate::control::{View, bounds, value};
use crate::site::{FacilityLoop, WriteSpec};
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// Share of a branch's open flow that is planned: the rest is authority for the valves' own loops.
const FLOW_PLANNED: f64 = 0.9;
/// Header pressures below the one asked for that are tried: how many, and each over the one before.
const HEADER_STEPS: u32 = 6;
const HEADER_STEP: f64 = 0.85;
/// What a limit missed by its own size costs per hour: more than any saving.
const SHORT_COST: f64 = 1e6;
/// Least price by which water is weighed against energy, per kWh: a price may be zero or negative.
const LEAST_PRICE: f64 = 0.005;

/// Expected cost per hour, in the site's currency.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Costs {
    pub cdu_pumps: f64,
    pub facility_pumps: f64,
    pub rejection_fans: f64,
    pub chillers: f64,
    pub air_fans: f64,
    pub water: f64,
    pub heat_sold: f64,
}

impl Costs {
    pub(super) fn sum(&self) -> f64 {
        self.cdu_pumps + self.facility_pumps + self.rejection_fans + self.chillers + self.air_fans + self.water
            - self.heat_sold
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
    /// How the heat rejection runs.
    pub rejecting: Rejecting,
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

/// Power of everything but the heat rejection, kW.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "units are in names")]
pub(super) struct Power {
    pub cdus_kw: f64,
    pub air_kw: f64,
    pub pumps_kw: f64,
}

impl Power {
    pub(super) fn sum(&self) -> f64 {
        self.cdus_kw + self.air_kw + self.pumps_kw
    }
}

/// What stays the same while candidates of one loop are compared.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    view: &'a View<'a>,
    learned: &'a Learned,
    unit: &'a FacilityLoop,
    id: usize,
    ladders: Vec<Ladder<'a>>,
    header: WriteSpec,
    /// Pumps that run now.
    pumps: f64,
    pub equipment: Equipment<'a>,
    /// Bounds of the facility-water setpoint, degC.
    pub water: (f64, f64),
    /// Price of electricity and of its carbon, per kWh.
    pub price: f64,
    /// Heat that the loop's water takes up for now instead of the heat rejection, kW.
    pub stored_kw: f64,
}

impl<'a> Trial<'a> {
    /// The loop with its limits widened by `slack`. Says why where the model does not know the loop's plant.
    pub(super) fn new(
        view: &'a View<'a>,
        learned: &'a Learned,
        id: usize,
        outdoors: Outdoors,
        slack: &Slack,
    ) -> Result<Self, String> {
        let site = view.site;
        let unit = &site.loops[id];
        let unknown = |what: &str| format!("{} {what}", unit.name);
        let prices = &site.prices;
        let hour = view.now.local_hour();
        let wall_ms = view.now.wall_ms;
        let carbon = site.carbon_g_per_kwh(wall_ms, hour) / 1000.0 * prices.carbon_per_kg;
        let price = site.energy_price(wall_ms, hour) + carbon;
        let per_kwh = 1000.0 * price.max(LEAST_PRICE);
        let water_kwh = (prices.water_per_m3 / per_kwh, prices.sewer_per_m3 / per_kwh);
        let equipment = Equipment::new(site, id, learned, outdoors, water_kwh)?;
        let last = in_service(site, unit, learned, equipment.has_chillers()).next();
        let write = last.and_then(|id| bounds(site, site.rejection[id.0].points.supply_temperature_setpoint));
        let header = bounds(site, unit.points.differential_pressure_setpoint);
        let (Some(write), Some(header)) = (write, header) else {
            return Err(unknown("has no setpoints to choose"));
        };
        let ladders: Option<Vec<_>> = unit
            .cdus
            .iter()
            .map(|cdu| Ladder::new(view, learned, cdu.0, slack))
            .collect();
        Ok(Self {
            view,
            learned,
            unit,
            id,
            ladders: ladders.ok_or_else(|| unknown("has CDUs without setpoints"))?,
            header,
            pumps: value(view, unit.points.pumps_running).unwrap_or(1.0),
            equipment,
            water: (write.min, write.max),
            price,
            stored_kw: 0.0,
        })
    }

    /// CDUs of the loop.
    pub(super) fn cdus(&self) -> usize {
        self.ladders.len()
    }

    /// Heat of the loop's racks, kW.
    pub(super) fn racks_kw(&self) -> f64 {
        self.ladders.iter().map(|ladder| ladder.mean_kw).sum()
    }

    /// The loop at a water temperature. `hints` are the CDUs' rungs of the last candidate.
    pub(super) fn at(&self, water_c: f64, litre_kw: f64, stages: &Stages, hints: &mut [usize]) -> OperatingPoint {
        let cdus = self
            .ladders
            .iter()
            .zip(hints)
            .map(|(ladder, hint)| ladder.cheapest(water_c, litre_kw, hint));
        let cdus: Vec<CduPoint> = cdus.collect();
        let rooms = self.unit.air_units.iter();
        let rooms: Vec<Room> = rooms
            .map(|id| room::cheapest(self.view, self.learned, id.0, water_c, litre_kw))
            .collect();
        let (cdus, flow_lpm, needed_kpa) = self.under_headers(cdus, &rooms, water_c);
        let mut short =
            cdus.iter().map(|cdu| cdu.short).sum::<f64>() + rooms.iter().map(|room| room.short).sum::<f64>();
        short += (needed_kpa / self.header.max - 1.0).clamp(0.0, 1.0);
        short += (flow_lpm / facility::rated_flow_lpm(self.unit) - 1.0).clamp(0.0, 1.0);
        let header_kpa = needed_kpa.clamp(self.header.min, self.header.max);
        let power = Power {
            cdus_kw: cdus.iter().map(|cdu| cdu.pump_kw).sum(),
            air_kw: rooms.iter().map(|room| room.fan_kw).sum(),
            pumps_kw: self.pumps_kw(flow_lpm, header_kpa),
        };
        let (rejecting, export, costs) = self.shared(water_c, flow_lpm, &power, stages);
        OperatingPoint {
            water_c,
            litre_kw,
            header_kpa,
            supply_c: cdus.iter().map(|cdu| cdu.supply_c).collect(),
            binding: cdus.iter().map(|cdu| cdu.binding).collect(),
            rejecting,
            export,
            air: rooms
                .iter()
                .map(|room| (room.point.speed, room.point.supply_c))
                .collect(),
            costs,
            cooling_kw: power.sum() + rejecting.fans_kw + rejecting.chillers_kw,
            short: short + rejecting.short,
        }
    }

    /// The CDUs under the header pressure at which their pumps and the loop's together take least: one CDU that asks for much
    /// pressure makes all water dearer, where warmer coolant and more of its own flow would do. Answers them, the flow of
    /// facility water and the pressure.
    fn under_headers(&self, cdus: Vec<CduPoint>, rooms: &[Room], water_c: f64) -> (Vec<CduPoint>, f64, f64) {
        let planned = FLOW_PLANNED * FLOW_PLANNED;
        let coils_lpm: f64 = rooms.iter().map(|room| room.water_lpm).sum();
        let coils_kpa = rooms.iter().map(|room| room.header_kpa).fold(0.0, f64::max);
        let measure = |cdus: &[CduPoint]| {
            let flow_lpm = coils_lpm + cdus.iter().map(|cdu| cdu.primary_lpm).sum::<f64>();
            let branch_kpa = cdus.iter().map(|cdu| cdu.header_kpa).fold(coils_kpa, f64::max);
            let cdus_kw: f64 = cdus.iter().map(|cdu| cdu.pump_kw).sum();
            let short: f64 = cdus.iter().map(|cdu| cdu.short).sum();
            let header_kpa = (branch_kpa / planned).max(self.header.min);
            let rank = cdus_kw + self.pumps_kw(flow_lpm, header_kpa) + SHORT_COST * short;
            (rank, flow_lpm, branch_kpa)
        };
        let mut best = (measure(&cdus), cdus);
        let mut cap_kpa = best.0.2;
        for _ in 0..HEADER_STEPS {
            cap_kpa *= HEADER_STEP;
            if cap_kpa < coils_kpa || cap_kpa / planned < self.header.min {
                break;
            }
            let under = best.1.iter().zip(&self.ladders).map(|(cdu, ladder)| {
                if cdu.header_kpa > cap_kpa {
                    ladder.under(cap_kpa, water_c, cdu)
                } else {
                    *cdu
                }
            });
            let under: Vec<CduPoint> = under.collect();
            let measured = measure(&under);
            if measured.0 >= best.0.0 {
                break;
            }
            best = (measured, under);
        }
        let ((_, flow_lpm, branch_kpa), cdus) = best;
        (cdus, flow_lpm, branch_kpa / planned)
    }

    /// Power of the pumps that the skid comes to run, kW; one more where that is cheaper and stays.
    pub(super) fn pumps_kw(&self, flow_lpm: f64, header_kpa: f64) -> f64 {
        let count = facility::staged_pumps(self.unit, self.pumps, flow_lpm, header_kpa);
        let kw = |count: f64| facility::pump_kw(self.unit, count, flow_lpm, header_kpa);
        let stays = count < self.unit.nameplate.pumps as f64
            && facility::pump_speed(self.unit, count, flow_lpm, header_kpa) > facility::STAGES.0;
        let least = if stays {
            kw(count).min(kw(count + 1.0))
        } else {
            kw(count)
        };
        self.learned.pumps[self.id] * least
    }

    /// Heat rejection, heat export and the cost of a flow of water that leaves at `water_c`.
    pub(super) fn shared(
        &self,
        water_c: f64,
        flow_lpm: f64,
        power: &Power,
        stages: &Stages,
    ) -> (Rejecting, Vec<f64>, Costs) {
        let prices = &self.view.site.prices;
        let rooms_kw = air_heat_kw(self.view, |band| band.mean_kw[COST_HORIZON]) * self.unit.air_units.len() as f64;
        let heat_kw = self.racks_kw() + rooms_kw + power.sum();
        let carried = (flow_lpm * carries(Coolant::Water)).max(1e-6);
        let (export, reused_kw) = self.export(flow_lpm, water_c + heat_kw / carried);
        let rejected_kw = (heat_kw - reused_kw - self.stored_kw).max(0.0);
        let rejecting = self.equipment.cheapest(water_c, rejected_kw, flow_lpm, stages);
        let costs = Costs {
            cdu_pumps: power.cdus_kw * self.price,
            facility_pumps: power.pumps_kw * self.price,
            rejection_fans: rejecting.fans_kw * self.price,
            chillers: rejecting.chillers_kw * self.price,
            air_fans: power.air_kw * self.price,
            water: (rejecting.makeup_l_per_h * prices.water_per_m3 + rejecting.blowdown_l_per_h * prices.sewer_per_m3)
                / 1000.0,
            heat_sold: reused_kw * prices.heat_per_kwh,
        };
        (rejecting, export, costs)
    }

    /// What the plant as found would cost now: every setpoint at its release value, all units on.
    pub(super) fn as_found(&self) -> Option<Costs> {
        let site = self.view.site;
        let release = |bound: Option<WriteSpec>| bound.map(|write| write.release);
        let water_c = self
            .unit
            .rejection
            .iter()
            .filter_map(|id| release(bounds(site, site.rejection[id.0].points.supply_temperature_setpoint)))
            .reduce(f64::min)?;
        let (mut flow_lpm, mut power) = (0.0, Power::default());
        for (ladder, id) in self.ladders.iter().zip(&self.unit.cdus) {
            let points = &site.cdus[id.0].points;
            let kpa = release(bounds(site, points.secondary_differential_pressure_setpoint))?;
            let supply_c = release(bounds(site, points.secondary_supply_temperature_setpoint))?;
            let (pump_kw, primary_lpm) = ladder.as_set(kpa, supply_c, water_c);
            power.cdus_kw += pump_kw;
            flow_lpm += primary_lpm;
        }
        for id in &self.unit.air_units {
            let unit = &site.air_units[id.0];
            let speed = release(bounds(site, unit.points.fan_speed_setpoint))?;
            power.air_kw += room::fan_kw(self.view, self.learned, id.0, speed);
            flow_lpm += room::cheapest(self.view, self.learned, id.0, water_c, 0.0).water_lpm;
        }
        power.pumps_kw = self.pumps_kw(flow_lpm, self.header.release);
        let mut all = self.equipment.stages();
        all.units = *all.units.end()..=*all.units.end();
        Some(self.shared(water_c, flow_lpm, &power, &all).2)
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
