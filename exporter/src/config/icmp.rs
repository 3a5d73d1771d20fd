//! Section `icmp` of the configuration file.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use nshield::ModuleNumber;
use vcm_yaml::{Section, boolean, duration_in, integer, parsed, text_as};

use crate::icmp::Target;

/// Time between two echoes to one target: often enough to see a loss of a few seconds between two
/// scrapes.
pub const ICMP_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for a reply: far above any round trip between a tenant and its HSM.
pub const ICMP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after a time-out a reply is still counted as late.
pub const ICMP_LATE_WINDOW: Duration = Duration::from_secs(10);

/// Bounds of every duration: below, the echoes themselves become load; above, nothing is seen.
const DURATIONS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// The checked configuration of echoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpConfig {
    /// Time between two echoes to one target, 100 ms to 60 s.
    pub interval: Duration,
    /// How long to wait for a reply, 100 ms to 60 s.
    pub timeout: Duration,
    /// How long after a time-out a reply is counted as late, 100 ms to 60 s.
    pub late_window: Duration,
    /// Whether enrolled modules are targets by themselves.
    pub discover: bool,
    /// Further targets, and modules whose address is not to be taken from the tools.
    pub targets: Vec<Target>,
}

impl Default for IcmpConfig {
    fn default() -> Self {
        Self {
            interval: ICMP_INTERVAL,
            timeout: ICMP_TIMEOUT,
            late_window: ICMP_LATE_WINDOW,
            discover: true,
            targets: Vec::new(),
        }
    }
}

impl IcmpConfig {
    pub(super) fn read(icmp: &mut Section<'_>) -> Option<Self> {
        let default = Self::default();
        let mut duration = |key, default| {
            icmp.optional(key, duration_in(DURATIONS))
                .unwrap_or(default)
        };
        let [interval, timeout, late_window] = [
            duration("interval", default.interval),
            duration("timeout", default.timeout),
            duration("late_window", default.late_window),
        ];
        let discover = icmp.optional("discover", boolean);
        let mut seen = BTreeSet::new();
        let targets = icmp.sections("targets", |target| {
            let read = read_target(target)?;
            // Two targets of one name and module would share one series.
            if !seen.insert((read.name.clone(), read.module)) {
                target.problem("name", "is the name of another target, of the same module");
            }
            Some(read)
        });
        Some(Self {
            interval,
            timeout,
            late_window,
            discover: discover.unwrap_or(default.discover),
            targets: targets.unwrap_or_default(),
        })
    }
}

fn read_target(target: &mut Section<'_>) -> Option<Target> {
    let name = target.required("name", text_as(name));
    let address = target.required("address", parsed::<IpAddr>("an IPv4 or IPv6 address"));
    let module = target.optional("module", integer(1..=u16::MAX));
    Some(Target {
        name: name?,
        address: address?,
        module: module.and_then(|number| ModuleNumber::try_from(number).ok()),
    })
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn reads_every_key() {
        let text = "icmp:\n  interval: 500ms\n  timeout: 2s\n  late_window: 5s\n  discover: false\n  \
                    targets:\n    - {name: vcm-a, address: 192.0.2.11, module: 1}\n    \
                    - {name: router, address: '2001:db8::1'}\n";
        let icmp = Config::parse(text).unwrap().icmp;
        assert_eq!(icmp.interval, Duration::from_millis(500));
        assert_eq!(icmp.timeout, Duration::from_secs(2));
        assert_eq!(icmp.late_window, Duration::from_secs(5));
        assert!(!icmp.discover);
        assert_eq!(icmp.targets[0].module, Some(1.try_into().unwrap()));
        assert_eq!(
            icmp.targets[1].address,
            "2001:db8::1".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            (
                "{interval: 1}",
                "interval: has no unit: write a duration such as 30s",
            ),
            ("{timeout: 99ms}", "timeout: is not from 100ms to 1m"),
            ("{late_window: 61s}", "late_window: is not from 100ms to 1m"),
            ("{discover: on}", "discover: is not true or false"),
            (
                "{targets: [{address: 192.0.2.1}]}",
                "targets[0].name: is required",
            ),
            (
                "{targets: [{name: '', address: 192.0.2.1}]}",
                "targets[0].name: is empty",
            ),
            ("{targets: [{name: a}]}", "targets[0].address: is required"),
            (
                "{targets: [{name: a, address: 192.0.2.1, module: 65536}]}",
                "targets[0].module: is not a whole number from 1 to 65535",
            ),
            (
                "{targets: [{name: a, address: 192.0.2.1}, {name: a, address: 192.0.2.2}]}",
                "targets[1].name: is the name of another target, of the same module",
            ),
        ] {
            let error = Config::parse(&format!("icmp: {text}")).unwrap_err();
            let expected = format!("configuration:1: icmp.{expected}");
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
