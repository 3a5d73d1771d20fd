//! Section `probe` of the configuration file: what `/probe` may be asked for.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use vcm_yaml::{Section, duration_in, integer, text_as};

use super::host_name::host_name;
use crate::icmp::Address;

/// How long one probe may take at most; the scraper's own deadline can make it shorter.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bounds of that.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Probes at a time: one each for as many targets as a Prometheus asks for at once, and few enough
/// that nobody can use the exporter to flood anybody.
pub const PROBE_PARALLEL: usize = 100;

/// The checked configuration of `/probe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeConfig {
    /// What may be probed besides the targets of section `icmp` and the enrolled modules.
    pub allow: Vec<Allowed>,
    /// How long one probe may take, 100 ms to 60 s.
    pub timeout: Duration,
    /// How many run at a time, 1 to 10,000.
    pub parallel: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            timeout: PROBE_TIMEOUT,
            parallel: PROBE_PARALLEL,
        }
    }
}

/// Something that may be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// This address.
    Address(Address),
    /// Every address of a network.
    Network(Network),
    /// Whatever address this name has.
    Host(String),
}

/// A network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `192.0.2.0/24`; no bit of the host may be set, as that is mostly a mistake.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let network = Self {
            address: address.parse().ok()?,
            prefix: prefix.parse().ok()?,
        };
        let (bits, length) = bits(network.address);
        let fits = network.prefix <= length && bits == masked(bits, network.prefix);
        fits.then_some(network)
    }

    /// Returns whether an address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let ((own, length), (other, other_length)) = (bits(self.address), bits(address));
        length == other_length && own == masked(other, self.prefix)
    }
}

/// Returns the bits of an address from the highest on, and how many it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn masked(bits: u128, prefix: u32) -> u128 {
    bits & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

impl ProbeConfig {
    pub(super) fn read(probe: &mut Section<'_>) -> Option<Self> {
        let default = Self::default();
        let allow = probe.sequence("allow", text_as(allowed));
        let timeout = probe.optional("timeout", duration_in(TIMEOUTS));
        let parallel = probe.optional("parallel", integer(1..=10_000_usize));
        Some(Self {
            allow: allow.unwrap_or_default(),
            timeout: timeout.unwrap_or(default.timeout),
            parallel: parallel.unwrap_or(default.parallel),
        })
    }
}

fn allowed(text: &str) -> Result<Allowed, String> {
    if let Some(network) = Network::parse(text) {
        return Ok(Allowed::Network(network));
    }
    if let Ok(address) = text.parse() {
        return Ok(Allowed::Address(address));
    }
    let host = host_name(text).map(Allowed::Host);
    host.ok_or_else(|| {
        "is not an address, a network such as 192.0.2.0/24 or a host name".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn reads_every_key() {
        let text = "probe:\n  allow: [192.0.2.1, 198.51.100.0/24, 'fe80::1%eth0', VCM.example]\n  \
                    timeout: 2s\n  parallel: 7\n";
        let probe = Config::parse(text).unwrap().probe;
        assert_eq!(probe.timeout, Duration::from_secs(2));
        assert_eq!(probe.parallel, 7);
        assert_eq!(
            probe.allow,
            [
                Allowed::Address("192.0.2.1".parse().unwrap()),
                Allowed::Network(Network::parse("198.51.100.0/24").unwrap()),
                Allowed::Address("fe80::1%eth0".parse().unwrap()),
                Allowed::Host("vcm.example".to_owned()),
            ]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let shape = "is not an address, a network such as 192.0.2.0/24 or a host name";
        for (text, expected) in [
            ("allow: [192.0.2.1/24]", format!("allow[0]: {shape}")),
            ("allow: [192.0.2.0/33]", format!("allow[0]: {shape}")),
            ("allow: ['*']", format!("allow[0]: {shape}")),
            ("timeout: 1h", "timeout: is not from 100ms to 1m".to_owned()),
            (
                "parallel: 0",
                "parallel: is not a whole number from 1 to 10000".to_owned(),
            ),
        ] {
            let error = Config::parse(&format!("probe: {{{text}}}")).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("configuration:1: probe.{expected}")
            );
        }
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("0.0.0.0/0", "192.0.2.6", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                inside,
                "{network:?} {address}"
            );
        }
    }
}
