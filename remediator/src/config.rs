//! `remediator.yaml`: read as it is written, checked as a whole, all problems reported together.
//!
//! `serve` and `check-config` call [`Config::load`]. Defaults are those of
//! [`vcm_recovery::policy::Policy`]; `remediator.example.yaml` shows and explains every key.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::Inventory;
use vcm_recovery::policy::Policy;

use crate::host_client::ssh::Ssh;
use crate::webhook::auth::Token;
use crate::yaml::{self, YamlError};

pub mod alertmanager;
mod checker;
mod host_files;
mod inventory;
pub mod load;
mod loosened;
pub mod operators;
mod peer;
mod policy;
mod raw;
mod remarks;
mod runners;
mod site;
mod storm;
mod windows;

pub use host_files::HostFiles;

/// The checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The store's file.
    pub store: PathBuf,
    /// The listener.
    pub web: Web,
    /// Which hosts and modules exist.
    pub inventory: Inventory,
    /// What is permitted, and when.
    pub policy: Policy,
    /// How each host's runner is reached.
    pub runners: BTreeMap<HostName, Runner>,
    /// The load gate; absent when it is off.
    pub load: Option<load::Load>,
    /// The Alertmanagers that are asked; absent when none is.
    pub alertmanager: Option<alertmanager::Alertmanager>,
}

/// The listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Where it listens. Default `127.0.0.1:9809`.
    pub listen_address: SocketAddr,
    /// What the webhook's senders must show, if anything. Never shown itself.
    pub token: Option<Token>,
    /// Limit of a webhook body in bytes. Default 16 MiB.
    pub body_max: usize,
    /// Who may order something. Default nobody.
    pub operators: operators::Operators,
}

/// How a host runner is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    /// On this machine: the program is started with this `host.yaml`.
    Local {
        /// The host's configuration.
        config_file: PathBuf,
    },
    /// On the host's own machine, by the forced command `host ssh`.
    Ssh(Ssh),
}

/// One thing that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `inventory.hosts[0].modules[1].esn`.
    pub key: String,
    /// The line, where the value has one.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}: {}", self.key, self.message),
            None => write!(f, "{}: {}", self.key, self.message),
        }
    }
}

/// Why `remediator.yaml` gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read, or is not the YAML that it should be.
    #[error("bad configuration")]
    Yaml(#[from] YamlError),
    /// Values in it are wrong.
    #[error("{}: {} problems", path.display(), problems.len())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Reads and checks the file at `path`, and the token file that it names.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let raw: raw::Config = yaml::read(path)?;
        Self::checked(raw).map_err(|problems| ConfigError::Invalid {
            path: path.to_owned(),
            problems,
        })
    }

    fn checked(raw: raw::Config) -> Result<Self, Vec<Problem>> {
        let mut checker = checker::Checker::default();
        let (inventory, runners) = inventory::checked(&mut checker, raw.inventory);
        let mut config = Self {
            store: site::store(&mut checker, raw.store),
            web: site::web(&mut checker, raw.web),
            inventory,
            policy: policy::checked(
                &mut checker,
                raw.mode,
                raw.alerts,
                raw.watchdog_alert,
                raw.policy,
            ),
            runners,
            load: raw.load.and_then(|raw| load::checked(&mut checker, raw)),
            alertmanager: raw
                .alertmanager
                .map(|raw| alertmanager::checked(&mut checker, raw)),
        };
        config.policy.load = config.load.as_ref().map(load::Load::policy);
        checker.finish(config)
    }

    /// Values that permit more than the defaults do, as an operator reads them.
    #[must_use]
    pub fn loosened(&self) -> Vec<String> {
        let mut lines = loosened::list(&self.web, &self.policy);
        lines.extend(operators::loosened(&self.web));
        lines.extend(self.load.as_ref().and_then(load::loosened));
        lines.extend(self.alertmanager.as_ref().and_then(alertmanager::loosened));
        lines
    }

    /// Values that cannot have the effect that they seem to have, as an operator reads them.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        remarks::list(&self.policy)
    }

    /// Reads the hosts' own files and compares them with the inventory. Only `check-config` does.
    #[must_use]
    pub fn host_files(&self) -> HostFiles {
        host_files::compared(self)
    }
}

#[cfg(test)]
mod tests;
