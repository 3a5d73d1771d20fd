//! `estate.yaml`: which VCMs a simulated host has, and how everything there behaves.
//!
//! Read once, by `nfast-sim install`; afterwards the state file is the truth and `ctl set` turns
//! its knobs.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::knobs::Knobs;

/// An estate with a word on everything, as `nfast-sim example` prints it.
pub const EXAMPLE: &str = include_str!("estate.example.yaml");

/// A simulated tenant host, its VCMs and their HSMs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estate {
    /// Version of the Security World software; decides some labels (12.x, 13.x, 14.x).
    #[serde(default = "default_version")]
    pub version: String,
    /// The modules in the order of their numbers.
    #[serde(default)]
    pub vcms: Vec<Vcm>,
    /// Modules made up by rule, after those of `vcms`.
    #[serde(default)]
    pub generate: Option<Generate>,
    /// The applications connected to the hardserver.
    #[serde(default = "default_clients")]
    pub clients: Vec<Clients>,
    /// How everything behaves.
    #[serde(default)]
    pub knobs: Knobs,
}

/// One VCM as the host knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vcm {
    /// Its name in this estate, and that of its file under `sim/net/`.
    pub name: String,
    /// Its module number; absent: one more than the entry before.
    #[serde(default)]
    pub module: Option<u32>,
    /// Its ESN.
    pub esn: String,
    /// Its address, as `connection info` and the configuration file show it.
    pub address: IpAddr,
    /// The HSM that it runs on; a label only, since a host has at most one VCM of an HSM.
    pub hsm: String,
    /// Whether it starts by itself after a reboot of its HSM.
    #[serde(default = "yes")]
    pub autostart: bool,
    /// How many objects applications have loaded in it.
    #[serde(default = "default_objects")]
    pub objects: u64,
    /// The load of its HSM, in percent.
    #[serde(default = "default_load")]
    pub load: u8,
    /// A command run with `down` or `up` when ping to the VCM must follow the model.
    #[serde(default)]
    pub network_hook: Vec<String>,
    /// Other simulated roots on which this VCM is enrolled too, under the same ESN: whatever
    /// happens to the VCM there or here happens on all of them.
    #[serde(default)]
    pub also_on: Vec<PathBuf>,
}

/// A rule for many modules.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// How many.
    pub count: u32,
    /// Every so many numbers one is left free; 0: none.
    #[serde(default)]
    pub gap_every: u32,
}

/// Connections of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// Its executable.
    pub process: String,
    /// How many connections it holds.
    pub count: u32,
}

/// Why an estate could not be used.
#[derive(Debug, thiserror::Error)]
pub enum EstateError {
    /// The file could not be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what an estate looks like.
    #[error("parsing the estate: {0}")]
    Parse(Box<serde_saphyr::Error>),
    /// It contradicts itself; every contradiction is listed.
    #[error("the estate contradicts itself: {}", .0.join("; "))]
    Contradiction(Vec<String>),
}

impl Estate {
    /// Reads and checks the estate in `path`.
    ///
    /// # Errors
    /// If it cannot be read, is not an estate, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, EstateError> {
        let text = std::fs::read_to_string(path).map_err(|source| EstateError::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Parses and checks an estate.
    ///
    /// # Errors
    /// If it is not an estate, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, EstateError> {
        let mut estate: Self =
            serde_saphyr::from_str(text).map_err(|error| EstateError::Parse(Box::new(error)))?;
        estate.number_modules();
        let problems = estate.problems();
        if problems.is_empty() {
            Ok(estate)
        } else {
            Err(EstateError::Contradiction(problems))
        }
    }

    /// Three healthy VCMs on three HSMs, with the given knobs: enough for most tests.
    #[must_use]
    pub fn generated(count: u32) -> Self {
        let mut estate = Self {
            version: default_version(),
            vcms: Vec::new(),
            generate: Some(Generate {
                count,
                gap_every: 0,
            }),
            clients: default_clients(),
            knobs: Knobs::default(),
        };
        estate.number_modules();
        estate
    }

    fn number_modules(&mut self) {
        let mut next = 1;
        for vcm in &mut self.vcms {
            let number = *vcm.module.get_or_insert(next);
            next = number.saturating_add(1);
        }
        if let Some(rule) = self.generate.take() {
            for index in 0..rule.count {
                if rule.gap_every > 0 && next % rule.gap_every == 0 {
                    next += 1;
                }
                self.vcms.push(made_up(index, next));
                next += 1;
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        for (index, vcm) in self.vcms.iter().enumerate() {
            let key = format!("vcms[{index}]");
            if !is_file_name(&vcm.name) {
                problems.push(format!("{key}.name: `{}` is no plain name", vcm.name));
            }
            if !names.insert(&vcm.name) {
                problems.push(format!("{key}.name: `{}` stands twice", vcm.name));
            }
            match vcm.module {
                None | Some(0) => problems.push(format!("{key}.module: numbers start at 1")),
                Some(number) if !numbers.insert(number) => {
                    problems.push(format!("{key}.module: {number} stands twice"));
                }
                Some(_) => {}
            }
            if vcm.load > 100 {
                problems.push(format!("{key}.load: {} is above 100", vcm.load));
            }
        }
        if self.vcms.is_empty() {
            problems.push("vcms: there is none, and no `generate` either".to_owned());
        }
        if let Err(error) = self.knobs.check() {
            problems.push(format!("knobs: {error}"));
        }
        problems
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn made_up(index: u32, module: u32) -> Vcm {
    let number = index + 1;
    let [_, _, high, low] = number.to_be_bytes();
    Vcm {
        name: format!("vcm{number}"),
        module: Some(module),
        esn: format!(
            "{:04X}-{number:04X}-D947",
            0x1A2B_u32.wrapping_add(index) & 0xFFFF
        ),
        address: IpAddr::from([127, 0, 1 + high, low]),
        hsm: format!("hsm{number}"),
        autostart: true,
        objects: default_objects(),
        load: default_load(),
        network_hook: Vec::new(),
        also_on: Vec::new(),
    }
}

fn yes() -> bool {
    true
}

fn default_version() -> String {
    "14.1.1".to_owned()
}

fn default_objects() -> u64 {
    7
}

fn default_load() -> u8 {
    20
}

fn default_clients() -> Vec<Clients> {
    vec![
        Clients {
            process: "/opt/app/bin/signer".to_owned(),
            count: 6,
        },
        Clients {
            process: "/opt/nfast/sbin/raserv".to_owned(),
            count: 2,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const VCM: &str = "{name: a, esn: 1A2B-03E0-D947, address: 127.0.1.1, hsm: h";

    #[test]
    fn numbers_modules_in_order_and_after_a_gap() {
        let text = format!("vcms: [{VCM}, module: 3}}]\ngenerate: {{count: 4, gap_every: 6}}");
        let estate = Estate::parse(&text).unwrap();
        let numbers: Vec<_> = estate.vcms.iter().filter_map(|vcm| vcm.module).collect();
        assert_eq!(numbers, [3, 4, 5, 7, 8]);
    }

    #[test]
    fn reports_all_contradictions_together() {
        let text = format!(
            "vcms: [{VCM}, module: 2}}, {VCM}, module: 2, load: 101}}]\nknobs: {{time_scale: -1}}"
        );
        let report = Estate::parse(&text).unwrap_err().to_string();
        for problem in [
            "`a` stands twice",
            "2 stands twice",
            "above 100",
            "time_scale",
        ] {
            assert!(report.contains(problem), "{problem}: {report}");
        }
    }

    #[test]
    fn the_example_is_an_estate() {
        let estate = Estate::parse(EXAMPLE).unwrap();
        let numbers: Vec<_> = estate.vcms.iter().filter_map(|vcm| vcm.module).collect();
        assert_eq!(numbers, [1, 2, 5]);
        assert_eq!(estate.knobs.lies.retry.times, Some(1));
    }

    #[test]
    fn refuses_unknown_keys() {
        assert!(Estate::parse("vcms: []\nmodules: 3").is_err());
        assert!(Estate::parse(&format!("vcms: [{VCM}, esm: x}}]")).is_err());
    }
}
