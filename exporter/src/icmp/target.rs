//! What echoes are sent to: configured targets and those found as modules.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use nshield::ModuleNumber;
use nshield::icmp::Family;

use super::address::Address;
use crate::config::IcmpConfig;

/// What names a series: the target and the module behind it.
pub type TargetKey = (String, Option<ModuleNumber>);

/// One target as configured or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The metric label `target`.
    pub name: String,
    /// The module behind it, where it is an enrolled VCM.
    pub module: Option<ModuleNumber>,
    /// Where echoes go.
    pub destination: Destination,
    /// How they are sent.
    pub echo: EchoConfig,
}

impl Target {
    /// Returns what names its series.
    #[must_use]
    pub fn key(&self) -> TargetKey {
        (self.name.clone(), self.module)
    }
}

/// Where echoes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To an address.
    Address(Address),
    /// To whatever address a name has.
    Host {
        /// The name.
        host: String,
        /// Which of its addresses.
        prefer: Preference,
    },
}

/// Which address of a name is used. The other family serves where the name has no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The first, as the system sorts them (RFC 6724).
    #[default]
    Any,
    /// An address of this family.
    Family(Family),
}

impl Preference {
    /// Chooses among the addresses of a name. One that is in use stays in use as long as the name
    /// has it, so that a name with several addresses does not change with each answer.
    #[must_use]
    pub fn choose(self, addresses: &[IpAddr], current: Option<IpAddr>) -> Option<IpAddr> {
        let preferred = |address: &IpAddr| match self {
            Self::Any => true,
            Self::Family(family) => Family::of(*address) == family,
        };
        let kept = current.filter(|current| addresses.contains(current));
        let first = addresses.iter().copied().find(preferred);
        kept.filter(preferred)
            .or(first)
            .or(kept)
            .or_else(|| addresses.first().copied())
    }
}

/// How echoes to one target are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchoConfig {
    /// Time between two echoes.
    pub interval: Duration,
    /// How long to wait for a reply.
    pub timeout: Duration,
    /// Bytes of payload.
    pub size: usize,
    /// The addresses they leave from.
    pub source: Source,
}

/// The address that echoes leave from, for each family; the system chooses where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// For IPv4.
    pub ip4: Option<Address>,
    /// For IPv6.
    pub ip6: Option<Address>,
}

impl Source {
    /// Returns the address for a family.
    #[must_use]
    pub const fn of(&self, family: Family) -> Option<&Address> {
        match family {
            Family::V4 => self.ip4.as_ref(),
            Family::V6 => self.ip6.as_ref(),
        }
    }
}

/// Returns the targets that echoes are to be sent to now: those configured and, for every module
/// with a known address that has none there, the module itself.
#[must_use]
pub fn current(config: &IcmpConfig, modules: &BTreeMap<ModuleNumber, IpAddr>) -> Vec<Target> {
    let covered = |number| {
        config
            .targets
            .iter()
            .any(|target| target.module == Some(number))
    };
    let found = modules
        .iter()
        .filter(|(number, _)| config.discover && !covered(**number))
        .map(|(number, address)| Target {
            name: format!("module{number}"),
            module: Some(*number),
            destination: Destination::Address((*address).into()),
            echo: config.echo.clone(),
        });
    config.targets.iter().cloned().chain(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn modules_are_found_unless_the_configuration_covers_them() {
        let modules: BTreeMap<ModuleNumber, IpAddr> = [(1, "192.0.2.11"), (2, "192.0.2.12")]
            .map(|(number, address)| (number.try_into().unwrap(), ip(address)))
            .into();
        let by_hand = Target {
            name: "by-hand".to_owned(),
            module: Some(2.try_into().unwrap()),
            destination: Destination::Address(ip("198.51.100.7").into()),
            echo: IcmpConfig::default().echo,
        };
        let mut config = IcmpConfig {
            targets: vec![by_hand],
            ..IcmpConfig::default()
        };
        let names = |config: &IcmpConfig| -> Vec<_> {
            let targets = current(config, &modules);
            targets.into_iter().map(|target| target.name).collect()
        };
        assert_eq!(names(&config), ["by-hand", "module1"]);
        config.discover = false;
        assert_eq!(names(&config), ["by-hand"]);
    }

    #[test]
    fn an_address_in_use_stays_in_use_while_the_name_has_it() {
        let [a, b, c] = ["2001:db8::1", "192.0.2.1", "192.0.2.2"].map(ip);
        let ip4 = Preference::Family(Family::V4);
        let ip6 = Preference::Family(Family::V6);
        for (preference, addresses, current, chosen) in [
            (Preference::Any, vec![a, b], None, Some(a)),
            (Preference::Any, vec![a, b], Some(b), Some(b)),
            (Preference::Any, vec![a, c], Some(b), Some(a)),
            (Preference::Any, vec![], Some(b), None),
            (ip4, vec![a, b, c], None, Some(b)),
            (ip4, vec![a, b, c], Some(c), Some(c)),
            (ip4, vec![a, b], Some(a), Some(b)),
            (ip4, vec![a], None, Some(a)),
            (ip6, vec![b, c], None, Some(b)),
            (ip6, vec![b, c], Some(c), Some(c)),
        ] {
            assert_eq!(
                preference.choose(&addresses, current),
                chosen,
                "{preference:?} {addresses:?} {current:?}"
            );
        }
    }
}
