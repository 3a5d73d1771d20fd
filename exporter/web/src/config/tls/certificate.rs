//! The server's own certificate and key.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use vcm_yaml::Section;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::pem::{self, Keys, Pem};
use crate::clock;
use crate::config::file::Reading;

const CERTIFICATE: Keys = Keys {
    inline: "cert",
    in_file: "cert_file",
};

const KEY: Keys = Keys {
    inline: "key",
    in_file: "key_file",
};

/// Reads certificate and key, which are `required` once anything else of TLS is configured.
pub(super) fn read(
    section: &mut Section<'_>,
    required: bool,
    reading: &mut Reading,
) -> Option<CertifiedKey> {
    let chain = pem::read(section, CERTIFICATE, required, reading)
        .and_then(|pem| certificates(section, &pem).map(|chain| (pem.key, chain)));
    let key = pem::read(section, KEY, required, reading)
        .and_then(|pem| private_key(section, &pem).map(|key| (pem.key, key)));
    let (chain_key, chain) = chain?;
    remark_on_validity(chain_key, chain.first()?, reading);
    let (key_key, key) = key?;
    let certified = CertifiedKey::new(chain, key);
    let what = match certified.keys_match() {
        // A key that cannot tell its public half cannot be compared.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => return Some(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            section.problem(key_key, "does not belong to the certificate");
            return None;
        }
        Err(error) => format!("begins with a certificate that cannot be used: {error}"),
    };
    section.problem(chain_key, what);
    None
}

/// Takes all certificates out of PEM text, at least one.
pub(super) fn certificates(
    section: &mut Section<'_>,
    pem: &Pem,
) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.bytes).collect();
    match all {
        Ok(all) if all.is_empty() => {
            section.problem(pem.key, "has no certificate (in PEM)");
            None
        }
        Ok(all) => Some(all),
        Err(_) => {
            section.problem(pem.key, "is not valid PEM");
            None
        }
    }
}

fn private_key(section: &mut Section<'_>, pem: &Pem) -> Option<Arc<dyn SigningKey>> {
    let what = match PrivateKeyDer::from_pem_slice(&pem.bytes) {
        Ok(key) => match any_supported_type(&key) {
            Ok(key) => return Some(key),
            Err(_) => {
                "is no key that can be used: RSA of 2048 to 4096 bits, ECDSA P-256 or P-384, Ed25519"
            }
        },
        Err(_) if is_encrypted(&pem.bytes) => {
            "is encrypted; a server that starts by itself needs it without a passphrase"
        }
        Err(_) => "has no private key (in PEM)",
    };
    section.problem(pem.key, what);
    None
}

fn is_encrypted(pem: &[u8]) -> bool {
    let pem = String::from_utf8_lossy(pem);
    pem.contains("ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED")
}

/// An expired certificate is served all the same, as in the toolkit: clients say what they think of
/// it, and some do not look.
fn remark_on_validity(key: &str, leaf: &CertificateDer<'_>, reading: &mut Reading) {
    let Ok(leaf) = Certificate::from_der(leaf) else {
        return;
    };
    let (now, validity) = (clock::since_1970(), leaf.tbs_certificate.validity);
    let key = format!("tls_server_config.{key}");
    if now > validity.not_after.to_unix_duration() {
        let end = validity.not_after;
        reading.remark(&key, &format!("the certificate expired at {end}"));
    }
    if now < validity.not_before.to_unix_duration() {
        let start = validity.not_before;
        reading.remark(&key, &format!("the certificate is valid only from {start}"));
    }
}
