//! What a person could do about the plant, what it would bring, and what came of it. It commands nothing.
//!
//! | file | subject |
//! |---|---|
//! | `clues` | what may be worth a person's hand now: ratios that have left those of their like, setpoints that people hold |
//! | `watch` | a clue over hours: what it costs on average, and when that becomes advice |
//! | `taken` | advice that was taken: what was promised, what came |
//! | `retrofit` | a change of the plant itself, on the record |
//! | `ride_through` | how long each CDU stays within limits when flow, pumps or heat rejection are lost |
//!
//! A saving is a difference on the controller's own learned model under the same weather, load and prices, every ten
//! minutes, averaged over up to a day: of two searches for the cheapest operating point where the plant itself would be
//! another, of two costs at the point that there is where only a setpoint would.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::disallowed_methods, clippy::disallowed_types)
)]

mod clues;
mod retrofit;
mod ride_through;
mod taken;
mod watch;

use crate::control::{self, WhatIf};
use crate::site::{PointId, Site};
use crate::snapshot::{Event, HeatForecast, Now, Plan, Request, RequestKind, Severity, Snapshot};
pub use clues::Kind;
pub use retrofit::{Cells, LargerExchanger, LargerReuse, Retrofit};
pub use ride_through::{RideThrough, ride_through};
use serde::{Deserialize, Serialize};
pub use taken::Taken;
use watch::Watch;
pub use watch::{Advice, PerDay};

/// Time between two looks at the plant, s.
const LOOK_S: f64 = 600.0;
/// Advice that was taken and is remembered.
const TAKEN_MOST: usize = 50;

/// What is remembered of advice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    looked_mono_ms: Option<u64>,
    last: u64,
    watches: Vec<Watch>,
    taken: Vec<Taken>,
}

impl State {
    /// The advice that stands, the largest saving first.
    pub fn open(&self) -> Vec<Advice> {
        let mut open: Vec<Advice> = self.watches.iter().filter_map(Watch::advice).collect();
        open.sort_by(|a, b| b.per_day.money.total_cmp(&a.per_day.money));
        open
    }

    /// The advice that was taken, oldest first.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }
}

/// What a cycle hands over.
#[derive(Debug, Clone, Copy)]
pub struct Cycle<'a> {
    /// The facility.
    pub site: &'a Site,
    /// Readings.
    pub snapshot: &'a Snapshot,
    /// Forecast.
    pub heat: &'a HeatForecast,
    /// What the strategy wants.
    pub plan: &'a Plan,
    /// Setpoints that the strategy does not decide now: held by a person, or in a zone where nothing is written.
    pub held: &'a [PointId],
    /// What the strategies remember.
    pub control: &'a control::State,
    /// Time.
    pub now: Now,
}

/// Looks at the plant, every ten minutes, and takes people's word on the advice that stands.
pub fn consider(cycle: &Cycle<'_>, requests: &[Request], state: &mut State) -> Vec<Event> {
    let mut told: Vec<Event> = requests
        .iter()
        .filter_map(|request| state.hear(request, cycle.now))
        .collect();
    let due = state
        .looked_mono_ms
        .is_none_or(|at| cycle.now.seconds_since(at) >= LOOK_S);
    if due {
        let passed_s = state
            .looked_mono_ms
            .map_or(0.0, |at| cycle.now.seconds_since(at).min(2.0 * LOOK_S));
        state.looked_mono_ms = Some(cycle.now.mono_ms);
        told.extend(state.look(cycle, passed_s));
    }
    told
}

impl State {
    fn look(&mut self, cycle: &Cycle<'_>, passed_s: f64) -> Vec<Event> {
        let as_is = WhatIf::new(cycle.site, cycle.snapshot, cycle.heat, cycle.control, cycle.now);
        let Some(base) = as_is.rates(None) else { return vec![] };
        let mut told = Vec::new();
        let clues = clues::find(cycle, &as_is);
        for clue in &clues {
            let Some(saved) = clues::saving(&as_is, base, clue) else {
                continue;
            };
            if !self.watches.iter().any(|watch| watch.is_about(clue)) {
                self.watches.push(Watch::new(clue.clone()));
            }
            let Some(watch) = self.watches.iter_mut().find(|watch| watch.is_about(clue)) else {
                continue;
            };
            watch.see(cycle, clue, saved, base, passed_s);
            if watch.becomes_advice(cycle.now) {
                self.last += 1;
                watch.raise(self.last, cycle.now);
                told.extend(watch.tell(cycle.site));
            }
        }
        for watch in &mut self.watches {
            if !clues.iter().any(|clue| watch.is_about(clue)) {
                watch.miss(passed_s);
            }
        }
        self.watches.retain(|watch| !watch.is_over());
        for taken in &mut self.taken {
            taken.follow(&as_is, base, passed_s);
        }
        told
    }

    fn hear(&mut self, request: &Request, now: Now) -> Option<Event> {
        let (id, takes) = match request.kind {
            RequestKind::TakeAdvice { advice } => (advice, true),
            RequestKind::DeclineAdvice { advice } => (advice, false),
            _ => return None,
        };
        let by = request.author.name();
        let found = self.watches.iter_mut().find(|watch| watch.number() == Some(id));
        let Some((watch, advice)) = found
            .and_then(|watch| Some((watch.advice()?, watch)))
            .map(|(a, w)| (w, a))
        else {
            return Some(Event {
                severity: Severity::Warning,
                code: "request_refused".into(),
                subject: format!("advice {id}"),
                text: format!("{by} asked in vain: no advice {id} stands; /api/v1/state lists it"),
            });
        };
        if takes {
            if self.taken.len() >= TAKEN_MOST {
                self.taken.remove(0);
            }
            self.taken.push(Taken::new(&advice, watch.clue(), by, now));
        }
        watch.settle(now);
        let (code, did) = if takes {
            ("advice_taken", "takes")
        } else {
            ("advice_declined", "declines")
        };
        Some(Event {
            severity: Severity::Info,
            code: code.into(),
            subject: advice.subject.clone(),
            text: format!("{by} {did} advice {id} ({}): {}", advice.kind.name(), advice.action),
        })
    }
}
