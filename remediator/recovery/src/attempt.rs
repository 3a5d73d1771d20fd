//! Attempts: one run of one rung, from its reservation to its outcome.

use std::collections::BTreeSet;

use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

use crate::guard::Guard;
use crate::ids::{AttemptId, Epoch, HsmName, IncidentId, ObservationId, RequestId};
use crate::inventory::Target;
use crate::step::Step;
use crate::tier::{Rung, Tier};
use crate::time::Time;

/// What is recorded before anything is done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The attempt.
    pub attempt: AttemptId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// What it is about.
    pub target: Target,
    /// What is run.
    pub rung: Rung,
    /// The start of the remediator that reserved it.
    pub epoch: Epoch,
    /// The observation it was decided on.
    pub observation: ObservationId,
    /// The ceiling then; it holds until the verification ends.
    pub ceiling: Tier,
    /// The serial number of the target module, where the inventory knows it.
    pub esn: Option<Esn>,
    /// The budget groups it counts against: the HSMs whose modules it touches.
    pub hsms: BTreeSet<Option<HsmName>>,
    /// The plan, as the host runner will run it.
    pub steps: Vec<Step>,
    /// The modules of the host that were healthy.
    pub healthy_before: BTreeSet<ModuleNumber>,
    /// The request whose answer let it start, where one was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<RequestId>,
    /// The guards that the person was asked about: the approval answers them and no other.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub asked: BTreeSet<Guard>,
}

/// What the host runner, or the verification, reports of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The host runner has journalled the attempt and goes on alone.
    Accepted,
    /// The process died between `-M` and `-c`: the section has to be finished.
    Interrupted {
        /// What the runner says, for people.
        detail: String,
    },
    /// All steps were run, or were cut short and nothing of them lives any more. What they
    /// achieved is for the verification to say.
    Ended {
        /// What the runner says of the steps, for people.
        detail: String,
    },
    /// It is over.
    Settled {
        /// How.
        outcome: Outcome,
        /// Why, as an operator reads it.
        reason: String,
    },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target is healthy, and so is every module that was healthy before.
    Succeeded,
    /// Two failed observations after settling.
    Failed,
    /// A module that was healthy before is not any more.
    MadeWorse,
    /// The host runner refused before the first step.
    Refused,
    /// Nobody knows. Keeps its budget, never leads on.
    Unknown,
    /// It never started.
    Cancelled,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::Failed,
        Self::MadeWorse,
        Self::Refused,
        Self::Unknown,
        Self::Cancelled,
    ];

    /// The word used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::MadeWorse => "made_worse",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An attempt as the events tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// What was recorded before.
    pub intent: Intent,
    /// When it was reserved.
    pub reserved_at: Time,
    /// Whether the host runner has accepted it.
    pub accepted: bool,
    /// Whether it was cut short inside its critical section, which only the host runner's `resume`
    /// can finish.
    pub interrupted: bool,
    /// When its steps ended; from here on it is verified.
    pub ended_at: Option<Time>,
    /// Its outcome and when that was recorded.
    pub outcome: Option<(Outcome, Time)>,
    /// Why it came to that outcome, as an operator reads it; empty until then.
    pub reason: String,
    /// A person has said what it came to.
    pub resolved: bool,
    /// It is of unknown outcome, and has kept the fleet from restarts and clears long enough.
    pub released: bool,
}

impl Attempt {
    /// Whether it still holds its budgets: open, or of unknown outcome.
    #[must_use]
    pub fn unsettled(&self) -> bool {
        matches!(self.outcome, None | Some((Outcome::Unknown, _)))
    }

    /// Whether anything was or may have been started: counts towards caps.
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(
            self.outcome,
            Some((Outcome::Refused | Outcome::Cancelled, _))
        )
    }

    /// Whether its steps run, as far as is known: nothing else is done on the host meanwhile.
    #[must_use]
    pub const fn running(&self) -> bool {
        self.ended_at.is_none() && self.outcome.is_none()
    }

    /// Whether the host runner has to be asked what became of it. Also one that was given up as
    /// unknown: a late report ends that.
    #[must_use]
    pub fn unreported(&self) -> bool {
        self.ended_at.is_none() && self.unsettled()
    }

    /// The instant from which spacing counts.
    #[must_use]
    pub fn last_change(&self) -> Time {
        self.outcome.map_or(self.reserved_at, |(_, at)| at)
    }
}
