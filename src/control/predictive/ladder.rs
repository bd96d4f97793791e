//! The coolant temperatures that a CDU may run at, each with the least flow that keeps its racks within limits.

use super::learn::Learned;
use super::model::carries;
use super::model::cdu::CduModel;
use super::need::{Binding, COOLANT_RESERVE_K, CduNeed, Slack, coldest_coolant_c};
use crate::control::{View, bounds};
use thermo::Coolant;

/// Coolant temperatures that are looked at.
const RUNGS: usize = 12;
/// Horizon until which the primary side must manage the upper heat: water temperature follows in minutes, s.
const WATER_LEAD_S: f64 = 900.0;
/// Horizon until which the header pressure must manage the upper heat: pumps follow in seconds, s.
const PRESSURE_LEAD_S: f64 = 60.0;
/// Index of the horizon whose mean heat is paid for: a quarter of an hour.
pub(super) const COST_HORIZON: usize = 2;
const _: () = assert!(
    crate::snapshot::HORIZONS_S[COST_HORIZON] == WATER_LEAD_S,
    "both are a quarter of an hour"
);
/// Least distance of coolant supply and facility supply, K: less is no exchanger's approach.
const LEAST_APPROACH_K: f64 = 0.8;

/// One coolant temperature.
#[derive(Debug, Clone, Copy)]
struct Rung {
    supply_c: f64,
    /// Share of the nameplate secondary flow.
    share: f64,
    pump_kw: f64,
    binding: Option<Binding>,
}

/// How a CDU runs at one facility-water temperature.
#[derive(Debug, Clone, Copy)]
pub(super) struct CduPoint {
    /// Its place in the ladder.
    rung: usize,
    pub supply_c: f64,
    pub pump_kw: f64,
    /// Facility water for the mean heat, L/min.
    pub primary_lpm: f64,
    /// Header pressure with which the valve, open, manages the upper heat of the next minute, kPa.
    pub header_kpa: f64,
    pub binding: Option<Binding>,
    /// How far the limits cannot be kept, 0 where they can.
    pub short: f64,
}

/// The temperatures of one CDU, coldest first.
#[derive(Debug)]
pub(super) struct Ladder<'a> {
    model: CduModel<'a>,
    rungs: Vec<Rung>,
    pub mean_kw: f64,
    /// Upper heat of the time in which water changes its temperature, and of that in which pumps change its pressure.
    upper_kw: f64,
    soon_kw: f64,
    /// Flow that even the coldest coolant lacks, as a share of the nameplate's.
    lacking: f64,
}

impl<'a> Ladder<'a> {
    /// `None` where the CDU's setpoints cannot be written.
    pub(super) fn new(view: &View<'a>, learned: &Learned, cdu: usize, slack: &Slack) -> Option<Self> {
        let site = view.site;
        let unit = &site.cdus[cdu];
        let model = CduModel::new(unit, learned.cdus[cdu]);
        let bound = bounds(site, unit.points.secondary_supply_temperature_setpoint)?;
        let pressure = bounds(site, unit.points.secondary_differential_pressure_setpoint)?;
        let supply = &site.limits.secondary_supply_c;
        let warmest = bound.max.min(supply.target - COOLANT_RESERVE_K) + slack.coolant_k;
        let coldest = bound.min.max(coldest_coolant_c(view)).min(warmest);
        let need = CduNeed::new(view, learned, cdu).widened(slack);
        let (least, most) = (
            model.flow_share(pressure.min),
            model.flow_share(pressure.max + slack.pressure_kpa),
        );
        let rung = |supply_c: f64| {
            let (needed, binding) = need.flow_share(supply_c);
            let share = needed.clamp(least, most);
            let rung = Rung {
                supply_c,
                share,
                pump_kw: model.pump_kw(share),
                binding: binding.filter(|_| needed >= least),
            };
            (rung, (needed.min(10.0) - most).max(0.0))
        };
        let (first, lacking) = rung(coldest);
        let mut rungs = vec![first];
        for step in 1..RUNGS {
            let (next, short) = rung(coldest + step as f64 / (RUNGS - 1) as f64 * (warmest - coldest));
            if short > 0.0 || warmest <= coldest {
                break;
            }
            rungs.push(next);
        }
        let band = &view.heat.cdus[cdu];
        Some(Self {
            model,
            rungs,
            mean_kw: band.mean_kw[COST_HORIZON].max(1.0),
            upper_kw: band.peak_upper_kw(WATER_LEAD_S).max(1.0),
            soon_kw: band
                .peak_upper_kw(PRESSURE_LEAD_S)
                .max(band.mean_kw[COST_HORIZON])
                .max(1.0),
            lacking,
        })
    }

    /// The cheapest temperature at a facility-water temperature, where a litre of facility water costs `litre_kw`. `hint` is
    /// the rung to start from, and is left at the one found: costs are convex along the ladder.
    pub(super) fn cheapest(&self, water_c: f64, litre_kw: f64, hint: &mut usize) -> CduPoint {
        let Some((index, share)) = self.search(water_c, litre_kw, hint) else {
            return self.beyond(water_c);
        };
        self.point(index, share, water_c)
    }

    /// The coldest of the warmer temperatures at which the CDU does with a header pressure of `cap_kpa`; where none does,
    /// the one that needs the least.
    pub(super) fn under(&self, cap_kpa: f64, water_c: f64, from: &CduPoint) -> CduPoint {
        let mut best = *from;
        for index in from.rung + 1..self.rungs.len() {
            let Some(share) = self.primary_share(self.mean_kw, &self.rungs[index], water_c) else {
                continue;
            };
            let next = self.point(index, share, water_c);
            if next.header_kpa >= best.header_kpa {
                break;
            }
            best = next;
            if best.header_kpa <= cap_kpa {
                break;
            }
        }
        best
    }

    fn search(&self, water_c: f64, litre_kw: f64, hint: &mut usize) -> Option<(usize, f64)> {
        let top = self.rungs.len() - 1;
        let cost = |index: usize| {
            let rung = &self.rungs[index];
            let share = self.primary_share(self.mean_kw, rung, water_c)?;
            Some((
                rung.pump_kw + litre_kw * share * self.model.plate.primary_flow_lpm,
                share,
            ))
        };
        let mut index = (*hint).min(top);
        let mut found = cost(index);
        while found.is_none() && index < top {
            index += 1;
            found = cost(index);
        }
        let (mut best, mut share) = found?;
        for up in [true, false] {
            while (up && index < top) || (!up && index > 0) {
                let next = if up { index + 1 } else { index - 1 };
                let Some((cheaper, primary)) = cost(next).filter(|(kw, _)| *kw < best) else {
                    break;
                };
                (index, best, share) = (next, cheaper, primary);
            }
        }
        *hint = index;
        Some((index, share))
    }

    fn point(&self, index: usize, share: f64, water_c: f64) -> CduPoint {
        let rung = &self.rungs[index];
        let upper = self.primary_share(self.upper_kw, rung, water_c);
        let soon = self.primary_share(self.soon_kw, rung, water_c);
        CduPoint {
            rung: index,
            supply_c: rung.supply_c,
            pump_kw: rung.pump_kw,
            primary_lpm: share * self.model.plate.primary_flow_lpm,
            header_kpa: self.model.branch_kpa(soon.unwrap_or(share)),
            binding: rung.binding,
            short: self.lacking + if upper.is_none() { 0.2 } else { 0.0 },
        }
    }

    /// Water too warm for every rung: as much of it as there is, at the warmest coolant.
    fn beyond(&self, water_c: f64) -> CduPoint {
        let rung = &self.rungs[self.rungs.len() - 1];
        let carried = self.model.plate.primary_flow_lpm * carries(Coolant::Water);
        CduPoint {
            rung: self.rungs.len() - 1,
            supply_c: rung.supply_c,
            pump_kw: rung.pump_kw,
            primary_lpm: self.model.plate.primary_flow_lpm,
            header_kpa: self.model.branch_kpa(1.0),
            binding: rung.binding,
            short: self.lacking + 1.0 + (water_c - rung.supply_c + self.mean_kw / carried).max(0.0),
        }
    }

    /// Pump power and facility water of the CDU at given setpoints, kW and L/min.
    pub(super) fn as_set(&self, kpa: f64, supply_c: f64, water_c: f64) -> (f64, f64) {
        let share = self.model.flow_share(kpa);
        let primary = self.model.primary_share(self.mean_kw, share, supply_c, water_c);
        let primary_lpm = primary.unwrap_or(1.0) * self.model.plate.primary_flow_lpm;
        (self.model.pump_kw(share), primary_lpm)
    }

    fn primary_share(&self, heat_kw: f64, rung: &Rung, water_c: f64) -> Option<f64> {
        if rung.supply_c < water_c + LEAST_APPROACH_K {
            return None;
        }
        self.model.primary_share(heat_kw, rung.share, rung.supply_c, water_c)
    }
}
