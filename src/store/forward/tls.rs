//! TLS on a connection: rustls with the authorities of a file.

use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom to believe; `None` where no connection uses TLS.
#[derive(Clone)]
pub(super) struct Tls(Option<TlsConnector>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Tls" } else { "NoTls" })
    }
}

impl Tls {
    /// The authorities in a file of PEM certificates, where TLS is wanted.
    pub(super) fn new(wanted: bool, ca_file: &str) -> Result<Self, String> {
        if !wanted {
            return Ok(Self(None));
        }
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca_file);
        let certificates = certificates.map_err(|error| format!("forward.ca_file `{ca_file}`: {error}"))?;
        let (added, _unusable) = roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        if added == 0 {
            return Err(format!("forward.ca_file `{ca_file}` holds no certificate (PEM)"));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Some(TlsConnector::from(Arc::new(config)))))
    }

    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let connector = self.0.as_ref().ok_or("TLS was not set up")?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host}: {error}"))?;
        let secured = connector.connect(name, stream).await;
        secured.map_err(|error| format!("{host}: {error}"))
    }
}
