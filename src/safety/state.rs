//! What safety remembers from cycle to cycle.

use super::Level;
use crate::site::Authority;
use crate::snapshot::Author;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What safety remembers from cycle to cycle. Points are keyed by their number.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Cycles judged; their number is the heartbeat.
    pub(super) cycle: u64,
    /// Monotonic time of the last judgement, ms.
    pub(super) judged_mono_ms: Option<u64>,
    /// Required points that have not reported since the start.
    pub(super) awaited: Option<BTreeSet<usize>>,
    /// Levels of measured limits, for their hysteresis.
    pub(super) bands: BTreeMap<usize, Level>,
    /// The last known dew point of each zone, degC.
    pub(super) dew_point_c: BTreeMap<usize, f64>,
    /// What was last commanded.
    pub(super) sent: BTreeMap<usize, Sent>,
    /// Zones, in the site's order.
    pub(super) zones: Vec<ZoneState>,
    /// Overrides in force.
    pub(super) overrides: BTreeMap<usize, Override>,
    /// Conditions that have been told and still hold.
    pub(super) told: BTreeSet<String>,
}

/// What was last commanded to a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub value: f64,
    /// Cycles for which the device has shown another value.
    pub mismatches: u32,
    /// Until when the point is left to whoever else writes it, monotonic ms.
    pub yielded_until_ms: u64,
    /// The setpoint that was found on entry: the centre of the band in bounded authority.
    pub found: f64,
}

/// What is remembered of a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ZoneState {
    /// Authority asked for.
    pub wanted: Authority,
    /// Until when the zone is demoted, monotonic ms.
    pub demoted_until_ms: Option<u64>,
    /// Times of vetoes within the window, monotonic ms.
    pub vetoes: Vec<u64>,
    /// Whether the points are being led back to their release values.
    pub leaving: bool,
    /// Whether a person asked to stop at once: the way back has no ramp.
    pub stopped: bool,
}

/// A person's hold on a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Override {
    pub value: f64,
    pub until_ms: u64,
    pub author: Author,
}
