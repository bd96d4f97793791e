//! Strategies behind one trait: fixed, trim and respond, predictive.
//!
//! A strategy answers a [`Plan`]: a value for every writable point but the heartbeats, with its reasons. It cannot write:
//! `safety` judges the plan.

mod fixed;
mod predictive;
mod reset;
mod trim_respond;

use crate::site::{PointId, Site, StrategyKind};
use crate::snapshot::{HeatForecast, Now, Plan, PlanStatus, Setpoint, Snapshot};
use serde::{Deserialize, Serialize};

/// What the strategies remember from cycle to cycle. The fallback's memory runs on while it is not in force, so that a
/// change of strategy starts from a state that fits the plant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    trim_respond: trim_respond::TrimRespond,
    predictive: predictive::Predictive,
}

/// What a strategy looks at.
pub(crate) struct View<'a> {
    pub site: &'a Site,
    pub snapshot: &'a Snapshot,
    pub heat: &'a HeatForecast,
    pub now: Now,
}

/// A strategy: its own memory, and a plan each cycle.
trait Strategy {
    /// The plan of this cycle, or why there is none.
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String>;
}

/// The plan of a strategy for this cycle. A strategy that has none falls back to trim and respond, which always has one.
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
    };
    let planned = match strategy {
        StrategyKind::Fixed => fixed::Fixed.plan(&view),
        StrategyKind::TrimRespond => state.trim_respond.plan(&view),
        StrategyKind::Predictive => state.predictive.plan(&view),
    };
    planned.unwrap_or_else(|why| {
        let mut plan = state
            .trim_respond
            .plan(&view)
            .unwrap_or_else(|_| fixed::release(site, strategy));
        plan.status = PlanStatus::FellBack;
        plan.report.sentence = format!("{why}: trim and respond instead. {}", plan.report.sentence);
        plan
    })
}

/// Collects setpoints within their bounds.
#[derive(Debug, Default)]
struct Setpoints(Vec<Setpoint>);

impl Setpoints {
    /// Adds a value for a point that exists and can be written, held within the point's bounds.
    fn put<Q>(&mut self, site: &Site, point: Option<crate::site::Point<Q>>, value: f64) {
        let Some(point) = point.map(crate::site::Point::id) else {
            return;
        };
        let Some(write) = write_of(site, point) else { return };
        self.0.push(Setpoint {
            point,
            value: value.clamp(write.min, write.max),
        });
    }

    /// Adds release values for every writable point that has none yet, so that the plan is complete.
    fn complete(mut self, site: &Site) -> Vec<Setpoint> {
        let mut have = vec![false; site.points.len()];
        for setpoint in &self.0 {
            have[setpoint.point.0] = true;
        }
        for (id, spec) in site.points.iter().enumerate() {
            if let Some(write) = spec.write.filter(|_| spec.quantity != "heartbeat" && !have[id]) {
                self.0.push(Setpoint {
                    point: PointId(id),
                    value: write.release,
                });
            }
        }
        self.0
    }
}

/// The bounds of a writable point.
fn write_of(site: &Site, point: PointId) -> Option<crate::site::WriteSpec> {
    site.points.get(point.0)?.write
}

/// The bounds of a bound point.
fn bounds<Q>(site: &Site, point: Option<crate::site::Point<Q>>) -> Option<crate::site::WriteSpec> {
    write_of(site, point?.id())
}
