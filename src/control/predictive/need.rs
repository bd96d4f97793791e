//! What each CDU's racks need: the flow at a coolant temperature, and the heat that it must be ready for.

use super::learn::Learned;
use super::model::carries;
use super::model::rack::{Binds, RackLimits, RackNeed, full_heat_kw};
use crate::control::{View, value};
use crate::site::{Cdu, Limits, Site};
use crate::snapshot::HeatSource;
use serde::{Deserialize, Serialize};
use thermo::moist_air;

/// How far ahead the upper bound of a rack's heat is met at once: pumps follow in seconds, coolant in a minute, s.
const LEAD_S: f64 = 300.0;
/// Kept clear of a target for ripple and noise: chips, K.
const CHIP_RESERVE_K: f64 = 0.7;
/// The same for coolant temperatures, K.
pub(super) const COOLANT_RESERVE_K: f64 = 0.7;
/// Kept clear of the critical values when a step arrives between two cycles, beside what the coolant itself warms, K.
const STEP_RESERVE_K: f64 = 1.5;
/// A rack whose upper bound stays below this share of its full heat, with the queue known, has no start coming.
const IDLE_SHARE: f64 = 0.5;
/// Growth of an idle rack's upper bound that a step may bring.
const IDLE_STEP: f64 = 1.3;

/// Share of a surge of the coolant's return that its supply sees before the CDU's valve has followed, of what an exchanger
/// at rest would pass on.
const FOLLOWS: f64 = 0.75;
/// Kept clear of the critical coolant supply in a surge, K.
const SURGE_RESERVE_K: f64 = 1.0;

/// The share of a change of the return temperature that passes through a CDU's exchanger to its supply, by how it runs now.
fn passed_on(view: &View<'_>, unit: &Cdu) -> f64 {
    let points = &unit.points;
    match (
        value(view, points.secondary_supply_temperature),
        value(view, points.secondary_return_temperature),
        value(view, points.primary_supply_temperature),
    ) {
        (Some(supply), Some(back), Some(water)) if back > water + 1.0 => {
            ((supply - water) / (back - water)).clamp(0.2, 1.0)
        }
        _ => 1.0,
    }
}

/// Which limit of which rack asks for a CDU's flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Binding {
    pub rack: usize,
    pub limit: Binds,
}

/// By how much limits are widened, to ask what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Slack {
    /// Coolant supply, K.
    pub coolant_k: f64,
    /// Chips and coolant return, K.
    pub rack_k: f64,
    /// Pressure difference of the CDUs, kPa.
    pub pressure_kpa: f64,
}

/// The limits that racks are held to.
pub(super) fn rack_limits(limits: &Limits) -> RackLimits {
    RackLimits {
        margin_k: limits.chip_margin_k.target + CHIP_RESERVE_K,
        step_margin_k: limits.chip_margin_k.critical + STEP_RESERVE_K,
        return_c: limits.rack_return_c.target - COOLANT_RESERVE_K,
        step_return_c: limits.rack_return_c.critical - STEP_RESERVE_K,
    }
}

/// What one CDU's racks need.
#[derive(Debug)]
pub(super) struct CduNeed<'a> {
    racks: Vec<(usize, RackNeed<'a>)>,
    coolant: thermo::Coolant,
    limits: RackLimits,
    /// How far the coolant itself warms at the nameplate flow when every rack steps at once, K.
    surge_k: f64,
    /// Warmest coolant in such a surge, degC.
    surge_c: f64,
}

impl<'a> CduNeed<'a> {
    pub(super) fn new(view: &View<'a>, learned: &Learned, cdu: usize) -> Self {
        let site: &'a Site = view.site;
        let unit = &site.cdus[cdu];
        let racks = unit.racks.iter().map(|id| {
            let rack = &site.racks[id.0];
            let full_kw = full_heat_kw(rack);
            let upper_kw = view.heat.racks[id.0].peak_upper_kw(LEAD_S);
            // With the queue known a rack without a start coming stays idle; any other may step to full load at once.
            let idle = view.heat.source == HeatSource::Queue && upper_kw < IDLE_SHARE * full_kw;
            let step_kw = if idle {
                (IDLE_STEP * upper_kw).min(full_kw)
            } else {
                full_kw.max(upper_kw)
            };
            let need = RackNeed {
                plate: &rack.nameplate,
                chip_ratio: learned.chips[id.0],
                upper_kw,
                step_kw,
                least_kw: site.safety.min_heat_fraction * full_kw,
            };
            (id.0, need)
        });
        let racks: Vec<_> = racks.collect();
        let now_kw = |rack: usize| view.heat.racks[rack].now_kw;
        let surge_kw: f64 = racks
            .iter()
            .map(|(rack, need)| (need.step_kw - now_kw(*rack)).max(0.0))
            .sum();
        let carried = unit.nameplate.secondary_flow_lpm * carries(unit.nameplate.coolant);
        Self {
            racks,
            coolant: unit.nameplate.coolant,
            limits: rack_limits(&site.limits),
            surge_k: FOLLOWS * passed_on(view, unit) * surge_kw / carried,
            surge_c: site.limits.secondary_supply_c.critical - SURGE_RESERVE_K,
        }
    }

    /// The same with wider limits.
    pub(super) fn widened(mut self, slack: &Slack) -> Self {
        self.limits.margin_k -= slack.rack_k;
        self.limits.step_margin_k -= slack.rack_k;
        self.limits.return_c += slack.rack_k;
        self.limits.step_return_c += slack.rack_k;
        self.surge_c += slack.coolant_k;
        self
    }

    /// Share of the CDU's nameplate flow at which each of its racks keeps every limit at a coolant supply, and what binds.
    pub(super) fn flow_share(&self, supply_c: f64) -> (f64, Option<Binding>) {
        let room_k = self.surge_c - supply_c;
        let surge = if room_k > 0.0 {
            self.surge_k / room_k
        } else {
            f64::INFINITY
        };
        let first = self.racks.first();
        let mut most = (
            surge,
            first.map(|(rack, _)| Binding {
                rack: *rack,
                limit: Binds::StepReadiness,
            }),
        );
        for (rack, need) in &self.racks {
            let (share, limit) = need.flow_share(supply_c, self.coolant, &self.limits, self.surge_k);
            if share > most.0 {
                most = (share, Some(Binding { rack: *rack, limit }));
            }
        }
        most
    }
}

/// Coldest coolant that does not condense in any room, with the margin, degC; the fallback stands for a silent sensor.
pub(super) fn coldest_coolant_c(view: &View<'_>) -> f64 {
    let limits = &view.site.limits;
    let dew = view.site.air_units.iter().map(|unit| {
        match (
            value(view, unit.points.room_temperature),
            value(view, unit.points.room_relative_humidity),
        ) {
            (Some(c), Some(rh)) => moist_air::clamped::dew_point_c(c, rh),
            _ => limits.dew_point_fallback_c,
        }
    });
    dew.reduce(f64::max).unwrap_or(limits.dew_point_fallback_c) + limits.dew_point_margin_k.target + COOLANT_RESERVE_K
}
