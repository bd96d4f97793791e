//! The REST interface: what the facility is, what it does, what happened, and what a person asks of it.

use super::access;
use super::paging::{Page, Wanted};
use super::people::Role;
use super::problem::Problem;
use super::requests::{self, MAX_BODY};
use super::routes::ROUTES;
use super::trend::{Sample, Series, find, thin};
use super::view::{AlarmView, EventView, View};
use super::{Shared, metrics, shapes};
use crate::site::{Site, WriteSpec};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

/// Most tags in one query.
const MAX_TAGS: usize = 200;
/// Most points in one series.
pub(super) const MAX_POINTS: usize = 5000;
/// Points in one series, where the query names none.
const POINTS: usize = 600;
/// Span of a series, where the query names none, ms.
const SPAN_MS: i64 = 3_600_000;

pub(super) async fn site(State(shared): State<Shared>) -> Json<Value> {
    Json(describe(&shared.site))
}

/// The static description: what stands where, with nameplates, limits and prices; no addresses and no secrets.
pub(super) fn describe(site: &Site) -> Value {
    let zone = |zone: crate::site::ZoneId| site.zones.get(zone.0).map(|zone| zone.name.as_str());
    let loop_name = |id: crate::site::LoopId| site.loops.get(id.0).map(|known| known.name.as_str());
    let racks = |cdu: &crate::site::Cdu| -> Vec<&str> {
        cdu.racks
            .iter()
            .filter_map(|rack| site.racks.get(rack.0))
            .map(|rack| rack.name.as_str())
            .collect()
    };
    json!({
        "name": site.name,
        "time_zone": site.time_zone,
        "altitude_m": site.altitude_m,
        "currency": site.currency,
        "cycle_s": site.control.cycle_s,
        "hash": site.hash,
        "version": env!("CARGO_PKG_VERSION"),
        "override_max_s": site.safety.override_max_s,
        "shelve_max_s": crate::alarms::SHELVE_MAX_S,
        "actions": !(site.api.operator_token.is_empty() && site.api.users.is_empty()),
        "limits": site.limits,
        "prices": site.prices,
        "zones": site.zones.iter().map(|zone| json!({"name": zone.name, "authority": zone.authority})).collect::<Vec<_>>(),
        "loops": site.loops.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone), "nameplate": each.nameplate,
        })).collect::<Vec<_>>(),
        "cdus": site.cdus.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone), "loop": loop_name(each.facility_loop),
            "nameplate": each.nameplate, "racks": racks(each),
        })).collect::<Vec<_>>(),
        "racks": site.racks.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone),
            "cdu": site.cdus.get(each.cdu.0).map(|cdu| cdu.name.as_str()), "nameplate": each.nameplate,
        })).collect::<Vec<_>>(),
        "rejection": site.rejection.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone), "loop": loop_name(each.facility_loop), "nameplate": each.nameplate,
        })).collect::<Vec<_>>(),
        "reuse": site.reuse.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone), "loop": loop_name(each.facility_loop), "nameplate": each.nameplate,
        })).collect::<Vec<_>>(),
        "air_units": site.air_units.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone), "loop": loop_name(each.facility_loop), "nameplate": each.nameplate,
        })).collect::<Vec<_>>(),
        "weather": site.weather.as_ref().map(|each| json!({"name": each.name})),
        "meters": site.meters.iter().map(|each| json!({
            "name": each.name, "zone": zone(each.zone), "role": each.role,
        })).collect::<Vec<_>>(),
    })
}

fn latest(shared: &Shared) -> Result<Arc<View>, Problem> {
    shared.seen.latest().ok_or_else(Problem::no_cycle_yet)
}

pub(super) async fn state(State(shared): State<Shared>) -> Result<Response, Problem> {
    let view = latest(&shared)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], view.json().to_owned()).into_response())
}

/// A point.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PointView {
    /// Its place in the list.
    index: u64,
    /// `<equipment>.<quantity>`.
    tag: String,
    /// Symbol of the unit.
    unit: &'static str,
    /// Name of the unit.
    #[schemars(with = "String")]
    kind: thermo::Unit,
    /// Device that it is read from.
    device: String,
    /// Profile of the device.
    profile: String,
    /// Whether control needs it.
    required: bool,
    /// Age at which a reading is stale, s.
    timeout_s: f64,
    /// Bounds, where it may be written.
    #[schemars(with = "Option<shapes::WriteSpec>")]
    write: Option<WriteSpec>,
    /// The last reading.
    reading: Option<super::view::ReadingView>,
}

pub(super) async fn points(State(shared): State<Shared>, wanted: Wanted) -> Json<Page<PointView>> {
    let view = shared.seen.latest();
    Json(wanted.page(point_views(&shared.site, view.as_deref()), |point| point.index, false))
}

/// Every point with its last reading.
pub(super) fn point_views(site: &Site, view: Option<&View>) -> impl Iterator<Item = PointView> {
    site.points.iter().enumerate().map(move |(index, spec)| {
        let device = site.devices.get(spec.device.0);
        PointView {
            index: index as u64,
            tag: spec.tag.clone(),
            unit: spec.unit.symbol(),
            kind: spec.unit,
            device: device.map_or_else(String::new, |device| device.id.clone()),
            profile: device.map_or_else(String::new, |device| device.binding.profile.clone()),
            required: spec.required,
            timeout_s: spec.timeout_s,
            write: spec.write,
            reading: view.and_then(|view| view.readings.get(index).copied().flatten()),
        }
    })
}

pub(super) async fn events(State(shared): State<Shared>, wanted: Wanted) -> Json<Page<EventView>> {
    let memory = shared.seen.memory();
    Json(wanted.page(memory.events.iter().rev().cloned(), |event| event.seq, true))
}

pub(super) async fn alarms(State(shared): State<Shared>, wanted: Wanted) -> Json<Page<AlarmView>> {
    let memory = shared.seen.memory();
    Json(wanted.page(memory.alarms.iter().rev().cloned(), |alarm| alarm.id, true))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesQuery {
    /// Tags, by comma.
    tags: String,
    /// Wall ms; an hour before `to` where absent.
    from: Option<i64>,
    /// Wall ms; the latest cycle where absent.
    to: Option<i64>,
    /// Most points of one series.
    points: Option<usize>,
}

/// What was asked of the past.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SeriesAnswer {
    /// Start, wall ms.
    from_ms: i64,
    /// End, wall ms.
    to_ms: i64,
    /// One a tag, in the order asked.
    series: Vec<SeriesView>,
}

/// A series.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SeriesView {
    /// Its tag.
    tag: String,
    /// Symbol of its unit.
    unit: &'static str,
    /// Pairs of wall ms and value.
    points: Vec<Sample>,
}

pub(super) async fn series(
    State(shared): State<Shared>,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Result<Json<SeriesAnswer>, Problem> {
    const FORM: &str = "send ?tags=cdu1.secondary_flow,hall.it_power&from=<wall ms>&to=<wall ms>&points=600";
    let Query(query) = query.map_err(|error| Problem::bad_request(format!("{}: {FORM}", error.body_text())))?;
    let tags: Vec<&str> = query
        .tags
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .collect();
    if tags.is_empty() || tags.len() > MAX_TAGS {
        return Err(Problem::bad_request(format!("send 1 to {MAX_TAGS} tags: {FORM}")));
    }
    let to = query
        .to
        .or_else(|| Some(shared.seen.latest()?.wall_ms))
        .ok_or_else(Problem::no_cycle_yet)?;
    let from = query.from.unwrap_or(to.saturating_sub(SPAN_MS));
    let max_points = query.points.unwrap_or(POINTS);
    if from > to || !(1..=MAX_POINTS).contains(&max_points) {
        return Err(Problem::bad_request(format!(
            "send `from` before `to`, and 1 to {MAX_POINTS} points: {FORM}"
        )));
    }

    let mut wanted = Vec::with_capacity(tags.len());
    for tag in tags {
        wanted.push((tag.to_owned(), known(&shared, tag)?));
    }
    // The record is on disk: reading it must not hold up the other connections.
    let read = tokio::task::spawn_blocking(move || {
        let read = wanted.into_iter().map(|(tag, series)| {
            let labels: Vec<(&str, &str)> = series
                .labels
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let points = shared.history.series(series.family, &labels, from, to, max_points)?;
            Ok(SeriesView {
                tag,
                unit: series.unit,
                points: thin(points, max_points),
            })
        });
        read.collect::<Result<Vec<_>, String>>()
    });
    match read.await {
        Ok(Ok(series)) => Ok(Json(SeriesAnswer {
            from_ms: from,
            to_ms: to,
            series,
        })),
        Ok(Err(why)) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the record cannot be read: {why}"),
        )),
        Err(_) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "reading the record failed: see the log",
        )),
    }
}

fn known(shared: &Shared, tag: &str) -> Result<Series, Problem> {
    find(&shared.site, tag).ok_or_else(|| {
        Problem::bad_request(format!(
            "there is no series `{tag}`: send a tag of /api/v1/points, or <cdu>.heat, <cdu>.heat_mean_300s, \
             <cdu>.heat_upper_300s, hall.it_power, hall.cooling_power, hall.reused_heat, hall.cost_rate, \
             hall.co2e_rate, hall.chip_margin, hall.warmest_supply"
        ))
    })
}

/// The answer where the cycle that takes a request has not ended in time.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Handed {
    /// Not known yet.
    accepted: Option<bool>,
    /// Where to look.
    notes: [&'static str; 1],
}

/// Signs of life.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The latest cycle.
    cycle: u64,
    /// Real time since it ended, s.
    age_s: f64,
}

pub(super) async fn request(
    State(shared): State<Shared>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let peer = access::peer(&extensions);
    let person = shared.access.admit(&headers, peer, Role::Operator, true)?;
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send JSON, with `Content-Type: application/json`",
        ));
    }
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body could not be read, or is longer than {MAX_BODY} bytes: send one request"),
        )
    })?;
    let request = requests::parse(&shared.site, &person, &body)?;
    let patience = shared
        .seen
        .latest()
        .map_or(Duration::from_secs(5), |view| view.real_period() * 3);

    // Listen before asking, so that the answer cannot be missed.
    let mut answers = shared.seen.answers.subscribe();
    shared.requests.try_send(request.clone()).map_err(|error| {
        let detail = match error {
            TrySendError::Full(_) => "too many requests wait for the next cycle: ask again in one cycle period",
            TrySendError::Closed(_) => "the controller has stopped and takes no requests",
        };
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let answered = timeout(patience.clamp(Duration::from_secs(1), Duration::from_secs(12)), async {
        loop {
            match answers.recv().await {
                Ok(answer) if answer.request == request => return Some(answer),
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    match answered.await.ok().flatten() {
        Some(answer) if answer.accepted => Ok(Json(&*answer).into_response()),
        Some(answer) => Err(Problem::new(
            StatusCode::CONFLICT,
            format!(
                "refused in cycle {}: {}",
                answer.cycle,
                if answer.notes.is_empty() {
                    "see the events".to_owned()
                } else {
                    answer.notes.join("; ")
                }
            ),
        )),
        None => {
            let handed = Handed {
                accepted: None,
                notes: ["handed to the controller; the next cycle takes it: see /api/v1/events"],
            };
            Ok((StatusCode::ACCEPTED, Json(handed)).into_response())
        }
    }
}

pub(super) async fn healthz(State(shared): State<Shared>) -> Result<Json<Health>, Problem> {
    let view = latest(&shared)?;
    let age_s = view.age().as_secs_f64();
    if view.is_overdue() {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the last cycle, {}, ended {age_s:.1} s ago; the period is {:.1} s",
                view.cycle,
                view.real_period().as_secs_f64()
            ),
        ));
    }
    Ok(Json(Health {
        status: "ok",
        cycle: view.cycle,
        age_s,
    }))
}

pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let counts = shared.seen.memory().event_counts.clone();
    let text = metrics::encode(&shared.site, shared.seen.latest().as_deref(), &counts);
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

pub(super) async fn not_found() -> Problem {
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("nothing is here: ask for / or {}", paths.join(", ")),
    )
}

pub(super) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take that method: GET what is to be read, POST what is to be done; /api/v1/openapi.json lists both",
    )
}
