//! The hosts' own files against the inventory: `check-config` asks before a rung does.
//!
//! `serve` does not ask: a host whose file is not written yet must not keep the others waiting, and
//! the host runner refuses what does not agree anyway.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use nshield::Esn;
use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::HostEntry;
use vcm_recovery::policy::{Policy, Scope};

use super::{Config, Problem, Runner};
use crate::host::config::{ConfigError, HostConfig};

/// What the hosts' own files say about the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFiles {
    /// Which file was looked at for which host.
    pub looked_at: Vec<(HostName, PathBuf)>,
    /// What is wrong: the host would refuse, or could not start.
    pub problems: Vec<Problem>,
    /// What limits the remediator, and may be meant to.
    pub remarks: Vec<String>,
}

/// Reads every host's own file and compares.
pub(super) fn compared(config: &Config) -> HostFiles {
    let mut files = HostFiles::default();
    for (name, runner) in &config.runners {
        let config_file = match runner {
            Runner::Local { config_file } => config_file,
            Runner::Ssh(ssh) => {
                files.remarks.push(format!(
                    "host {name} is reached over SSH at {}: there, `vcm-remediator host check` reads its own file",
                    ssh.address
                ));
                continue;
            }
        };
        files.looked_at.push((name.clone(), config_file.clone()));
        let Some(entry) = config.inventory.hosts.get(name) else {
            continue;
        };
        match HostConfig::load(config_file) {
            Ok(host) => files.compare(entry, &host, config_file, &config.policy),
            Err(error) => files.unusable(name, &error, config_file),
        }
    }
    files
}

impl HostFiles {
    fn problem(&mut self, key: String, message: impl Display) {
        self.problems.push(Problem {
            key,
            line: None,
            message: message.to_string(),
        });
    }

    fn unusable(&mut self, host: &HostName, error: &ConfigError, file: &Path) {
        let key = format!("inventory.hosts.{host}.runner.local.config_file");
        match error {
            ConfigError::Invalid { problems, .. } => {
                for problem in problems {
                    self.problem(key.clone(), format!("{}: {problem}", file.display()));
                }
            }
            ConfigError::NotTrusted { .. } => self.problem(key, error),
            ConfigError::Yaml(error) => {
                let causes = std::iter::successors(error.source(), |cause| (*cause).source());
                let causes: String = causes.map(|cause| format!(": {cause}")).collect();
                self.problem(key, format!("{error}{causes}"));
            }
        }
    }

    fn compare(&mut self, entry: &HostEntry, host: &HostConfig, file: &Path, policy: &Policy) {
        let file = file.display();
        for (number, module) in &entry.modules {
            let key = format!("inventory.hosts.{}.modules.{number}", entry.name);
            match host.modules.get(number) {
                None => self.problem(key, format!("{file} does not list module {number}")),
                Some(own) if own.esn != module.esn => {
                    let (here, there) = (shown(module.esn.as_ref()), shown(own.esn.as_ref()));
                    self.problem(
                        format!("{key}.esn"),
                        format!("{here}, but {there} in {file}"),
                    );
                }
                Some(_) => {}
            }
        }
        let scopes = [Scope::Module, Scope::Host];
        let permitted = scopes
            .into_iter()
            .filter_map(|scope| policy.highest_tier(scope));
        if let Some(tier) = permitted.max().filter(|tier| *tier > host.max_tier) {
            self.remarks.push(format!(
                "{file}: max_tier: {} limits what the alerts permit, {tier}",
                host.max_tier
            ));
        }
    }
}

fn shown(esn: Option<&Esn>) -> String {
    esn.map_or_else(|| "no ESN".to_owned(), |esn| format!("ESN {esn}"))
}

#[cfg(test)]
mod tests;
