//! What people and programs ask for: overrides, authority, stop.

use super::demand::within;
use super::notices::Notices;
use super::report::Held;
use super::state::State;
use super::wishes::is_setpoint;
use crate::site::{Authority, PointId, Site, ZoneId};
use crate::snapshot::{Author, Now, Request, RequestKind, Severity};
use serde::{Deserialize, Serialize};

/// A setpoint that a person holds for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Override {
    pub(super) value: f64,
    pub(super) author: Author,
    since_ms: u64,
    for_s: f64,
}

/// Hears this cycle's requests; answers whether everything is to be given back now.
pub(super) fn hear(site: &Site, requests: &[Request], state: &mut State, notices: &mut Notices, now: Now) -> bool {
    expire(site, state, notices, now);
    let mut stopped = false;
    for request in requests {
        let who = name(&request.author);
        let (subject, outcome) = match request.kind {
            RequestKind::Override { point, value, for_s } => (
                tag(site, point),
                hold(site, state, point, value, for_s, &request.author, now),
            ),
            RequestKind::ClearOverride { point } => {
                let was = state
                    .overrides
                    .remove(&point)
                    .map(|_| ("override_ended", "ends the override".into()));
                (tag(site, point), was.ok_or_else(|| "there is no override".into()))
            }
            RequestKind::SetAuthority { zone, authority } => (
                site.zones.get(zone.0).map(|zone| zone.name.clone()).unwrap_or_default(),
                set_authority(state, zone, authority, &request.author),
            ),
            RequestKind::Stop => {
                stopped = true;
                state.overrides.clear();
                state.zones.iter_mut().for_each(|zone| zone.set(Authority::Observe));
                let text = "stops Isotherm: every point is given back to the plant as found".into();
                (site.name.clone(), Ok(("stopped", text)))
            }
            RequestKind::AcceptPlan { zone, for_s } => (
                site.zones.get(zone.0).map(|zone| zone.name.clone()).unwrap_or_default(),
                accept(site, state, zone, for_s, &request.author, now),
            ),
            RequestKind::DeclinePlan { zone } => (
                site.zones.get(zone.0).map(|zone| zone.name.clone()).unwrap_or_default(),
                decline(state, zone),
            ),
            RequestKind::SetStrategy { .. }
            | RequestKind::SetLoadTarget { .. }
            | RequestKind::ClearLoadTarget
            | RequestKind::Commission { .. }
            | RequestKind::Acknowledge { .. }
            | RequestKind::Shelve { .. }
            | RequestKind::Unshelve { .. }
            | RequestKind::TakeAdvice { .. }
            | RequestKind::DeclineAdvice { .. } => continue,
        };
        match outcome {
            Ok((code, text)) => {
                let why = if request.why.is_empty() {
                    String::new()
                } else {
                    format!(": {}", request.why)
                };
                notices.tell(Severity::Warning, code, subject, format!("{who} {text}{why}"));
            }
            Err(why) => {
                let text = format!("{who} asked in vain: {why}");
                notices.tell(Severity::Warning, "request_refused", subject, text);
            }
        }
    }
    stopped
}

type Outcome = Result<(&'static str, String), String>;

fn hold(site: &Site, state: &mut State, point: PointId, value: f64, for_s: f64, author: &Author, now: Now) -> Outcome {
    if !matches!(author, Author::Operator(_)) {
        return Err("only an operator may override".into());
    }
    let spec = site.points.get(point.0).filter(|spec| is_setpoint(spec));
    let Some((spec, write)) = spec.and_then(|spec| Some((spec, spec.write?))) else {
        return Err("the point is not a setpoint".into());
    };
    if !value.is_finite() || for_s.is_nan() || for_s <= 0.0 {
        return Err(format!("{value} for {for_s} s; give a number and a time above 0 s"));
    }
    let authority = state
        .zones
        .get(spec.zone.0)
        .map_or(Authority::Observe, super::authority::ZoneState::effective);
    if authority < Authority::Bounded {
        return Err("the zone's authority lets nothing be written; raise it first".into());
    }
    let value = within(value, write.min, write.max);
    let for_s = for_s.min(site.safety.override_max_s);
    let text = format!("holds it at {value} for {for_s:.0} s");
    state.overrides.insert(
        point,
        Override {
            value,
            author: author.clone(),
            since_ms: now.mono_ms,
            for_s,
        },
    );
    Ok(("override_set", text))
}

/// Anybody may lower authority; only a person may raise it.
fn set_authority(state: &mut State, zone: ZoneId, authority: Authority, author: &Author) -> Outcome {
    let Some(zone_state) = state.zones.get_mut(zone.0) else {
        return Err("there is no such zone".into());
    };
    if authority > zone_state.effective() && !matches!(author, Author::Operator(_)) {
        return Err("only an operator may raise authority".into());
    }
    zone_state.set(authority);
    // A person who sets authority has looked: points left to another writer are taken up again.
    state.held.values_mut().for_each(super::held::Held::forgive);
    Ok((
        "authority_set",
        format!("sets the authority to {}", super::authority::name(authority)),
    ))
}

/// A person lets the plan of a zone in advise be written for a time; each value is judged as ever.
fn accept(site: &Site, state: &mut State, zone: ZoneId, for_s: f64, author: &Author, now: Now) -> Outcome {
    let Some(zone_state) = state.zones.get_mut(zone.0) else {
        return Err("there is no such zone".into());
    };
    let Author::Operator(by) = author else {
        return Err("only an operator may accept a plan".into());
    };
    let longest_s = site.safety.override_max_s;
    if !(for_s > 0.0 && for_s <= longest_s) {
        return Err(format!(
            "a plan is accepted for more than 0 and up to {longest_s:.0} s, not for {for_s}"
        ));
    }
    zone_state.accept(by, for_s, now)?;
    Ok(("plan_accepted", format!("accepts the plan for {for_s:.0} s")))
}

fn decline(state: &mut State, zone: ZoneId) -> Outcome {
    let Some(zone_state) = state.zones.get_mut(zone.0) else {
        return Err("there is no such zone".into());
    };
    zone_state.decline()?;
    Ok(("plan_declined", "declines the plan".into()))
}

/// The overrides in force, for people.
pub(super) fn report(site: &Site, state: &State, now: Now) -> Vec<Held> {
    let overrides = state.overrides.iter();
    overrides
        .map(|(point, held)| Held {
            tag: tag(site, *point),
            by: name(&held.author).to_owned(),
            left_s: (held.for_s - now.seconds_since(held.since_ms)).max(0.0),
        })
        .collect()
}

/// Ends overrides whose time is over, or whose start lies in a future that the clock of an earlier process knew.
fn expire(site: &Site, state: &mut State, notices: &mut Notices, now: Now) {
    for (zone, config) in state.zones.iter_mut().zip(&site.zones) {
        if let Some(by) = zone.expire(now) {
            let text = format!("the time for which {by} accepted the plan is over");
            notices.tell(Severity::Info, "plan_over", config.name.clone(), text);
        }
    }
    state.overrides.retain(|point, held| {
        let lives = held.since_ms <= now.mono_ms && now.seconds_since(held.since_ms) < held.for_s;
        if !lives {
            let text = format!("the override by {} is over", name(&held.author));
            notices.tell(Severity::Info, "override_ended", tag(site, *point), text);
        }
        lives
    });
}

fn tag(site: &Site, point: PointId) -> String {
    site.points
        .get(point.0)
        .map(|spec| spec.tag.clone())
        .unwrap_or_default()
}

fn name(author: &Author) -> &str {
    match author {
        Author::Operator(name) | Author::Bus(name) => name,
        Author::Strategy(kind) => kind.name(),
        Author::Safety => "safety",
        Author::Release => "release",
    }
}
