//! Staging of chillers after an economiser, as Guideline 36 section 5.20.4 stages plants: by part load and by the water that
//! the running ones fail to make.

use crate::control::{View, value};
use crate::site::{FacilityLoop, Rejection, RejectionKind};
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// Part load of the rest up to which a chiller stops.
const STOPS_AT: f64 = 0.8;
/// Supply above its setpoint from which one more starts, K.
const WARM_K: f64 = 1.0;
/// Least time between two changes, s, and that a chiller runs.
const BETWEEN_S: f64 = 900.0;
const RUNS_S: f64 = 1200.0;
/// Water temperature at which the heat of a flow is taken, degC.
const PROPERTY_C: f64 = 20.0;

/// How many chillers of a loop are on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Staging {
    on: Option<usize>,
    changed_mono_ms: u64,
    started_mono_ms: u64,
}

/// The chillers of a loop.
pub(super) fn of<'a>(view: &View<'a>, unit: &'a FacilityLoop) -> impl Iterator<Item = &'a Rejection> {
    let site = view.site;
    let units = unit.rejection.iter().map(move |id| &site.rejection[id.0]);
    units.filter(|unit| unit.nameplate.kind == RejectionKind::Chiller)
}

impl Staging {
    /// Chillers that shall be on, at a supply setpoint.
    pub(super) fn step(&mut self, view: &View<'_>, unit: &FacilityLoop, setpoint_c: f64) -> usize {
        let all = of(view, unit).count();
        let on = self.on.unwrap_or(all).min(all);
        let passed = |at: u64, now: Now, s: f64| now.seconds_since(at) >= s;
        let supply = value(view, unit.points.supply_temperature);
        let next = match supply {
            // A silent supply asks for what there is.
            None => all,
            Some(c) if c > setpoint_c + WARM_K => (on + 1).min(all),
            Some(c) if on > 0 && load_kw(view, unit, c) <= STOPS_AT * capacity_kw(view, unit, on - 1) => on - 1,
            Some(_) => on,
        };
        let may = passed(self.changed_mono_ms, view.now, BETWEEN_S)
            && (next > on || passed(self.started_mono_ms, view.now, RUNS_S));
        if self.on.is_none() {
            self.changed_mono_ms = view.now.mono_ms;
            self.started_mono_ms = view.now.mono_ms;
            self.on = Some(all);
        } else if next != on && may {
            self.changed_mono_ms = view.now.mono_ms;
            if next > on {
                self.started_mono_ms = view.now.mono_ms;
            }
            self.on = Some(next);
        }
        self.on.unwrap_or(all)
    }
}

fn capacity_kw(view: &View<'_>, unit: &FacilityLoop, count: usize) -> f64 {
    of(view, unit)
        .take(count)
        .map(|chiller| chiller.nameplate.rated_kw)
        .sum()
}

/// Heat that the chillers take: from the cells' water to the loop's supply; without cells from the return.
fn load_kw(view: &View<'_>, unit: &FacilityLoop, supply_c: f64) -> f64 {
    let cells = unit.rejection.iter().map(|id| &view.site.rejection[id.0]);
    let cells = cells.filter(|cell| cell.nameplate.kind != RejectionKind::Chiller);
    let leaving: Vec<f64> = cells
        .filter(|cell| value(view, cell.points.running).is_some_and(|on| on >= 0.5))
        .filter_map(|cell| value(view, cell.points.leaving_temperature))
        .collect();
    let between = if leaving.is_empty() {
        value(view, unit.points.return_temperature)
    } else {
        Some(leaving.iter().sum::<f64>() / leaving.len() as f64)
    };
    match (value(view, unit.points.flow), between) {
        (Some(flow), Some(c)) => flow * Coolant::Water.kw_per_lpm_k(PROPERTY_C) * (c - supply_c).max(0.0),
        _ => f64::INFINITY,
    }
}
