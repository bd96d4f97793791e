//! The door: who asks, by a token or a session, and whether that person may.

use super::limiter::Limiter;
use super::people::{People, Person, Role};
use super::problem::Problem;
use super::sessions::{COOKIE, CSRF, Opened, Sessions};
use super::tls::{Tls, TlsListener};
use super::{Shared, page};
use axum::Json;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;

/// Requests that change something, by one caller: so many at once, so many a second.
const CHANGES: (f64, f64) = (60.0, 1.0);
/// Wrong tokens, by one caller.
const FAILURES: (f64, f64) = (5.0, 1.0 / 12.0);
/// What everybody may see on an open network: whether cycles go on, and how to come in.
const OPEN: [&str; 6] = [
    "/healthz",
    "/login",
    "/login.js",
    "/app.css",
    "/api/v1/session",
    // A scheduler's feed has a token of its own.
    "/api/v1/jobs/events",
];

/// Who may come in, and how.
#[derive(Clone)]
pub struct Access {
    people: Arc<People>,
    sessions: Arc<Sessions>,
    changes: Arc<Limiter>,
    failures: Arc<Limiter>,
    tls: Option<Tls>,
    /// Looking needs a person too: the listener is not on loopback.
    pub(super) closed: bool,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("people", &self.people)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// The door that a site's settings ask for.
    ///
    /// # Errors
    /// A sentence that says which setting is wrong and what to write instead.
    pub fn of(site: &crate::site::Site) -> Result<Self, String> {
        let api = &site.api;
        let tls = match (api.tls_certificate.is_empty(), api.tls_key.is_empty()) {
            (true, true) => None,
            (false, false) => Some(Tls::read(&api.tls_certificate, &api.tls_key)?),
            _ => return Err("api.tls_certificate and api.tls_key belong together: set both or none".to_owned()),
        };
        Ok(Self::new(People::of(site)?, tls))
    }

    /// The door for these people, encrypted where a certificate is given.
    pub fn new(people: People, tls: Option<Tls>) -> Self {
        Self {
            people: Arc::new(people),
            sessions: Arc::default(),
            changes: Arc::new(Limiter::new(CHANGES.0, CHANGES.1)),
            failures: Arc::new(Limiter::new(FAILURES.0, FAILURES.1)),
            tls,
            closed: false,
        }
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Who asks; `need` is what the request takes.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        need: Role,
        changes: bool,
    ) -> Result<Person, Problem> {
        if self.people.is_empty() {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "nothing can be asked here, since nobody is known: set api.users to a file that `isotherm user` makes, or \
                 api.operator_token (or ISOTHERM__API__OPERATOR_TOKEN) to at least 16 characters, and start again",
            ));
        }
        let now = Instant::now();
        let person = match bearer(headers) {
            Some(token) => self.by_token(token, peer, now)?,
            None => self.by_session(headers, changes, now)?,
        };
        if person.role < need {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!(
                    "`{}` is a {} and this takes a {}: ask somebody who is one",
                    person.name,
                    person.role.name(),
                    need.name()
                ),
            ));
        }
        if changes {
            self.changes.take(peer, now).map_err(too_many)?;
        }
        Ok(person)
    }

    fn by_token(&self, token: &str, peer: IpAddr, now: Instant) -> Result<Person, Problem> {
        if let Some(person) = self.people.find(token) {
            return Ok(person.clone());
        }
        self.failures.take(peer, now).map_err(too_many)?;
        tracing::warn!(%peer, "a request was refused: wrong token");
        Err(Problem::unauthorised(
            "the token is nobody's: send `Authorization: Bearer <token>` with a token that api.users or api.operator_token knows",
            "Bearer realm=\"isotherm\", error=\"invalid_token\"",
        ))
    }

    fn by_session(&self, headers: &HeaderMap, changes: bool, now: Instant) -> Result<Person, Problem> {
        let csrf = headers.get(CSRF).and_then(|value| value.to_str().ok());
        let person = cookie(headers).and_then(|cookie| self.sessions.find(cookie, csrf, changes, now));
        person.ok_or_else(|| {
            Problem::unauthorised(
                "the token is missing: send `Authorization: Bearer <token>`; a page sends its session's cookie, and with \
                 whatever changes something the header X-CSRF-Token of its session",
                "Bearer realm=\"isotherm\"",
            )
        })
    }
}

fn too_many(wait: std::time::Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("too many requests from this address: wait {seconds} s"),
    )
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// The address of a caller, from either listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The address of a request's caller.
pub(super) fn peer(request: &axum::http::Extensions) -> IpAddr {
    request
        .get::<ConnectInfo<Peer>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(Peer(address))| {
            address.ip()
        })
}

/// On a network, nothing is shown to nobody: a page is sent to the login, a program gets the challenge.
pub(super) async fn door(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !shared.access.closed || OPEN.contains(&path) {
        return next.run(request).await;
    }
    let admitted = shared
        .access
        .admit(request.headers(), peer(request.extensions()), Role::Viewer, false);
    match admitted {
        Ok(_) => next.run(request).await,
        Err(_) if path == "/" && request.method() == Method::GET => page::login().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Who somebody is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SessionView {
    /// Name in the record.
    name: String,
    /// What they may do.
    role: Role,
    /// What the page sends as `X-CSRF-Token` with whatever changes something; only when the session begins.
    csrf: Option<String>,
}

/// Tells who asks.
pub(super) async fn whoami(State(shared): State<Shared>, request: Request) -> Result<Json<SessionView>, Problem> {
    let person = shared
        .access
        .admit(request.headers(), peer(request.extensions()), Role::Viewer, false)?;
    Ok(Json(SessionView {
        name: person.name,
        role: person.role,
        csrf: None,
    }))
}

/// Begins a session for whoever has a token.
pub(super) async fn login(State(shared): State<Shared>, request: Request) -> Result<Response, Problem> {
    let access = &shared.access;
    if bearer(request.headers()).is_none() {
        return Err(Problem::unauthorised(
            "the token is missing: send `Authorization: Bearer <token>`",
            "Bearer realm=\"isotherm\"",
        ));
    }
    let person = access.admit(request.headers(), peer(request.extensions()), Role::Viewer, true)?;
    let Opened { cookie, csrf } = access.sessions.open(&person, Instant::now()).map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the system gives no random numbers: ask again",
        )
    })?;
    let secure = if access.tls.is_some() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=28800{secure}");
    let view = SessionView {
        name: person.name,
        role: person.role,
        csrf: Some(csrf),
    };
    let mut response = Json(view).into_response();
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Ends the session of the request's cookie.
pub(super) async fn logout(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(cookie) = cookie(&headers) {
        shared.access.sessions.close(cookie);
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    let mut response = Json(serde_json::json!({})).into_response();
    if let Ok(value) = HeaderValue::from_str(&gone) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
