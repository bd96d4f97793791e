//! What every request passes: the host check, the time limit, the headers that keep the page to itself; and the
//! operator's token.

use super::problem::Problem;
use crate::site::ApiSettings;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;

/// Longest time to the head of a response.
const TIME_LIMIT: Duration = Duration::from_secs(15);

const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Passes a request on, where it may; `loopback` says whether the listener is bound to a loopback address.
pub(super) async fn guard(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    let mut response = match check_host(loopback, request.uri(), request.headers()) {
        Err(problem) => problem.into_response(),
        Ok(()) => match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!(
                    "no answer within {} s: ask for less, or again later",
                    TIME_LIMIT.as_secs()
                ),
            )
            .into_response(),
        },
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// On loopback only local names are answered: a foreign page whose name was rebound to 127.0.0.1 still sends its own.
fn check_host(loopback: bool, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    if !loopback {
        return Ok(());
    }
    let host = match (uri.host(), headers.get(header::HOST)) {
        (Some(host), _) => Some(host.to_owned()),
        (None, Some(value)) => value.to_str().ok().and_then(host_of).map(str::to_owned),
        (None, None) => None,
    };
    let Some(host) = host else {
        return Err(Problem::bad_request(
            "the Host header is missing: send the address that you call",
        ));
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if local {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!(
            "this listener is bound to loopback and answers to localhost only, not to `{host}`: \
                 call http://localhost, or set api.listen to the address that others shall reach"
        ),
    ))
}

/// The host of `host:port`, `host`, `[v6]:port` or `[v6]`.
fn host_of(value: &str) -> Option<&str> {
    if value.starts_with('[') {
        return value.split_inclusive(']').next();
    }
    value.split(':').next().filter(|host| !host.is_empty())
}

/// Checks `Authorization: Bearer <token>` against the feed's token; the operator's may do what a feed may.
pub(super) fn authorise_feed(settings: &ApiSettings, headers: &HeaderMap) -> Result<(), Problem> {
    if settings.feed_token.is_empty() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no job event is taken here, since no token is set: set api.feed_token (or ISOTHERM__API__FEED_TOKEN) to at \
             least 16 characters and start again",
        ));
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|given| given.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let known = [&settings.feed_token, &settings.operator_token];
    let right = |token: &str| known.iter().any(|known| !known.is_empty() && equal(token, known));
    match token {
        Some((_, token)) if right(token.trim()) => Ok(()),
        Some(_) => {
            tracing::warn!("a job event was refused: wrong token");
            Err(Problem::unauthorised(
                "the token is not the feed's: send `Authorization: Bearer <token>` with the value of api.feed_token",
                "Bearer realm=\"isotherm\", error=\"invalid_token\"",
            ))
        }
        None => Err(Problem::unauthorised(
            "the feed's token is missing: send `Authorization: Bearer <token>`",
            "Bearer realm=\"isotherm\"",
        )),
    }
}

/// Compares without telling by its time where, or whether in length, the two differ.
fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter()
        .zip(b.iter())
        .fold(0, |differences, (a, b)| differences | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(value))])
    }

    #[test]
    fn loopback_answers_to_local_names_only() {
        let uri = Uri::from_static("/");
        for local in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "127.0.0.1:80",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
        ] {
            assert_eq!(check_host(true, &uri, &host(local)), Ok(()), "{local}");
        }
        for foreign in [
            "rebound.example:8080",
            "10.0.0.1",
            "[fe80::1]:80",
            "localhost.example",
            ":80",
            "",
        ] {
            assert!(check_host(true, &uri, &host(foreign)).is_err(), "{foreign}");
            assert_eq!(check_host(false, &uri, &host(foreign)), Ok(()), "{foreign}");
        }
        assert!(check_host(true, &uri, &HeaderMap::new()).is_err());
    }
}
