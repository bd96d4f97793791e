//! TLS on a connection: rustls with the authorities of a file.

use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom to believe: the authorities in a file of PEM certificates; `None` where no connection uses TLS.
pub(super) fn connector(wanted: bool, ca_file: &str) -> Result<Option<TlsConnector>, String> {
    if !wanted {
        return Ok(None);
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
    Ok(Some(TlsConnector::from(Arc::new(config))))
}
