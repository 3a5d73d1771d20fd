//! Section `icmp` of the configuration file.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use nshield::ModuleNumber;
use nshield::icmp::{Family, PAYLOAD_MAX, PAYLOAD_MIN};
use vcm_yaml::{Section, boolean, duration_in, integer, text_as};

use super::host_name::host_name;
use crate::icmp::{Address, AddressError, Destination, EchoConfig, Preference, Source, Target};

/// Time between two echoes to one target: often enough to see a loss of a few seconds between two
/// scrapes.
pub const ICMP_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for a reply: far above any round trip between a tenant and its HSM.
pub const ICMP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after a time-out a reply is still counted as late.
pub const ICMP_LATE_WINDOW: Duration = Duration::from_secs(10);

/// Bytes of payload: the customary number of `ping`.
pub const ICMP_SIZE: usize = 56;

/// Time between two lookups of a name: the usual life of an address in the DNS of a data centre.
pub const ICMP_RESOLVE_INTERVAL: Duration = Duration::from_secs(60);

/// How long a target goes without a reply before it continues with another echo identifier: the
/// time for which Linux keeps ICMP state that nothing refreshes (`nf_conntrack_icmp_timeout`).
pub const ICMP_RENEW_AFTER: Duration = Duration::from_secs(30);

/// Bounds of that: below, a short loss already costs a socket; above, stuck state is no help.
const RENEWALS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3600);

/// Bounds of every duration of echoes: below, the echoes themselves become load; above, nothing is
/// seen.
const DURATIONS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Bounds of the time between two lookups: below, lookups become load for the name servers; above,
/// a moved target is lost for too long.
const RESOLVE_INTERVALS: RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_secs(3600);

/// The checked configuration of echoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpConfig {
    /// How echoes to targets are sent that say nothing else.
    pub echo: EchoConfig,
    /// How long after a time-out a reply is counted as late, 100 ms to 60 s.
    pub late_window: Duration,
    /// Time between two lookups of a name, 5 s to 1 h.
    pub resolve_interval: Duration,
    /// How long a target goes without a reply before it gets another echo identifier, 5 s to 1 h.
    pub renew_after: Duration,
    /// Whether enrolled modules are targets by themselves.
    pub discover: bool,
    /// Further targets, and modules whose address is not to be taken from the tools.
    pub targets: Vec<Target>,
}

impl Default for IcmpConfig {
    fn default() -> Self {
        Self {
            echo: EchoConfig {
                interval: ICMP_INTERVAL,
                timeout: ICMP_TIMEOUT,
                size: ICMP_SIZE,
                source: Source::default(),
            },
            late_window: ICMP_LATE_WINDOW,
            resolve_interval: ICMP_RESOLVE_INTERVAL,
            renew_after: ICMP_RENEW_AFTER,
            discover: true,
            targets: Vec::new(),
        }
    }
}

impl IcmpConfig {
    pub(super) fn read(icmp: &mut Section<'_>) -> Option<Self> {
        let default = Self::default();
        let echo = EchoConfig {
            source: icmp.section("source", read_sources).unwrap_or_default(),
            ..read_echo(icmp, &default.echo)
        };
        let late_window = icmp.optional("late_window", duration_in(DURATIONS));
        let resolve_interval = icmp.optional("resolve_interval", duration_in(RESOLVE_INTERVALS));
        let renew_after = icmp.optional("renew_after", duration_in(RENEWALS));
        let prefer = read_preference(icmp).unwrap_or_default();
        let discover = icmp.optional("discover", boolean);
        let mut seen = BTreeSet::new();
        let targets = icmp.sections("targets", |target| {
            let read = read_target(target, &echo, prefer)?;
            // Two targets of one name and module would share one series.
            if !seen.insert(read.key()) {
                target.problem("name", "is the name of another target, of the same module");
            }
            Some(read)
        });
        Some(Self {
            echo,
            late_window: late_window.unwrap_or(default.late_window),
            resolve_interval: resolve_interval.unwrap_or(default.resolve_interval),
            renew_after: renew_after.unwrap_or(default.renew_after),
            discover: discover.unwrap_or(default.discover),
            targets: targets.unwrap_or_default(),
        })
    }
}

/// Reads what a target may say for itself as well, all but the source.
fn read_echo(section: &mut Section<'_>, default: &EchoConfig) -> EchoConfig {
    let mut duration = |key, default| {
        let read = section.optional(key, duration_in(DURATIONS));
        read.unwrap_or(default)
    };
    let interval = duration("interval", default.interval);
    let timeout = duration("timeout", default.timeout);
    let size = section.optional("size", integer(PAYLOAD_MIN..=PAYLOAD_MAX));
    EchoConfig {
        interval,
        timeout,
        size: size.unwrap_or(default.size),
        source: default.source.clone(),
    }
}

fn read_sources(source: &mut Section<'_>) -> Option<Source> {
    let mut of = |key, family, what: &'static str| {
        source.optional(
            key,
            text_as(move |text| {
                let address = address(text)?;
                let right = address.family() == family;
                right
                    .then_some(address)
                    .ok_or_else(|| format!("is not an {what} address"))
            }),
        )
    };
    Some(Source {
        ip4: of("ip4", Family::V4, "IPv4"),
        ip6: of("ip6", Family::V6, "IPv6"),
    })
}

fn read_preference(section: &mut Section<'_>) -> Option<Preference> {
    let preference = |text: &str| match text {
        "any" => Ok(Preference::Any),
        "ip4" => Ok(Preference::Family(Family::V4)),
        "ip6" => Ok(Preference::Family(Family::V6)),
        _ => Err("is not any, ip4 or ip6".to_owned()),
    };
    section.optional("preferred_ip_protocol", text_as(preference))
}

fn read_target(
    target: &mut Section<'_>,
    default: &EchoConfig,
    prefer: Preference,
) -> Option<Target> {
    let name = target.required("name", text_as(name));
    let prefer = read_preference(target).unwrap_or(prefer);
    let destination = target.required("address", text_as(|text| destination(text, prefer)));
    let module = target.optional("module", integer(1..=u16::MAX));
    let mut echo = read_echo(target, default);
    let source = target.optional("source", text_as(address));
    let destination = source.map_or(destination.clone(), |source| {
        leave_from(source, destination?, &mut echo)
            .map_err(|what| target.problem("source", what))
            .ok()
    });
    Some(Target {
        name: name?,
        module: module.and_then(|number| ModuleNumber::try_from(number).ok()),
        destination: destination?,
        echo,
    })
}

/// The source decides about the family, so that a name is looked up for an address of it.
fn leave_from(
    source: Address,
    destination: Destination,
    echo: &mut EchoConfig,
) -> Result<Destination, &'static str> {
    let family = source.family();
    let slot = match family {
        Family::V4 => &mut echo.source.ip4,
        Family::V6 => &mut echo.source.ip6,
    };
    *slot = Some(source);
    match destination {
        Destination::Address(address) if address.family() != family => {
            Err("is not of the same family as address")
        }
        Destination::Address(address) => Ok(Destination::Address(address)),
        Destination::Host { host, .. } => Ok(Destination::Host {
            host,
            prefer: Preference::Family(family),
        }),
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(text.to_owned())
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error| match error {
        AddressError::NotAnAddress => "is not an IPv4 or IPv6 address".to_owned(),
        AddressError::MissingZone | AddressError::NeedlessZone => format!("is unusable: {error}"),
    })
}

fn destination(text: &str, prefer: Preference) -> Result<Destination, String> {
    match text.parse() {
        Ok(address) => Ok(Destination::Address(address)),
        Err(AddressError::NotAnAddress) => match host_name(text) {
            Some(host) => Ok(Destination::Host { host, prefer }),
            None => Err("is not an IPv4 or IPv6 address or a host name".to_owned()),
        },
        Err(error @ (AddressError::MissingZone | AddressError::NeedlessZone)) => {
            Err(format!("is unusable: {error}"))
        }
    }
}

#[cfg(test)]
mod tests;
