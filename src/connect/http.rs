//! A small HTTP/1.1 client: one connection, kept while it works; every wait and every answer is bounded.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Longest answer that is read.
const MAX_ANSWER: usize = 4 << 20;

/// Where a server is: scheme, host, port, and what stands before every path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is https.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Begins with `/`; without a trailing one.
    pub path: String,
    /// Without `?`; may be empty.
    pub query: String,
}

impl Url {
    /// Reads `http://host:port/path?query`.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "write http://host:port/path or https://host:port/path";
        let (scheme, rest) = text.split_once("://").ok_or_else(|| FORM.to_owned())?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(FORM.to_owned()),
        };
        if rest.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '#') {
            return Err(FORM.to_owned());
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
        if authority.contains('@') {
            return Err("holds a user: secrets belong in `token` or `token_file`".to_owned());
        }
        let standard = if tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| FORM.to_owned())?),
            _ => (authority, standard),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(FORM.to_owned());
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
            query: query.to_owned(),
        })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A text as part of a query.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub text: String,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers beside the host.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body.
    pub body: Bytes,
}

/// A client of one server.
pub struct Client {
    url: Url,
    tls: Option<TlsConnector>,
    timeout: Duration,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `url`, with `tls` for https, that waits `timeout` for a whole answer.
    pub const fn new(url: Url, tls: Option<TlsConnector>, timeout: Duration) -> Self {
        Self {
            url,
            tls,
            timeout,
            connection: None,
        }
    }

    /// Asks and waits for the whole answer. The error is a sentence; the connection is given up then.
    pub async fn ask(&mut self, ask: Ask) -> Result<Answer, String> {
        let asked = tokio::time::timeout(self.timeout, self.try_ask(ask)).await;
        let answer = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", self.timeout.as_secs_f64())));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    async fn try_ask(&mut self, ask: Ask) -> Result<Answer, String> {
        let mut sender = match self.connection.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await.map_err(|error| chain(&error))?;
        let mut request = Request::builder().method(ask.method).uri(ask.target);
        if let Some(headers) = request.headers_mut() {
            headers.extend(ask.headers.into_iter().map(|(name, value)| (Some(name), value)));
            let host = HeaderValue::try_from(self.url.authority()).map_err(|error| chain(&error))?;
            headers.insert(HOST, host);
        }
        let request = request.body(Full::new(ask.body)).map_err(|error| chain(&error))?;
        let response = sender.send_request(request).await.map_err(|error| chain(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let bytes = body
            .map_err(|error| format!("the answer cannot be read: {error}"))?
            .to_bytes();
        self.connection = Some(sender);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await;
        let stream = stream.map_err(|error| format!("{}: {error}", self.url.authority()))?;
        stream.set_nodelay(true).ok();
        if self.url.tls {
            let connector = self.tls.as_ref().ok_or("TLS was not set up")?;
            let host = &self.url.host;
            let name = ServerName::try_from(host.clone()).map_err(|error| format!("{host}: {error}"))?;
            let secured = connector.connect(name, stream).await;
            begin(TokioIo::new(secured.map_err(|error| format!("{host}: {error}"))?)).await
        } else {
            begin(TokioIo::new(stream)).await
        }
    }
}

async fn begin<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await.map_err(|error| chain(&error))?;
    // Its end shows on the sender.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_their_parts_and_secrets_are_refused() {
        let url = |tls, host: &str, port, path: &str, query: &str| Url {
            tls,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            query: query.to_owned(),
        };
        let good = [
            ("http://db:8086", url(false, "db", 8086, "", "")),
            ("https://db/x/", url(true, "db", 443, "/x", "")),
            (
                "http://[::1]:8428/write?db=a",
                url(false, "::1", 8428, "/write", "db=a"),
            ),
            ("http://[::1]", url(false, "::1", 80, "", "")),
        ];
        for (text, parts) in good {
            assert_eq!(Url::parse(text), Ok(parts), "{text}");
        }
        for bad in [
            "",
            "db:8086",
            "ftp://db",
            "http://",
            "http://db:99999",
            "http://a b",
            "http://u:p@db",
            "http://db/#x",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(percent("a b/ö"), "a%20b%2F%C3%B6");
    }
}
