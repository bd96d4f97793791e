//! Who may write: authority falls by itself, returns after a clean time, and rises only by a person.

use super::facts::Facts;
use super::notices::Notices;
use super::report::{Level, ZoneReport};
use super::state::State;
use super::wishes::Wishes;
use crate::site::{Authority, SafetySettings, Site, ZoneId};
use crate::snapshot::{Now, Severity};
use serde::{Deserialize, Serialize};

/// One zone's authority and its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ZoneState {
    /// Asked for by the configuration or a person.
    wanted: Authority,
    /// Lowered to this, and clean since then.
    demoted: Option<(Authority, u64)>,
    /// Times of the vetoes in the window.
    vetoes: Vec<u64>,
    /// Level of the last cycle.
    level: Level,
    /// In advise: who accepted the plan, when, and for how long, s.
    accepted: Option<(String, u64, f64)>,
}

/// The name in events.
pub(super) const fn name(authority: Authority) -> &'static str {
    match authority {
        Authority::Observe => "observe",
        Authority::Advise => "advise",
        Authority::Bounded => "bounded",
        Authority::Full => "full",
    }
}

impl ZoneState {
    pub(super) const fn new(wanted: Authority) -> Self {
        Self {
            wanted,
            demoted: None,
            vetoes: vec![],
            level: Level::Normal,
            accepted: None,
        }
    }

    /// A person's word: it counts at once and forgets demotions.
    pub(super) fn set(&mut self, wanted: Authority) {
        self.wanted = wanted;
        self.demoted = None;
        self.vetoes.clear();
        self.accepted = None;
    }

    /// A person accepts the plan for a time: until then it is written, as in full authority.
    pub(super) fn accept(&mut self, by: &str, for_s: f64, now: Now) -> Result<(), String> {
        if self.wanted != Authority::Advise {
            return Err("the zone is not in advise: its plans are not put to a person".into());
        }
        self.accepted = Some((by.to_owned(), now.mono_ms, for_s));
        Ok(())
    }

    /// A person does not want the plan, or no longer.
    pub(super) fn decline(&mut self) -> Result<(), String> {
        if self.wanted != Authority::Advise {
            return Err("the zone is not in advise: its plans are not put to a person".into());
        }
        self.accepted = None;
        Ok(())
    }

    /// Ends an accepted plan whose time is over; answers who accepted it.
    pub(super) fn expire(&mut self, now: Now) -> Option<String> {
        let (_, since_ms, for_s) = self.accepted.as_ref()?;
        let lives = *since_ms <= now.mono_ms && now.seconds_since(*since_ms) < *for_s;
        if lives {
            None
        } else {
            self.accepted.take().map(|(by, ..)| by)
        }
    }

    /// The authority in force.
    pub(super) fn effective(&self) -> Authority {
        let granted = if self.accepted.is_some() {
            Authority::Full
        } else {
            self.wanted
        };
        self.demoted.map_or(granted, |(to, _)| to.min(granted))
    }

    /// Whether it is lower than asked for.
    pub(super) fn is_demoted(&self) -> bool {
        self.effective() < self.wanted
    }

    /// Counts a veto; answers whether there are too many by now.
    fn veto(&mut self, settings: &SafetySettings, now: Now) -> bool {
        self.vetoes.push(now.mono_ms);
        self.vetoes
            .retain(|at| *at <= now.mono_ms && now.seconds_since(*at) <= settings.veto_window_s);
        let too_many = usize::try_from(settings.veto_limit).is_ok_and(|limit| self.vetoes.len() >= limit);
        if too_many {
            self.vetoes.clear();
        }
        too_many
    }
}

/// Settles each zone's authority for this cycle: a refused plan or a limit reached is a veto, too many vetoes lower by
/// one step, lost readings to bounded at most.
pub(super) fn settle(
    site: &Site,
    facts: &Facts,
    wishes: &Wishes<'_>,
    state: &mut State,
    notices: &mut Notices,
    now: Now,
) {
    let zones = site.zones.iter().zip(&mut state.zones).zip(&facts.zones);
    for (((config, zone), found), id) in zones.zip((0..).map(ZoneId)) {
        if found.level != zone.level {
            tell_level(&config.name, zone.level, found.level, &found.causes, notices);
        }
        let breached = found.level == Level::Critical && zone.level < Level::Critical;
        zone.level = found.level;
        let vetoed = wishes.is_rejected(id) || breached;
        let before = zone.effective();
        let mut to = before;
        let mut why = "";
        if vetoed && zone.veto(&site.safety, now) {
            to = before.min(match before {
                Authority::Full => Authority::Bounded,
                Authority::Bounded | Authority::Advise => Authority::Advise,
                Authority::Observe => Authority::Observe,
            });
            why = "too many vetoes";
        }
        if found.lost && before == Authority::Full {
            to = to.min(Authority::Bounded);
            why = "required readings were lost";
        }
        let unclean = vetoed || found.lost || found.level >= Level::Critical;
        if to < before {
            zone.demoted = Some((to, now.mono_ms));
            let text = format!(
                "{why}: authority falls from {} to {}; it returns after {:.0} s without an incident",
                name(before),
                name(to),
                site.safety.return_after_s
            );
            notices.tell(Severity::Alarm, "authority_demoted", config.name.clone(), text);
        } else if let Some((to, since_ms)) = zone.demoted {
            if unclean || since_ms > now.mono_ms {
                zone.demoted = Some((to, now.mono_ms));
            } else if now.seconds_since(since_ms) >= site.safety.return_after_s {
                zone.demoted = None;
                let text = format!("clean again: authority returns to {}", name(zone.effective()));
                notices.tell(Severity::Info, "authority_returned", config.name.clone(), text);
            }
        }
    }
}

fn tell_level(zone: &str, from: Level, to: Level, causes: &[String], notices: &mut Notices) {
    const fn name(level: Level) -> &'static str {
        match level {
            Level::Normal => "normal",
            Level::Guarded => "guarded",
            Level::Critical => "critical",
            Level::Failsafe => "failsafe",
        }
    }
    let severity = if to >= Level::Critical {
        Severity::Warning
    } else {
        Severity::Info
    };
    let because = causes.first().map(|cause| format!(": {cause}")).unwrap_or_default();
    let others = match causes.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let text = format!("from {} to {}{because}{others}", name(from), name(to));
    notices.tell(severity, "level_changed", zone.to_owned(), text);
}

/// Each zone's part of the report.
pub(super) fn report(site: &Site, facts: &Facts, state: &State) -> Vec<ZoneReport> {
    let zones = state.zones.iter().zip(&facts.zones);
    zones
        .map(|(zone, found)| {
            let mut causes = found.causes.clone();
            if let Some((to, since_ms)) = zone.demoted {
                let clean_s = facts.now_ms.saturating_sub(since_ms) / 1000;
                causes.push(format!(
                    "authority is lowered to {}, clean for {clean_s} of {:.0} s",
                    name(to),
                    site.safety.return_after_s
                ));
            }
            if let Some((by, since_ms, for_s)) = &zone.accepted {
                let left_s = for_s - facts.now_ms.saturating_sub(*since_ms) as f64 / 1000.0;
                causes.push(format!("{by} accepted the plan, for {left_s:.0} s still"));
            }
            ZoneReport {
                level: found.level,
                authority: zone.effective(),
                wanted: zone.wanted,
                causes,
            }
        })
        .collect()
}
