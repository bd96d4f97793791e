//! Advice that was taken: what was promised, what came.
//!
//! What came is the same difference as was promised, looked at from the other side: what the plant would cost if it still
//! were as it was when the advice was taken, less what it costs as it is now. A ratio that did not move brings nothing.

use super::clues::{About, Clue, Kind};
use super::watch::{Advice, PerDay};
use crate::control::{Change, Rates, WhatIf};
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};

/// Time after which what came is told, s.
const TOLD_S: f64 = 3600.0;
/// Time for which it is followed, s.
const FOLLOWED_S: f64 = 30.0 * 86_400.0;

/// Advice that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The number of the advice.
    pub id: u64,
    /// What was done.
    pub kind: Kind,
    /// To what.
    pub subject: String,
    /// When it was taken, wall ms.
    pub taken_ms: i64,
    /// By whom.
    pub by: String,
    /// What was promised.
    pub promised: PerDay,
    /// Time that it was followed, s.
    pub watched_s: f64,
    came: Rates,
    clue: Clue,
}

impl Taken {
    pub(super) fn new(advice: &Advice, clue: &Clue, by: &str, now: Now) -> Self {
        Self {
            id: advice.id,
            kind: advice.kind,
            subject: advice.subject.clone(),
            taken_ms: now.wall_ms,
            by: by.to_owned(),
            promised: advice.per_day,
            watched_s: 0.0,
            came: Rates::default(),
            clue: clue.clone(),
        }
    }

    /// What came so far, a day; `None` in the first hour.
    pub fn came(&self) -> Option<PerDay> {
        (self.watched_s >= TOLD_S).then_some(PerDay {
            money: 24.0 * self.came.money_per_h,
            kwh: 24.0 * self.came.kw,
            litres: 24.0 * self.came.litres_per_h,
            co2e_kg: 0.0,
        })
    }

    pub(super) fn follow(&mut self, as_is: &WhatIf<'_>, base: Rates, passed_s: f64) {
        if self.watched_s >= FOLLOWED_S || passed_s <= 0.0 {
            return;
        }
        let came = match self.clue.about {
            About::Ratio(change) => as_is
                .rates(Some(at(change, self.clue.now)))
                .map(|before| before.less(base)),
            About::Held(point) => as_is.setpoint(point, self.clue.now),
        };
        let Some(came) = came else { return };
        self.watched_s += passed_s;
        let share = passed_s / self.watched_s;
        let follow = |mean: &mut f64, now: f64| *mean += share * (now - *mean);
        follow(&mut self.came.money_per_h, came.money_per_h);
        follow(&mut self.came.kw, came.kw);
        follow(&mut self.came.litres_per_h, came.litres_per_h);
    }
}

/// A change at another value.
const fn at(change: Change, value: f64) -> Change {
    match change {
        Change::Exchanger(cdu, _) => Change::Exchanger(cdu, value),
        Change::Strainer(cdu, _) => Change::Strainer(cdu, value),
        Change::Rejection(id, _) => Change::Rejection(id, value),
        Change::Bypass(cdu, _) => Change::Bypass(cdu, value),
    }
}
