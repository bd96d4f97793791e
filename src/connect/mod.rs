//! How the edges reach other machines: TCP and TLS streams, and the MQTT and HTTP clients that run on either.
//!
//! TLS is rustls with ring, verified against the authorities that the site's file names and nothing else: a plant has
//! its own. Certificates are read at each connection, so that renewed ones are taken up without a restart.

pub mod backoff;
pub mod http;
pub mod mqtt;
pub mod tls;

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection of any kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for T {}

/// Connects to `host:port` within `patience`; the error says where and why.
pub async fn tcp(address: &str, patience: Duration) -> Result<TcpStream, String> {
    let connect = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(stream)
    };
    match timeout(patience, connect).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!("{address}: no connection within {} ms", patience.as_millis())),
    }
}
