//! Incidents: one continuous trouble of one target, from the first firing alert to its close.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nshield::Esn;
use serde::{Deserialize, Serialize};

use crate::approval::Request;
use crate::event::Ruling;
use crate::guard::Guard;
use crate::ids::{AttemptId, IncidentId};
use crate::inventory::Target;
use crate::observation::{Condition, Network};
use crate::page::Called;
use crate::step::Step;
use crate::tier::Rung;
use crate::time::Time;

/// An open incident, as the events tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incident {
    /// Its identity.
    pub id: IncidentId,
    /// What it is about.
    pub target: Target,
    /// The serial number that the inventory had for the module when it was opened.
    pub esn: Option<Esn>,
    /// When it was opened.
    pub opened_at: Time,
    /// Our own first observation of the failure: the rungs' `not_before` counts from here. Of the
    /// newest one, where the target was healthy for long enough in between.
    pub first_failed_at: Option<Time>,
    /// Since when no recorded look has shown the condition of the target; `None` when the newest does,
    /// and when none was recorded since it was opened.
    pub unseen_since: Option<Time>,
    /// When the network of the target was first seen bad, this time.
    pub network_bad_since: Option<Time>,
    /// When the first reply was seen after that.
    pub network_back_at: Option<Time>,
    /// Set when the remediator does nothing more by itself: how, and why.
    pub latch: Option<(Latch, String)>,
    /// Where the ladder stands.
    pub standing: Standing,
    /// Since when each guard has been standing in the way of the rung the ladder stands at.
    pub blocked: BTreeMap<Guard, Time>,
    /// The newest ruling: every verdict that is not a plain pass. Modules that fail together are
    /// ruled alike, and share one.
    pub ruling: Option<Arc<Ruling>>,
    /// The attempts that count for this incident, oldest first.
    pub attempts: Vec<AttemptId>,
    /// What a person is asked, or has answered and was not used yet.
    pub request: Option<Request>,
    /// The rungs that a person has decided against, and who.
    pub denied: BTreeMap<Rung, String>,
    /// How often it has called a person.
    pub called: Called,
    /// When the ladder began anew, by a person's word or with a new failure after health that held;
    /// what was tried before does not count for it.
    pub reopened_at: Option<Time>,
    /// The target has been healthy for as long as would have ended the incident; the next failure is
    /// a new one.
    pub health_held: bool,
}

/// A rung that observe mode would have run. It is assumed to fail, so that the whole ladder shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shadow {
    /// The incident.
    pub incident: IncidentId,
    /// What it is about.
    pub target: Target,
    /// What would have been run.
    pub rung: Rung,
    /// The steps.
    pub steps: Vec<Step>,
    /// Why a person would have been asked first; empty when nobody would have been.
    pub asks: Vec<String>,
    /// When it would have been run.
    pub at: Time,
    /// When it is assumed to have failed.
    pub until: Time,
}

/// Where the ladder of an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "at", content = "rung", rename_all = "snake_case")]
pub enum Standing {
    /// No failure has been observed.
    Observing,
    /// This rung may start.
    Ready(Rung),
    /// A guard refuses this rung.
    Waiting(Rung),
    /// Only a person may let this rung start.
    Asking(Rung),
    /// An attempt is open.
    Attempting(Rung),
    /// No rung is left.
    OutOfRungs,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observing => f.write_str("observing"),
            Self::Ready(rung) => write!(f, "{rung} may start"),
            Self::Waiting(rung) => write!(f, "{rung} has to wait"),
            Self::Asking(rung) => write!(f, "{rung} only starts with a person's word"),
            Self::Attempting(rung) => write!(f, "{rung} is under way"),
            Self::OutOfRungs => f.write_str("no rung is left"),
        }
    }
}

/// Why the remediator does nothing more by itself. Left by health or by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latch {
    /// Out of rungs.
    Exhausted,
    /// Somebody else works on it, hardware is at fault, or a rung made it worse.
    HandedOver,
}

/// The word shown for an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentState {
    /// No failure has been observed.
    Observing,
    /// Something stands in the way of the next rung.
    Waiting,
    /// Only a person may let the next rung start.
    AwaitingHuman,
    /// A rung runs.
    Acting,
    /// A rung has run; its effect is observed.
    Verifying,
    /// A clear runs: nothing interrupts it.
    Critical,
    /// The outcome of a rung is not known.
    Unknown,
    /// Out of rungs.
    Exhausted,
    /// Left to people.
    HandedOver,
}

impl Latch {
    /// The word used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::HandedOver => "handed_over",
        }
    }
}

impl IncidentState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Observing,
        Self::Waiting,
        Self::AwaitingHuman,
        Self::Acting,
        Self::Verifying,
        Self::Critical,
        Self::Unknown,
        Self::Exhausted,
        Self::HandedOver,
    ];

    /// The word used in labels and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observing => "observing",
            Self::Waiting => "waiting",
            Self::AwaitingHuman => "awaiting_human",
            Self::Acting => "acting",
            Self::Verifying => "verifying",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
            Self::Exhausted => "exhausted",
            Self::HandedOver => "handed_over",
        }
    }
}

impl fmt::Display for IncidentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// We saw it fail and saw it healthy again.
    Recovered,
    /// It ended without our ever having seen it fail.
    Ended,
    /// Healthy after people had it.
    HandedOver,
    /// Healthy after we were out of rungs.
    Exhausted,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 4] = [
        Self::Recovered,
        Self::Ended,
        Self::HandedOver,
        Self::Exhausted,
    ];

    /// The word used in labels and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Ended => "ended",
            Self::HandedOver => "handed_over",
            Self::Exhausted => "exhausted",
        }
    }
}

/// Who brought the target back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// It healed by itself, or people did it without us.
    None,
    /// A rung that ran without being asked for.
    Automatic,
    /// A rung that a person approved.
    Approved,
    /// A person closed the incident, or said that the rung worked.
    Manual,
}

impl Actor {
    /// Every actor.
    pub const ALL: [Self; 4] = [Self::None, Self::Automatic, Self::Approved, Self::Manual];

    /// The word used in labels and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Automatic => "automatic",
            Self::Approved => "approved",
            Self::Manual => "manual",
        }
    }
}

impl Incident {
    /// A new incident.
    #[must_use]
    pub fn open(target: Target, opened_at: Time) -> Self {
        Self {
            id: IncidentId::new(&target, opened_at),
            target,
            esn: None,
            opened_at,
            first_failed_at: None,
            unseen_since: None,
            network_bad_since: None,
            network_back_at: None,
            latch: None,
            standing: Standing::Observing,
            blocked: BTreeMap::new(),
            ruling: None,
            attempts: Vec::new(),
            request: None,
            denied: BTreeMap::new(),
            called: Called::default(),
            reopened_at: None,
            health_held: false,
        }
    }

    /// Takes in what was observed of the target at `at`.
    ///
    /// Returns whether it was seen failed for the first time, or again after health that held.
    pub(crate) fn observed(&mut self, condition: Condition, network: Network, at: Time) -> bool {
        self.unseen_since =
            (condition == Condition::Unknown).then(|| self.unseen_since.unwrap_or(at));
        let failed = condition == Condition::Failed;
        let anew = failed && self.health_held;
        let first_failure = failed && (anew || self.first_failed_at.is_none());
        if first_failure {
            self.first_failed_at = Some(at);
            self.health_held = false;
        }
        // What is left to people stays theirs.
        if anew && self.latch.is_none() {
            self.reopened_at = Some(at);
            self.denied.clear();
        }
        match network {
            Network::Bad => {
                if self.network_bad_since.is_none() || self.network_back_at.is_some() {
                    self.network_bad_since = Some(at);
                }
                self.network_back_at = None;
            }
            // The first reply counts as back: from then on the hardserver can reconnect by itself.
            Network::Good | Network::Degraded | Network::NotApplicable => {
                if self.network_bad_since.is_some() && self.network_back_at.is_none() {
                    self.network_back_at = Some(at);
                }
            }
            Network::Unknown => {}
        }
        first_failure
    }
}
