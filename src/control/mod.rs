//! Strategies behind one trait: fixed, trim and respond, predictive.
//!
//! | file | subject |
//! |---|---|
//! | `fixed` | the plant as found |
//! | `trim_respond` | ASHRAE Guideline 36 resets on thermal margins: the baseline, and the fallback |
//! | `predictive` | least cost under the forecast's upper bound, on a model learned from telemetry |
//! | `load_target` | a grid's target for the power of cooling |
//! | `setpoints` | a plan in the making: complete, and within every point's bounds |
//!
//! A strategy answers a [`Plan`]: a value for every writable point but the heartbeats, with its reasons. It cannot write:
//! `safety` judges the plan.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod fixed;
mod load_target;
mod predictive;
mod setpoints;
#[cfg(test)]
mod tests;
mod trim_respond;

use crate::site::{Point, Site, StrategyKind, WriteSpec};
use crate::snapshot::{Event, HeatForecast, Now, Plan, PlanStatus, Request, RequestKind, Snapshot};
use serde::{Deserialize, Serialize};
use setpoints::Setpoints;
use thermo::Quantity;

/// What the strategies remember from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    trim_respond: trim_respond::TrimRespond,
    predictive: predictive::Predictive,
    load: load_target::LoadTargets,
    /// Who made the last plan.
    planned_by: Option<StrategyKind>,
}

/// What a strategy looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub site: &'a Site,
    pub snapshot: &'a Snapshot,
    pub heat: &'a HeatForecast,
    pub now: Now,
    /// The load target that is announced or in force.
    pub load: Option<load_target::LoadNow>,
}

/// Hears what is asked of control this cycle: load targets and commissioning.
pub fn hear(site: &Site, snapshot: &Snapshot, requests: &[Request], state: &mut State, now: Now) -> Vec<Event> {
    for request in requests {
        if let RequestKind::Commission { begin } = request.kind {
            state.predictive.commission(begin, now);
        }
    }
    state.load.hear(site, snapshot, requests, now)
}

/// A strategy: its own memory, and a plan each cycle.
trait Strategy {
    /// The plan of this cycle, or why there is none.
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String>;
}

/// The plan of a strategy for this cycle. A strategy that has none falls back to trim and respond, which always has one
/// and starts from the setpoints that it finds in force.
pub fn plan(
    site: &Site,
    strategy: StrategyKind,
    snapshot: &Snapshot,
    heat: &HeatForecast,
    state: &mut State,
    now: Now,
) -> Plan {
    let view = View {
        site,
        snapshot,
        heat,
        now,
        load: state.load.now(now),
    };
    let planned = match strategy {
        StrategyKind::Fixed => fixed::Fixed.plan(&view),
        StrategyKind::TrimRespond => by_trim_respond(&view, state),
        StrategyKind::Predictive => state.predictive.plan(&view),
    };
    let mut plan = match planned {
        Ok(plan) => {
            state.planned_by = Some(strategy);
            plan
        }
        Err(why) => {
            let mut plan = by_trim_respond(&view, state).unwrap_or_else(|_| fixed::release(site, strategy));
            state.planned_by = Some(StrategyKind::TrimRespond);
            plan.status = PlanStatus::FellBack;
            plan.report.sentence = format!("{why}: trim and respond instead. {}", plan.report.sentence);
            plan
        }
    };
    if state.predictive.unmet {
        state.predictive.news.extend(state.load.give_up());
    }
    plan.report.load_target = state.load.report(now);
    plan
}

/// What the strategies have to say since they were last asked: equipment that is not what it should be.
pub fn news(state: &mut State) -> Vec<Event> {
    std::mem::take(&mut state.predictive.news)
}

fn by_trim_respond(view: &View<'_>, state: &mut State) -> Result<Plan, String> {
    if state.planned_by.is_some_and(|by| by != StrategyKind::TrimRespond) {
        state.trim_respond.take_over(view);
    }
    state.trim_respond.plan(view)
}

/// The bounds of a bound point.
fn bounds<Q>(site: &Site, point: Option<Point<Q>>) -> Option<WriteSpec> {
    site.points.get(point?.id().0)?.write
}

/// The good value of a point in its canonical unit.
fn value<Q: Quantity>(view: &View<'_>, point: Option<Point<Q>>) -> Option<f64> {
    view.snapshot.get(point).map(Quantity::get)
}
