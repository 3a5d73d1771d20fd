//! Pages: "a human is needed", durable, with a reason.

use serde::{Deserialize, Serialize};

mod called;

pub use called::{CALLS_MAX, Called};

/// Why a human is needed. A closed set: it is a label value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageReason {
    /// Out of rungs.
    Exhausted,
    /// Somebody else works on it, or the hardware is at fault.
    HandedOver,
    /// A rung took a healthy module away.
    MadeWorse,
    /// The VCM does not answer the network.
    NetworkBad,
    /// Whether it answers the network cannot be found out.
    NetworkUnknown,
    /// The host cannot be observed.
    ObservationUnknown,
    /// The vendor's tools may not be used: our own set-up.
    PermissionDenied,
    /// The hardserver does not answer in time.
    HardserverUnresponsive,
    /// The hardserver was stopped on purpose.
    StoppedOnPurpose,
    /// Only a person may let the next rung start.
    ApprovalRequired,
    /// Another serial number than the inventory's.
    InventoryDrift,
    /// The outcome of an attempt is not known.
    AttemptUnknown,
    /// The host runner refused or could not be reached, again and again.
    HostRunner,
    /// A clear was cut short and could not be finished.
    CriticalSection,
    /// The target fails again and again.
    Flapping,
    /// The HSM is overloaded, and only its provider can change that.
    LoadHigh,
    /// Load could not be shed or restored.
    LoadHook,
    /// The site's own check of the service fails although the target is healthy.
    ServiceCheck,
    /// A failed target for which nothing has been done for long.
    Stuck,
}

/// What a page asks of a person, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// Find out what stands in the way; the remediator goes on as soon as it can.
    Look,
    /// Answer: without that nothing starts.
    Decide,
    /// Nothing more is run: the target is a person's.
    TakeOver,
    /// Something may be worse than before, or cut short. Never held back by another page.
    AtOnce,
}

impl PageReason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::Exhausted,
        Self::HandedOver,
        Self::MadeWorse,
        Self::NetworkBad,
        Self::NetworkUnknown,
        Self::ObservationUnknown,
        Self::PermissionDenied,
        Self::HardserverUnresponsive,
        Self::StoppedOnPurpose,
        Self::ApprovalRequired,
        Self::InventoryDrift,
        Self::AttemptUnknown,
        Self::HostRunner,
        Self::CriticalSection,
        Self::Flapping,
        Self::LoadHigh,
        Self::LoadHook,
        Self::ServiceCheck,
        Self::Stuck,
    ];

    /// The word used in labels and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::HandedOver => "handed_over",
            Self::MadeWorse => "made_worse",
            Self::NetworkBad => "network_bad",
            Self::NetworkUnknown => "network_unknown",
            Self::ObservationUnknown => "observation_unknown",
            Self::PermissionDenied => "permission_denied",
            Self::HardserverUnresponsive => "hardserver_unresponsive",
            Self::StoppedOnPurpose => "stopped_on_purpose",
            Self::ApprovalRequired => "approval_required",
            Self::InventoryDrift => "inventory_drift",
            Self::AttemptUnknown => "attempt_unknown",
            Self::HostRunner => "host_runner",
            Self::CriticalSection => "critical_section",
            Self::Flapping => "flapping",
            Self::LoadHigh => "load_high",
            Self::LoadHook => "load_hook",
            Self::ServiceCheck => "service_check",
            Self::Stuck => "stuck",
        }
    }

    /// What it asks of a person.
    #[must_use]
    pub const fn demand(self) -> Demand {
        match self {
            Self::NetworkBad
            | Self::NetworkUnknown
            | Self::ObservationUnknown
            | Self::PermissionDenied
            | Self::HardserverUnresponsive
            | Self::InventoryDrift
            | Self::HostRunner
            | Self::LoadHigh
            | Self::LoadHook
            | Self::ServiceCheck
            | Self::Stuck => Demand::Look,
            Self::StoppedOnPurpose | Self::ApprovalRequired => Demand::Decide,
            Self::Exhausted | Self::HandedOver | Self::Flapping => Demand::TakeOver,
            Self::MadeWorse | Self::AttemptUnknown | Self::CriticalSection => Demand::AtOnce,
        }
    }
}
