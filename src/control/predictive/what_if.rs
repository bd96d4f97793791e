//! What the plant costs as it is, and what it would cost otherwise: the same model and the same search, on other ratios.

use super::choose;
use super::evaluate::Trial;
use super::model::cdu::{CduModel, CduRatios};
use super::model::facility;
use super::need::Slack;
use super::{Predictive, outdoors};
use crate::control::{View, value};
use crate::site::{CduId, LoopId};
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
            Some(Change::Rejection(id, ratio)) => *learned.rejection.get_mut(id.0)? = ratio,
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
            Change::Rejection(id, _) => Some((*learned.rejection.get(id.0)?, *learned.rejection_told_s.get(id.0)?)),
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
        let (plate, points) = (&unit.nameplate, &unit.points);
        let model = CduModel::new(unit, *self.learned.cdus.get(id.0)?);
        let flow = value(view, points.secondary_flow)? / plate.secondary_flow_lpm;
        let otherwise = flow * (1.0 - bypassed(view, id)?) / (1.0 - share).max(0.1);
        let supply_c = value(view, points.secondary_supply_temperature)?;
        let water_c = value(view, points.primary_supply_temperature)?;
        let heat_kw = view.heat.cdus.get(id.0)?.now_kw;
        let primary = |flow: f64| Some(model.primary_share(heat_kw, flow, supply_c, water_c)? * plate.primary_flow_lpm);
        let more_lpm = primary(otherwise)? - primary(flow)?;
        let around = view.site.loops.get(unit.facility_loop.0)?;
        let (lpm, kpa) = (
            value(view, around.points.flow)?,
            value(view, around.points.differential_pressure)?,
        );
        let pumps = |lpm: f64| self.learned.pumps[unit.facility_loop.0] * facility::pump_kw(around, lpm, kpa);
        let own_kw = model.pump_kw(flow);
        let otherwise_kw = if otherwise < flow {
            let mut like = *self.learned.cdus.get(id.0)?;
            like.pump = self.of_others(id, |ratios| ratios.pump);
            CduModel::new(unit, like).pump_kw(otherwise).min(own_kw)
        } else {
            let still_kw = model.pump_kw(0.0);
            still_kw + (own_kw - still_kw) * otherwise / flow
        };
        let kw = otherwise_kw - own_kw + pumps(lpm + more_lpm) - pumps(lpm);
        let (site, wall_ms, hour) = (view.site, view.now.wall_ms, view.now.local_hour());
        let carbon = site.carbon_g_per_kwh(wall_ms, hour) / 1000.0 * site.prices.carbon_per_kg;
        let price = site.energy_price(wall_ms, hour) + carbon;
        Some(Rates {
            money_per_h: kw * price,
            kw,
            litres_per_h: 0.0,
        })
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
