//! Alarms: which conditions stand, who has seen them, which are put aside for a while, and which came first.
//!
//! An alarm begins with an event of severity warning or alarm and is over with the event of the same code and `_over`.
//! A person acknowledges it, or shelves it for a time, by a request; both are part of the memory, so that a restart keeps
//! them and a replay repeats them. Nothing here changes what is commanded: an alarm that is shelved is only quiet.
//!
//! States follow ISA-18.2: standing, standing and acknowledged, over but not acknowledged; over and acknowledged leaves
//! the list.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::disallowed_methods, clippy::disallowed_types)
)]

#[cfg(test)]
mod tests;

use crate::snapshot::{Event, Now, Request, RequestKind, Severity};
use serde::{Deserialize, Serialize};

/// Longest time for which an alarm may be shelved, s: a shift.
pub const SHELVE_MAX_S: f64 = 28_800.0;

/// Alarms that are kept; beyond it the oldest that is over goes first, then the oldest.
pub const MOST: usize = 400;

/// An alarm that begins so soon after another belongs to it, s.
const GROUP_S: f64 = 120.0;

/// What people do and what the controller decides for itself is told as events, and is no alarm.
const NO_ALARMS: &[&str] = &[
    "override_set",
    "override_ended",
    "authority_set",
    "plan_accepted",
    "plan_declined",
    "stopped",
    "request_refused",
    "level_changed",
    "strategy_changed",
];

/// Happens once and does not stand.
const ONCE: &[&str] = &["write_mismatch"];

/// Conditions whose end has a name of its own.
const ENDS: &[(&str, &str)] = &[("authority_returned", "authority_demoted")];

/// A person's mark on an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Who.
    pub by: String,
    /// Wall time: of the acknowledgement, or until which it is shelved, ms.
    pub wall_ms: i64,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number; never used again.
    pub id: u64,
    /// How much it matters.
    pub severity: Severity,
    /// Stable name of the condition.
    pub code: String,
    /// Tag, equipment or zone.
    pub subject: String,
    /// The evidence when it last began.
    pub text: String,
    /// When it last began, wall ms.
    pub since_ms: i64,
    began_mono_ms: u64,
    /// When it was over, wall ms; `None` as long as it stands.
    pub over_ms: Option<i64>,
    /// How often it has begun since it entered the list.
    pub times: u32,
    /// Who has seen it, and when.
    pub acknowledged: Option<Mark>,
    /// Who has put it aside, and until when.
    pub shelved: Option<Mark>,
    shelved_until_mono_ms: u64,
    /// The alarm that came first of those that began close together; its own number where that is this one.
    pub first_up: u64,
}

/// What is remembered of alarms.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    last: u64,
    alarms: Vec<Alarm>,
}

impl State {
    /// The alarms, oldest first.
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }
}

/// Takes up a cycle's events and requests; answers what is to be told of them.
pub fn attend(events: &[Event], requests: &[Request], state: &mut State, now: Now) -> Vec<Event> {
    let mut told = Vec::new();
    for event in events {
        if let Some(code) = ended(&event.code) {
            for alarm in state.alarms.iter_mut().filter(|alarm| alarm.is(code, &event.subject)) {
                alarm.over_ms.get_or_insert(now.wall_ms);
            }
        } else if event.severity >= Severity::Warning && !NO_ALARMS.contains(&event.code.as_str()) {
            state.begin(event, now);
        }
    }
    for alarm in &mut state.alarms {
        if alarm.shelved.is_some() && alarm.shelved_until_mono_ms <= now.mono_ms {
            alarm.shelved = None;
            told.push(alarm.tell("alarm_unshelved", "its time on the shelf is over"));
        }
    }
    for request in requests {
        let by = request.author.name();
        let (alarm, done) = match request.kind {
            RequestKind::Acknowledge { alarm } => (alarm, state.acknowledge(alarm, by, now)),
            RequestKind::Shelve { alarm, for_s } => (alarm, state.shelve(alarm, for_s, by, now)),
            RequestKind::Unshelve { alarm } => (alarm, state.unshelve(alarm, by)),
            _ => continue,
        };
        told.push(done.unwrap_or_else(|why| Event {
            severity: Severity::Warning,
            code: "request_refused".into(),
            subject: format!("alarm {alarm}"),
            text: format!("{by} asked in vain: {why}"),
        }));
    }
    state
        .alarms
        .retain(|alarm| alarm.over_ms.is_none() || alarm.acknowledged.is_none());
    told
}

/// The code of the condition that an event ends.
fn ended(code: &str) -> Option<&str> {
    let own = ENDS.iter().find(|(end, _)| *end == code).map(|(_, begin)| *begin);
    own.or_else(|| code.strip_suffix("_over"))
}

impl Alarm {
    fn is(&self, code: &str, subject: &str) -> bool {
        self.code == code && self.subject == subject
    }

    fn tell(&self, code: &str, text: &str) -> Event {
        Event {
            severity: Severity::Info,
            code: code.into(),
            subject: self.subject.clone(),
            text: format!("alarm {} ({}): {text}", self.id, self.code),
        }
    }
}

impl State {
    fn begin(&mut self, event: &Event, now: Now) {
        let recent = self.alarms.iter().filter(|alarm| {
            !alarm.is(&event.code, &event.subject) && now.seconds_since(alarm.began_mono_ms) <= GROUP_S
        });
        let first = recent.max_by_key(|alarm| alarm.id).map(|alarm| alarm.first_up);
        let over_ms = ONCE.contains(&event.code.as_str()).then_some(now.wall_ms);
        if let Some(known) = self
            .alarms
            .iter_mut()
            .find(|alarm| alarm.is(&event.code, &event.subject))
        {
            // It came back: whoever saw it before has not seen this.
            if known.over_ms.is_some() {
                known.acknowledged = None;
                known.first_up = first.unwrap_or(known.id);
            }
            known.severity = event.severity;
            known.text.clone_from(&event.text);
            known.since_ms = now.wall_ms;
            known.began_mono_ms = now.mono_ms;
            known.over_ms = over_ms;
            known.times = known.times.saturating_add(1);
            return;
        }
        if self.alarms.len() >= MOST {
            let oldest = self
                .alarms
                .iter()
                .position(|alarm| alarm.over_ms.is_some())
                .unwrap_or(0);
            self.alarms.remove(oldest);
        }
        self.last += 1;
        self.alarms.push(Alarm {
            id: self.last,
            severity: event.severity,
            code: event.code.clone(),
            subject: event.subject.clone(),
            text: event.text.clone(),
            since_ms: now.wall_ms,
            began_mono_ms: now.mono_ms,
            over_ms,
            times: 1,
            acknowledged: None,
            shelved: None,
            shelved_until_mono_ms: 0,
            first_up: first.unwrap_or(self.last),
        });
    }

    fn find(&mut self, id: u64) -> Result<&mut Alarm, String> {
        let found = self.alarms.iter_mut().find(|alarm| alarm.id == id);
        found.ok_or_else(|| format!("there is no alarm {id}; /api/v1/alarms lists them"))
    }

    fn acknowledge(&mut self, id: u64, by: &str, now: Now) -> Result<Event, String> {
        let alarm = self.find(id)?;
        alarm.acknowledged = Some(Mark {
            by: by.to_owned(),
            wall_ms: now.wall_ms,
        });
        Ok(alarm.tell("alarm_acknowledged", &format!("acknowledged by {by}")))
    }

    fn shelve(&mut self, id: u64, for_s: f64, by: &str, now: Now) -> Result<Event, String> {
        if !(for_s > 0.0 && for_s <= SHELVE_MAX_S) {
            return Err(format!(
                "an alarm is shelved for more than 0 and up to {SHELVE_MAX_S:.0} s, not for {for_s}"
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie within a shift"
        )]
        let for_ms = (for_s * 1000.0) as u64;
        let alarm = self.find(id)?;
        alarm.shelved = Some(Mark {
            by: by.to_owned(),
            wall_ms: now.wall_ms.saturating_add_unsigned(for_ms),
        });
        alarm.shelved_until_mono_ms = now.mono_ms.saturating_add(for_ms);
        Ok(alarm.tell("alarm_shelved", &format!("shelved by {by} for {:.0} min", for_s / 60.0)))
    }

    fn unshelve(&mut self, id: u64, by: &str) -> Result<Event, String> {
        let alarm = self.find(id)?;
        match alarm.shelved.take() {
            Some(_) => Ok(alarm.tell("alarm_unshelved", &format!("taken off the shelf by {by}"))),
            None => Err(format!("alarm {id} is not shelved")),
        }
    }
}
