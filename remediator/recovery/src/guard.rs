//! Guards: named conditions, each of which can keep a rung from starting.
//!
//! Every guard is one file with one table: input class -> verdict per rung, including what it says
//! when its input is missing. The remediator asks all of them ([`Guard::verdict`]) when it decides
//! and again with the budget held; the host runner asks those that it can see once more
//! ([`Guard::on_host`]), under its own lock, on its own fresh look.

use std::fmt;
use std::time::Duration;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::fleet::FleetView;
use crate::incident::Incident;
use crate::observation::Observation;
use crate::policy::Site;
use crate::state::HostState;
use crate::tier::Rung;
use crate::time::Time;
use crate::verdict::Verdict;

mod above_ceiling;
mod approval_required;
mod boot_window;
pub mod budget;
mod cap;
pub mod decision_stale;
mod esn_mismatch;
mod flapping;
mod hardserver_unresponsive;
mod hardware_fault;
mod hold;
mod host_policy;
mod kind;
mod load_high;
mod module_healthy;
mod module_in_service_mode;
#[cfg(test)]
mod mutation;
mod network_bad;
mod network_unknown;
mod not_before;
mod not_owner;
mod observation_incomplete;
mod observation_unknown;
mod observe_only;
mod others_healthy;
mod outside_window;
mod paused;
mod silenced;
mod spacing;
mod stopped_on_purpose;
mod storm;
mod unknown_target;
mod watchdog_silent;

/// A guard, by the name it has everywhere: in records, metrics, pages and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each variant is the module of the same name, which says what it does"
)]
pub enum Guard {
    NotOwner,
    DecisionStale,
    ObservationUnknown,
    ObservationIncomplete,
    HardserverUnresponsive,
    UnknownTarget,
    ModuleHealthy,
    ModuleInServiceMode,
    HardwareFault,
    EsnMismatch,
    Kind,
    HostPolicy,
    OthersHealthy,
    NetworkUnknown,
    NetworkBad,
    LoadHigh,
    Storm,
    BootWindow,
    StoppedOnPurpose,
    Hold,
    Paused,
    Silenced,
    WatchdogSilent,
    ObserveOnly,
    AboveCeiling,
    NotBefore,
    OutsideWindow,
    Flapping,
    Cap,
    Spacing,
    BudgetHost,
    BudgetHsm,
    BudgetFleet,
    ApprovalRequired,
}

/// What the host runner can see.
#[derive(Clone, Copy, Debug)]
pub struct HostView<'a> {
    /// The rung that wants to start.
    pub rung: Rung,
    /// The module it is about; `None` when it is about the host itself.
    pub module: Option<ModuleNumber>,
    /// The serial number that the inventory has for the module.
    pub expected_esn: Option<&'a Esn>,
    /// What was seen.
    pub seen: &'a Observation,
}

/// What the remediator knows when it decides.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The rung that wants to start.
    pub rung: Rung,
    /// The incident.
    pub incident: &'a Incident,
    /// Everything about the host.
    pub state: &'a HostState,
    /// The newest looks.
    pub evidence: &'a Evidence,
    /// The other hosts.
    pub fleet: &'a FleetView,
    /// Inventory and policy.
    pub site: Site<'a>,
    /// Now.
    pub now: Time,
}

impl<'a> Input<'a> {
    /// By how much longer a restart or clear waits: the time without the program that nobody has
    /// confirmed. The clock may have been wrong, people at work, and the failure another one.
    fn unseen(&self) -> Duration {
        match self.rung.disruptive() {
            true => self.fleet.unconfirmed_gap,
            false => Duration::ZERO,
        }
    }

    /// The same of a wait that counts from `begun`, which may be after that time.
    fn unseen_since(&self, begun: Time) -> Duration {
        let until = self.fleet.unconfirmed_until;
        match until.is_some_and(|until| begun <= until) {
            true => self.unseen(),
            false => Duration::ZERO,
        }
    }

    /// The part that the host could see too; `None` without an observation.
    fn host_view(&self) -> Option<HostView<'a>> {
        let module = self.site.host.module_of(&self.incident.target);
        self.evidence.observation().map(|seen| HostView {
            rung: self.rung,
            module: self.incident.target.module,
            expected_esn: module.and_then(|module| module.esn.as_ref()),
            seen,
        })
    }
}

/// What is said of a wait that is longer by `unseen` than the policy has it.
const fn because(unseen: Duration) -> &'static str {
    if unseen.is_zero() {
        ""
    } else {
        ", and the time in which the remediator did not run is not confirmed to count"
    }
}

impl Guard {
    /// Every guard, in the order in which verdicts are shown: what we know, what it is, what is
    /// permitted, when, and how many.
    pub const ALL: [Self; 34] = [
        Self::NotOwner,
        Self::DecisionStale,
        Self::ObservationUnknown,
        Self::ObservationIncomplete,
        Self::HardserverUnresponsive,
        Self::UnknownTarget,
        Self::ModuleHealthy,
        Self::ModuleInServiceMode,
        Self::HardwareFault,
        Self::EsnMismatch,
        Self::Kind,
        Self::HostPolicy,
        Self::OthersHealthy,
        Self::NetworkUnknown,
        Self::NetworkBad,
        Self::LoadHigh,
        Self::Storm,
        Self::BootWindow,
        Self::StoppedOnPurpose,
        Self::Hold,
        Self::Paused,
        Self::Silenced,
        Self::WatchdogSilent,
        Self::ObserveOnly,
        Self::AboveCeiling,
        Self::NotBefore,
        Self::OutsideWindow,
        Self::Flapping,
        Self::Cap,
        Self::Spacing,
        Self::BudgetHost,
        Self::BudgetHsm,
        Self::BudgetFleet,
        Self::ApprovalRequired,
    ];

    /// The guards that the host runner evaluates itself.
    pub const ON_HOST: [Self; 14] = [
        Self::ObservationUnknown,
        Self::ObservationIncomplete,
        Self::HardserverUnresponsive,
        Self::ModuleHealthy,
        Self::ModuleInServiceMode,
        Self::HardwareFault,
        Self::EsnMismatch,
        Self::Kind,
        Self::HostPolicy,
        Self::NetworkUnknown,
        Self::NetworkBad,
        Self::StoppedOnPurpose,
        Self::Hold,
        Self::Paused,
    ];

    /// The guards about whether we know what we act on. While one of them refuses, no other
    /// verdict is worth anything: a rung is not even skipped.
    #[must_use]
    pub const fn about_knowledge(self) -> bool {
        matches!(
            self,
            Self::DecisionStale
                | Self::ObservationUnknown
                | Self::ObservationIncomplete
                | Self::HardserverUnresponsive
        )
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DecisionStale => "decision_stale",
            Self::ObservationUnknown => "observation_unknown",
            Self::ObservationIncomplete => "observation_incomplete",
            Self::HardserverUnresponsive => "hardserver_unresponsive",
            Self::ModuleHealthy => "module_healthy",
            Self::ModuleInServiceMode => "module_in_service_mode",
            Self::HardwareFault => "hardware_fault",
            Self::EsnMismatch => "esn_mismatch",
            Self::Kind => "kind",
            Self::HostPolicy => "host_policy",
            Self::OthersHealthy => "others_healthy",
            Self::NetworkUnknown => "network_unknown",
            Self::NetworkBad => "network_bad",
            Self::StoppedOnPurpose => "stopped_on_purpose",
            Self::Hold => "hold",
            Self::Paused => "paused",
            Self::ObserveOnly => "observe_only",
            Self::AboveCeiling => "above_ceiling",
            Self::NotBefore => "not_before",
            Self::Cap => "cap",
            Self::Spacing => "spacing",
            Self::BudgetHost => "budget_host",
            Self::BudgetHsm => "budget_hsm",
            Self::BudgetFleet => "budget_fleet",
            Self::ApprovalRequired => "approval_required",
            Self::Flapping => "flapping",
            Self::OutsideWindow => "outside_window",
            Self::Silenced => "silenced",
            Self::WatchdogSilent => "watchdog_silent",
            Self::BootWindow => "boot_window",
            Self::Storm => "storm",
            Self::LoadHigh => "load_high",
            Self::UnknownTarget => "unknown_target",
            Self::NotOwner => "not_owner",
        }
    }

    /// What this guard says to the remediator.
    #[must_use]
    pub fn verdict(self, input: &Input<'_>) -> Verdict {
        #[cfg(test)]
        if mutation::forced(self) {
            return Verdict::Pass;
        }
        match self {
            Self::DecisionStale => decision_stale::verdict(input),
            Self::ObservationUnknown => observation_unknown::verdict(input),
            Self::NetworkBad => network_bad::verdict(input),
            Self::StoppedOnPurpose => stopped_on_purpose::verdict(input),
            Self::OthersHealthy => others_healthy::verdict(input),
            Self::Hold => hold::verdict(input),
            Self::Paused => paused::verdict(input),
            Self::ObserveOnly => observe_only::verdict(input),
            Self::AboveCeiling => above_ceiling::verdict(input),
            Self::NotBefore => not_before::verdict(input),
            Self::Cap => cap::verdict(input),
            Self::Spacing => spacing::verdict(input),
            Self::BudgetHost => budget::host(input),
            Self::BudgetHsm => budget::hsm(input),
            Self::BudgetFleet => budget::fleet(input),
            Self::ApprovalRequired => approval_required::verdict(input),
            Self::Flapping => flapping::verdict(input),
            Self::OutsideWindow => outside_window::verdict(input),
            Self::Silenced => silenced::verdict(input),
            Self::WatchdogSilent => watchdog_silent::verdict(input),
            Self::BootWindow => boot_window::verdict(input),
            Self::Storm => storm::verdict(input),
            Self::LoadHigh => load_high::verdict(input),
            Self::UnknownTarget => unknown_target::verdict(input),
            Self::NotOwner => not_owner::verdict(input),
            Self::ObservationIncomplete
            | Self::HardserverUnresponsive
            | Self::ModuleHealthy
            | Self::ModuleInServiceMode
            | Self::HardwareFault
            | Self::EsnMismatch
            | Self::Kind
            | Self::HostPolicy
            | Self::NetworkUnknown => self.on_view(input),
        }
    }

    /// What this guard says on the host; `None` for a guard that the host cannot evaluate.
    #[must_use]
    pub fn on_host(self, view: &HostView<'_>) -> Option<Verdict> {
        let verdict = match self {
            Self::ObservationUnknown => observation_unknown::on_host(view),
            Self::ObservationIncomplete => observation_incomplete::on_host(view),
            Self::HardserverUnresponsive => hardserver_unresponsive::on_host(view),
            Self::ModuleHealthy => module_healthy::on_host(view),
            Self::ModuleInServiceMode => module_in_service_mode::on_host(view),
            Self::HardwareFault => hardware_fault::on_host(view),
            Self::EsnMismatch => esn_mismatch::on_host(view),
            Self::Kind => kind::on_host(view),
            Self::HostPolicy => host_policy::on_host(view),
            Self::NetworkUnknown => network_unknown::on_host(view),
            Self::NetworkBad => network_bad::on_host(view),
            Self::StoppedOnPurpose => stopped_on_purpose::on_host(view),
            Self::Hold => hold::on_host(view),
            Self::Paused => paused::on_host(view),
            Self::DecisionStale
            | Self::OthersHealthy
            | Self::ObserveOnly
            | Self::AboveCeiling
            | Self::NotBefore
            | Self::Cap
            | Self::Spacing
            | Self::BudgetHost
            | Self::BudgetHsm
            | Self::BudgetFleet
            | Self::NotOwner
            | Self::UnknownTarget
            | Self::LoadHigh
            | Self::Storm
            | Self::BootWindow
            | Self::WatchdogSilent
            | Self::Silenced
            | Self::OutsideWindow
            | Self::Flapping
            | Self::ApprovalRequired => return None,
        };
        Some(verdict)
    }

    /// The host's part of this guard, on the remediator's newest observation.
    fn on_view(self, input: &Input<'_>) -> Verdict {
        let missing = || Verdict::refuse("there is no observation of the host");
        let view = input.host_view();
        view.and_then(|view| self.on_host(&view))
            .unwrap_or_else(missing)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
