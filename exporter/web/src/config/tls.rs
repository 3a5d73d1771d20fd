//! `tls_server_config`: from its keys to what rustls serves with.

mod certificate;
mod clients;
mod pem;
mod words;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use vcm_yaml::Section;

pub(super) use self::clients::Clients;

use self::words::{Versions, cipher_suites, curves, versions};
use super::file::{Reading, boolean};

/// TLS as configured.
pub(super) struct Tls {
    pub(super) server: Arc<ServerConfig>,
    pub(super) clients: Clients,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}

/// Keys that the section may have; with none of them it is as if it were missing.
const KEYS: [&str; 13] = [
    "cert",
    "cert_file",
    "key",
    "key_file",
    "client_auth_type",
    "client_ca",
    "client_ca_file",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];

/// Reads the section. Everything is read, also after a problem, so that all of them are found.
pub(super) fn read(section: &mut Section<'_>, http2: bool, reading: &mut Reading) -> Option<Tls> {
    let given = KEYS.iter().any(|key| section.contains(key));
    let certified = certificate::read(section, given, reading);
    let versions = versions(section, reading);
    let suites = cipher_suites(section, reading);
    let groups = curves(section, reading);
    let server_order = section.optional("prefer_server_cipher_suites", boolean);
    let mut provider = ring::default_provider();
    let no_group = groups.as_ref().is_some_and(Vec::is_empty);
    if let Some(groups) = groups {
        provider.kx_groups = groups;
    }
    let versions = match suites {
        Some(suites) => {
            let versions = versions.and_then(|versions| narrowed(section, versions, &suites));
            provider.cipher_suites = suites;
            versions
        }
        None => versions,
    };
    let provider = Arc::new(provider);
    let clients = clients::read(section, &provider, reading);
    let (certified, versions, clients) = (certified?, versions?, clients?);
    if no_group {
        return None;
    }
    let built = server(provider, &versions, certified, clients.verifier());
    let Ok(mut server) = built else {
        section.problem_here("has versions, cipher suites and curves that do not go together");
        return None;
    };
    server.ignore_client_order = server_order.unwrap_or(true);
    server.alpn_protocols = alpn(http2);
    Some(Tls {
        server: Arc::new(server),
        clients: clients.policy(),
    })
}

fn server(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    certified: CertifiedKey,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // No session outlives the configuration under which its client was let in, and none takes
    // memory; in Prometheus' toolkit, too, every connection makes a full handshake.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

/// Leaves TLS 1.2 out when no cipher suite is left for it.
fn narrowed(
    section: &mut Section<'_>,
    versions: Versions,
    suites: &[SupportedCipherSuite],
) -> Option<Versions> {
    let usable = |version: &&'static SupportedProtocolVersion| {
        suites.iter().any(|suite| suite.version() == *version)
    };
    let left: Versions = versions.iter().copied().filter(usable).collect();
    if left.is_empty() {
        let what = "leaves no cipher suite for the TLS versions that are allowed";
        section.problem("cipher_suites", what);
        return None;
    }
    Some(left)
}

fn alpn(http2: bool) -> Vec<Vec<u8>> {
    let h1 = b"http/1.1".to_vec();
    if http2 {
        vec![b"h2".to_vec(), h1]
    } else {
        vec![h1]
    }
}
