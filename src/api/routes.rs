//! Every route, once: the router and the `OpenAPI` document are both made from this table.

use super::access::{self, SessionView};
use super::actions::{self, ActionView};
use super::paging::{LIMIT_MAX, Page};
use super::requests::{Answer, Body};
use super::rest::{self, Handed, Health, PointView, SeriesAnswer};
use super::view::{AlarmView, EventView, View};
use super::{Shared, jobs, openapi, stream};
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// One operation.
pub(super) struct Route {
    pub method: Method,
    pub path: &'static str,
    /// One line; the first word is a verb.
    pub summary: &'static str,
    pub parameters: &'static [Parameter],
    /// What is sent, where something is.
    pub body: Option<Shape>,
    /// Status, meaning and content of each answer that is no problem.
    pub answers: &'static [(u16, &'static str, Content)],
    /// Statuses of the problems that it may answer, beside those of every route.
    pub problems: &'static [u16],
    handler: fn() -> MethodRouter<Shared>,
}

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

/// A parameter of the query or the path.
pub(super) struct Parameter {
    pub name: &'static str,
    pub required: bool,
    pub about: &'static str,
    pub kind: Kind,
}

/// What a parameter may be.
pub(super) enum Kind {
    Text,
    Whole { min: i64, max: u64 },
}

/// The schema of a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What an answer carries.
pub(super) enum Content {
    Json(Shape),
    /// JSON whose shape is read off the site.
    Site,
    /// JSON that has a standard of its own.
    Document,
    /// Text of another media type.
    Text(&'static str),
}

/// Problems that every route may answer: a foreign host, a method that it does not take, no answer in time.
pub(super) const COMMON_PROBLEMS: &[u16] = &[405, 421, 504];

const fn of<T: JsonSchema>() -> Shape {
    |generator| generator.subschema_for::<T>()
}

const PAGED: &[Parameter] = &[
    Parameter {
        name: "limit",
        required: false,
        about: "Most items of the page.",
        kind: Kind::Whole {
            min: 1,
            max: LIMIT_MAX as u64,
        },
    },
    Parameter {
        name: "cursor",
        required: false,
        about: "The `next` of the page before.",
        kind: Kind::Whole { min: 0, max: u64::MAX },
    },
];

const WALL_MS: Kind = Kind::Whole {
    min: i64::MIN,
    max: i64::MAX as u64,
};

const SERIES: &[Parameter] = &[
    Parameter {
        name: "tags",
        required: true,
        about: "Tags of points or derived series, by comma.",
        kind: Kind::Text,
    },
    Parameter {
        name: "from",
        required: false,
        about: "Start, ms since 1970-01-01 UTC; an hour before `to` where absent.",
        kind: WALL_MS,
    },
    Parameter {
        name: "to",
        required: false,
        about: "End, ms since 1970-01-01 UTC; the latest cycle where absent.",
        kind: WALL_MS,
    },
    Parameter {
        name: "points",
        required: false,
        about: "Most points of one series.",
        kind: Kind::Whole {
            min: 1,
            max: rest::MAX_POINTS as u64,
        },
    },
];

const JOB_ID: Parameter = Parameter {
    name: "id",
    required: true,
    about: "The scheduler's id of the job, percent-encoded.",
    kind: Kind::Text,
};

/// All routes but the page's own files.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/v1/openapi.json",
        summary: "Describe this interface",
        parameters: &[],
        body: None,
        answers: &[(200, "An OpenAPI 3.1 document.", Content::Document)],
        problems: &[],
        handler: || get(openapi::openapi),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/site",
        summary: "Tell what stands where: nameplates, limits, prices",
        parameters: &[],
        body: None,
        answers: &[(200, "The site.", Content::Site)],
        problems: &[],
        handler: || get(rest::site),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/state",
        summary: "Tell the latest cycle",
        parameters: &[],
        body: None,
        answers: &[(200, "The latest cycle.", Content::Json(of::<View>()))],
        problems: &[503],
        handler: || get(rest::state),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/stream",
        summary: "Follow the cycles",
        parameters: &[],
        body: None,
        answers: &[(
            200,
            "Server-sent events named `view`, each with the body of /api/v1/state, at most five in two seconds.",
            Content::Text("text/event-stream"),
        )],
        problems: &[503],
        handler: || get(stream::stream),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/points",
        summary: "List every point with unit, device, bounds and last reading",
        parameters: PAGED,
        body: None,
        answers: &[(200, "A page of points.", Content::Json(of::<Page<PointView>>()))],
        problems: &[400],
        handler: || get(rest::points),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/series",
        summary: "Read past values of points and of derived series",
        parameters: SERIES,
        body: None,
        answers: &[(200, "The series.", Content::Json(of::<SeriesAnswer>()))],
        problems: &[400, 500, 503],
        handler: || get(rest::series),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/events",
        summary: "List the latest events, newest first",
        parameters: PAGED,
        body: None,
        answers: &[(200, "A page of events.", Content::Json(of::<Page<EventView>>()))],
        problems: &[400],
        handler: || get(rest::events),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/alarms",
        summary: "List the alarms, newest first",
        parameters: PAGED,
        body: None,
        answers: &[(200, "A page of alarms.", Content::Json(of::<Page<AlarmView>>()))],
        problems: &[400],
        handler: || get(rest::alarms),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/requests",
        summary: "Ask something of the next cycle, as an operator",
        parameters: &[],
        body: Some(of::<Body>()),
        answers: &[
            (200, "It is in force.", Content::Json(of::<Answer>())),
            (202, "It was handed to the next cycle.", Content::Json(of::<Handed>())),
        ],
        problems: &[400, 401, 403, 409, 413, 415, 429, 503],
        handler: || post(rest::request),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/jobs",
        summary: "List the jobs of the queue with what each will draw and cost",
        parameters: PAGED,
        body: None,
        answers: &[(200, "A page of jobs.", Content::Json(of::<Page<jobs::OutlookView>>()))],
        problems: &[400, 503],
        handler: || get(jobs::list),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/jobs/{id}",
        summary: "Tell what a job has drawn, will draw and costs",
        parameters: &[JOB_ID],
        body: None,
        answers: &[(200, "The job.", Content::Json(of::<jobs::OutlookView>()))],
        problems: &[400, 404, 503],
        handler: || get(jobs::one),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/jobs/{id}/windows",
        summary: "Tell when a waiting job would best start, and what waiting saves",
        parameters: &[
            JOB_ID,
            Parameter {
                name: "deadline",
                required: false,
                about: "By when it must have ended, ms since 1970-01-01 UTC; a day from now where absent.",
                kind: WALL_MS,
            },
        ],
        body: None,
        answers: &[(
            200,
            "The starts with the least cost, carbon and water.",
            Content::Json(of::<jobs::WindowsView>()),
        )],
        problems: &[400, 404, 409, 503],
        handler: || get(jobs::windows),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/jobs/events",
        summary: "Announce a job's start or end, as a scheduler's script",
        parameters: &[],
        body: Some(of::<jobs::EventBody>()),
        answers: &[(200, "The queue shows it.", Content::Json(of::<jobs::Taken>()))],
        problems: &[400, 401, 403, 413],
        handler: || post(jobs::event),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/actions",
        summary: "List who asked what and why, newest first",
        parameters: PAGED,
        body: None,
        answers: &[(200, "A page of actions.", Content::Json(of::<Page<ActionView>>()))],
        problems: &[400],
        handler: || get(actions::actions),
    },
    Route {
        method: Method::Get,
        path: "/api/v1/session",
        summary: "Tell who asks",
        parameters: &[],
        body: None,
        answers: &[(200, "Name and role.", Content::Json(of::<SessionView>()))],
        problems: &[401, 403, 429],
        handler: || get(access::whoami),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/session",
        summary: "Begin a session with a token: its cookie stands for the token from then on",
        parameters: &[],
        body: None,
        answers: &[(
            200,
            "Name, role and the session's second secret.",
            Content::Json(of::<SessionView>()),
        )],
        problems: &[401, 403, 429, 503],
        handler: || post(access::login),
    },
    Route {
        method: Method::Post,
        path: "/api/v1/session/end",
        summary: "End the session of the request's cookie",
        parameters: &[],
        body: None,
        answers: &[(200, "It is over.", Content::Document)],
        problems: &[],
        handler: || post(access::logout),
    },
    Route {
        method: Method::Get,
        path: "/healthz",
        summary: "Tell whether cycles go on",
        parameters: &[],
        body: None,
        answers: &[(200, "They do.", Content::Json(of::<Health>()))],
        problems: &[503],
        handler: || get(rest::healthz),
    },
    Route {
        method: Method::Get,
        path: "/metrics",
        summary: "Expose the metrics",
        parameters: &[],
        body: None,
        answers: &[(200, "The Prometheus text format.", Content::Text("text/plain"))],
        problems: &[],
        handler: || get(rest::metrics),
    },
];

fn get<H, T>(handler: H) -> MethodRouter<Shared>
where
    H: axum::handler::Handler<T, Shared>,
    T: 'static,
{
    on(MethodFilter::GET, handler)
}

fn post<H, T>(handler: H) -> MethodRouter<Shared>
where
    H: axum::handler::Handler<T, Shared>,
    T: 'static,
{
    on(MethodFilter::POST, handler)
}

/// The table as a router.
pub(super) fn router() -> Router<Shared> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    })
}
