//! One module: the VCM behind it, the network in between and the hardserver's link to it.

use std::{net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::sim::{clock::At, estate::Vcm, span::Span};

/// One module of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name in the estate.
    pub vcm: String,
    /// Its number now; a restart can change it.
    pub number: u32,
    /// Its ESN.
    pub esn: String,
    /// Its address.
    pub address: IpAddr,
    /// Its HSM's name.
    pub hsm: String,
    /// A command that makes real ping follow the network, run with `down` or `up`.
    pub network_hook: Vec<String>,
    /// Other roots on which this VCM is enrolled.
    pub also_on: Vec<PathBuf>,
    /// The VCM on its HSM.
    pub device: Device,
    /// The network to it.
    pub network: Network,
    /// What is wrong with it and what cures that.
    pub fault: Option<Fault>,
    /// A cured fault that will come back.
    pub relapse: Option<Relapse>,
    /// The hardserver's link to it.
    pub link: Link,
    /// Loaded objects and work done.
    pub counters: Counters,
}

/// The VCM on its HSM: outlives every process on the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Since when it runs.
    pub up_since: At,
    /// A reboot in progress.
    pub boot: Option<Boot>,
    /// Stopped, or not started after a reboot: answers nobody until `ctl start-vcm`.
    pub inactive: bool,
    /// Whether it starts by itself after a reboot.
    pub autostart: bool,
    /// Its mode.
    pub mode: Mode,
    /// When `-M` was last accepted.
    pub maintenance_at: Option<At>,
    /// A clear or a change of mode in progress.
    pub reset: Option<Reset>,
    /// Load of its HSM in percent.
    pub load: u8,
    /// Whether its Security World can be used; `enquiry` does not tell.
    pub usable: bool,
    /// What the `hardware status` line shows.
    pub hardware_status: String,
    /// Whether the session that the hardserver may want to resume still exists here.
    pub session_alive: bool,
    /// Commands that take effect later than they were answered: when, and which.
    pub late: Vec<(At, super::Command)>,
}

/// A reboot in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// From when on it answers ping.
    pub ping_at: At,
    /// From when on it serves.
    pub serves_at: At,
}

/// A clear or a change of mode in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// When it is over.
    pub until: At,
    /// The mode it leads to.
    pub mode: Mode,
    /// Whether it cures a fault that needs a clear.
    pub cures: bool,
}

/// A module's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In service.
    Operational,
    /// In maintenance.
    Maintenance,
    /// In initialization.
    Initialization,
    /// Waiting for maintenance.
    PreMaintenance,
    /// Waiting for initialization.
    PreInitialization,
    /// Never initialized, or erased.
    Uninitialized,
}

/// The network between the host and the VCM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Broken since then by `ctl network-loss`.
    pub lost_at: Option<At>,
    /// When that ends by itself.
    pub until: Option<At>,
    /// Broken since then because the file `sim/net/<vcm>` says so.
    pub followed_down_at: Option<At>,
}

/// What is wrong with a module, described by what cures it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What cures it.
    pub cure: Cure,
    /// How many retries it takes; all but the last say OK and change nothing.
    pub retries: u32,
    /// When a retry that works will have worked.
    pub recovers_at: Option<At>,
    /// From a retry that works until the module is operational; absent: `timing.retry`.
    pub heal_after: Option<Span>,
    /// Whether and when it comes back after a cure.
    pub relapse_after: Option<Span>,
    /// How often it comes back.
    pub relapses: u32,
}

/// What cures a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cure {
    /// `nopclearfail -r`; a restart of the hardserver or a clear does as well.
    Retry,
    /// A restart of the hardserver, and nothing else.
    Restart,
    /// `-M`, a wait, `-c`, and nothing else.
    Clear,
    /// Nothing on this host.
    Dead,
}

/// A cured fault that will come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relapse {
    /// When.
    pub at: At,
    /// As what.
    pub fault: Fault,
}

/// The hardserver's link to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Link {
    /// There is no hardserver.
    None,
    /// Being set up after the hardserver's start.
    Connecting {
        /// When that is decided.
        until: At,
    },
    /// In order.
    Up,
    /// The module does not answer, and the hardserver still takes it for healthy.
    Silent {
        /// Since when.
        since: At,
    },
    /// Failed.
    Failed {
        /// Since when it counts as failed.
        since: At,
        /// When the module last answered.
        lost_at: At,
        /// Until when commands for it are held.
        held_until: At,
    },
}

/// Loaded objects and work done, as `stattree` counts them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Objects loaded now.
    pub objects: u64,
    /// Objects that applications want to have loaded.
    pub objects_wanted: u64,
    /// Objects ever created since the last clear.
    pub objects_created: u64,
    /// When applications will have reloaded their keys.
    pub reload_at: Option<At>,
    /// Thousandths of commands done since the last clear.
    pub millicommands: u64,
    /// Until when they are counted.
    pub counted_until: At,
}

/// What `enquiry` shows of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// No flags, and this mode.
    Serving(Mode),
    /// Being reset, or its HSM boots.
    Resetting,
    /// Failed.
    Failed,
}

impl Fault {
    /// A fault that the first right action cures for good.
    #[must_use]
    pub fn plain(cure: Cure) -> Self {
        Self {
            cure,
            retries: 1,
            recovers_at: None,
            heal_after: None,
            relapse_after: None,
            relapses: 0,
        }
    }
}

impl Module {
    pub(super) fn new(vcm: Vcm, now: At) -> Self {
        Self {
            vcm: vcm.name,
            number: vcm.module.unwrap_or(1),
            esn: vcm.esn,
            address: vcm.address,
            hsm: vcm.hsm,
            network_hook: vcm.network_hook,
            also_on: vcm.also_on,
            device: Device {
                up_since: now,
                boot: None,
                inactive: false,
                autostart: vcm.autostart,
                mode: Mode::Operational,
                maintenance_at: None,
                reset: None,
                load: vcm.load,
                usable: true,
                hardware_status: "OK".to_owned(),
                session_alive: true,
                late: Vec::new(),
            },
            network: Network::default(),
            fault: None,
            relapse: None,
            link: Link::None,
            counters: Counters {
                objects: 0,
                objects_wanted: vcm.objects,
                objects_created: 0,
                reload_at: None,
                millicommands: 0,
                counted_until: now,
            },
        }
    }

    /// Whether packets get through to where the VCM runs.
    #[must_use]
    pub fn network_up(&self) -> bool {
        self.network.lost_at.is_none() && self.network.followed_down_at.is_none()
    }

    /// Whether the VCM answers the hardserver.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.network_up() && self.device.boot.is_none() && !self.device.inactive
    }

    /// Whether the VCM's address answers ping, as far as the model decides that.
    #[must_use]
    pub fn answers_ping(&self, now: At) -> bool {
        let booted = self.device.boot.is_none_or(|boot| now >= boot.ping_at);
        self.network_up() && booted && !self.device.inactive
    }

    /// Whether a link could be set up now.
    pub(super) fn connects(&self) -> bool {
        self.serves() && (self.fault.is_none() || self.device.mode != Mode::Operational)
    }

    /// Whether it is in service and in order.
    #[must_use]
    pub fn healthy(&self) -> bool {
        matches!(self.link, Link::Up)
            && self.device.reset.is_none()
            && self.device.mode == Mode::Operational
    }

    pub(super) fn shown(&self, now: At) -> Shown {
        if self.device.reset.is_some_and(|reset| now < reset.until) && self.network_up() {
            return Shown::Resetting;
        }
        match self.link {
            Link::Up | Link::Silent { .. } => Shown::Serving(self.device.mode),
            Link::None | Link::Connecting { .. } | Link::Failed { .. } => Shown::Failed,
        }
    }

    /// Counts the work done until `now`.
    pub(super) fn count(&mut self, now: At) {
        let working = matches!(self.link, Link::Up) && self.device.reset.is_none();
        if working {
            let elapsed = now.0.saturating_sub(self.counters.counted_until.0);
            let per_second = u64::from(self.device.load) * COMMANDS_PER_PERCENT;
            self.counters.millicommands += elapsed * per_second;
        }
        self.counters.counted_until = now;
    }
}

/// Commands a second that an HSM works off for each percent of its load.
const COMMANDS_PER_PERCENT: u64 = 5;
