//! The `connection info` line of a remote module: where a failed module's identity survives.
//!
//! Form seen with network HSMs: `esn = 1A2B-03E0-D947; addr = INET/192.0.2.11/9004; ku hash =
//! <40 hex>, mech = Any; time-limit = ...`. How it reads for a VCM is not known, so that every part
//! is optional and the result only ever suggests.

use std::net::IpAddr;

use crate::Esn;

/// What `connection info` says about the other end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionInfo {
    /// The serial number the connection was enrolled for.
    pub esn: Option<Esn>,
    /// The address that the hardserver connects to.
    pub address: Option<IpAddr>,
    /// The TCP port that the hardserver connects to.
    pub port: Option<u16>,
}

impl ConnectionInfo {
    /// Parses the value of a `connection info` line.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let mut info = Self::default();
        let pairs = value
            .split([';', ','])
            .filter_map(|part| part.split_once('='));
        for (name, value) in pairs {
            match name.trim() {
                "esn" => info.esn = info.esn.or_else(|| value.trim().parse().ok()),
                "addr" if info.address.is_none() => {
                    (info.address, info.port) = address(value.trim());
                }
                _ => {}
            }
        }
        info
    }
}

/// Reads `INET/<address>/<port>`; the family word is not needed, the address says it.
fn address(text: &str) -> (Option<IpAddr>, Option<u16>) {
    let mut parts = text.split('/').rev();
    let port = parts.next().and_then(|port| port.parse().ok());
    let address = match port {
        Some(_) => parts.next(),
        None => text.rsplit('/').next(),
    };
    let bare = address.map(|address| address.trim_matches(['[', ']']));
    (bare.and_then(|address| address.parse().ok()), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_serial_number_address_and_port() {
        let info = ConnectionInfo::parse(
            "esn = 1A2B-03E0-D947; addr = INET/192.0.2.11/9004; \
             ku hash = 89abcdef0123456789abcdef0123456789abcdef, mech = Any; time-limit = 24h",
        );
        assert_eq!(info.esn, Some("1A2B-03E0-D947".parse().unwrap()));
        assert_eq!(info.address, Some("192.0.2.11".parse().unwrap()));
        assert_eq!(info.port, Some(9004));
    }

    #[test]
    fn leaves_out_what_it_does_not_understand() {
        for (text, esn, address) in [
            ("", None, None),
            ("none", None, None),
            ("esn = unknown; addr = INET/vcm.example/9004", None, None),
            ("addr = INET6/2001:db8::7/9004", None, Some("2001:db8::7")),
            ("addr = INET6/[2001:db8::7]/9004", None, Some("2001:db8::7")),
            ("addr=192.0.2.9", None, Some("192.0.2.9")),
            ("addr=INET/192.0.2.9", None, Some("192.0.2.9")),
            ("esn=1A2B-03E0-D947", Some("1A2B-03E0-D947"), None),
            ("addr = INET/192.0.2.999/9004", None, None),
        ] {
            let info = ConnectionInfo::parse(text);
            assert_eq!(info.esn.as_ref().map(Esn::as_str), esn, "{text:?}");
            assert_eq!(
                info.address.map(|a| a.to_string()).as_deref(),
                address,
                "{text:?}"
            );
        }
    }
}
