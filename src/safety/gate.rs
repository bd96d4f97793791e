//! The uncertainty gate: what a plan would lead to if the heat were at the upper bound of its forecast.
//!
//! The bound is data that comes with the plan. A bound that no plant of this site could give is a forecast that does not
//! know its plant, and its plan is refused; one that would take a chip to its critical margin drops the plan's wish for
//! less cooling there.

use super::facts::Facts;
use super::wishes::Wishes;
use crate::site::{Cdu, PointId, Site};

/// Heat over the racks' rating beyond which a forecast is out of its distribution.
const MOST_SHARE: f64 = 1.5;

/// What the gate says of one CDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing against the plan.
    Passes,
    /// No less cooling than now: at the bound, a chip would be at its critical margin.
    Drops,
    /// The bound makes no sense.
    Refuses,
}

/// Judges the plan's wishes for one CDU against the upper bound of its heat, kW; `None` where nothing is forecast.
pub(super) fn judge(site: &Site, cdu: &Cdu, upper_kw: Option<f64>, wish: impl Fn(PointId) -> Option<f64>) -> Verdict {
    let Some(upper_kw) = upper_kw else {
        return Verdict::Passes;
    };
    let racks = || cdu.racks.iter().filter_map(|rack| site.racks.get(rack.0));
    let rated_kw: f64 = racks()
        .map(|rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction)
        .sum();
    if rated_kw <= 0.0 {
        return Verdict::Passes;
    }
    let load = upper_kw / rated_kw;
    if !(0.0..=MOST_SHARE).contains(&load) {
        return Verdict::Refuses;
    }
    let setpoints = (
        cdu.points.secondary_supply_temperature_setpoint,
        cdu.points.secondary_differential_pressure_setpoint,
    );
    let (Some(supply), Some(pressure)) = (
        setpoints.0.map(crate::site::Point::id),
        setpoints.1.map(crate::site::Point::id),
    ) else {
        return Verdict::Passes;
    };
    let (Some(supply_c), Some(kpa)) = (wish(supply), wish(pressure)) else {
        return Verdict::Passes;
    };
    // Flow goes with the root of pressure; a chip's rise falls with flow to the power -0.4, so by at most its root.
    let flow = (kpa / cdu.nameplate.secondary_pressure_kpa).max(0.0).sqrt().min(1.0);
    let thinner = 1.0 / flow.max(0.05).sqrt();
    let critical_k = site.limits.chip_margin_k.critical;
    let reaches = racks().any(|rack| {
        let plate = &rack.nameplate;
        let rise_k = plate.chip_kw * plate.chip_resistance_k_per_kw * load.min(1.0) * thinner;
        plate.chip_limit_c - (supply_c + rise_k) < critical_k
    });
    if reaches { Verdict::Drops } else { Verdict::Passes }
}

/// Passes every CDU's wishes through the gate: drops and refusals are noted in the facts and the wishes.
pub(super) fn pass(site: &Site, facts: &mut Facts, wishes: &mut Wishes<'_>) {
    let expected: Vec<Option<f64>> = facts.expected_kw.clone();
    facts.dropped = vec![false; site.cdus.len()];
    for ((cdu, index), upper_kw) in site.cdus.iter().zip(0..).zip(expected) {
        match judge(site, cdu, upper_kw, |point| wishes.value(point.0)) {
            Verdict::Passes => {}
            Verdict::Drops => {
                if let Some(slot) = facts.dropped.get_mut(index) {
                    *slot = true;
                }
            }
            Verdict::Refuses => {
                let kw = upper_kw.unwrap_or(f64::NAN);
                wishes.refuse(site, cdu.zone, &mut facts.notices, || {
                    format!(
                        "the forecast expects up to {kw:.0} kW of {}, which its racks cannot give",
                        cdu.name
                    )
                });
            }
        }
    }
}
