//! What people do to the remediator: pause, hold, and take a decision in its place.

use serde::{Deserialize, Serialize};

use crate::attempt::Outcome;
use crate::ids::{AttemptId, Person};
use crate::time::Time;

/// Nothing starts anywhere. Observing goes on, and critical sections finish.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pause {
    /// When it ends by itself; `None` when only a person ends it.
    pub until: Option<Time>,
    /// Why.
    pub reason: String,
    /// Who wants it.
    pub by: Person,
}

/// Nothing starts on one host or module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// When it ends by itself; `None` when only a person ends it.
    pub until: Option<Time>,
    /// Why.
    pub reason: String,
    /// Who wants it.
    pub by: Person,
}

impl Pause {
    /// Whether it counts at `now`.
    #[must_use]
    pub fn active(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Hold {
    /// Whether it counts at `now`.
    #[must_use]
    pub fn active(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The end of a pause or hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Release {
    /// Who ended it.
    pub by: Person,
    /// Why.
    pub reason: String,
}

/// A person's word in place of an observation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resolution {
    /// What was decided.
    pub what: Resolved,
    /// By whom.
    pub by: Person,
    /// Why.
    pub reason: String,
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "resolved", rename_all = "snake_case")]
pub enum Resolved {
    /// The outcome of an attempt that was unknown.
    Attempt {
        /// Which.
        attempt: AttemptId,
        /// What it came to.
        outcome: Outcome,
    },
    /// A latched incident goes on, with the ladder from its foot; the caps still count.
    Reopened,
    /// An incident is over.
    Closed,
    /// The time in which the remediator did not run has passed for the caps, too.
    GapConfirmed,
}
