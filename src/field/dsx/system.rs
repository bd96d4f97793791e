//! The points of the System object: heartbeats and their echoes, status, and who may do what.

use crate::site::DsxSettings;
use crate::snapshot::Now;
use std::collections::BTreeMap;
use wire::dsx::{self, Metadata, Reading};

/// Without a heartbeat for this long the BMS is silent, s: three beats.
const SILENT_S: f64 = 30.0;

/// What a point of the System object is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// The BMS's own time.
    BmsBeat,
    /// Our time, as the BMS heard it.
    EchoOfUs,
    /// The operator's switch.
    Enabled,
    /// The BMS has thrown us out.
    KickedOut,
    /// Ours to publish.
    Beat,
    Echo,
    Status,
    Available,
    Ready,
}

/// What is known of the other side.
pub(super) struct System {
    settings: DsxSettings,
    /// By the tail of their topics: what the BMS publishes of it.
    heard: BTreeMap<String, Role>,
    /// By role: topics that are ours.
    ours: BTreeMap<String, (Role, String)>,
    /// Last value of each, and when.
    seen: BTreeMap<Role, (f64, u64)>,
    /// Our heartbeats that await their echo: no more than a few.
    first_beat_ms: Option<u64>,
}

impl System {
    pub(super) fn new(settings: &DsxSettings) -> Self {
        Self {
            settings: settings.clone(),
            heard: BTreeMap::new(),
            ours: BTreeMap::new(),
            seen: BTreeMap::new(),
            first_beat_ms: None,
        }
    }

    /// Forgets everything: there is a new connection, or none.
    pub(super) fn forget(&mut self) {
        self.heard.clear();
        self.ours.clear();
        self.seen.clear();
        self.first_beat_ms = None;
    }

    /// Forgets one point, and what it said.
    pub(super) fn withdraw(&mut self, tail: &str) {
        self.ours.remove(tail);
        self.heard.remove(tail);
    }

    pub(super) fn metadata(&mut self, metadata: &Metadata) {
        if metadata.object_type != "System" {
            return;
        }
        let us = &self.settings.integration;
        let about_us = metadata.object == *us || metadata.name == *us;
        let within = |areas: &[String]| areas.iter().all(|area| metadata.process_area.contains(area));
        if let Some(topic) = metadata.integration_topic(us) {
            let role = match metadata.point_type.as_str() {
                "HeartbeatTimestampIntegration" => Role::Beat,
                "HeartbeatEchoIntegration" => Role::Echo,
                "Status" => Role::Status,
                "Available" => Role::Available,
                "GenericPoint" if within(&self.settings.ready) => Role::Ready,
                _ => return,
            };
            self.ours.insert(metadata.tail.clone(), (role, topic));
            return;
        }
        let role = match metadata.point_type.as_str() {
            "HeartbeatTimestampBms" => Role::BmsBeat,
            "HeartbeatEchoBms" if about_us => Role::EchoOfUs,
            "GenericPoint" if about_us && within(&self.settings.enabled) => Role::Enabled,
            "GenericPoint" if about_us && within(&self.settings.kicked_out) => Role::KickedOut,
            _ => return,
        };
        if metadata.integration.is_none() {
            self.heard.insert(metadata.tail.clone(), role);
        }
    }

    /// Takes a value; the topic, where the BMS's heartbeat is to be echoed.
    pub(super) fn value(&mut self, tail: &str, reading: &Reading, sampled_ms: u64) -> Option<String> {
        let role = *self.heard.get(tail)?;
        let value = reading.value.filter(|_| reading.good)?;
        // A heartbeat lives by being another one than before.
        let beats = matches!(role, Role::BmsBeat | Role::EchoOfUs);
        let is_new = self
            .seen
            .get(&role)
            .is_none_or(|(before, _)| before.to_bits() != value.to_bits());
        if is_new || !beats {
            self.seen.insert(role, (value, sampled_ms));
        }
        let echo = self.ours.values().find(|(role, _)| *role == Role::Echo);
        (role == Role::BmsBeat && is_new).then(|| echo.map(|(_, topic)| topic.clone()))?
    }

    /// Whether we may ask for anything, or why not.
    pub(super) fn permission(&self, now: Now) -> Result<(), String> {
        let fresh = |role: Role| {
            self.seen
                .get(&role)
                .is_some_and(|(_, at_ms)| now.seconds_since(*at_ms) <= SILENT_S)
        };
        if !fresh(Role::BmsBeat) {
            return Err(format!("the BMS has sent no heartbeat for {SILENT_S} s"));
        }
        let known = |role: Role| self.heard.values().any(|heard| *heard == role);
        let waited = self
            .first_beat_ms
            .is_some_and(|at_ms| now.seconds_since(at_ms) > SILENT_S);
        if known(Role::EchoOfUs) && waited && !fresh(Role::EchoOfUs) {
            return Err(format!("the BMS has not echoed our heartbeat for {SILENT_S} s"));
        }
        let is_one = |role: Role| self.seen.get(&role).is_some_and(|(value, _)| *value >= 0.5);
        if known(Role::Enabled) && !is_one(Role::Enabled) {
            return Err("the BMS's operator has not enabled us".into());
        }
        if known(Role::KickedOut) && is_one(Role::KickedOut) {
            return Err("the BMS has kicked us out".into());
        }
        Ok(())
    }

    /// What is to be said every ten seconds: our time while the control loop is `alive`, and how we are.
    pub(super) fn beat(&mut self, now: Now, alive: bool, operating: bool) -> Vec<(String, Vec<u8>)> {
        let permitted = self.permission(now).is_ok();
        if alive && self.ours.values().any(|(role, _)| *role == Role::Beat) {
            self.first_beat_ms.get_or_insert(now.mono_ms);
        }
        let state = |flag: bool| f64::from(u8::from(flag));
        self.say(now, |role| match role {
            Role::Beat => alive.then_some(now.wall_ms as f64),
            Role::Status => Some(state(alive && operating && permitted)),
            Role::Available | Role::Ready => Some(state(alive)),
            _ => None,
        })
    }

    /// What is said before an orderly end.
    pub(super) fn farewell(&self, now: Now) -> Vec<(String, Vec<u8>)> {
        self.say(now, |role| {
            matches!(role, Role::Status | Role::Available | Role::Ready).then_some(0.0)
        })
    }

    fn say(&self, now: Now, value: impl Fn(Role) -> Option<f64>) -> Vec<(String, Vec<u8>)> {
        let ours = self.ours.values();
        ours.filter_map(|(role, topic)| Some((topic.clone(), dsx::message(Some(value(*role)?), now.wall_ms))))
            .collect()
    }
}
