//! Strategies behind one door: fixed, trim and respond, predictive.

use crate::site::{Site, StrategyKind};
use crate::snapshot::{HeatForecast, Now, Plan, PlanReport, PlanStatus, Snapshot};
use serde::{Deserialize, Serialize};

/// What the strategies remember from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {}

/// The plan of a strategy for this cycle.
pub fn plan(
    _site: &Site,
    strategy: StrategyKind,
    _snapshot: &Snapshot,
    _heat: &HeatForecast,
    _state: &mut State,
    _now: Now,
) -> Plan {
    Plan {
        strategy,
        status: PlanStatus::FellBack,
        setpoints: vec![],
        report: PlanReport::default(),
    }
}
