//! What a plan may do. The only maker of [`Commands`].

mod commands;

use crate::site::{Authority, Site};
use crate::snapshot::{Event, Now, Plan, Request, Snapshot};
pub use commands::{Command, Commands};
use serde::{Deserialize, Serialize};

/// What safety remembers from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {}

/// What is true of the plant, found before any model is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {}

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

/// Looks at the plant with safety's own sensors, before any model.
pub fn assess(_site: &Site, _snapshot: &Snapshot, _state: &mut State, _now: Now) -> Facts {
    Facts::default()
}

/// Turns a plan and requests into commands.
pub fn judge(
    _site: &Site,
    _facts: &Facts,
    _plan: &Plan,
    _requests: &[Request],
    _snapshot: &Snapshot,
    _state: &mut State,
    _now: Now,
) -> (Commands, SafetyReport) {
    (Commands::seal(0, vec![]), SafetyReport::default())
}

/// The commands that give every writable point back: shutdown, lost lease and demotion take this path.
pub fn release(_site: &Site, _state: &mut State, _now: Now) -> Commands {
    Commands::seal(0, vec![])
}
