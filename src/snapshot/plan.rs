//! What a strategy or a person wants: a plan, with its reasons. Only `safety` turns it into commands.

use crate::site::{PointId, StrategyKind};
use serde::{Deserialize, Serialize};

/// Who stands behind a setpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// A strategy.
    Strategy(StrategyKind),
    /// A person, by the name recorded for their token.
    Operator(String),
    /// A system on a bus, such as a BMS or a grid's agent, with what it said.
    Bus(String),
    /// The safety room itself.
    Safety,
    /// Release: the plant as found.
    Release,
}

impl Author {
    /// The name in events.
    pub fn name(&self) -> &str {
        match self {
            Self::Operator(name) | Self::Bus(name) => name,
            Self::Strategy(kind) => kind.name(),
            Self::Safety => "safety",
            Self::Release => "release",
        }
    }
}

/// One wanted value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Setpoint {
    /// The point.
    pub point: PointId,
    /// Value in the point's canonical unit.
    pub value: f64,
}

/// How a plan came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// As the strategy means it.
    Complete,
    /// The strategy fell back to a simpler one; the report says why.
    FellBack,
}

/// Equipment that is not what it should be, as a model learned it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name, such as `exchanger_fouled`.
    pub code: String,
    /// The equipment.
    pub subject: String,
    /// What is seen and what is done about it.
    pub text: String,
}

/// Reasons as data: what bound the plan and what it is expected to cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanReport {
    /// One sentence for the operator: what is being done and why.
    pub sentence: String,
    /// Constraints at their bound, such as `cdu1 minimum flow`.
    pub binding: Vec<String>,
    /// Expected cost terms per hour in the site's currency: name and value.
    pub cost_per_h: Vec<(String, f64)>,
    /// Expected cooling power, kW.
    pub cooling_kw: Option<f64>,
    /// What the plant as found would cost per hour now, on the same model.
    pub as_found_per_h: Option<f64>,
    /// What one more of something would save per hour: a name such as `coolant 1 K warmer`, and the money.
    pub worth_per_h: Vec<(String, f64)>,
    /// Equipment that is not what it should be.
    pub findings: Vec<Finding>,
    /// The load target that is announced or in force.
    pub load_target: Option<LoadReport>,
    /// Step tests that are under way.
    pub commissioning: Option<Commissioning>,
    /// How far the model is off the metered power of cooling, as a share of it: a mean over some minutes.
    pub model_error: Option<f64>,
}

/// How far commissioning has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commissioning {
    /// The present step test, from 1.
    pub test: usize,
    /// All of them.
    pub tests: usize,
    /// Tests that ended early.
    pub ended_early: u32,
}

/// What is being done about a load target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadPhase {
    /// It is known and nothing needs doing yet.
    Announced,
    /// Cold is stored in the loop's water.
    Precooling,
    /// Power is held at the target.
    Holding,
    /// It is over, and the stored warmth is given off.
    Recovering,
    /// Limits would have been exceeded: it is not held.
    GivenUp,
}

/// A load target, as the plan knows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Largest power of cooling, kW.
    pub target_kw: f64,
    /// Its start, wall time, ms since 1970.
    pub start_ms: i64,
    /// Its end.
    pub end_ms: i64,
    /// What is being done about it.
    pub phase: LoadPhase,
    /// Power of cooling now, as metered, kW.
    pub measured_kw: Option<f64>,
}

/// A complete plan: one value for each writable point that the strategy commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The strategy.
    pub strategy: StrategyKind,
    /// How it came about.
    pub status: PlanStatus,
    /// Wanted values, at most one a point.
    pub setpoints: Vec<Setpoint>,
    /// Reasons.
    pub report: PlanReport,
}
