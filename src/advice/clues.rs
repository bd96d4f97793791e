//! What may be worth a person's hand now.

use super::Cycle;
use crate::control::{Change, Rates, WhatIf};
use crate::site::{CduId, LoopId, PointId};
use serde::{Deserialize, Serialize};

/// A ratio this far below that of its like is a clue; the names that control gives begin a little further on.
const FALLEN: f64 = 0.88;
/// Time of telling readings before a ratio is believed, s.
const TOLD_S: f64 = 3600.0;
/// Share of a CDU's coolant that its racks miss, from which it is a clue: beyond two flow meters' error.
const BYPASSED: f64 = 0.06;
/// A supply setpoint held this much colder than the plan's is a clue, K.
const COLDER_K: f64 = 1.0;
/// A pressure setpoint held this much above the plan's is a clue, as a factor.
const HARDER: f64 = 1.15;

/// What could be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Clean a CDU's exchanger.
    ExchangerFouled,
    /// Clean a CDU's strainer.
    StrainerClogged,
    /// Serve a loop's tower cells or dry coolers.
    CellWeak,
    /// Close what lets a CDU's coolant pass its racks by.
    CoolantBypass,
    /// Raise a temperature setpoint that a person holds.
    SetpointLow,
    /// Lower a pressure setpoint that a person holds.
    HeaderPressure,
}

impl Kind {
    /// The name in events and in REST.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExchangerFouled => "exchanger_fouled",
            Self::StrainerClogged => "strainer_clogged",
            Self::CellWeak => "cell_weak",
            Self::CoolantBypass => "coolant_bypass",
            Self::SetpointLow => "setpoint_low",
            Self::HeaderPressure => "header_pressure",
        }
    }

    /// What could go wrong with it.
    pub(super) const fn risk(self) -> &'static str {
        match self {
            Self::ExchangerFouled => "the CDU is out of service while it is cleaned: move its jobs first",
            Self::StrainerClogged => "the flow stops while the strainer is changed, unless it is duplex",
            Self::CellWeak => "one cell less while it is served: choose a cool day",
            Self::CoolantBypass => "a valve may pass by on purpose, for the pumps' least flow: look before closing",
            Self::SetpointLow => "less distance to the supply limit; safety keeps it",
            Self::HeaderPressure => "less reserve for a sudden start; safety keeps the least flow",
        }
    }
}

/// What a clue is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum About {
    /// A ratio: what it would be, mended.
    Ratio(Change),
    /// A setpoint that people hold.
    Held(PointId),
}

/// One clue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Clue {
    pub kind: Kind,
    pub subject: String,
    pub about: About,
    /// The value as it is: of the ratio, or of the setpoint.
    pub now: f64,
    /// What it could be.
    pub could: f64,
}

/// The clues of this look.
pub(super) fn find(cycle: &Cycle<'_>, as_is: &WhatIf<'_>) -> Vec<Clue> {
    let site = cycle.site;
    let mut clues = Vec::new();
    for (index, cdu) in site.cdus.iter().enumerate() {
        let id = CduId(index);
        for (kind, of) in [
            (Kind::ExchangerFouled, Change::Exchanger(id, 1.0)),
            (Kind::StrainerClogged, Change::Strainer(id, 1.0)),
        ] {
            let usual = as_is.usual(of);
            let fallen = as_is
                .present(of)
                .filter(|(ratio, told_s)| *told_s >= TOLD_S && *ratio < FALLEN * usual);
            if let Some((ratio, _)) = fallen {
                let about = match of {
                    Change::Exchanger(..) => Change::Exchanger(id, usual),
                    _ => Change::Strainer(id, usual),
                };
                clues.push(clue(kind, &cdu.name, About::Ratio(about), ratio, usual));
            }
        }
        let of = Change::Bypass(id, 0.0);
        if let Some((share, _)) = as_is.present(of).filter(|(share, _)| *share > BYPASSED) {
            clues.push(clue(Kind::CoolantBypass, &cdu.name, About::Ratio(of), share, 0.0));
        }
    }
    for (index, unit) in site.loops.iter().enumerate() {
        let of = Change::Rejection(LoopId(index), 1.0);
        let fallen = as_is
            .present(of)
            .filter(|(ratio, told_s)| *told_s >= TOLD_S && *ratio < FALLEN);
        if let Some((ratio, _)) = fallen {
            clues.push(clue(Kind::CellWeak, &unit.name, About::Ratio(of), ratio, 1.0));
        }
    }
    clues.extend(cycle.held.iter().filter_map(|point| held(cycle, *point)));
    clues
}

fn clue(kind: Kind, subject: &str, about: About, now: f64, could: f64) -> Clue {
    Clue {
        kind,
        subject: subject.to_owned(),
        about,
        now,
        could,
    }
}

/// A held setpoint that the plan would have elsewhere, on the side that costs.
fn held(cycle: &Cycle<'_>, point: PointId) -> Option<Clue> {
    let spec = cycle.site.points.get(point.0)?;
    let now = cycle.snapshot.reading(point)?.value;
    let planned = cycle
        .plan
        .setpoints
        .iter()
        .find(|setpoint| setpoint.point == point)?
        .value;
    let (kind, costs) = if spec.quantity.ends_with("temperature_setpoint") && !spec.quantity.contains("air") {
        (Kind::SetpointLow, now < planned - COLDER_K)
    } else if spec.quantity.ends_with("differential_pressure_setpoint") {
        (Kind::HeaderPressure, now > HARDER * planned)
    } else {
        return None;
    };
    costs.then(|| clue(kind, &spec.tag, About::Held(point), now, planned))
}

/// What a clue costs now.
pub(super) fn saving(as_is: &WhatIf<'_>, base: Rates, clue: &Clue) -> Option<Rates> {
    match clue.about {
        About::Ratio(change) => Some(base.less(as_is.rates(Some(change))?)),
        About::Held(point) => Some(Rates::default().less(as_is.setpoint(point, clue.could)?)),
    }
}
