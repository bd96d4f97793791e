//! A small HTTP/1.1 client: one GET a connection, with bounded bodies and deadlines, and lines of a body that goes on.

use super::{FeedError, LARGEST_DOCUMENT};
use crate::site::Secret;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{DATE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Until the connection stands, and then until the head of the answer; real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest line of a body that is read by lines, bytes.
const LONGEST_LINE: usize = 4 * 1024 * 1024;

/// Largest file of a secret or of certificates, bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A server and the first part of the paths on it.
pub(super) struct Server {
    /// `host:port`.
    address: String,
    /// Path before those that are asked for, without a slash at its end.
    base: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// The head of an answer, and its body to come.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// What the server's clock says, wall ms.
    pub(super) date_ms: Option<i64>,
    body: Incoming,
    /// Bytes read that are not a whole line yet.
    rest: Vec<u8>,
}

impl Server {
    /// A server by its URL (checked with the site); `authority` are the certificates for https, PEM.
    pub(super) fn new(url: &str, authority: &[u8]) -> Result<Self, FeedError> {
        let wrong = |what: &str| FeedError::Source(format!("{url}: {what}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("is not a URL"))?;
        let (address, base) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, _) = address.rsplit_once(':').ok_or_else(|| wrong("names no port"))?;
        let tls = if scheme == "https" {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong("has no name that TLS can check"))?;
            Some((connector(authority).map_err(|what| wrong(&what))?, name))
        } else {
            None
        };
        Ok(Self {
            address: address.to_owned(),
            base: match base.trim_matches('/') {
                "" => String::new(),
                base => format!("/{base}"),
            },
            tls,
        })
    }

    /// Asks for a path (with its query), sending the headers beside the usual ones.
    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, FeedError> {
        let failed = |what: &dyn std::fmt::Display| FeedError::Source(format!("{}: {what}", self.address));
        let mut request = Request::get(format!("{}{path}", self.base))
            .header(HOST, &self.address)
            .header("accept", "application/json")
            .header("user-agent", concat!("isotherm/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|_| failed(&"a header or the path has characters that HTTP does not carry"))?;
        let ask = async {
            let stream = TcpStream::connect(&self.address)
                .await
                .map_err(|error| failed(&error))?;
            match &self.tls {
                Some((connector, name)) => {
                    let stream = connector.connect(name.clone(), stream).await;
                    send(stream.map_err(|error| failed(&error))?, request).await
                }
                None => send(stream, request).await,
            }
            .map_err(|error| failed(&error))
        };
        let answer = timeout(PATIENCE, ask)
            .await
            .map_err(|_| failed(&format!("no answer within {} s", PATIENCE.as_secs())))??;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        Ok(Answer {
            status: answer.status(),
            date_ms: date.map(|date| date.timestamp().as_millisecond()),
            body: answer.into_body(),
            rest: Vec::new(),
        })
    }
}

async fn send<S>(stream: S, request: Request<Empty<Bytes>>) -> hyper::Result<hyper::Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends when the body has been read or dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the scheduler ended badly");
        }
    });
    sender.send_request(request).await
}

fn connector(authority: &[u8]) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        let certificate = certificate.map_err(|error| format!("the authority's file is not PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("a certificate of the authority cannot be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err("the authority's file holds no certificate".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Answer {
    /// The whole body, unless it is too large or `silence` passes without a byte.
    pub(super) async fn bytes(mut self, silence: Duration) -> Result<Vec<u8>, FeedError> {
        let mut bytes = Vec::new();
        while let Some(more) = self.more(silence).await? {
            if bytes.len() + more.len() > LARGEST_DOCUMENT {
                return Err(FeedError::Source(format!(
                    "the answer has more than {LARGEST_DOCUMENT} bytes"
                )));
            }
            bytes.extend_from_slice(&more);
        }
        Ok(bytes)
    }

    /// The next line of the body; `None` at its end, where a line without an end is dropped.
    pub(super) async fn line(&mut self, silence: Duration) -> Result<Option<Vec<u8>>, FeedError> {
        let mut looked_at = 0;
        loop {
            let fresh = self.rest.get(looked_at..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let rest = self.rest.split_off(looked_at + end + 1);
                return Ok(Some(std::mem::replace(&mut self.rest, rest)));
            }
            looked_at = self.rest.len();
            if looked_at > LONGEST_LINE {
                return Err(FeedError::Source(format!(
                    "a line of the answer has more than {LONGEST_LINE} bytes"
                )));
            }
            match self.more(silence).await? {
                Some(more) => self.rest.extend_from_slice(&more),
                None => return Ok(None),
            }
        }
    }

    async fn more(&mut self, silence: Duration) -> Result<Option<Bytes>, FeedError> {
        loop {
            let frame = timeout(silence, self.body.frame())
                .await
                .map_err(|_| FeedError::Source(format!("the answer stopped for {} s", silence.as_secs())))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(FeedError::Source(format!("the answer broke off: {error}"))),
                // Trailers carry nothing for us.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// A secret's value, read anew from its file; `None` where there is none.
pub(super) async fn secret(secret: &Secret) -> Result<Option<String>, FeedError> {
    let path = match secret {
        Secret::None => return Ok(None),
        Secret::Value(value) => return Ok(Some(value.clone())),
        Secret::File(path) => path,
    };
    let text = String::from_utf8(file(path).await?)
        .map_err(|_| FeedError::Source(format!("{path}: a token is plain text")))?;
    let text = text.trim();
    // As `scontrol token` prints it.
    let token = text.strip_prefix("SLURM_JWT=").unwrap_or(text);
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FeedError::Source(format!(
            "{path}: holds no token; write the token alone, on one line"
        )));
    }
    Ok(Some(token.to_owned()))
}

/// A small file.
pub(super) async fn file(path: &str) -> Result<Vec<u8>, FeedError> {
    let failed = |error: std::io::Error| FeedError::Source(format!("{path}: {error}"));
    let opened = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    opened
        .take(LARGEST_FILE)
        .read_to_end(&mut bytes)
        .await
        .map_err(failed)?;
    Ok(bytes)
}
