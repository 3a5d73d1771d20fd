//! Events: what is stored, in order, and from which every state is folded.

use std::collections::BTreeMap;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

use crate::alert::Fact;
use crate::approval::{Answer, Request};
use crate::attempt::{Intent, Report};
use crate::control::{Hold, Pause, Release, Resolution};
use crate::fleet::load::{LoadOrder, LoadReport};
use crate::guard::Guard;
use crate::ids::{
    AttemptId, Epoch, Fingerprint, HostName, HsmName, IncidentId, ObservationId, RequestId,
};
use crate::incident::{Actor, Ending, Latch, Shadow, Standing};
use crate::inventory::Target;
use crate::observation::{Condition, HardserverLook, Network};
use crate::page::PageReason;
use crate::policy::Policy;
use crate::start::Start;
use crate::tier::Rung;
use crate::time::Time;
use crate::verdict::Verdict;

/// The version of the bodies that this build writes.
pub const EVENT_SCHEMA: u32 = 2;

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the store's order, from 1.
    pub seq: u64,
    /// [`EVENT_SCHEMA`] of the build that wrote it.
    pub schema: u32,
    /// When it happened.
    pub time: Time,
    /// The start of the remediator that wrote it.
    pub epoch: Epoch,
    /// What it is about.
    #[serde(flatten)]
    pub entry: Entry,
}

/// An event before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The host whose state it changes; absent when it changes the fleet's.
    pub host: Option<HostName>,
    /// The target, where it is about one.
    pub target: Option<Target>,
    /// The incident, where it is about one.
    pub incident: Option<IncidentId>,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body")]
pub enum Change {
    /// An alert began or ended to fire.
    FactChanged(Fact),
    /// A look at the host showed something else than the one before.
    Observed(Summary),
    /// The verdicts on an incident changed.
    Decided(Ruling),
    /// An incident was opened, of the module with this serial number where the inventory has one.
    IncidentOpened(Option<Esn>),
    /// An incident was latched.
    IncidentLatched {
        /// How.
        latch: Latch,
        /// Why.
        reason: String,
    },
    /// The target of an incident that stays open has been healthy for as long as would have ended it.
    HealthHeld {
        /// Why the incident stays open, as an operator reads it.
        why: String,
    },
    /// An incident was closed.
    IncidentClosed(Closing),
    /// Budgets and intent, before anything is done.
    IntentReserved(Intent),
    /// The host runner or the verification reported.
    AttemptReported {
        /// Of which attempt.
        attempt: AttemptId,
        /// What.
        #[serde(flatten)]
        report: Report,
    },
    /// A human is needed.
    PageRaised {
        /// Why, as a word.
        reason: PageReason,
        /// Why, as an operator reads it.
        text: String,
        /// The HSM, where it is about one and not about a target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hsm: Option<HsmName>,
    },
    /// A human is no longer needed for that reason.
    PageCleared {
        /// The reason that ended.
        reason: PageReason,
        /// The HSM, where it is about one and not about a target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hsm: Option<HsmName>,
    },
    /// A person is asked which rung may start.
    ApprovalAsked(Request),
    /// A person answered.
    ApprovalAnswered {
        /// Which request.
        request: RequestId,
        /// What.
        answer: Answer,
    },
    /// An answer let an attempt be reserved; it is used up.
    ApprovalUsed {
        /// Which request.
        request: RequestId,
        /// By which attempt.
        attempt: AttemptId,
    },
    /// A request is void: its time is over, or what it was about has changed.
    ApprovalExpired {
        /// Which request.
        request: RequestId,
        /// Why, as an operator reads it.
        why: String,
    },
    /// Nothing starts anywhere from now on.
    Paused(Pause),
    /// The pause has ended.
    Resumed(Release),
    /// Nothing starts on the target from now on.
    Held(Hold),
    /// The hold of the target has ended.
    Released(Release),
    /// A person took a decision.
    HumanResolved(Resolution),
    /// In observe mode: this rung would have been run now.
    ShadowStarted(Shadow),
    /// An attempt of unknown outcome no longer keeps other restarts and clears of the fleet.
    FleetShareReleased {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Load is to be taken from an HSM. Recorded before anything is asked for.
    LoadShed(LoadOrder),
    /// The load is to return. Recorded before anything is asked for.
    LoadRestored(LoadOrder),
    /// What came of asking.
    LoadReported(LoadReport),
    /// The policy that decides from now on; recorded when it differs from the one before.
    PolicyLoaded(Box<Policy>),
    /// At a start: the remediator did not run for so long that caps on restart and clear are not trusted to
    /// have passed.
    GapFound {
        /// The last instant at which it ran.
        since: Time,
    },
    /// The program was started. Where it does not know how long it was away, the store forgets with it
    /// when each alert was delivered last. Under its old name it was recorded for such a start only.
    #[serde(alias = "StartedBehind")]
    Started(Start),
    /// The wall clock stepped against the program's time, which went on unchanged.
    ClockStepped {
        /// By how many milliseconds, negative for backwards.
        milliseconds: i64,
    },
}

impl Change {
    /// The name of the kind of event.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FactChanged(_) => "FactChanged",
            Self::Observed(_) => "Observed",
            Self::Decided(_) => "Decided",
            Self::IncidentOpened(_) => "IncidentOpened",
            Self::IncidentLatched { .. } => "IncidentLatched",
            Self::HealthHeld { .. } => "HealthHeld",
            Self::IncidentClosed(_) => "IncidentClosed",
            Self::IntentReserved(_) => "IntentReserved",
            Self::AttemptReported { .. } => "AttemptReported",
            Self::PageRaised { .. } => "PageRaised",
            Self::PageCleared { .. } => "PageCleared",
            Self::ApprovalAsked(_) => "ApprovalAsked",
            Self::ApprovalAnswered { .. } => "ApprovalAnswered",
            Self::ApprovalUsed { .. } => "ApprovalUsed",
            Self::ApprovalExpired { .. } => "ApprovalExpired",
            Self::Paused(_) => "Paused",
            Self::Resumed(_) => "Resumed",
            Self::Held(_) => "Held",
            Self::Released(_) => "Released",
            Self::HumanResolved(_) => "HumanResolved",
            Self::ShadowStarted(_) => "ShadowStarted",
            Self::FleetShareReleased { .. } => "FleetShareReleased",
            Self::LoadShed(_) => "LoadShed",
            Self::LoadRestored(_) => "LoadRestored",
            Self::LoadReported(_) => "LoadReported",
            Self::PolicyLoaded(_) => "PolicyLoaded",
            Self::GapFound { .. } => "GapFound",
            Self::Started(_) => "Started",
            Self::ClockStepped { .. } => "ClockStepped",
        }
    }
}

/// What a look at a host showed, in brief. Stored only when it differs from the one before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Summary {
    /// The observation, `None` when the look itself failed.
    pub observation: Option<ObservationId>,
    /// Why there is no observation, or what was incomplete about it.
    pub problem: Option<String>,
    /// What the hardserver looked like.
    pub hardserver: HardserverLook,
    /// The condition of the host itself; failed only when the hardserver is proven down.
    pub host: Condition,
    /// Each module, by number.
    pub modules: Vec<ModuleSummary>,
}

impl Summary {
    /// Whether two summaries say the same about the host.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.hardserver == other.hardserver
            && self.host == other.host
            && self.modules == other.modules
            && self.problem == other.problem
    }
}

/// What a look showed of a module, in brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModuleSummary {
    /// Its number.
    pub module: ModuleNumber,
    /// What it looked like.
    pub condition: Condition,
    /// Whether it answers the network.
    pub network: Network,
    /// Which side of the load gate's thresholds its load was on; absent without a figure or gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadClass>,
}

/// The load of a module against the gate's thresholds. A class and no figure, because every change
/// of it is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadClass {
    /// Below the threshold at which shed load is restored.
    Low,
    /// Between the thresholds.
    Middle,
    /// At or above the threshold at which load is shed.
    High,
}

/// The verdicts on an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ruling {
    /// Where the ladder stands.
    pub standing: Standing,
    /// The observation this was decided on.
    pub observation: Option<ObservationId>,
    /// Every verdict that is not a plain pass, rung by rung.
    pub verdicts: Vec<RungVerdict>,
}

/// One verdict of a ruling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RungVerdict {
    /// For which rung.
    pub rung: Rung,
    /// Of which guard.
    pub guard: Guard,
    /// What it said.
    pub verdict: Verdict,
}

/// How and by whom an incident ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Closing {
    /// How.
    pub ending: Ending,
    /// By whom.
    pub actor: Actor,
    /// The last rung that ran, if any.
    pub rung: Option<Rung>,
    /// Milliseconds from the first observed failure to the first of the healthy looks.
    pub recovery_millis: Option<u64>,
    /// Why, as an operator reads it.
    pub reason: String,
    /// The facts this incident has used up: firings up to these starts open no further incident.
    pub spent: BTreeMap<Fingerprint, Time>,
}
