//! What an operator may ask, and the answer from the record of the cycle that took it.

use super::problem::Problem;
use super::shapes;
use crate::cycle::CycleRecord;
use crate::site::{Authority, Site, StrategyKind, ZoneId};
use crate::snapshot::{Author, LoadLimit, Request, RequestKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest body, bytes.
pub(super) const MAX_BODY: usize = 4096;

/// The body of `POST /api/v1/requests`, in names instead of ids.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Body {
    /// Hold a setpoint at a value for a time, s.
    Override { tag: String, value: f64, for_s: f64 },
    /// End an override.
    ClearOverride { tag: String },
    /// Set a zone's authority.
    SetAuthority {
        zone: String,
        #[schemars(schema_with = "shapes::authority")]
        authority: Authority,
    },
    /// Change the strategy.
    SetStrategy {
        #[schemars(schema_with = "shapes::strategy")]
        strategy: StrategyKind,
    },
    /// Keep the power of cooling at or below `cooling_kw`, or cut it by the share `cut`, from `in_s` seconds on.
    SetLoadTarget {
        cooling_kw: Option<f64>,
        cut: Option<f64>,
        in_s: f64,
        for_s: f64,
    },
    /// End a load target.
    ClearLoadTarget {},
    /// Begin step tests from which the model learns the plant, or end them.
    Commission { begin: bool },
    /// Release every zone to the plant as found, and observe.
    // Braces, since serde does not deny unknown fields of a unit variant.
    Stop {},
}

/// What the bodies look like, for the error messages.
const FORMS: &str = r#"{"kind": "override", "tag": "cdu1.secondary_supply_temperature_setpoint", "value": 30, "for_s": 1800}, {"kind": "clear_override", "tag": ...}, {"kind": "set_authority", "zone": ..., "authority": "observe"|"advise"|"bounded"|"full"}, {"kind": "set_strategy", "strategy": "fixed"|"trim_respond"|"predictive"}, {"kind": "set_load_target", "cut": 0.15, "in_s": 900, "for_s": 1800} (or "cooling_kw": 120 in place of "cut"), {"kind": "clear_load_target"}, {"kind": "commission", "begin": true} or {"kind": "stop"}"#;

/// The request in a body, by its author.
pub(super) fn parse(site: &Site, body: &[u8]) -> Result<Request, Problem> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is not a request ({error}): send one of {FORMS}")))?;
    let kind = match body {
        Body::Override { tag, value, for_s } => override_of(site, &tag, value, for_s)?,
        Body::ClearOverride { tag } => {
            let point = site.point(&tag).ok_or_else(|| unknown_tag(&tag))?;
            RequestKind::ClearOverride { point }
        }
        Body::SetAuthority { zone, authority } => {
            let index = site.zones.iter().position(|known| known.name == zone).ok_or_else(|| {
                let names: Vec<_> = site.zones.iter().map(|zone| zone.name.as_str()).collect();
                Problem::bad_request(format!("there is no zone `{zone}`: send one of {}", names.join(", ")))
            })?;
            RequestKind::SetAuthority {
                zone: ZoneId(index),
                authority,
            }
        }
        Body::SetStrategy { strategy } => RequestKind::SetStrategy { strategy },
        Body::SetLoadTarget {
            cooling_kw,
            cut,
            in_s,
            for_s,
        } => load_target_of(cooling_kw, cut, in_s, for_s)?,
        Body::ClearLoadTarget {} => RequestKind::ClearLoadTarget,
        Body::Commission { begin } => RequestKind::Commission { begin },
        Body::Stop {} => RequestKind::Stop,
    };
    Ok(Request {
        author: Author::Operator(site.api.operator_name.clone()),
        kind,
    })
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
    let longest = site.safety.override_max_s;
    if !(for_s > 0.0 && for_s <= longest) {
        return Err(Problem::bad_request(format!(
            "an override cannot last {for_s} s: send `for_s` above 0 and up to {longest}"
        )));
    }
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

    fn note_tag(&mut self, tag: &str, record: &CycleRecord) {
        let changes = record.safety.changes.iter().filter(|change| change.tag == tag);
        self.notes.extend(changes.map(|change| change.why.clone()));
        let events = record.events.iter().filter(|event| event.subject == tag);
        self.notes.extend(events.map(|event| event.text.clone()));
    }
}
