//! The inventory: which hosts and modules exist. It is the authority; discovery only suggests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

use crate::ids::{HostName, HsmName};
use crate::policy::Mode;
use crate::step::Platform;
use crate::tier::Rung;

/// What an incident is about: a module of a host, or the host itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The tenant machine.
    pub host: HostName,
    /// The module, absent when the host itself is the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleNumber>,
}

impl Target {
    /// The host itself.
    #[must_use]
    pub const fn host(host: HostName) -> Self {
        Self { host, module: None }
    }

    /// One module of a host.
    #[must_use]
    pub const fn module(host: HostName, module: ModuleNumber) -> Self {
        Self {
            host,
            module: Some(module),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.module {
            Some(module) => write!(f, "{}/{module}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

/// What kind of module an inventory entry is. Only a VCM is ever cleared.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A virtual module on a multi-tenant HSM.
    #[default]
    Vcm,
    /// A network HSM: a clear would hit other hosts too.
    Nethsm,
    /// A card in this machine.
    Pcie,
}

impl Kind {
    /// The word used in labels and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vcm => "vcm",
            Self::Nethsm => "nethsm",
            Self::Pcie => "pcie",
        }
    }
}

/// A module of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleEntry {
    /// Its serial number; `None` while it is not known.
    pub esn: Option<Esn>,
    /// What it is.
    pub kind: Kind,
    /// The device behind it; modules of unknown HSM share one budget group.
    pub hsm: Option<HsmName>,
    /// The operators' name of the VCM, for display.
    pub name: Option<String>,
}

/// A host of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostEntry {
    /// Its name: the value of the label `host`.
    pub name: HostName,
    /// The value of the label `instance`, for alerts without `host`.
    pub instance: Option<HostName>,
    /// Its operating system.
    pub platform: Platform,
    /// The host's own mode; the lower of this and the global one counts.
    pub mode: Option<Mode>,
    /// Its modules by number.
    pub modules: BTreeMap<ModuleNumber, ModuleEntry>,
}

impl HostEntry {
    /// The module of `target`, when the target is a module that this host has.
    #[must_use]
    pub fn module_of(&self, target: &Target) -> Option<&ModuleEntry> {
        target.module.and_then(|number| self.modules.get(&number))
    }

    /// The HSMs whose modules a rung touches: a restart touches those of every module of the host.
    /// `None` groups the modules of unknown HSM.
    #[must_use]
    pub fn hsms_touched(&self, rung: Rung, target: &Target) -> BTreeSet<Option<HsmName>> {
        match self.module_of(target) {
            Some(module) if rung != Rung::Restart => BTreeSet::from([module.hsm.clone()]),
            _ => self
                .modules
                .values()
                .map(|module| module.hsm.clone())
                .collect(),
        }
    }
}

/// All hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The hosts by name.
    pub hosts: BTreeMap<HostName, HostEntry>,
}

impl Inventory {
    /// The host whose `instance` is exactly `text`.
    #[must_use]
    pub fn host_by_instance(&self, text: &str) -> Option<&HostEntry> {
        self.hosts.values().find(|host| {
            host.instance
                .as_ref()
                .is_some_and(|instance| instance.as_str() == text)
        })
    }
}
