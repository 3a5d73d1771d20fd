//! The state of a module, derived from everything `enquiry` says about its health.
//!
//! `mode operational` alone proves nothing: a failed module may keep it. The reply flags, the mode
//! and the hardware status are therefore read together, here and nowhere else; the exporter's
//! metric, the remediator's evidence and the host runner's own check all call
//! [`ModuleCondition::derive`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a module is doing, as one word.
///
/// The serde names and [`as_str`](Self::as_str) are the values of the metric label `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// Serving: mode `operational` and no flag that says otherwise.
    Operational,
    /// The hardserver marks the module as failed.
    Failed,
    /// Rebooting or not available just now.
    Offline,
    /// In maintenance mode: somebody is working on it.
    Maintenance,
    /// About to enter maintenance mode.
    PreMaintenance,
    /// In initialization mode.
    Initialization,
    /// About to enter initialization mode.
    PreInitialization,
    /// Without a Security World.
    Uninitialized,
    /// In the vendor's error state: a matter for support.
    Error,
    /// Not said, or said in words that are not known.
    Unknown,
}

impl ModuleState {
    /// Every state, in the order in which they are exported.
    pub const ALL: [Self; 10] = [
        Self::Operational,
        Self::Failed,
        Self::Offline,
        Self::Maintenance,
        Self::PreMaintenance,
        Self::Initialization,
        Self::PreInitialization,
        Self::Uninitialized,
        Self::Error,
        Self::Unknown,
    ];

    /// Returns the value of the metric label `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::Failed => "failed",
            Self::Offline => "offline",
            Self::Maintenance => "maintenance",
            Self::PreMaintenance => "pre_maintenance",
            Self::Initialization => "initialization",
            Self::PreInitialization => "pre_initialization",
            Self::Uninitialized => "uninitialized",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ModuleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of a module and, beside it, what its hardware says.
///
/// They are apart because they answer different questions: the state says what could be tried, a
/// hardware fault says that nothing may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModuleCondition {
    /// What the module is doing.
    pub state: ModuleState,
    /// Whether `hardware status` is `OK`; `None` where it is not reported.
    pub hardware_ok: Option<bool>,
}

impl ModuleCondition {
    /// Derives the condition from the raw values of one `enquiry` section.
    ///
    /// The arguments are the values of `enquiry reply flags`, `mode` and `hardware status`; `None`
    /// where the line is missing. A word that is not known gives [`ModuleState::Unknown`]: the
    /// caller keeps the raw text.
    #[must_use]
    pub fn derive(
        reply_flags: Option<&str>,
        mode: Option<&str>,
        hardware_status: Option<&str>,
    ) -> Self {
        let flags = ReplyFlags::read(reply_flags);
        Self {
            state: state(flags, read_mode(mode)),
            hardware_ok: hardware_ok(hardware_status),
        }
    }
}

/// `Offline` goes before `Failed` because it asks for less: a module that is booting is waited for.
/// A known service mode counts even where the flags are missing; operational needs both.
fn state(flags: ReplyFlags, mode: Mode) -> ModuleState {
    match (flags, mode) {
        (ReplyFlags::Offline, _) => ModuleState::Offline,
        (ReplyFlags::Failed, _) => ModuleState::Failed,
        (_, Mode::Known(ModuleState::Operational)) if flags != ReplyFlags::Healthy => {
            ModuleState::Unknown
        }
        (_, Mode::Known(state)) => state,
        (_, Mode::Unknown) => ModuleState::Unknown,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplyFlags {
    Healthy,
    Failed,
    Offline,
    Unknown,
}

impl ReplyFlags {
    fn read(text: Option<&str>) -> Self {
        let mut words = text
            .unwrap_or_default()
            .split([' ', '\t', ','])
            .filter(|w| !w.is_empty());
        let Some(first) = words.next() else {
            return Self::Unknown;
        };
        words.map(Self::word).fold(Self::word(first), Self::graver)
    }

    fn word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "none" | "unprivonly" => Self::Healthy,
            "failed" => Self::Failed,
            "offline" => Self::Offline,
            _ => Self::Unknown,
        }
    }

    fn graver(self, other: Self) -> Self {
        let rank = |flags| match flags {
            Self::Healthy => 0,
            Self::Unknown => 1,
            Self::Failed => 2,
            Self::Offline => 3,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

enum Mode {
    Known(ModuleState),
    Unknown,
}

/// The spelling of the two "pre-" modes is not known from any capture, so that all are accepted.
/// `starting up` and `emulated maintenance` are names of the nShield 5s documentation; `failed` is
/// expected because the vendor's SNMP agent lists it among the modes.
fn read_mode(text: Option<&str>) -> Mode {
    let word: String = text
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    Mode::Known(
        match word
            .replace("isation", "ization")
            .replace("ised", "ized")
            .as_str()
        {
            "operational" => ModuleState::Operational,
            "failed" => ModuleState::Failed,
            "startingup" | "offline" => ModuleState::Offline,
            "maintenance" | "emulatedmaintenance" => ModuleState::Maintenance,
            "premaintenance" => ModuleState::PreMaintenance,
            "initialization" => ModuleState::Initialization,
            "preinitialization" => ModuleState::PreInitialization,
            "uninitialized" => ModuleState::Uninitialized,
            "error" => ModuleState::Error,
            _ => return Mode::Unknown,
        },
    )
}

/// The text of a bad value is not known, so that everything but `OK` is bad; `unknown` is what
/// failed modules print for values that nobody could read, and says nothing.
fn hardware_ok(text: Option<&str>) -> Option<bool> {
    match text.map(str::trim) {
        None | Some("") => None,
        Some(word) if word.eq_ignore_ascii_case("unknown") => None,
        Some(word) => Some(word.eq_ignore_ascii_case("ok")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_of(flags: &str, mode: &str) -> ModuleState {
        ModuleCondition::derive(Some(flags), Some(mode), None).state
    }

    #[test]
    fn reads_flags_and_mode_together() {
        for (flags, mode, expected) in [
            ("none", "operational", ModuleState::Operational),
            ("UnprivOnly", "operational", ModuleState::Operational),
            ("Failed", "operational", ModuleState::Failed),
            ("failed", "failed", ModuleState::Failed),
            ("Failed", "", ModuleState::Failed),
            ("UnprivOnly Failed", "operational", ModuleState::Failed),
            ("none", "failed", ModuleState::Failed),
            ("Offline", "", ModuleState::Offline),
            ("Offline", "operational", ModuleState::Offline),
            ("Failed Offline", "operational", ModuleState::Offline),
            ("none", "maintenance", ModuleState::Maintenance),
            ("none", "pre-maintenance", ModuleState::PreMaintenance),
            ("none", "initialization", ModuleState::Initialization),
            ("none", "initialisation", ModuleState::Initialization),
            ("none", "pre-initialization", ModuleState::PreInitialization),
            ("none", "pre-initialisation", ModuleState::PreInitialization),
            ("none", "uninitialized", ModuleState::Uninitialized),
            ("none", "uninitialised", ModuleState::Uninitialized),
            ("none", "error", ModuleState::Error),
            ("", "maintenance", ModuleState::Maintenance),
        ] {
            assert_eq!(
                state_of(flags, mode),
                expected,
                "flags {flags:?}, mode {mode:?}"
            );
        }
    }

    #[test]
    fn is_unknown_where_anything_needed_is_missing_or_not_understood() {
        for (flags, mode) in [
            (Some("none"), None),
            (Some("none"), Some("")),
            (None, Some("operational")),
            (Some(""), Some("operational")),
            (None, None),
            (Some("none"), Some("accelonly")),
            (Some("Bewitched"), Some("operational")),
            (Some("none Bewitched"), Some("operational")),
        ] {
            let state = ModuleCondition::derive(flags, mode, Some("OK")).state;
            assert_eq!(
                state,
                ModuleState::Unknown,
                "flags {flags:?}, mode {mode:?}"
            );
        }
    }

    #[test]
    fn keeps_a_hardware_fault_beside_the_state() {
        for (text, expected) in [
            (Some("OK"), Some(true)),
            (Some("ok "), Some(true)),
            (Some("SOS-B1"), Some(false)),
            (Some("1-1-1"), Some(false)),
            (Some("unknown"), None),
            (Some(""), None),
            (None, None),
        ] {
            let condition = ModuleCondition::derive(Some("none"), Some("operational"), text);
            assert_eq!(condition.hardware_ok, expected, "{text:?}");
            assert_eq!(condition.state, ModuleState::Operational);
        }
    }

    #[test]
    fn label_values_are_the_serde_names_and_all_lists_each_once() {
        let names: Vec<_> = ModuleState::ALL.iter().map(|s| s.as_str()).collect();
        for state in ModuleState::ALL {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.as_str()));
        }
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 10);
    }
}
