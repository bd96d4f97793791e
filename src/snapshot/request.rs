//! Requests from people and programs outside the loop; each has an author and is judged like a plan.

use super::Author;
use crate::site::{Authority, PointId, StrategyKind, ZoneId};
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// Hold a point at a value for a time.
    Override {
        /// The point.
        point: PointId,
        /// Value, canonical unit.
        value: f64,
        /// For how long, s.
        for_s: f64,
    },
    /// End an override.
    ClearOverride {
        /// The point.
        point: PointId,
    },
    /// Set a zone's authority.
    SetAuthority {
        /// The zone.
        zone: ZoneId,
        /// Wanted authority.
        authority: Authority,
    },
    /// Change the strategy.
    SetStrategy {
        /// Wanted strategy.
        strategy: StrategyKind,
    },
    /// Keep the power of cooling at or below a limit for a time, as a grid asks for.
    SetLoadTarget {
        /// The limit.
        limit: LoadLimit,
        /// When it begins, s from now.
        in_s: f64,
        /// How long it holds, s.
        for_s: f64,
    },
    /// End a load target.
    ClearLoadTarget,
    /// Begin step tests from which the model learns the plant, or end them.
    Commission {
        /// Whether to begin.
        begin: bool,
    },
    /// Release every zone to the plant as found, now, and observe.
    Stop,
    /// An alarm has been seen.
    Acknowledge {
        /// Its number.
        alarm: u64,
    },
    /// Put an alarm aside for a time.
    Shelve {
        /// Its number.
        alarm: u64,
        /// For how long, s.
        for_s: f64,
    },
    /// Take an alarm off the shelf.
    Unshelve {
        /// Its number.
        alarm: u64,
    },
    /// In advise: let the plan be written for a time.
    AcceptPlan {
        /// The zone.
        zone: ZoneId,
        /// For how long, s.
        for_s: f64,
    },
    /// Advice is taken: what comes of it is followed from now on.
    TakeAdvice {
        /// Its number.
        advice: u64,
    },
    /// Advice is not wanted.
    DeclineAdvice {
        /// Its number.
        advice: u64,
    },
    /// In advise: the plan was looked at and is not wanted, or no longer.
    DeclinePlan {
        /// The zone.
        zone: ZoneId,
    },
}

/// How a load target is stated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadLimit {
    /// Power of cooling, kW.
    Kilowatts(f64),
    /// Share by which the mean power of the last quarter of an hour is cut, 0 to 0.9.
    Cut(f64),
}

/// A request with its author.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub author: Author,
    /// What.
    pub kind: RequestKind,
    /// Why, in the asker's own words; may be empty.
    #[serde(default)]
    pub why: String,
}
