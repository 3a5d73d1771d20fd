//! The configuration file: what echoes are sent to and how often.
//!
//! A YAML file becomes a checked [`Config`], or every problem comes back together, each with file,
//! line and key. Read at the start, at each reload and by `--config.check`.

mod files;
mod host_name;
mod icmp;
mod probe;

use std::path::Path;

use vcm_yaml::{Document, YamlError};

pub use files::{FilesError, load as load_files};
pub(crate) use host_name::host_name;
pub use icmp::{
    ICMP_INTERVAL, ICMP_LATE_WINDOW, ICMP_RENEW_AFTER, ICMP_RESOLVE_INTERVAL, ICMP_SIZE,
    ICMP_TIMEOUT, IcmpConfig,
};
pub use probe::{Allowed, Network, PROBE_PARALLEL, PROBE_TIMEOUT, ProbeConfig};

/// What messages call a text that is from no file.
const NO_FILE: &str = "configuration";

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Echoes.
    pub icmp: IcmpConfig,
    /// One-off probes.
    pub probe: ProbeConfig,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not YAML or has unusable values.
    pub fn load(path: &Path) -> Result<Self, YamlError> {
        Self::read(&Document::load(path)?)
    }

    /// Checks the text of a file; an empty one is the default configuration.
    ///
    /// # Errors
    ///
    /// If it is not YAML or has unusable values.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        Self::read(&Document::parse(Path::new(NO_FILE), text)?)
    }

    fn read(document: &Document) -> Result<Self, YamlError> {
        document.read(|root| {
            let icmp = root.section("icmp", IcmpConfig::read);
            let probe = root.section("probe", ProbeConfig::read);
            Some(Self {
                icmp: icmp.unwrap_or_default(),
                probe: probe.unwrap_or_default(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        for text in ["", "{}", "icmp: {}", "icmp:", "# nothing\n", "\u{feff}"] {
            assert_eq!(Config::parse(text).unwrap(), Config::default(), "{text:?}");
        }
    }

    #[test]
    fn reports_all_problems_together_with_line_and_key() {
        let text = "colour: red\nicmp:\n  interval: 5\n  timeout: 2h\n  ttl: 3\n  targets:\n    \
                    - {name: a, address: vcm..example, module: 0}\n    - {address: 192.0.2.1}\n    \
                    - {name: b, address: 192.0.2.1}\n    - {name: b, address: 192.0.2.2, x: 1}\n";
        let error = Config::parse(text).unwrap_err();
        let YamlError::Invalid { problems } = &error else {
            panic!("{error}")
        };
        let places: Vec<_> = problems
            .iter()
            .map(|problem| (problem.line, problem.key.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                (1, "colour"),
                (3, "icmp.interval"),
                (4, "icmp.timeout"),
                (5, "icmp.ttl"),
                (7, "icmp.targets[0].address"),
                (7, "icmp.targets[0].module"),
                (8, "icmp.targets[1].name"),
                (10, "icmp.targets[3].name"),
                (10, "icmp.targets[3].x"),
            ]
        );
    }

    #[test]
    fn the_example_is_valid_and_shows_the_defaults() {
        let example = Config::parse(include_str!("../vcm-exporter.example.yml")).unwrap();
        assert_eq!(example.icmp.targets.len(), 3);
        let icmp = IcmpConfig {
            targets: Vec::new(),
            ..example.icmp
        };
        assert_eq!(icmp, IcmpConfig::default());
    }

    #[test]
    fn names_the_line_of_what_has_another_shape() {
        let error = Config::parse("icmp:\n  targets: 7\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "configuration:2: icmp.targets: is not a sequence"
        );
    }
}
