//! What a database takes: rows in its own words, and what its answers mean.

use super::{Pace, Row, line, remote_write};
use crate::connect::http::{Answer, Ask, Client, Url, percent};
use crate::site::{ForwardProtocol, ForwardSettings};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use std::io::Write;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// Taken.
    Accepted,
    /// Something in it is wrong: the same rows would be refused again.
    Rejected(String),
    /// Too many rows at once.
    TooLarge,
    /// Not now: no answer, an overload, a wrong address or token. Worth another try, at the earliest after so long.
    Trouble(String, Option<Duration>),
}

/// A database that rows are sent to.
#[derive(Debug)]
pub(super) struct Sink {
    protocol: ForwardProtocol,
    site: String,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    client: Client,
}

/// The header that carries the token.
pub(super) fn authorisation(
    protocol: ForwardProtocol,
    token: &str,
) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    if token.is_empty() {
        return Ok(None);
    }
    let scheme = if protocol == ForwardProtocol::Influxdb2 {
        "Token"
    } else {
        "Bearer"
    };
    let value = HeaderValue::try_from(format!("{scheme} {token}"));
    let mut value = value.map_err(|_| "the token has a character that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(Some((AUTHORIZATION, value)))
}

impl Sink {
    pub(super) fn new(
        settings: &ForwardSettings,
        site: &str,
        token: &str,
        tls: Option<TlsConnector>,
        pace: &Pace,
    ) -> Result<Self, String> {
        let url = Url::parse(&settings.url).map_err(|why| format!("forward.url: {why}"))?;
        let protocol = settings.protocol;
        let (standard, more) = match protocol {
            ForwardProtocol::Influxdb2 => {
                let place = format!("org={}&bucket={}", percent(&settings.org), percent(&settings.bucket));
                ("/api/v2/write", format!("{place}&precision=ms"))
            }
            ForwardProtocol::RemoteWrite => ("/api/v1/write", String::new()),
            ForwardProtocol::LineProtocol | ForwardProtocol::None => ("/write", "precision=ms".to_owned()),
        };
        let path = if url.path.is_empty() { standard } else { &url.path };
        let query: Vec<&str> = [url.query.as_str(), more.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", query.join("&"))
        };
        let fixed: &[(HeaderName, &'static str)] = if protocol == ForwardProtocol::RemoteWrite {
            &[
                (CONTENT_TYPE, "application/x-protobuf"),
                (CONTENT_ENCODING, "snappy"),
                (HeaderName::from_static("x-prometheus-remote-write-version"), "0.1.0"),
            ]
        } else {
            &[(CONTENT_TYPE, "text/plain; charset=utf-8"), (CONTENT_ENCODING, "gzip")]
        };
        let fixed = fixed
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Ok(Self {
            protocol,
            site: site.to_owned(),
            target,
            headers: fixed.chain(authorisation(protocol, token)?).collect(),
            client: Client::new(url, tls, pace.timeout),
        })
    }

    /// Sends rows in one request.
    pub(super) async fn send(&mut self, rows: &[Row]) -> Ended {
        let packed = match self.protocol {
            ForwardProtocol::RemoteWrite => {
                let message = remote_write::encode(&self.site, rows);
                snap::raw::Encoder::new()
                    .compress_vec(&message)
                    .map_err(|error| error.to_string())
            }
            _ => gzip(line::encode(&self.site, rows).as_bytes()).map_err(|error| error.to_string()),
        };
        let body = match packed {
            Ok(body) => Bytes::from(body),
            Err(why) => return Ended::Rejected(why),
        };
        let ask = Ask {
            method: Method::POST,
            target: self.target.clone(),
            headers: self.headers.clone(),
            body,
        };
        match self.client.ask(ask).await {
            Ok(answer) => meaning(&answer),
            Err(why) => Ended::Trouble(why, None),
        }
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// What an answer to a write means.
fn meaning(answer: &Answer) -> Ended {
    let status = answer.status;
    let said: String = answer
        .text
        .chars()
        .filter(|letter| !letter.is_control())
        .take(200)
        .collect();
    let why = format!("{status}: {said}");
    match status {
        status if status.is_success() => Ended::Accepted,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Ended::Rejected(why),
        StatusCode::PAYLOAD_TOO_LARGE => Ended::TooLarge,
        _ => {
            let after = answer
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            Ended::Trouble(why, after.map(|seconds: u64| Duration::from_secs(seconds.min(300))))
        }
    }
}
