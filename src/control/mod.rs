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

use crate::site::{Point, PointId, Site, StrategyKind, WriteSpec};
use crate::snapshot::{Event, HeatForecast, Now, Plan, PlanStatus, Request, RequestKind, Snapshot};
pub use predictive::what_if::{Change, Rates};
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

/// The plant's model as it stands in one cycle, for questions of what else could be.
#[derive(Debug, Clone, Copy)]
pub struct WhatIf<'a> {
    view: View<'a>,
    state: &'a State,
}

impl<'a> WhatIf<'a> {
    /// The model of a cycle, over a site whose bounds and nameplates may be other than the plant's.
    pub const fn new(
        site: &'a Site,
        snapshot: &'a Snapshot,
        heat: &'a HeatForecast,
        state: &'a State,
        now: Now,
    ) -> Self {
        let view = View {
            site,
            snapshot,
            heat,
            now,
            load: None,
        };
        Self { view, state }
    }

    /// What cooling costs with one ratio at another value; `None` where the model does not know the plant.
    pub fn rates(&self, change: Option<Change>) -> Option<Rates> {
        self.state.predictive.rates(&self.view, change)
    }

    /// What a setpoint at another value would add to the rates, everything else staying as it is; `None` where it is of a
    /// kind that the model does not weigh.
    pub fn setpoint(&self, point: PointId, wanted: f64) -> Option<Rates> {
        self.state.predictive.setpoint(&self.view, point, wanted)
    }

    /// The learned value of what a change is about, and for how long telling readings have shaped it, s.
    pub fn present(&self, of: Change) -> Option<(f64, f64)> {
        self.state.predictive.present(&self.view, of)
    }

    /// What its like are.
    pub fn usual(&self, of: Change) -> f64 {
        self.state.predictive.usual(of)
    }
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
