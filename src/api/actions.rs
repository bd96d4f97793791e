//! Who did what and why, since the start; the whole history is in the record (`isotherm audit --actions`).

use super::Shared;
use super::paging::{Page, Wanted};
use super::requests::Answer;
use crate::site::Site;
use crate::snapshot::{Request, RequestKind};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

/// Actions that are kept.
pub(super) const KEPT: usize = 500;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct ActionView {
    /// Number since the start, from 1.
    pub seq: u64,
    /// When the cycle began that took it, ms since 1970-01-01 UTC.
    wall_ms: i64,
    /// The cycle that took it.
    cycle: u64,
    /// Who asked.
    who: String,
    /// What was asked.
    what: String,
    /// Why, in the asker's words.
    why: String,
    /// Whether it was done.
    accepted: bool,
    /// What was said of it.
    notes: Vec<String>,
}

impl ActionView {
    pub(super) fn of(site: &Site, request: &Request, answer: &Answer, wall_ms: i64, seq: u64) -> Self {
        let tag = |point: crate::site::PointId| site.points.get(point.0).map_or("", |spec| spec.tag.as_str());
        let name = |zone: crate::site::ZoneId| site.zones.get(zone.0).map_or("", |zone| zone.name.as_str());
        let who = request.author.name().to_owned();
        let what = match &request.kind {
            RequestKind::Override { point, value, for_s } => {
                format!("hold {} at {value} for {for_s:.0} s", tag(*point))
            }
            RequestKind::ClearOverride { point } => format!("end the override of {}", tag(*point)),
            RequestKind::SetAuthority { zone, authority } => {
                let authority = format!("{authority:?}").to_lowercase();
                format!("set the authority of {} to {authority}", name(*zone))
            }
            RequestKind::SetStrategy { strategy } => format!("set the strategy to {}", strategy.name()),
            RequestKind::Stop => "stop".to_owned(),
            RequestKind::Acknowledge { alarm } => format!("acknowledge alarm {alarm}"),
            RequestKind::Shelve { alarm, for_s } => format!("shelve alarm {alarm} for {for_s:.0} s"),
            RequestKind::Unshelve { alarm } => format!("take alarm {alarm} off the shelf"),
            RequestKind::TakeAdvice { advice } => format!("take advice {advice}"),
            RequestKind::DeclineAdvice { advice } => format!("decline advice {advice}"),
            RequestKind::AcceptPlan { zone, for_s } => format!("accept the plan of {} for {for_s:.0} s", name(*zone)),
            RequestKind::DeclinePlan { zone } => format!("decline the plan of {}", name(*zone)),
            RequestKind::SetLoadTarget { in_s, for_s, .. } => {
                format!("hold a load target in {in_s:.0} s for {for_s:.0} s")
            }
            RequestKind::ClearLoadTarget => "end the load target".to_owned(),
            RequestKind::Commission { begin: true } => "begin step tests".to_owned(),
            RequestKind::Commission { begin: false } => "end step tests".to_owned(),
        };
        Self {
            seq,
            wall_ms,
            cycle: answer.cycle,
            who,
            what,
            why: request.why.clone(),
            accepted: answer.accepted,
            notes: answer.notes.clone(),
        }
    }
}

/// The latest actions, newest first.
pub(super) async fn actions(State(shared): State<Shared>, wanted: Wanted) -> Json<Page<ActionView>> {
    let memory = shared.seen.memory();
    Json(wanted.page(memory.actions.iter().rev().cloned(), |action| action.seq, true))
}
