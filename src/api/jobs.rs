//! Jobs for the people who submit them: what each will draw and cost, when it would best start; and the door for the
//! events of a scheduler's prolog and epilog.

use super::Shared;
use super::guard::authorise_feed;
use super::paging::{Page, Wanted};
use super::problem::Problem;
use super::view::rounded;
use crate::jobs::{self, Goal, JobOutlook, Outlooks};
use crate::snapshot::JobState;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Largest event, bytes: a job on some thousand nodes in compact form.
const MAX_EVENT: usize = 64 * 1024;

/// Deadline of a job, where the query names none, ms from now.
const DEADLINE_MS: i64 = 24 * 3_600_000;

/// Amounts of energy, water, carbon and money.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(super) struct AmountsView {
    /// Energy into the IT equipment, kWh.
    it_kwh: f64,
    /// Its share of the energy for cooling, kWh.
    cooling_kwh: f64,
    /// Its share of the site's other energy, kWh.
    other_kwh: f64,
    /// Make-up water, L.
    water_l: f64,
    /// Carbon of all that electricity, kg of CO2 equivalent.
    co2e_kg: f64,
    /// Electricity, water and waste water less heat sold, in the site's currency.
    cost: f64,
}

impl From<jobs::Amounts> for AmountsView {
    fn from(amounts: jobs::Amounts) -> Self {
        Self {
            it_kwh: rounded(amounts.it_kwh),
            cooling_kwh: rounded(amounts.cooling_kwh),
            other_kwh: rounded(amounts.other_kwh),
            water_l: rounded(amounts.water_l),
            co2e_kg: rounded(amounts.co2e_kg),
            cost: rounded(amounts.cost),
        }
    }
}

/// A job as it is expected to go on.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct OutlookView {
    /// Its place in the list.
    index: u64,
    /// The scheduler's id.
    id: String,
    /// `running`, `starting` or `pending`.
    state: &'static str,
    /// Name.
    name: String,
    /// User.
    user: String,
    /// GPUs.
    gpus: u32,
    /// Start or expected start, wall ms; the time of the answer where the scheduler expects none.
    start_ms: i64,
    /// Expected end, wall ms.
    end_ms: i64,
    /// Expected power, kW.
    mean_kw: f64,
    /// Largest expected power, kW.
    peak_kw: f64,
    /// Whether the power is measured by now, and not only predicted.
    measured: bool,
    /// Whether the site's cooling and water are measured; where not, they are left at nothing.
    overheads_measured: bool,
    /// What it has drawn so far; null where it does not run, or was not watched.
    spent: Option<AmountsView>,
    /// What is to come.
    to_come: AmountsView,
}

impl OutlookView {
    fn new(index: usize, outlook: &JobOutlook, all: &Outlooks) -> Self {
        let job = &outlook.job;
        Self {
            index: index as u64,
            id: job.id.clone(),
            state: match job.state {
                JobState::Pending { .. } => "pending",
                JobState::Starting { .. } => "starting",
                JobState::Running { .. } => "running",
            },
            name: job.name.clone(),
            user: job.user.clone(),
            gpus: job.gpus,
            start_ms: outlook.span.start_ms,
            end_ms: outlook.span.end_ms,
            mean_kw: rounded(outlook.span.mean_kw),
            peak_kw: rounded(outlook.span.peak_kw),
            measured: outlook.measured,
            overheads_measured: all.curves.measured,
            spent: outlook.spent.map(AmountsView::from),
            to_come: outlook.to_come.into(),
        }
    }
}

/// A start, and what the job amounts to then.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct WindowView {
    /// Start, wall ms.
    start_ms: i64,
    /// Expected end, wall ms.
    end_ms: i64,
    /// What it amounts to.
    amounts: AmountsView,
}

impl From<jobs::Window> for WindowView {
    fn from(window: jobs::Window) -> Self {
        Self {
            start_ms: window.start_ms,
            end_ms: window.end_ms,
            amounts: window.amounts.into(),
        }
    }
}

/// The best start for a goal.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct AdviceView {
    /// What is least: `cost`, `carbon` or `water`.
    goal: &'static str,
    /// When.
    best: WindowView,
    /// What is saved against the earliest start; negative where there is more of it.
    saves: AmountsView,
}

/// When a job would best start.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct WindowsView {
    /// The scheduler's id.
    id: String,
    /// By when it must have ended, wall ms.
    deadline_ms: i64,
    /// The earliest start.
    soonest: WindowView,
    /// The best start for each goal.
    advice: Vec<AdviceView>,
}

/// An event was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Taken {
    /// Always true.
    taken: bool,
}

fn outlooks(shared: &Shared) -> Result<Arc<Outlooks>, Problem> {
    shared.desk.outlooks().ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no job queue has been read since the start: see jobs.feed of /api/v1/state",
        )
    })
}

fn find(all: &Outlooks, id: &str) -> Result<(usize, JobOutlook), Problem> {
    let found = all.jobs.iter().enumerate().find(|(_, outlook)| outlook.job.id == id);
    found.map(|(index, outlook)| (index, outlook.clone())).ok_or_else(|| {
        let shown: String = id.chars().take(80).collect();
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("the queue has no job `{shown}`: /api/v1/jobs lists those that run or wait"),
        )
    })
}

fn path(id: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(id) = id.map_err(|error| Problem::bad_request(format!("{}: send a job's id", error.body_text())))?;
    Ok(id)
}

pub(super) async fn list(State(shared): State<Shared>, wanted: Wanted) -> Result<Json<Page<OutlookView>>, Problem> {
    let all = outlooks(&shared)?;
    let views = all.jobs.iter().enumerate();
    let views = views.map(|(index, outlook)| OutlookView::new(index, outlook, &all));
    Ok(Json(wanted.page(views, |view| view.index, false)))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<OutlookView>, Problem> {
    let (id, all) = (path(id)?, outlooks(&shared)?);
    let (index, outlook) = find(&all, &id)?;
    Ok(Json(OutlookView::new(index, &outlook, &all)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowQuery {
    deadline: Option<i64>,
}

pub(super) async fn windows(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<WindowQuery>, QueryRejection>,
) -> Result<Json<WindowsView>, Problem> {
    let id = path(id)?;
    let Query(query) = query.map_err(|error| {
        Problem::bad_request(format!(
            "{}: send ?deadline=<ms since 1970-01-01 UTC>",
            error.body_text()
        ))
    })?;
    let all = outlooks(&shared)?;
    let (_, outlook) = find(&all, &id)?;
    if !matches!(outlook.job.state, JobState::Pending { .. }) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "the job has started: only one that waits can be put off",
        ));
    }
    let deadline_ms = query.deadline.unwrap_or(all.wall_ms + DEADLINE_MS);
    let run_ms = outlook.span.end_ms - outlook.span.start_ms;
    let (soonest, advice) = jobs::advise(
        &all.curves,
        outlook.span.mean_kw,
        run_ms,
        outlook.span.start_ms,
        deadline_ms,
    )
    .map_err(|error| Problem::bad_request(format!("{error}: send another ?deadline=<wall ms>")))?;
    let advice = advice.into_iter().map(|advice| AdviceView {
        goal: match advice.goal {
            Goal::Cost => "cost",
            Goal::Carbon => "carbon",
            Goal::Water => "water",
        },
        best: advice.best.into(),
        saves: advice.saves.into(),
    });
    Ok(Json(WindowsView {
        id,
        deadline_ms,
        soonest: soonest.into(),
        advice: advice.collect(),
    }))
}

pub(super) async fn event(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Taken>, Problem> {
    authorise_feed(&shared.site.api, &headers)?;
    let body = to_bytes(body, MAX_EVENT).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the event could not be read, or is longer than {MAX_EVENT} bytes: send nodes in compact form"),
        )
    })?;
    shared.desk.take_event(&body).map_err(|error| {
        Problem::bad_request(format!(
            "{error}: send {{\"event\": \"announce\"|\"start\"|\"end\"|\"submit\", \"time_ms\": ..., \"job\": {{\"id\": ..., \
             \"nodes\": [...]}}}}"
        ))
    })?;
    Ok(Json(Taken { taken: true }))
}

/// A job event, as the documentation of the workload room has it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct EventBody {
    /// `submit`, `announce`, `start` or `end`.
    event: EventKind,
    /// When, ms since 1970-01-01 UTC.
    time_ms: i64,
    /// The job.
    job: EventJob,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum EventKind {
    Submit,
    Announce,
    Start,
    End,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct EventJob {
    /// The scheduler's id.
    id: String,
    /// User.
    #[schemars(default)]
    user: String,
    /// Account.
    #[schemars(default)]
    account: String,
    /// Name.
    #[schemars(default)]
    name: String,
    /// Partition.
    #[schemars(default)]
    partition: String,
    /// GPUs; 0 where not known.
    #[schemars(default)]
    gpus: u32,
    /// Nodes; 0 where not known.
    #[schemars(default)]
    node_count: u32,
    /// Names of nodes, or Slurm's compact lists of them.
    #[schemars(default)]
    nodes: Vec<String>,
    /// Submit, ms since 1970-01-01 UTC.
    submit_ms: Option<i64>,
    /// Requested time limit, s; 0 for none.
    #[schemars(default)]
    time_limit_s: f64,
    /// Expected start, ms since 1970-01-01 UTC.
    expected_start_ms: Option<i64>,
}
