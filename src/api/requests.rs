//! What an operator may ask, and the answer from the record of the cycle that took it.

use super::people::{Person, Role};
use super::problem::Problem;
use super::shapes;
use crate::alarms::SHELVE_MAX_S;
use crate::cycle::CycleRecord;
use crate::site::{Authority, Site, StrategyKind, ZoneId};
use crate::snapshot::{Author, LoadLimit, Request, RequestKind};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest reason, characters.
const WHY_MAX: usize = 300;

/// Largest body, bytes.
pub(super) const MAX_BODY: usize = 4096;

/// The body of `POST /api/v1/requests`, in names instead of ids.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Body {
    /// Hold a setpoint at a value for a time, s.
    Override {
        tag: String,
        value: f64,
        for_s: f64,
        #[serde(default)]
        why: String,
    },
    /// End an override.
    ClearOverride {
        tag: String,
        #[serde(default)]
        why: String,
    },
    /// Set a zone's authority.
    SetAuthority {
        zone: String,
        #[schemars(schema_with = "shapes::authority")]
        authority: Authority,
        #[serde(default)]
        why: String,
    },
    /// Change the strategy.
    SetStrategy {
        #[schemars(schema_with = "shapes::strategy")]
        strategy: StrategyKind,
        #[serde(default)]
        why: String,
    },
    /// Keep the power of cooling at or below `cooling_kw`, or cut it by the share `cut`, from `in_s` seconds on.
    SetLoadTarget {
        cooling_kw: Option<f64>,
        cut: Option<f64>,
        in_s: f64,
        for_s: f64,
        #[serde(default)]
        why: String,
    },
    /// End a load target.
    ClearLoadTarget {
        #[serde(default)]
        why: String,
    },
    /// Begin step tests from which the model learns the plant, or end them.
    Commission {
        begin: bool,
        #[serde(default)]
        why: String,
    },
    /// Release every zone to the plant as found, and observe.
    // Braces, since serde does not deny unknown fields of a unit variant.
    Stop {
        #[serde(default)]
        why: String,
    },
    /// Say that an alarm has been seen.
    Acknowledge {
        alarm: u64,
        #[serde(default)]
        why: String,
    },
    /// Put an alarm aside for a time, s.
    Shelve {
        alarm: u64,
        for_s: f64,
        #[serde(default)]
        why: String,
    },
    /// Take an alarm off the shelf.
    Unshelve {
        alarm: u64,
        #[serde(default)]
        why: String,
    },
    /// Take advice: what comes of it is followed.
    TakeAdvice {
        advice: u64,
        #[serde(default)]
        why: String,
    },
    /// Decline advice.
    DeclineAdvice {
        advice: u64,
        #[serde(default)]
        why: String,
    },
    /// In advise: let a zone's plan be written for a time, s.
    AcceptPlan {
        zone: String,
        for_s: f64,
        #[serde(default)]
        why: String,
    },
    /// In advise: do not let it be written, or no longer.
    DeclinePlan {
        zone: String,
        #[serde(default)]
        why: String,
    },
}

/// What the bodies look like, for the error messages.
const FORMS: &str = r#"{"kind": "override", "tag": "cdu1.secondary_supply_temperature_setpoint", "value": 30, "for_s": 1800}, {"kind": "clear_override", "tag": ...}, {"kind": "set_authority", "zone": ..., "authority": "observe"|"advise"|"bounded"|"full"}, {"kind": "set_strategy", "strategy": "fixed"|"trim_respond"|"predictive"}, {"kind": "set_load_target", "cut": 0.15, "in_s": 900, "for_s": 1800} (or "cooling_kw": 120 in place of "cut"), {"kind": "clear_load_target"}, {"kind": "commission", "begin": true}, {"kind": "acknowledge", "alarm": 12}, {"kind": "shelve", "alarm": 12, "for_s": 3600}, {"kind": "unshelve", "alarm": 12}, {"kind": "take_advice", "advice": 3}, {"kind": "decline_advice", "advice": 3}, {"kind": "accept_plan", "zone": ..., "for_s": 1800}, {"kind": "decline_plan", "zone": ...} or {"kind": "stop"}"#;

/// The request in a body, by its author.
pub(super) fn parse(site: &Site, person: &Person, body: &[u8]) -> Result<Request, Problem> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is not a request ({error}): send one of {FORMS}")))?;
    let (kind, why) = match body {
        Body::Override { tag, value, for_s, why } => (override_of(site, &tag, value, for_s)?, why),
        Body::ClearOverride { tag, why } => {
            let point = site.point(&tag).ok_or_else(|| unknown_tag(&tag))?;
            (RequestKind::ClearOverride { point }, why)
        }
        Body::SetAuthority { zone, authority, why } => {
            let zone = zone_of(site, &zone)?;
            (RequestKind::SetAuthority { zone, authority }, why)
        }
        Body::SetLoadTarget {
            cooling_kw,
            cut,
            in_s,
            for_s,
            why,
        } => (load_target_of(cooling_kw, cut, in_s, for_s)?, why),
        Body::ClearLoadTarget { why } => (RequestKind::ClearLoadTarget, why),
        Body::Commission { begin, why } => (RequestKind::Commission { begin }, why),
        Body::Acknowledge { alarm, why } => (RequestKind::Acknowledge { alarm }, why),
        Body::Shelve { alarm, for_s, why } => {
            let for_s = lasting("an alarm on the shelf", for_s, SHELVE_MAX_S)?;
            (RequestKind::Shelve { alarm, for_s }, why)
        }
        Body::Unshelve { alarm, why } => (RequestKind::Unshelve { alarm }, why),
        Body::TakeAdvice { advice, why } => (RequestKind::TakeAdvice { advice }, why),
        Body::DeclineAdvice { advice, why } => (RequestKind::DeclineAdvice { advice }, why),
        Body::AcceptPlan { zone, for_s, why } => {
            let zone = zone_of(site, &zone)?;
            let for_s = lasting("an accepted plan", for_s, site.safety.override_max_s)?;
            (RequestKind::AcceptPlan { zone, for_s }, why)
        }
        Body::DeclinePlan { zone, why } => {
            let zone = zone_of(site, &zone)?;
            (RequestKind::DeclinePlan { zone }, why)
        }
        Body::SetStrategy { strategy, why } => (RequestKind::SetStrategy { strategy }, why),
        Body::Stop { why } => (RequestKind::Stop, why),
    };
    let need = match &kind {
        RequestKind::SetStrategy { .. } | RequestKind::Commission { begin: true } => Role::Engineer,
        RequestKind::SetAuthority { authority, .. } if *authority > Authority::Advise => Role::Engineer,
        RequestKind::SetAuthority { .. }
        | RequestKind::Override { .. }
        | RequestKind::ClearOverride { .. }
        | RequestKind::SetLoadTarget { .. }
        | RequestKind::ClearLoadTarget
        | RequestKind::Commission { begin: false }
        | RequestKind::Acknowledge { .. }
        | RequestKind::Shelve { .. }
        | RequestKind::Unshelve { .. }
        | RequestKind::TakeAdvice { .. }
        | RequestKind::DeclineAdvice { .. }
        | RequestKind::AcceptPlan { .. }
        | RequestKind::DeclinePlan { .. }
        | RequestKind::Stop => Role::Operator,
    };
    if person.role < need {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "`{}` is a {}; an engineer changes the strategy and raises authority",
                person.name,
                person.role.name()
            ),
        ));
    }
    if why.chars().count() > WHY_MAX {
        return Err(Problem::bad_request(format!(
            "`why` is longer than {WHY_MAX} characters: say it shorter"
        )));
    }
    Ok(Request {
        author: Author::Operator(person.name.clone()),
        kind,
        why,
    })
}

fn zone_of(site: &Site, zone: &str) -> Result<ZoneId, Problem> {
    let index = site.zones.iter().position(|known| known.name == zone).ok_or_else(|| {
        let names: Vec<_> = site.zones.iter().map(|zone| zone.name.as_str()).collect();
        Problem::bad_request(format!("there is no zone `{zone}`: send one of {}", names.join(", ")))
    })?;
    Ok(ZoneId(index))
}

fn lasting(what: &str, for_s: f64, longest: f64) -> Result<f64, Problem> {
    if for_s > 0.0 && for_s <= longest {
        return Ok(for_s);
    }
    Err(Problem::bad_request(format!(
        "{what} cannot last {for_s} s: send `for_s` above 0 and up to {longest}"
    )))
}

fn override_of(site: &Site, tag: &str, value: f64, for_s: f64) -> Result<RequestKind, Problem> {
    let point = site.point(tag).ok_or_else(|| unknown_tag(tag))?;
    let spec = site.spec(point);
    let Some(write) = spec.write.filter(|_| spec.quantity != "heartbeat") else {
        return Err(Problem::bad_request(format!(
            "`{tag}` cannot be overridden: send a tag that /api/v1/points shows with `write`, other than a heartbeat"
        )));
    };
    if !(write.min..=write.max).contains(&value) {
        let unit = spec.unit.symbol();
        return Err(Problem::bad_request(format!(
            "{value} {unit} is outside the limits of `{tag}`: send a value from {} to {} {unit}",
            write.min, write.max
        )));
    }
    let for_s = lasting("an override", for_s, site.safety.override_max_s)?;
    Ok(RequestKind::Override { point, value, for_s })
}

fn load_target_of(cooling_kw: Option<f64>, cut: Option<f64>, in_s: f64, for_s: f64) -> Result<RequestKind, Problem> {
    let limit = match (cooling_kw, cut) {
        (Some(kw), None) if kw > 0.0 && kw.is_finite() => LoadLimit::Kilowatts(kw),
        (None, Some(cut)) if (0.0..=0.9).contains(&cut) => LoadLimit::Cut(cut),
        _ => {
            return Err(Problem::bad_request(
                "a load target needs one limit: send `cooling_kw` above 0, or `cut` from 0 to 0.9".to_owned(),
            ));
        }
    };
    if !(0.0..=86_400.0).contains(&in_s) || !(60.0..=86_400.0).contains(&for_s) {
        return Err(Problem::bad_request(
            "a load target begins within a day and lasts a minute to a day: send `in_s` from 0 to 86400 and `for_s` \
             from 60 to 86400"
                .to_owned(),
        ));
    }
    Ok(RequestKind::SetLoadTarget { limit, in_s, for_s })
}

fn unknown_tag(tag: &str) -> Problem {
    Problem::bad_request(format!("there is no point `{tag}`: send a tag of /api/v1/points"))
}

/// The request in a body as an engineer sends it, or a sentence on what to send instead: what a client or a fuzzer may try
/// without a server.
///
/// # Errors
/// That sentence.
pub fn read_request(site: &Site, body: &[u8]) -> Result<Request, String> {
    let person = Person {
        name: site.api.operator_name.clone(),
        role: Role::Engineer,
    };
    parse(site, &person, body).map_err(|problem| problem.detail().to_owned())
}

/// What became of a request in the cycle that took it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// The request, by which the asker knows the answer.
    #[serde(skip)]
    #[schemars(skip)]
    pub request: Request,
    /// Whether it is in force.
    pub accepted: bool,
    /// The cycle that took it.
    pub cycle: u64,
    /// The value that was commanded for the point, where the request is about one.
    pub commanded: Option<f64>,
    /// What safety changed, and what was said of it.
    pub notes: Vec<String>,
}

impl Answer {
    /// The answer to a request from the record of the cycle that took it.
    pub(super) fn of(site: &Site, request: &Request, record: &CycleRecord) -> Self {
        let mut answer = Self {
            request: request.clone(),
            accepted: false,
            cycle: record.cycle,
            commanded: None,
            notes: Vec::new(),
        };
        match request.kind {
            RequestKind::Override { point, .. } | RequestKind::ClearOverride { point } => {
                let command = record.commands.iter().find(|command| command.point == point);
                let held = command.is_some_and(|command| matches!(command.author, Author::Operator(_)));
                answer.accepted = held == matches!(request.kind, RequestKind::Override { .. });
                answer.commanded = command.map(|command| command.value);
                if let Some(spec) = site.points.get(point.0) {
                    answer.note_tag(&spec.tag, record);
                }
            }
            RequestKind::SetAuthority { zone, authority } => {
                if let Some(report) = record.safety.zones.get(zone.0) {
                    answer.accepted = report.wanted == authority;
                    if report.authority != authority {
                        answer.notes.extend(report.causes.iter().cloned());
                    }
                }
            }
            RequestKind::SetStrategy { strategy } => {
                answer.accepted = true;
                if record.plan.strategy != strategy {
                    answer.notes.push(format!(
                        "{} is used for now: {}",
                        record.plan.strategy.name(),
                        record.plan.report.sentence
                    ));
                }
            }
            RequestKind::SetLoadTarget { .. } => {
                answer.accepted = record.plan.report.load_target.is_some();
                answer.note_code("request_refused", record);
                if record.plan.strategy != StrategyKind::Predictive {
                    answer.notes.push("only predictive holds a load target".to_owned());
                }
            }
            RequestKind::ClearLoadTarget => answer.accepted = record.plan.report.load_target.is_none(),
            RequestKind::Commission { begin } => {
                answer.accepted = record.plan.report.commissioning.is_some() == begin;
                if begin && record.plan.strategy != StrategyKind::Predictive {
                    answer.notes.push("only predictive tests a plant".to_owned());
                }
            }
            RequestKind::AcceptPlan { zone, .. } | RequestKind::DeclinePlan { zone } => {
                answer.of_events(
                    &site
                        .zones
                        .get(zone.0)
                        .map_or_else(String::new, |zone| zone.name.clone()),
                    record,
                );
            }
            RequestKind::Acknowledge { alarm }
            | RequestKind::Shelve { alarm, .. }
            | RequestKind::Unshelve { alarm } => {
                answer.of_events(&format!("alarm {alarm}"), record);
            }
            RequestKind::TakeAdvice { advice } | RequestKind::DeclineAdvice { advice } => {
                answer.of_events(&format!("advice {advice}"), record);
            }
            RequestKind::Stop => {
                answer.accepted = record
                    .safety
                    .zones
                    .iter()
                    .all(|zone| zone.authority == Authority::Observe);
            }
        }
        answer
    }

    fn note_code(&mut self, code: &str, record: &CycleRecord) {
        let events = record.events.iter().filter(|event| event.code == code);
        self.notes.extend(events.map(|event| event.text.clone()));
    }

    /// It was taken unless the cycle says that it was asked in vain.
    fn of_events(&mut self, subject: &str, record: &CycleRecord) {
        let refused = record
            .events
            .iter()
            .filter(|event| event.code == "request_refused" && event.subject == subject);
        self.notes.extend(refused.map(|event| event.text.clone()));
        self.accepted = self.notes.is_empty();
    }

    fn note_tag(&mut self, tag: &str, record: &CycleRecord) {
        let changes = record.safety.changes.iter().filter(|change| change.tag == tag);
        self.notes.extend(changes.map(|change| change.why.clone()));
        let events = record.events.iter().filter(|event| event.subject == tag);
        self.notes.extend(events.map(|event| event.text.clone()));
    }
}
