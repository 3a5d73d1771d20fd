//! `host.yaml`: the host's own configuration, which has the last word on what may run here.
//!
//! Read by every `host` command. Raw text is checked as a whole, and all problems are reported
//! together with the key they are about.

mod check;
mod raw;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nshield::runner::Invocation;
use nshield::{Esn, ModuleNumber};
use vcm_recovery::inventory::Kind;
use vcm_recovery::step::{Platform, Program};
use vcm_recovery::tier::Tier;

use crate::yaml::{self, YamlError};

/// The mode bits that let somebody other than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Where observations, journals, the lock and the fence are kept.
    pub state_dir: PathBuf,
    /// The root of the vendor's installation; its socket is looked for below it.
    pub nfast_root: PathBuf,
    /// Where the vendor's programs are.
    pub tools: Tools,
    /// Decides how the hardserver is restarted.
    pub platform: Platform,
    /// The highest tier that may run here. Default `retry`: it takes nothing from anybody.
    pub max_tier: Tier,
    /// While this file exists, nothing starts here. A module of its own is held by a file of this
    /// name with a dot and its number behind it.
    pub hold_file: PathBuf,
    /// While this file exists, everything is paused: nothing starts here either. Put in place on
    /// every host, it stops what the remediator can no longer be told to stop.
    pub pause_file: PathBuf,
    /// How the process that runs an attempt is detached from its caller.
    pub launcher: Launcher,
    /// The wait between `-M` and `-c`. At least the vendor's 30 s.
    pub clear_wait: Duration,
    /// How long each program may take.
    pub deadlines: Deadlines,
    /// How to tell that somebody stopped the hardserver on purpose.
    pub stopped_on_purpose: StoppedOnPurpose,
    /// What happens after a restart that left the hardserver down.
    pub after_restart: AfterRestart,
    /// What the site runs after a rung.
    pub hooks: Hooks,
    /// The site's own check of its service: it must exit with 0 before an incident closes.
    pub service_check: Option<FixedCommand>,
    /// The modules of this host.
    pub modules: BTreeMap<ModuleNumber, HostModule>,
}

/// How the process that runs an attempt is detached from its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// As a session of its own, in the caller's control group.
    Direct,
    /// As a transient unit of the system's service manager: in a control group of its own, and
    /// outside the caller's sandbox, and so is a hardserver that it starts. Takes root.
    Systemd,
}

/// What the site runs after a rung, to load keys again for example. A hook that fails is reported
/// and never repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// After a restart, once the hardserver answers.
    pub after_restart: Option<FixedCommand>,
    /// After a clear, once the module is operational.
    pub after_clear: Option<FixedCommand>,
}

/// A command that is started as it is written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedCommand {
    vector: Vec<String>,
}

impl FixedCommand {
    /// Takes an argument vector; `None` unless it begins with the absolute path of a program.
    #[must_use]
    pub fn new(vector: Vec<String>) -> Option<Self> {
        let absolute = vector
            .first()
            .is_some_and(|word| Path::new(word).is_absolute());
        absolute.then_some(Self { vector })
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        self.vector.first().map_or(Path::new(""), Path::new)
    }

    /// The command, ready to be started.
    #[must_use]
    pub fn invocation(&self, deadline: Duration) -> Invocation {
        let arguments = self.vector.iter().skip(1);
        Invocation::new(self.program(), arguments, deadline)
    }
}

/// Where programs are. No search path is ever used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// `bin/enquiry`
    pub enquiry: PathBuf,
    /// `bin/stattree`
    pub stattree: PathBuf,
    /// `bin/nopclearfail`
    pub nopclearfail: PathBuf,
    /// `sbin/init.d-ncipher`
    pub init_script: PathBuf,
    /// Windows' `net`
    pub net: PathBuf,
    /// `systemd-run`, for [`Launcher::Systemd`]
    pub systemd_run: PathBuf,
    /// `systemctl`, for [`Launcher::Systemd`]: tells whether a unit has ended without an answer.
    pub systemctl: PathBuf,
    /// Fixed words in front of a command that changes something, such as `/usr/bin/sudo -n`.
    pub sudo_prefix: Vec<String>,
}

impl Tools {
    /// The path of a program that a step runs.
    #[must_use]
    pub fn path(&self, program: Program) -> &Path {
        match program {
            Program::Nopclearfail => &self.nopclearfail,
            Program::InitScript => &self.init_script,
            Program::Net => &self.net,
        }
    }
}

/// How long each program may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// A full `enquiry`. Default 50 s: the hardserver may hold it for 35 s after a module dropped.
    pub enquiry: Duration,
    /// `enquiry -m0`. Default 5 s: it asks no module.
    pub enquiry_server: Duration,
    /// `stattree`. Default 20 s.
    pub stattree: Duration,
    /// All echoes to one module together, or one TCP connection. Default 5 s.
    pub ping: Duration,
    /// The probe of the unit's state, and a question to sudo. Default 5 s.
    pub probe: Duration,
    /// One step of a rung. Default 120 s. It bounds how long the runner waits before it says that
    /// the step takes too long; it never proves that the step has ended.
    pub step: Duration,
    /// One hook. Default 60 s.
    pub hook: Duration,
    /// `service_check`. Default 10 s: it is part of every observation.
    pub service_check: Duration,
}

/// How to tell that somebody stopped the hardserver on purpose. Only asked while it looks down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedOnPurpose {
    /// A fixed argument vector whose standard output is one word for the state of the hardserver's
    /// unit. Without it nobody knows, so that a hardserver that is down is only started by
    /// approval.
    pub unit_state: Option<FixedCommand>,
    /// Words that mean: stopped cleanly. Default `inactive`.
    pub stopped_words: Vec<String>,
    /// Words that mean: it died. Default `failed`, and `active` for units that outlive their
    /// daemon. Every other word is unknown.
    pub died_words: Vec<String>,
    /// Files that a running package manager holds a lock on. Default dpkg's, apt's and rpm's.
    pub package_manager_locks: Vec<PathBuf>,
    /// A host that has been up for less is still booting. Default 10 min.
    pub host_up_min: Duration,
}

/// What happens after a restart that left the hardserver down. Configurable for test estates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterRestart {
    /// Two looks this far apart prove the hardserver down. Default 10 s.
    pub down_span: Duration,
    /// Time between two starts. Default 30 s.
    pub start_spacing: Duration,
}

/// One module of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostModule {
    /// Its serial number; `None` while it is not known.
    pub esn: Option<Esn>,
    /// What it is. Only a VCM is ever cleared.
    pub kind: Kind,
    /// How to tell whether it answers the network.
    pub reachability: Reachability,
}

/// How to tell whether a module answers the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// Echo requests to this address.
    Icmp(IpAddr),
    /// A TCP connection to this address and port.
    Tcp(IpAddr, u16),
    /// Somebody signed off that there is no check.
    None,
    /// It is to be checked, but no address is known.
    NoAddress,
}

/// One thing that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `modules[1].esn`.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Why `host.yaml` gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read or is not the YAML that it should be.
    #[error("bad host configuration")]
    Yaml(#[from] YamlError),
    /// Somebody else could have written it, so that it cannot have the last word.
    #[error("{} must belong to root or to this user, and be writable by nobody else", path.display())]
    NotTrusted {
        /// The file.
        path: PathBuf,
    },
    /// Values in it are wrong.
    #[error("{}: {}", path.display(), listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

impl HostConfig {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let raw = yaml::read::<raw::HostConfig>(path)?;
        if !trusted(path) {
            let path = path.to_owned();
            return Err(ConfigError::NotTrusted { path });
        }
        check::checked(raw).map_err(|problems| ConfigError::Invalid {
            path: path.to_owned(),
            problems,
        })
    }
}

/// It names the programs that are run, with the rights of this process.
fn trusted(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    std::fs::metadata(path).is_ok_and(|file| {
        let owner = file.uid();
        (owner == 0 || owner == own) && file.mode() & WRITABLE_BY_OTHERS == 0
    })
}

#[cfg(test)]
mod tests;
