//! One look at a host: the versioned document that the host runner prints and keeps.
//!
//! It carries what was read, each source with its own status, and the host's own last word
//! (`max_tier`, hold). It never carries a conclusion about what to do.

use std::collections::{BTreeMap, BTreeSet};

use nshield::{Esn, ModuleNumber, ModuleState};
use serde::{Deserialize, Serialize};

use crate::ids::ObservationId;
use crate::inventory::Kind;
use crate::step::Hardserver;
use crate::tier::Tier;

/// The version of the document that this build writes and reads.
pub const OBSERVATION_SCHEMA: u32 = 1;

/// Echoes sent per observation of a VCM, 200 ms apart.
pub const ECHOES: u8 = 5;

/// Fewest replies to [`ECHOES`] that count as a good network.
pub const ECHOES_GOOD: u8 = 4;

/// One look at a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// [`OBSERVATION_SCHEMA`].
    pub schema: u32,
    /// Names this look; an attempt says on which look it was decided.
    pub observation_id: ObservationId,
    /// The kernel's boot id.
    pub boot_id: String,
    /// When the look began, in milliseconds of the host's boot time clock.
    pub started_boottime: u64,
    /// When it was finished, in milliseconds of the host's boot time clock.
    pub finished_boottime: u64,
    /// How each source fared.
    pub sources: Sources,
    /// What the hardserver looked like.
    pub hardserver: HardserverLook,
    /// Exit 0, end of file before the deadline, final newline, `Server:` present, every section
    /// with flags and mode, every inventory module present.
    pub complete: bool,
    /// The modules of the host's own inventory, and any others that `enquiry` printed.
    pub modules: BTreeMap<ModuleNumber, ModuleLook>,
    /// Client connections of the hardserver (`ServerGlobals.ClientCount`).
    pub clients: Option<u64>,
    /// Seconds since the hardserver started (`ServerGlobals.Uptime`).
    pub hardserver_uptime: Option<u64>,
    /// Whether somebody stopped the hardserver on purpose.
    pub stop: StopSign,
    /// The text of the pause file, when everything is paused on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<String>,
    /// The text of the hold file, when the host is held.
    pub hold: Option<String>,
    /// Seconds since the host booted: settings that did not survive a reboot explain a lost network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_uptime: Option<u64>,
    /// What the site's own check of the service says; absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_check: Option<ServiceCheck>,
    /// The highest tier that the host itself permits.
    pub max_tier: Tier,
}

/// How each source of a look fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// `enquiry`
    pub enquiry: SourceStatus,
    /// `enquiry -m0`; only asked when the full one is slow.
    pub enquiry_server: SourceStatus,
    /// `stattree`
    pub stattree: SourceStatus,
    /// Connecting to the hardserver's socket.
    pub socket: SourceStatus,
}

/// How one source of a look fared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "status", content = "detail", rename_all = "snake_case")]
pub enum SourceStatus {
    /// It answered.
    Ok,
    /// It was not asked.
    NotAsked,
    /// It answered, but not as it should: what was wrong.
    Failed(String),
    /// It did not answer by its deadline.
    TimedOut,
    /// We may not ask: our own set-up.
    PermissionDenied,
}

impl SourceStatus {
    /// What was wrong, without what the tool printed: that differs from run to run, and would make
    /// every look a new event. The whole text stays in the observation.
    #[must_use]
    pub fn brief(&self) -> Option<&str> {
        match self {
            Self::Ok | Self::NotAsked => None,
            Self::Failed(detail) => {
                Some(detail.split_once(": ").map_or(detail, |(brief, _)| brief))
            }
            Self::TimedOut => Some("timed out"),
            Self::PermissionDenied => Some("permission denied"),
        }
    }
}

/// What one look at the hardserver showed. Texts of errors are never matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HardserverLook {
    /// `enquiry` answered with a `Server:` section.
    Up,
    /// `enquiry` failed without `Server:`, and its socket refused or is absent. Two such looks
    /// prove it down.
    SuspectedDown,
    /// It does not answer in time.
    Unresponsive,
    /// Permission was denied: our own set-up, never "down".
    PermissionDenied,
    /// None of these.
    Unknown,
}

impl HardserverLook {
    /// The word shown to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::SuspectedDown => "looks down",
            Self::Unresponsive => "does not answer",
            Self::PermissionDenied => "permission denied",
            Self::Unknown => "unknown",
        }
    }
}

/// What one look showed of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleLook {
    /// From reply flags, mode and hardware status; unknown when the module was not printed.
    pub state: ModuleState,
    /// The words `enquiry` printed for flags and mode, for people.
    pub printed: String,
    /// The serial number that was printed or found in `connection info`.
    pub esn: Option<Esn>,
    /// `hardware status` is OK; absent when the line is.
    pub hardware_ok: Option<bool>,
    /// `connection status` is OK; absent when the line is.
    pub connection_ok: Option<bool>,
    /// What the host's own inventory says it is; absent when it does not list the module.
    pub kind: Option<Kind>,
    /// Objects loaded (`ModuleObjStats.ObjectCount`).
    pub objects: Option<u64>,
    /// Seconds since the module started (`ModuleEnvStats.Uptime`).
    pub uptime: Option<u64>,
    /// `ModuleJobStats.CPULoadPercent`
    pub load_percent: Option<u8>,
    /// Whether it answers the network.
    pub network: NetworkLook,
    /// The text of the module's own hold file, when this module is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// How this host would reach it; absent where it has no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathLook>,
}

/// How the host would reach the address of a module. For people: no guard reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathLook {
    /// The interface of the route; absent when the host has no route.
    pub interface: Option<String>,
    /// The gateway of the route; absent when the address is on the interface's own network.
    pub gateway: Option<String>,
    /// Whether the interface is up; absent when that could not be read.
    pub interface_up: Option<bool>,
    /// Whether the next hop's link address is known; absent when nobody has asked for it lately.
    pub neighbour: Option<bool>,
    /// Why the rest could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What the site's own check of the service says (`service_check` of the host's configuration).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "status", content = "detail", rename_all = "snake_case")]
pub enum ServiceCheck {
    /// It exited with 0.
    Passed,
    /// It did not: how it ended.
    Failed(String),
    /// It could not be run, or not to its end: why.
    Unknown(String),
}

/// Whether a module answers the network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkLook {
    /// Echo requests sent, and replies that came from the module itself.
    Echo {
        /// Sent.
        sent: u8,
        /// Replied by the target itself, in time.
        replies: u8,
    },
    /// A TCP connection was tried.
    Tcp {
        /// Whether it was accepted.
        connected: bool,
    },
    /// A person signed off that this module has no network check (`reachability: none`).
    NotApplicable,
    /// Not known: no permission, no address, a local error.
    Unknown(String),
}

/// The class of a [`NetworkLook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// At least 4 of 5 echoes, or connected.
    Good,
    /// 1 to 3 of 5 echoes: retry only.
    Degraded,
    /// No echo, or not connected.
    Bad,
    /// Not known.
    Unknown,
    /// Signed off as not checked.
    NotApplicable,
}

impl Network {
    /// The word shown to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Degraded => "degraded",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not checked",
        }
    }
}

impl NetworkLook {
    /// The class of this look. Fewer echoes sent than [`ECHOES`] is unknown, never good.
    #[must_use]
    pub const fn class(&self) -> Network {
        match self {
            Self::Echo { sent, .. } if *sent < ECHOES => Network::Unknown,
            Self::Echo { replies: 0, .. } | Self::Tcp { connected: false } => Network::Bad,
            Self::Echo { replies, .. } if *replies >= ECHOES_GOOD => Network::Good,
            Self::Echo { .. } => Network::Degraded,
            Self::Tcp { connected: true } => Network::Good,
            Self::NotApplicable => Network::NotApplicable,
            Self::Unknown(_) => Network::Unknown,
        }
    }
}

/// Whether the hardserver was stopped on purpose. Only read when it is down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "sign", content = "detail", rename_all = "snake_case")]
pub enum StopSign {
    /// Nothing suggests it.
    None,
    /// The unit was stopped cleanly, a package manager runs, or the host is just booting: which.
    OnPurpose(String),
    /// The signs could not be read: why.
    Unknown(String),
}

/// What a target looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It works.
    Healthy,
    /// It has failed.
    Failed,
    /// It is on its way: offline or initialising. Never counts as failed.
    Recovering,
    /// Somebody works on it: maintenance, pre-initialisation, uninitialised.
    InService,
    /// `hardware status` is not OK, or mode is error.
    HardwareFault,
    /// Not known.
    Unknown,
}

impl Condition {
    /// The word shown to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Failed => "failed",
            Self::Recovering => "on its way",
            Self::InService => "worked on",
            Self::HardwareFault => "hardware fault",
            Self::Unknown => "unknown",
        }
    }
}

impl ModuleLook {
    /// What this module looked like.
    #[must_use]
    pub fn condition(&self) -> Condition {
        if self.hardware_ok == Some(false) {
            return Condition::HardwareFault;
        }
        match self.state {
            ModuleState::Operational if self.connection_ok == Some(false) => Condition::Unknown,
            ModuleState::Operational => Condition::Healthy,
            ModuleState::Failed => Condition::Failed,
            ModuleState::Offline => Condition::Recovering,
            ModuleState::Error => Condition::HardwareFault,
            ModuleState::Unknown => Condition::Unknown,
            ModuleState::Maintenance
            | ModuleState::PreMaintenance
            | ModuleState::Initialization
            | ModuleState::PreInitialization
            | ModuleState::Uninitialized => Condition::InService,
        }
    }
}

/// Whom a question about a look is about: a module, or without one the host itself.
///
/// Numbers can change and serial numbers do not: with the serial number, a look that shows another
/// module under the number says nothing of the one that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The number.
    pub module: Option<ModuleNumber>,
    /// The serial number, where it is known.
    pub esn: Option<&'a Esn>,
}

impl From<Option<ModuleNumber>> for Subject<'_> {
    /// Whatever has that number.
    fn from(module: Option<ModuleNumber>) -> Self {
        Self { module, esn: None }
    }
}

impl Subject<'_> {
    /// Whether what was printed shows that the number is another module's: it has another serial
    /// number, or its own is at another number.
    #[must_use]
    pub fn is_renumbered<'e>(
        &self,
        printed: impl Iterator<Item = (ModuleNumber, Option<&'e Esn>)>,
    ) -> bool {
        let (Some(module), Some(expected)) = (self.module, self.esn) else {
            return false;
        };
        let mut printed = printed.filter_map(|(number, esn)| Some((number, esn?)));
        printed.any(|(number, esn)| (number == module) != (esn == expected))
    }
}

impl Observation {
    /// What the module looked like; with the hardserver not up, nobody knows.
    #[must_use]
    pub fn module_condition(&self, module: ModuleNumber) -> Condition {
        if self.hardserver != HardserverLook::Up || !self.complete {
            return Condition::Unknown;
        }
        self.modules
            .get(&module)
            .map_or(Condition::Unknown, ModuleLook::condition)
    }

    /// What the host itself looked like. [`Condition::Failed`] is a suspicion until a second look.
    #[must_use]
    pub const fn host_condition(&self) -> Condition {
        match self.hardserver {
            HardserverLook::Up => Condition::Healthy,
            HardserverLook::SuspectedDown => Condition::Failed,
            HardserverLook::Unresponsive
            | HardserverLook::PermissionDenied
            | HardserverLook::Unknown => Condition::Unknown,
        }
    }

    /// What a target looked like: the module, or without one the host itself.
    #[must_use]
    pub fn condition<'a>(&self, subject: impl Into<Subject<'a>>) -> Condition {
        let subject = subject.into();
        let printed = self.modules.iter();
        let mut printed = printed.map(|(number, look)| (*number, look.esn.as_ref()));
        match subject.module {
            None => self.host_condition(),
            Some(_) if subject.is_renumbered(printed.by_ref()) => Condition::Unknown,
            Some(module) => self.module_condition(module),
        }
    }

    /// What a restart would act on: a hardserver that runs, or one that looks down. The guards see
    /// to it that the latter is proven before anything is started.
    #[must_use]
    pub fn hardserver_for_restart(&self) -> Hardserver {
        if self.hardserver == HardserverLook::SuspectedDown {
            Hardserver::Down
        } else {
            Hardserver::Running
        }
    }

    /// The modules that looked healthy.
    #[must_use]
    pub fn healthy_modules(&self) -> BTreeSet<ModuleNumber> {
        self.modules
            .keys()
            .copied()
            .filter(|&module| self.module_condition(module) == Condition::Healthy)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_class_follows_the_replies() {
        let table = [
            (
                NetworkLook::Echo {
                    sent: 5,
                    replies: 5,
                },
                Network::Good,
            ),
            (
                NetworkLook::Echo {
                    sent: 5,
                    replies: 4,
                },
                Network::Good,
            ),
            (
                NetworkLook::Echo {
                    sent: 5,
                    replies: 3,
                },
                Network::Degraded,
            ),
            (
                NetworkLook::Echo {
                    sent: 5,
                    replies: 1,
                },
                Network::Degraded,
            ),
            (
                NetworkLook::Echo {
                    sent: 5,
                    replies: 0,
                },
                Network::Bad,
            ),
            (
                NetworkLook::Echo {
                    sent: 4,
                    replies: 4,
                },
                Network::Unknown,
            ),
            (
                NetworkLook::Echo {
                    sent: 0,
                    replies: 0,
                },
                Network::Unknown,
            ),
            (NetworkLook::Tcp { connected: true }, Network::Good),
            (NetworkLook::Tcp { connected: false }, Network::Bad),
            (NetworkLook::NotApplicable, Network::NotApplicable),
            (
                NetworkLook::Unknown("no permission".to_owned()),
                Network::Unknown,
            ),
        ];
        for (look, class) in table {
            assert_eq!(look.class(), class, "{look:?}");
        }
    }
}
