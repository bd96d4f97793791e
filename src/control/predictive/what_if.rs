//! What the plant costs as it is, and what it would cost otherwise: the same model and the same search, on other ratios.

use super::choose;
use super::evaluate::{Power, Trial};
use super::model::cdu::{CduModel, CduRatios};
use super::model::facility;
use super::need::Slack;
use super::{Predictive, outdoors};
use crate::control::{View, value};
use crate::site::{CduId, LoopId, Point, PointId};
use serde::{Deserialize, Serialize};

/// Rates of the cooling by the model.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Electricity, its carbon at its price, and water, less heat sold, in the site's currency per hour.
    pub money_per_h: f64,
    /// Power, kW.
    pub kw: f64,
    /// Make-up water, L/h.
    pub litres_per_h: f64,
}

impl Rates {
    /// What one costs more than another.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            money_per_h: self.money_per_h - other.money_per_h,
            kw: self.kw - other.kw,
            litres_per_h: self.litres_per_h - other.litres_per_h,
        }
    }

    fn add(&mut self, other: Self) {
        self.money_per_h += other.money_per_h;
        self.kw += other.kw;
        self.litres_per_h += other.litres_per_h;
    }
}

/// A ratio of a unit at another value than the learned one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Conductance of a CDU's exchanger over the nameplate's.
    Exchanger(CduId, f64),
    /// Facility water through a CDU's open valve over the nameplate's.
    Strainer(CduId, f64),
    /// Heat-rejection capacity of a loop over the nameplates'.
    Rejection(LoopId, f64),
    /// Share of a CDU's coolant that passes its racks by.
    Bypass(CduId, f64),
}

impl Predictive {
    /// The rates at the cheapest point around the one in force; `None` where the strategy does not plan.
    pub(in crate::control) fn rates(&self, view: &View<'_>, change: Option<Change>) -> Option<Rates> {
        if self.chosen.len() != view.site.loops.len() {
            return None;
        }
        let outdoors = outdoors(view)?;
        let mut learned = self.learned.clone();
        let mut aside = Rates::default();
        match change {
            None => {}
            Some(Change::Exchanger(cdu, ratio)) => learned.cdus.get_mut(cdu.0)?.ua = ratio,
            Some(Change::Strainer(cdu, ratio)) => learned.cdus.get_mut(cdu.0)?.primary = ratio,
            Some(Change::Rejection(id, ratio)) => learned.rejection.get_mut(id.0)?.law.capacity = ratio,
            Some(Change::Bypass(cdu, share)) => aside = self.bypass(view, cdu, share)?,
        }
        let mut sum = aside;
        for (id, unit) in view.site.loops.iter().enumerate() {
            let trial = Trial::new(view, &learned, id, outdoors, &Slack::default()).ok()?;
            let rated_kw = unit.nameplate.pump_kw * unit.nameplate.pumps as f64;
            let litre_kw = rated_kw / facility::rated_flow_lpm(unit);
            let point = choose::choose(&trial, litre_kw, &trial.equipment.stages(), self.chosen.get(id));
            sum.add(Rates {
                money_per_h: point.costs.sum(),
                kw: point.cooling_kw,
                litres_per_h: point.rejecting.makeup_l_per_h,
            });
        }
        Some(sum)
    }

    /// The learned value of what a change is about, and for how long telling readings have shaped it, s.
    pub(in crate::control) fn present(&self, view: &View<'_>, of: Change) -> Option<(f64, f64)> {
        let learned = &self.learned;
        match of {
            Change::Exchanger(cdu, _) => learned.cdus.get(cdu.0).map(|ratios| (ratios.ua, ratios.told.ua)),
            Change::Strainer(cdu, _) => learned
                .cdus
                .get(cdu.0)
                .map(|ratios| (ratios.primary, ratios.told.primary)),
            Change::Rejection(id, _) => learned
                .rejection
                .get(id.0)
                .map(|cells| (cells.law.capacity, cells.told_s)),
            Change::Bypass(cdu, _) => Some((bypassed(view, cdu)?, f64::INFINITY)),
        }
    }

    /// What a CDU's like are: the median of the others, or 1 where there are none.
    pub(in crate::control) fn usual(&self, of: Change) -> f64 {
        match of {
            Change::Exchanger(cdu, _) => self.of_others(cdu, |ratios| ratios.ua),
            Change::Strainer(cdu, _) => self.of_others(cdu, |ratios| ratios.primary),
            Change::Rejection(..) => 1.0,
            Change::Bypass(..) => 0.0,
        }
    }

    fn of_others(&self, own: CduId, ratio: fn(&CduRatios) -> f64) -> f64 {
        let peers = self.learned.cdus.iter().enumerate().filter(|(id, _)| *id != own.0);
        let mut ratios: Vec<f64> = peers.map(|(_, ratios)| ratio(ratios)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(1.0)
    }

    /// What another share of a CDU's coolant that passes its racks by adds to the rates. At the same pressure its racks take
    /// the same flow, and its pumps and its exchanger see another one. A CDU without a bypass draws what those beside it
    /// draw at that flow; with a larger one, hydraulic power goes with the flow.
    fn bypass(&self, view: &View<'_>, id: CduId, share: f64) -> Option<Rates> {
        let unit = view.site.cdus.get(id.0)?;
        let model = CduModel::new(unit, *self.learned.cdus.get(id.0)?);
        let flow = value(view, unit.points.secondary_flow)? / unit.nameplate.secondary_flow_lpm;
        let otherwise = flow * (1.0 - bypassed(view, id)?) / (1.0 - share).max(0.1);
        let own_kw = model.pump_kw(flow);
        let otherwise_kw = if otherwise < flow {
            let mut like = *self.learned.cdus.get(id.0)?;
            like.pump = self.of_others(id, |ratios| ratios.pump);
            CduModel::new(unit, like).pump_kw(otherwise).min(own_kw)
        } else {
            let still_kw = model.pump_kw(0.0);
            still_kw + (own_kw - still_kw) * otherwise / flow
        };
        let supply_c = value(view, unit.points.secondary_supply_temperature)?;
        let more_lpm = self.primary_lpm(view, id, otherwise, supply_c)? - self.primary_lpm(view, id, flow, supply_c)?;
        self.beside(view, unit.facility_loop, more_lpm, otherwise_kw - own_kw, None)
    }

    /// What a setpoint at another value adds to the rates, everything else staying as it is.
    pub(in crate::control) fn setpoint(&self, view: &View<'_>, point: PointId, wanted: f64) -> Option<Rates> {
        let is = |own: Option<PointId>| own == Some(point);
        for (index, unit) in view.site.cdus.iter().enumerate() {
            let (id, points) = (CduId(index), &unit.points);
            let flow_lpm = || value(view, points.secondary_flow);
            if is(points.secondary_supply_temperature_setpoint.map(Point::id)) {
                let flow = flow_lpm()? / unit.nameplate.secondary_flow_lpm;
                let more_lpm = self.primary_lpm(view, id, flow, wanted)? - value(view, points.primary_flow)?;
                return self.beside(view, unit.facility_loop, more_lpm, 0.0, None);
            }
            if is(points.secondary_differential_pressure_setpoint.map(Point::id)) {
                let model = CduModel::new(unit, *self.learned.cdus.get(index)?);
                let (flow, otherwise) = (
                    flow_lpm()? / unit.nameplate.secondary_flow_lpm,
                    model.flow_share(wanted),
                );
                let supply_c = value(view, points.secondary_supply_temperature)?;
                let more_lpm =
                    self.primary_lpm(view, id, otherwise, supply_c)? - self.primary_lpm(view, id, flow, supply_c)?;
                let more_kw = model.pump_kw(otherwise) - model.pump_kw(flow);
                return self.beside(view, unit.facility_loop, more_lpm, more_kw, None);
            }
        }
        let around = view.site.loops.iter();
        let own = around
            .map(|unit| unit.points.differential_pressure_setpoint.map(Point::id))
            .position(is)?;
        self.beside(view, LoopId(own), 0.0, 0.0, Some(wanted))
    }

    /// Facility water that holds a CDU's coolant at a temperature, at most what the open valve passes, L/min.
    fn primary_lpm(&self, view: &View<'_>, id: CduId, flow: f64, supply_c: f64) -> Option<f64> {
        let unit = view.site.cdus.get(id.0)?;
        let ratios = *self.learned.cdus.get(id.0)?;
        let around = view.site.loops.get(unit.facility_loop.0)?;
        let header_kpa = value(view, around.points.differential_pressure)?;
        let open = ratios.primary * (header_kpa.max(0.0) / unit.nameplate.primary_pressure_kpa).sqrt();
        let water_c = value(view, unit.points.primary_supply_temperature)?;
        let heat_kw = view.heat.cdus.get(id.0)?.now_kw;
        let share = CduModel::new(unit, ratios).primary_share(heat_kw, flow, supply_c, water_c);
        Some(share.unwrap_or(open).min(open) * unit.nameplate.primary_flow_lpm)
    }

    /// What more facility water, more power of the CDUs and another header pressure add to a loop's rates, at the water
    /// temperature that there is: pumps, heat rejection, and the heat that is sold.
    fn beside(&self, view: &View<'_>, id: LoopId, more_lpm: f64, more_kw: f64, kpa: Option<f64>) -> Option<Rates> {
        let unit = view.site.loops.get(id.0)?;
        let trial = Trial::new(view, &self.learned, id.0, outdoors(view)?, &Slack::default()).ok()?;
        let (water_c, lpm) = (
            value(view, unit.points.supply_temperature)?,
            value(view, unit.points.flow)?,
        );
        let header_kpa = value(view, unit.points.differential_pressure)?;
        let cdus = unit
            .cdus
            .iter()
            .filter_map(|id| value(view, view.site.cdus.get(id.0)?.points.power));
        let cdus_kw: f64 = cdus.sum();
        let stages = trial.equipment.stages();
        let at = |lpm: f64, kpa: f64, cdus_kw: f64| {
            let pumps_kw = trial.pumps_kw(lpm.max(1.0), kpa);
            let power = Power {
                cdus_kw,
                air_kw: 0.0,
                pumps_kw,
            };
            let (rejecting, _, costs) = trial.shared(water_c, lpm.max(1.0), &power, &stages);
            Rates {
                money_per_h: costs.sum(),
                kw: power.sum() + rejecting.fans_kw + rejecting.chillers_kw,
                litres_per_h: rejecting.makeup_l_per_h,
            }
        };
        let otherwise = at(lpm + more_lpm, kpa.unwrap_or(header_kpa), cdus_kw + more_kw);
        Some(otherwise.less(at(lpm, header_kpa, cdus_kw)))
    }
}

/// Share of a CDU's coolant that its racks do not see, by their own flow meters; `None` where one is silent or the flow
/// is too small to tell.
fn bypassed(view: &View<'_>, id: CduId) -> Option<f64> {
    let unit = view.site.cdus.get(id.0)?;
    let flow = value(view, unit.points.secondary_flow)?;
    let racks: Option<f64> = unit
        .racks
        .iter()
        .map(|rack| value(view, view.site.racks.get(rack.0)?.points.liquid_flow))
        .sum();
    (flow > 0.15 * unit.nameplate.secondary_flow_lpm).then_some((1.0 - racks? / flow).clamp(-1.0, 0.9))
}
