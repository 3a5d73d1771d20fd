//! What happened in the world, for the demo's timeline and for the accounting of damage.

use serde::Serialize;

use super::{At, Mode};

/// One change of the world.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When it happened, in the model's time.
    pub at: At,
    /// The module's number at that moment.
    pub module: Option<u32>,
    /// The VCM's name in the estate.
    pub vcm: Option<String>,
    /// The VCM's ESN.
    pub esn: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The network to the VCM broke.
    NetworkLost,
    /// The network to the VCM is back.
    NetworkRestored,
    /// The HSM began to reboot.
    HsmRebooted,
    /// The VCM serves again after a reboot.
    HsmServes,
    /// `enquiry` shows the module as failed from now on.
    ModuleFailed {
        /// Why.
        cause: String,
    },
    /// `enquiry` shows the module as operational again.
    ModuleOperational {
        /// What brought it back.
        cause: String,
    },
    /// The module shows another mode.
    ModuleMode {
        /// The mode.
        mode: Mode,
    },
    /// A hardserver serves.
    HardserverStarted {
        /// Its process.
        pid: u32,
    },
    /// The hardserver is gone.
    HardserverEnded {
        /// Whether it was stopped, as opposed to died.
        clean: bool,
    },
    /// The hardserver accepts and answers nothing from now on.
    HardserverHung,
    /// A start script ended without a hardserver.
    HardserverStartFailed,
    /// Modules changed their numbers.
    ModulesRenumbered,
    /// Applications reloaded their keys.
    KeysReloaded {
        /// How many objects are loaded now.
        objects: u64,
    },
    /// The load of the HSM changed.
    LoadChanged {
        /// In percent.
        percent: u8,
    },
    /// Somebody was harmed.
    Damage(Damage),
}

/// Harm that somebody would have to answer for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "damage", rename_all = "snake_case")]
pub enum Damage {
    /// Connections of applications were cut.
    ClientsCut {
        /// How many.
        count: u32,
    },
    /// Loaded keys were lost.
    ObjectsLost {
        /// How many.
        count: u64,
        /// By what.
        cause: String,
        /// Whether the module was operational, so that the keys were in use.
        module_was_healthy: bool,
    },
    /// A module that was operational is so no longer, by an action on the host.
    HealthyModuleDisturbed {
        /// By what.
        cause: String,
    },
    /// `-c` came too soon after `-M`.
    ClearTooEarly {
        /// Milliseconds of the model from `-M` to `-c`.
        waited_ms: u64,
        /// Milliseconds that it takes.
        needed_ms: u64,
    },
}
