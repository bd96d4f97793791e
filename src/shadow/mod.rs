//! A baseline beside the real plant: what `fixed` and `trim_respond` would have drawn in the load and weather of the day.
//!
//! The plant is modelled from its nameplates with a few ratios that are identified on its telemetry, in steady state, once
//! a minute. The model is this room's own, apart from the one by which `predictive` chooses: a controller must not be
//! judged by the beliefs that it optimised. Rate limits, safety's demands and heat in storage are left out.
//!
//! | file | subject |
//! |---|---|
//! | `laws` | pumps, exchangers, towers, by the textbook |
//! | `learn` | the ratios, from telemetry |
//! | `steady` | the plant in steady state under some setpoints |
//! | `stand_in` | what its sensors would say, for a strategy that asks them |

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod laws;
mod learn;
mod stand_in;
mod steady;

use crate::control;
use crate::site::{Point, PointId, RejectionKind, Site, StrategyKind};
use crate::snapshot::{HeatForecast, Now, Quality, Shadow, Snapshot};
use learn::Learned;
use serde::{Deserialize, Serialize};
use steady::{Conditions, steady};

/// Time between two evaluations, s.
const EVERY_S: f64 = 60.0;
/// An evaluation older than this says nothing of now, s.
const STALE_S: f64 = 300.0;

/// What the shadow remembers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    site_hash: String,
    learned: Learned,
    /// The memory of `trim_respond` in the shadow plant.
    control: control::State,
    /// Its setpoints by point.
    trim: Vec<Option<f64>>,
    last: Option<Shadow>,
    evaluated_ms: Option<u64>,
}

/// Setpoints by point.
pub(crate) type Setpoints<'a> = &'a dyn Fn(PointId) -> Option<f64>;

/// The good value of a point.
fn value<Q>(snapshot: &Snapshot, point: Option<Point<Q>>) -> Option<f64> {
    let reading = snapshot.reading(point?.id())?;
    (reading.quality == Quality::Good && reading.value.is_finite()).then_some(reading.value)
}

/// What the plant would draw now under each baseline; `None` where the model does not know it: without weather, with
/// chillers, or while a reading that it needs is lost.
pub fn watch(site: &Site, snapshot: &Snapshot, heat: &HeatForecast, state: &mut State, now: Now) -> Option<Shadow> {
    if state.site_hash != site.hash {
        *state = State {
            site_hash: site.hash.clone(),
            learned: Learned::new(site),
            trim: site
                .points
                .iter()
                .map(|point| point.write.map(|write| write.release))
                .collect(),
            ..State::default()
        };
    }
    if state.evaluated_ms.is_none_or(|at| now.seconds_since(at) >= EVERY_S) {
        let passed_s = state.evaluated_ms.map_or(0.0, |at| now.seconds_since(at));
        state.evaluated_ms = Some(now.mono_ms);
        state.last = evaluate(site, snapshot, heat, state, passed_s, now);
    }
    let fresh = state.evaluated_ms.is_some_and(|at| now.seconds_since(at) < STALE_S);
    state.last.filter(|_| fresh)
}

fn evaluate(
    site: &Site,
    snapshot: &Snapshot,
    heat: &HeatForecast,
    state: &mut State,
    passed_s: f64,
    now: Now,
) -> Option<Shadow> {
    let modelled = |unit: &crate::site::Rejection| unit.nameplate.kind != RejectionKind::Chiller;
    if !site.rejection.iter().all(modelled) {
        return None;
    }
    let conditions = Conditions::now(site, snapshot)?;
    state.learned.update(site, snapshot, &conditions, passed_s);
    let learned = &state.learned;

    let in_force = |point: PointId| {
        let reading = snapshot
            .reading(point)
            .filter(|reading| reading.quality == Quality::Good);
        reading.map(|reading| reading.value)
    };
    let release = |point: PointId| site.points.get(point.0)?.write.map(|write| write.release);
    let model = steady(site, learned, &conditions, &in_force)?;
    let fixed = steady(site, learned, &conditions, &release)?;

    // The strategy asks the shadow plant's sensors, as they are under its own last setpoints.
    let held = |point: PointId| state.trim.get(point.0).copied().flatten();
    let before = steady(site, learned, &conditions, &held)?;
    let told = stand_in::snapshot(site, snapshot, &before, &held);
    let plan = control::plan(site, StrategyKind::TrimRespond, &told, heat, &mut state.control, now);
    for setpoint in &plan.setpoints {
        if let Some(slot) = state.trim.get_mut(setpoint.point.0) {
            *slot = Some(setpoint.value);
        }
    }
    Some(Shadow {
        model_kw: model.kw,
        fixed_kw: fixed.kw,
        trim_respond_kw: before.kw,
    })
}

#[cfg(test)]
mod tests;
