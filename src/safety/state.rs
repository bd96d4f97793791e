//! What safety remembers from cycle to cycle.

use super::authority::ZoneState;
use super::building::Beat;
use super::devices::DeviceState;
use super::doubts::Doubts;
use super::held::HeldPoints;
use super::limits::Latches;
use super::notices::{Code, Subject};
use super::outlook::Outlook;
use super::readings::Memory;
use super::requests::Override;
use super::trouble::Troubles;
use super::votes::Votes;
use crate::site::{PointId, Site};
use crate::snapshot::{Duty, Now};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What safety remembers from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// The site that the ids in here belong to.
    site_hash: String,
    pub(super) cycle: u64,
    /// Whether it is our turn to write.
    pub(super) duty: Duty,
    /// When commands were last made.
    judged_ms: Option<u64>,
    pub(super) memory: Memory,
    pub(super) doubts: Doubts,
    pub(super) votes: Votes,
    pub(super) troubles: Troubles,
    pub(super) outlook: Outlook,
    pub(super) building: Beat,
    pub(super) latches: Latches,
    pub(super) devices: Vec<DeviceState>,
    pub(super) zones: Vec<ZoneState>,
    pub(super) held: HeldPoints,
    pub(super) overrides: BTreeMap<PointId, Override>,
    pub(super) active: BTreeSet<(Code, Subject)>,
}

impl State {
    /// Makes the memory fit a site. Ids of another site would point at other equipment, so such a memory is dropped.
    pub(super) fn fit(&mut self, site: &Site, now: Now) {
        if self.site_hash != site.hash || self.zones.len() != site.zones.len() {
            *self = Self {
                site_hash: site.hash.clone(),
                cycle: self.cycle,
                duty: self.duty,
                devices: vec![DeviceState::default(); site.devices.len()],
                zones: site.zones.iter().map(|zone| ZoneState::new(zone.authority)).collect(),
                ..Self::default()
            };
        }
        // A memory from a process whose clock ran ahead of ours: its setpoints may long be given back.
        if self.judged_ms.is_some_and(|at| at > now.mono_ms) {
            self.judged_ms = None;
            self.held.clear();
        }
    }

    /// Takes note of whose turn it is.
    pub fn take_duty(&mut self, duty: Duty) {
        self.duty = duty;
    }

    /// Time since commands were last made, s, to limit rates by: one cycle at first, two at most, so that a pause is no
    /// licence to jump.
    pub(super) fn since_judged_s(&mut self, site: &Site, now: Now) -> f64 {
        let cycle_s = site.control.cycle_s;
        let since_s = self.judged_ms.map_or(cycle_s, |at| now.seconds_since(at));
        self.judged_ms = Some(now.mono_ms);
        since_s.min(2.0 * cycle_s)
    }
}
