//! A clue over hours: what it costs on average, and when that becomes advice.

use super::Cycle;
use super::clues::{About, Clue, Kind};
use crate::control::Rates;
use crate::site::Site;
use crate::snapshot::{Event, Now, Severity};
use serde::{Deserialize, Serialize};

/// Time over which savings are averaged, s.
const MEMORY_S: f64 = 86_400.0;
/// A clue is advice after so long, s,
const RIPE_S: f64 = 21_600.0;
/// if it held for so much of it,
const HELD: f64 = 0.8;
/// and saves so much of what cooling costs, heat sold counted as a cost of not selling it.
const WORTH: f64 = 0.01;
/// Advice that was taken or declined is not raised again for so long, s.
const SETTLED_S: f64 = 30.0 * 86_400.0;

/// Amounts a day.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PerDay {
    /// In the site's currency.
    pub money: f64,
    /// Electricity, kWh.
    pub kwh: f64,
    /// Make-up water, L.
    pub litres: f64,
    /// Carbon of the electricity, kg.
    pub co2e_kg: f64,
}

/// Advice that stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Its number; never used again.
    pub id: u64,
    /// What could be done.
    pub kind: Kind,
    /// To what: an equipment, or the tag of a setpoint.
    pub subject: String,
    /// What is seen.
    pub text: String,
    /// What to do.
    pub action: String,
    /// What it saves.
    pub per_day: PerDay,
    /// 0 to 1: how steadily it was seen, and for how much of a day.
    pub confidence: f64,
    /// What could go wrong.
    pub risk: String,
    /// When it was raised, wall ms.
    pub since_ms: i64,
}

/// A clue that is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    clue: Clue,
    /// Averages of the saving, of its carbon (kg/h), and of what cooling costs in all (money/h).
    saved: Rates,
    co2e_kg_per_h: f64,
    costs_per_h: f64,
    /// Time that it was looked at, and that it was seen, s.
    looked_s: f64,
    seen_s: f64,
    missed_s: f64,
    raised: Option<(u64, i64)>,
    settled_mono_ms: Option<u64>,
}

impl Watch {
    pub(super) const fn new(clue: Clue) -> Self {
        Self {
            clue,
            saved: Rates {
                money_per_h: 0.0,
                kw: 0.0,
                litres_per_h: 0.0,
            },
            co2e_kg_per_h: 0.0,
            costs_per_h: 0.0,
            looked_s: 0.0,
            seen_s: 0.0,
            missed_s: 0.0,
            raised: None,
            settled_mono_ms: None,
        }
    }

    pub(super) fn is_about(&self, clue: &Clue) -> bool {
        self.clue.kind == clue.kind && self.clue.subject == clue.subject
    }

    pub(super) const fn clue(&self) -> &Clue {
        &self.clue
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.raised.map(|(id, _)| id)
    }

    /// Takes up a look in which it was seen.
    pub(super) fn see(&mut self, cycle: &Cycle<'_>, clue: &Clue, saved: Rates, base: Rates, passed_s: f64) {
        self.clue = clue.clone();
        self.seen_s += passed_s;
        self.looked_s += passed_s;
        self.missed_s = 0.0;
        let share = if self.seen_s > passed_s {
            passed_s / self.seen_s.min(MEMORY_S)
        } else {
            1.0
        };
        let follow = |mean: &mut f64, now: f64| *mean += share * (now - *mean);
        follow(&mut self.saved.money_per_h, saved.money_per_h);
        follow(&mut self.saved.kw, saved.kw);
        follow(&mut self.saved.litres_per_h, saved.litres_per_h);
        let (wall_ms, hour) = (cycle.now.wall_ms, cycle.now.local_hour());
        let carbon_g = cycle.site.carbon_g_per_kwh(wall_ms, hour);
        follow(&mut self.co2e_kg_per_h, saved.kw * carbon_g / 1000.0);
        let price = cycle.site.energy_price(wall_ms, hour);
        follow(
            &mut self.costs_per_h,
            (base.kw * price).abs().max(base.money_per_h.abs()),
        );
    }

    /// A look in which it was not seen.
    pub(super) fn miss(&mut self, passed_s: f64) {
        self.looked_s += passed_s;
        self.missed_s += passed_s;
    }

    /// Whether it is gone for good.
    pub(super) fn is_over(&self) -> bool {
        self.settled_mono_ms.is_none() && self.missed_s > RIPE_S
    }

    fn held(&self) -> f64 {
        if self.looked_s > 0.0 {
            self.seen_s / self.looked_s
        } else {
            0.0
        }
    }

    pub(super) fn becomes_advice(&self, now: Now) -> bool {
        let settled = self.settled_mono_ms.is_some_and(|at| now.seconds_since(at) < SETTLED_S);
        self.raised.is_none()
            && !settled
            && self.seen_s >= RIPE_S
            && self.held() >= HELD
            && self.saved.money_per_h > WORTH * self.costs_per_h
    }

    pub(super) fn raise(&mut self, id: u64, now: Now) {
        self.raised = Some((id, now.wall_ms));
        self.settled_mono_ms = None;
    }

    /// It was taken or declined.
    pub(super) fn settle(&mut self, now: Now) {
        self.raised = None;
        self.settled_mono_ms = Some(now.mono_ms);
    }

    pub(super) fn tell(&self, site: &Site) -> Option<Event> {
        let advice = self.advice()?;
        Some(Event {
            severity: Severity::Info,
            code: "advice_raised".into(),
            subject: advice.subject.clone(),
            text: format!(
                "advice {} ({}): {}; saves {:.2} {} and {:.1} kWh a day",
                advice.id,
                advice.kind.name(),
                advice.action,
                advice.per_day.money,
                site.currency,
                advice.per_day.kwh
            ),
        })
    }

    pub(super) fn advice(&self) -> Option<Advice> {
        let (id, since_ms) = self.raised?;
        let clue = &self.clue;
        let (text, action) = words(clue);
        Some(Advice {
            id,
            kind: clue.kind,
            subject: clue.subject.clone(),
            text,
            action,
            per_day: PerDay {
                money: 24.0 * self.saved.money_per_h,
                kwh: 24.0 * self.saved.kw,
                litres: 24.0 * self.saved.litres_per_h,
                co2e_kg: 24.0 * self.co2e_kg_per_h,
            },
            confidence: self.held() * (self.seen_s / MEMORY_S).min(1.0),
            risk: clue.kind.risk().to_owned(),
            since_ms,
        })
    }
}

/// What is seen and what to do.
fn words(clue: &Clue) -> (String, String) {
    let Clue {
        kind,
        subject,
        now,
        could,
        about,
    } = clue;
    let percent = 100.0 * (1.0 - now / could);
    let _: &About = about;
    match kind {
        Kind::ExchangerFouled => (
            format!("the exchanger of {subject} passes {percent:.0} % less heat per kelvin than its like"),
            format!("clean the exchanger of {subject}"),
        ),
        Kind::StrainerClogged => (
            format!("{subject} takes {percent:.0} % less facility water through its open valve than its like"),
            format!("clean the strainer of {subject}"),
        ),
        Kind::CellWeak => (
            format!(
                "the heat rejection of {subject} gives off {:.0} % of what its nameplates say",
                100.0 * now
            ),
            format!("serve the heat rejection of {subject}: fill, nozzles, fans"),
        ),
        Kind::CoolantBypass => (
            format!(
                "{:.0} % of the coolant of {subject} never reaches its racks",
                100.0 * now
            ),
            format!("find and close the bypass of {subject}"),
        ),
        Kind::SetpointLow => (
            format!("{subject} is held at {now:.1} degC, the plan would have {could:.1}"),
            format!("let go of {subject}, or raise it to {could:.1} degC"),
        ),
        Kind::HeaderPressure => (
            format!("{subject} is held at {now:.0} kPa, the plan would have {could:.0}"),
            format!("let go of {subject}, or lower it to {could:.0} kPa"),
        ),
    }
}
