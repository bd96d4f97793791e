//! TLS clients: rustls with ring, TLS 1.2 and 1.3.

use super::Stream;
use crate::site::TlsSettings;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// A client's side of TLS, from the files that the site names.
///
/// The server must show a certificate of one of the authorities in `ca` for the name or address that is dialled. With a
/// certificate and a key of our own, we show them too.
///
/// # Errors
/// Which file is wrong, and how.
pub fn client(settings: &TlsSettings) -> Result<Arc<ClientConfig>, String> {
    if settings.ca.is_empty() {
        return Err(
            "tls.ca is empty: write the file of the authorities (PEM) that sign the server's certificate".into(),
        );
    }
    let mut roots = RootCertStore::empty();
    for authority in certificates(&settings.ca)? {
        roots
            .add(authority)
            .map_err(|error| format!("{}: {error}", settings.ca))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = if settings.certificate.is_empty() {
        builder.with_no_client_auth()
    } else {
        let key = PrivateKeyDer::from_pem_file(Path::new(&settings.key))
            .map_err(|error| format!("{}: {error}", settings.key))?;
        builder
            .with_client_auth_cert(certificates(&settings.certificate)?, key)
            .map_err(|error| format!("{}: {error}", settings.certificate))?
    };
    Ok(Arc::new(config))
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let found = CertificateDer::pem_file_iter(Path::new(file)).map_err(|error| wrong(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if found.is_empty() {
        return Err(wrong(&"no certificate in it: write a PEM file"));
    }
    Ok(found)
}

/// TLS over a connection to `address` (`host:port`), whose host the server's certificate must name.
pub async fn secure(
    stream: TcpStream,
    address: &str,
    settings: &TlsSettings,
    patience: Duration,
) -> Result<Box<dyn Stream>, String> {
    let config = client(settings)?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| format!("{address}: {error}"))?;
    match tokio::time::timeout(patience, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(format!("{address}: TLS: {error}")),
        Err(_) => Err(format!("{address}: no TLS within {} ms", patience.as_millis())),
    }
}
