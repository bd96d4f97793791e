//! What safety did and why, as data.

use super::Level;
use crate::site::Authority;
use crate::snapshot::Event;
use serde::{Deserialize, Serialize};

/// One zone's part of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneReport {
    /// Level in force.
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
}

/// One refused or changed setpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Tag of the point.
    pub tag: String,
    /// What the plan wanted.
    pub wanted: f64,
    /// What was commanded, `None` where nothing was.
    pub given: Option<f64>,
    /// The rule that did it.
    pub why: String,
}
