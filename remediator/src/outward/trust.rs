//! Whose certificates are believed: this machine's authorities, or those of one file and no others.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that this machine believes.
    #[default]
    Machine,
    /// Those of the authorities in this PEM file, and no others.
    File(PathBuf),
    /// None: there is no peer that is called by `https`.
    Nobody,
}

/// Why there are no authorities to believe.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read as PEM.
    #[error("cannot read certificates from {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in it, or one that is none.
    #[error("{} holds no usable certificate of an authority", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// This machine has none.
    #[error("this machine has no certificates of authorities; name a ca_file")]
    MachineHasNone,
    /// rustls refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// reqwest does not take the configuration of TLS: it was built against another rustls.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

impl Trust {
    /// The configuration of TLS that follows from it.
    pub(super) fn client_config(&self) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Tls)?
            .with_root_certificates(self.authorities()?)
            .with_no_client_auth();
        Ok(config)
    }

    fn authorities(&self) -> Result<RootCertStore, TrustError> {
        match self {
            Self::Machine => machine(),
            Self::File(path) => file(path),
            Self::Nobody => Ok(RootCertStore::empty()),
        }
    }
}

fn machine() -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _unreadable) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(TrustError::MachineHasNone);
    }
    Ok(store)
}

fn file(path: &PathBuf) -> Result<RootCertStore, TrustError> {
    let failed = |source| TrustError::File {
        path: path.clone(),
        source,
    };
    let unusable = || TrustError::Unusable { path: path.clone() };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
        let certificate = certificate.map_err(failed)?;
        store.add(certificate).map_err(|_| unusable())?;
    }
    if store.is_empty() {
        return Err(unusable());
    }
    Ok(store)
}
