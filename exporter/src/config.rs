//! The configuration file: what echoes are sent to and how often.
//!
//! Raw YAML with optional parts becomes a checked [`Config`]; all problems are reported together,
//! each with the path of its key. The only module that knows the YAML library.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nshield::ModuleNumber;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::icmp::Target;

/// Time between two echoes to one target: often enough to see a loss of a few seconds between two
/// scrapes.
pub const ICMP_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for a reply: far above any round trip between a tenant and its HSM.
pub const ICMP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after a time-out a reply is still counted as late.
pub const ICMP_LATE_WINDOW: Duration = Duration::from_secs(10);

/// Bounds of every duration: below, the echoes themselves become load; above, nothing is seen.
const DURATIONS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60);

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Echoes.
    pub icmp: IcmpConfig,
}

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

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is not YAML of the expected shape.
    #[error("cannot parse the configuration{}", at_line(*line))]
    Parse {
        /// The line, from 1, where it is known.
        line: Option<u64>,
        /// The library's answer.
        source: Box<serde_saphyr::Error>,
    },
    /// Values are not usable.
    #[error("{}", Listed(problems))]
    Invalid {
        /// Everything that is wrong, each with the path of its key.
        problems: Vec<Problem>,
    },
}

/// One unusable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of the key, such as `icmp.targets[0].address`.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self
            .0
            .iter()
            .map(|problem| format!("{}: {}", problem.key, problem.what));
        f.write_str(&lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(f, "; {line}"))
    }
}

fn at_line(line: Option<u64>) -> String {
    line.map(|line| format!(" at line {line}"))
        .unwrap_or_default()
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not YAML of the expected shape or has unusable values.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Checks the text of a file; an empty one is the default configuration.
    ///
    /// # Errors
    ///
    /// If it is not YAML of the expected shape or has unusable values.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let raw: Option<RawConfig> = serde_saphyr::from_str(text).map_err(|source| {
            let line = source.location().map(|location| location.line());
            ConfigError::Parse {
                line,
                source: Box::new(source),
            }
        })?;
        let mut check = Check::default();
        let config = check.config(raw.unwrap_or_default());
        if check.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Invalid {
                problems: check.problems,
            })
        }
    }
}

type Rest = BTreeMap<String, IgnoredAny>;

#[derive(Debug, Default, Deserialize)]
struct RawConfig {
    icmp: Option<RawIcmp>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Default, Deserialize)]
struct RawIcmp {
    interval: Option<String>,
    timeout: Option<String>,
    late_window: Option<String>,
    discover: Option<bool>,
    #[serde(default)]
    targets: Vec<RawTarget>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Deserialize)]
struct RawTarget {
    name: Option<String>,
    address: Option<String>,
    module: Option<u64>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn config(&mut self, raw: RawConfig) -> Config {
        self.unknown("", &raw.rest);
        Config {
            icmp: raw.icmp.map(|icmp| self.icmp(icmp)).unwrap_or_default(),
        }
    }

    fn icmp(&mut self, raw: RawIcmp) -> IcmpConfig {
        self.unknown("icmp.", &raw.rest);
        let default = IcmpConfig::default();
        let targets: Vec<Target> = raw
            .targets
            .into_iter()
            .enumerate()
            .filter_map(|(index, target)| self.target(&format!("icmp.targets[{index}]"), target))
            .collect();
        self.unambiguous(&targets);
        IcmpConfig {
            interval: self.duration("icmp.interval", raw.interval, default.interval),
            timeout: self.duration("icmp.timeout", raw.timeout, default.timeout),
            late_window: self.duration("icmp.late_window", raw.late_window, default.late_window),
            discover: raw.discover.unwrap_or(default.discover),
            targets,
        }
    }

    fn target(&mut self, key: &str, raw: RawTarget) -> Option<Target> {
        self.unknown(&format!("{key}."), &raw.rest);
        let name = raw.name.filter(|name| !name.is_empty());
        if name.is_none() {
            self.problem(format!("{key}.name"), "is required");
        }
        let address = self.address(&format!("{key}.address"), raw.address);
        let module = raw.module.map(|number| {
            let number = u16::try_from(number).ok().map(ModuleNumber::try_from);
            number.and_then(Result::ok).or_else(|| {
                self.problem(
                    format!("{key}.module"),
                    "is not a module number from 1 to 65535",
                );
                None
            })
        });
        Some(Target {
            name: name?,
            address: address?,
            module: module.flatten(),
        })
    }

    fn address(&mut self, key: &str, raw: Option<String>) -> Option<IpAddr> {
        let Some(text) = raw else {
            self.problem(key, "is required");
            return None;
        };
        let address = text.parse().ok();
        if address.is_none() {
            self.problem(key, &format!("{text:?} is not an IPv4 or IPv6 address"));
        }
        address
    }

    /// Two targets of one name and module would share one series.
    fn unambiguous(&mut self, targets: &[Target]) {
        let mut seen = BTreeSet::new();
        for target in targets {
            if !seen.insert((&target.name, target.module)) {
                self.problem(
                    "icmp.targets",
                    &format!("{:?} is listed twice", target.name),
                );
            }
        }
    }

    fn duration(&mut self, key: &str, raw: Option<String>, default: Duration) -> Duration {
        let Some(text) = raw else { return default };
        match humantime::parse_duration(&text) {
            Ok(duration) if DURATIONS.contains(&duration) => duration,
            Ok(_) => {
                self.problem(key, &format!("{text:?} is not between 100ms and 60s"));
                default
            }
            Err(_) => {
                self.problem(key, &format!("{text:?} is not a duration such as 1s"));
                default
            }
        }
    }

    fn unknown(&mut self, prefix: &str, rest: &Rest) {
        for key in rest.keys() {
            self.problem(format!("{prefix}{key}"), "is not a known key");
        }
    }

    fn problem(&mut self, key: impl Into<String>, what: &str) {
        self.problems.push(Problem {
            key: key.into(),
            what: what.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        for text in ["", "{}", "icmp: {}", "# nothing\n"] {
            assert_eq!(Config::parse(text).unwrap(), Config::default(), "{text:?}");
        }
    }

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
    fn reports_all_problems_together_with_their_keys() {
        let text = "colour: red\nicmp:\n  interval: 5\n  timeout: 2h\n  ttl: 3\n  targets:\n    \
                    - {name: a, address: vcm.example, module: 0}\n    - {address: 192.0.2.1}\n    \
                    - {name: b, address: 192.0.2.1}\n    - {name: b, address: 192.0.2.2, x: 1}\n";
        let ConfigError::Invalid { problems } = Config::parse(text).unwrap_err() else {
            panic!("not reported as problems")
        };
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "colour",
                "icmp.ttl",
                "icmp.targets[0].address",
                "icmp.targets[0].module",
                "icmp.targets[1].name",
                "icmp.targets[3].x",
                "icmp.targets",
                "icmp.interval",
                "icmp.timeout",
            ]
        );
    }

    #[test]
    fn the_example_is_valid_and_shows_the_defaults() {
        let example = Config::parse(include_str!("../vcm-exporter.example.yml")).unwrap();
        assert_eq!(example.icmp.targets.len(), 2);
        let icmp = IcmpConfig {
            targets: Vec::new(),
            ..example.icmp
        };
        assert_eq!(icmp, IcmpConfig::default());
    }

    #[test]
    fn names_the_line_of_what_is_not_yaml() {
        let error = Config::parse("icmp:\n  targets: 7\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot parse the configuration at line 2"
        );
    }
}
