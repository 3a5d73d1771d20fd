//! The toolkit's (that is, Go's) words for versions, cipher suites and curves, and what becomes of
//! those that are not offered here.
//!
//! Refused: what is unknown to Go, and what would leave nothing. Accepted with a remark: what Go
//! offers and this does not, as long as something stays, for a server that offers less than it was
//! allowed to is still the one that was asked for.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{cipher_suite as ring, kx_group};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use vcm_yaml::{Section, text_as};

use crate::config::file::Reading;

/// Versions to be offered.
pub(super) type Versions = Vec<&'static SupportedProtocolVersion>;

/// A version of TLS as the toolkit names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

/// Reads `min_version` and `max_version`.
pub(super) fn versions(section: &mut Section<'_>, reading: &mut Reading) -> Option<Versions> {
    let min = section.optional("min_version", text_as(version));
    let max = section.optional("max_version", text_as(version));
    let usable = |section: &Section<'_>, key: &str, version: Option<Version>| {
        version.is_some() || !section.contains(key)
    };
    if !usable(section, "min_version", min) || !usable(section, "max_version", max) {
        return None;
    }
    let (min, max) = (min.unwrap_or(Version::Tls12), max.unwrap_or(Version::Tls13));
    if max < Version::Tls12 {
        section.problem(
            "max_version",
            "leaves nothing: TLS below 1.2 is not offered, it is broken (RFC 8996)",
        );
        return None;
    }
    if min > max {
        section.problem("min_version", "is above max_version");
        return None;
    }
    if min < Version::Tls12 {
        let text = "TLS below 1.2 is not offered (RFC 8996); the lowest version is TLS12";
        reading.remark("tls_server_config.min_version", text);
    }
    let offered = [(Version::Tls12, &TLS12), (Version::Tls13, &TLS13)];
    let allowed = offered
        .into_iter()
        .filter(|(version, _)| (min..=max).contains(version));
    Some(allowed.map(|(_, version)| version).collect())
}

fn version(word: &str) -> Result<Version, String> {
    match word {
        "TLS10" => Ok(Version::Tls10),
        "TLS11" => Ok(Version::Tls11),
        "TLS12" => Ok(Version::Tls12),
        "TLS13" => Ok(Version::Tls13),
        _ => Err("is not TLS10, TLS11, TLS12 or TLS13".to_owned()),
    }
}

/// A cipher suite that Go knows.
#[derive(Debug, Clone, Copy)]
enum Suite {
    Offered(SupportedCipherSuite),
    /// One of TLS 1.3, where all are always offered, as in Go.
    Always,
    /// Go has it, rustls does not: no forward secrecy, or CBC with its padding oracles.
    NotOffered,
}

fn suite(word: &str) -> Result<Suite, String> {
    Ok(match word {
        "TLS_AES_128_GCM_SHA256" | "TLS_AES_256_GCM_SHA384" | "TLS_CHACHA20_POLY1305_SHA256" => {
            Suite::Always
        }
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => {
            Suite::Offered(ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
        }
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => {
            Suite::Offered(ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
        }
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" => {
            Suite::Offered(ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
        }
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => {
            Suite::Offered(ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
        }
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => {
            Suite::Offered(ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)
        }
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" | "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" => {
            Suite::Offered(ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)
        }
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
        | "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
        | "TLS_RSA_WITH_AES_128_CBC_SHA"
        | "TLS_RSA_WITH_AES_256_CBC_SHA"
        | "TLS_RSA_WITH_AES_128_GCM_SHA256"
        | "TLS_RSA_WITH_AES_256_GCM_SHA384" => Suite::NotOffered,
        _ => return Err("is not a cipher suite that Go calls secure".to_owned()),
    })
}

/// Reads `cipher_suites`; nothing if the default is to be used. TLS 1.3's are in the list always,
/// then those of TLS 1.2 that were named, in their order.
pub(super) fn cipher_suites(
    section: &mut Section<'_>,
    reading: &mut Reading,
) -> Option<Vec<SupportedCipherSuite>> {
    let named = section.sequence(
        "cipher_suites",
        text_as(|word| Ok((word.to_owned(), suite(word)?))),
    )?;
    if named.is_empty() {
        return None;
    }
    let mut suites = vec![
        ring::TLS13_AES_256_GCM_SHA384,
        ring::TLS13_AES_128_GCM_SHA256,
        ring::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    for (word, suite) in named {
        match suite {
            Suite::Offered(suite) if suites.contains(&suite) => {}
            Suite::Offered(suite) => suites.push(suite),
            Suite::Always => {}
            Suite::NotOffered => {
                let text = format!("{word} is not offered: no forward secrecy, or CBC");
                reading.remark("tls_server_config.cipher_suites", &text);
            }
        }
    }
    Some(suites)
}

/// Reads `curve_preferences`; nothing if the default is to be used.
pub(super) fn curves(
    section: &mut Section<'_>,
    reading: &mut Reading,
) -> Option<Vec<&'static dyn SupportedKxGroup>> {
    let named = section.sequence("curve_preferences", text_as(curve))?;
    if named.is_empty() {
        return None;
    }
    if named.contains(&None) {
        let text = "CurveP521 is not offered";
        reading.remark("tls_server_config.curve_preferences", text);
    }
    let groups: Vec<_> = named.into_iter().flatten().map(group).collect();
    if groups.is_empty() {
        section.problem(
            "curve_preferences",
            "leaves no curve: X25519, CurveP256 and CurveP384 are offered",
        );
    }
    Some(groups)
}

/// A curve that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    X25519,
    P256,
    P384,
}

/// Reads the name of a curve; nothing if Go has it and rustls with ring does not.
fn curve(word: &str) -> Result<Option<Curve>, String> {
    match word {
        "X25519" => Ok(Some(Curve::X25519)),
        "CurveP256" => Ok(Some(Curve::P256)),
        "CurveP384" => Ok(Some(Curve::P384)),
        "CurveP521" => Ok(None),
        _ => Err("is not CurveP256, CurveP384, CurveP521 or X25519".to_owned()),
    }
}

fn group(curve: Curve) -> &'static dyn SupportedKxGroup {
    match curve {
        Curve::X25519 => kx_group::X25519,
        Curve::P256 => kx_group::SECP256R1,
        Curve::P384 => kx_group::SECP384R1,
    }
}
