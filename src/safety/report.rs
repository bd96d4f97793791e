//! What safety did and why, for people and for the record.

use super::asks::Ask;
use crate::site::Authority;
use crate::snapshot::Event;
use serde::{Deserialize, Serialize};

/// How cautious a zone has to be; later is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Within targets.
    #[default]
    Normal,
    /// Between target and critical: no less cooling than now.
    Guarded,
    /// Beyond critical, until back under target: most cooling.
    Critical,
    /// Required readings missing, or boot: the failsafe setpoints of the zone's causes.
    Failsafe,
}

/// One zone's part of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneReport {
    /// Level in force: the worst of the zone's equipment.
    pub level: Level,
    /// Authority in force (after demotions).
    pub authority: Authority,
    /// Authority asked for by the configuration or a person.
    pub wanted: Authority,
    /// Why, each with its evidence.
    pub causes: Vec<String>,
}

/// What safety did and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SafetyReport {
    /// One a zone.
    pub zones: Vec<ZoneReport>,
    /// Setpoints of the plan that were refused or changed: tag, wanted, given, why.
    pub changes: Vec<Change>,
    /// What happened.
    pub events: Vec<Event>,
    /// What is asked of the scheduler and the building system while its reasons last.
    pub asks: Vec<Ask>,
    /// Overrides in force.
    pub overrides: Vec<Held>,
}

/// A setpoint that a person holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Tag of the point.
    pub tag: String,
    /// Who.
    pub by: String,
    /// For how long still, s.
    pub left_s: f64,
}

/// One refused or changed setpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Tag of the point.
    pub tag: String,
    /// What the plan or the override wanted.
    pub wanted: f64,
    /// What was commanded, `None` where nothing was.
    pub given: Option<f64>,
    /// The rule that did it.
    pub why: String,
}
