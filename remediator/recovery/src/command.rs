//! What operators order: checked against the state and turned into what is recorded.
//!
//! The actor of the host, or of the fleet, calls this as the sole writer of that state, so that an
//! answer is judged by what is true when it is recorded.

use serde::{Deserialize, Serialize};

use crate::approval::{Answer, Choice};
use crate::attempt::Outcome;
use crate::control::{Hold, Pause, Release, Resolution, Resolved};
use crate::event::{Change, Closing, Entry};
use crate::evidence::Evidence;
use crate::fleet::state::FleetState;
use crate::ids::{AttemptId, Person, RequestId};
use crate::incident::{Actor, Ending, Incident};
use crate::inventory::Target;
use crate::observation::Condition;
use crate::state::HostState;
use crate::time::Time;

/// The longest reason, in characters.
pub const REASON_LENGTH_MAX: usize = 500;

/// An order about one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum HostOrder {
    /// Answers a request for approval.
    Answer {
        /// Which.
        request: RequestId,
        /// How.
        choice: Choice,
    },
    /// Nothing starts on the target from now on.
    Hold {
        /// The host or one of its modules.
        target: Target,
        /// When that ends by itself.
        until: Option<Time>,
    },
    /// The hold ends.
    Release {
        /// What is held.
        target: Target,
    },
    /// Says what an attempt of unknown outcome came to.
    ResolveAttempt {
        /// Which.
        attempt: AttemptId,
        /// Succeeded, failed or cancelled.
        outcome: Outcome,
    },
    /// A latched incident goes on, with the ladder from its foot.
    Reopen {
        /// What it is about.
        target: Target,
    },
    /// An incident is over although nobody saw its target healthy.
    Close {
        /// What it is about.
        target: Target,
    },
}

/// An order about everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum FleetOrder {
    /// Nothing starts anywhere.
    Pause {
        /// When that ends by itself.
        until: Option<Time>,
    },
    /// The pause ends.
    Resume,
    /// The time in which the remediator did not run counts for the caps.
    ConfirmGap,
}

/// Why an order is not carried out. Nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The reason is missing or too long.
    #[error("a reason of 1 to {REASON_LENGTH_MAX} characters without control characters is needed")]
    Reason,
    /// No such request is open.
    #[error("request {request} is not open: it was answered, used, or has expired")]
    NoRequest {
        /// Which.
        request: RequestId,
    },
    /// The request is answered.
    #[error("request {request} was answered by {by}")]
    Answered {
        /// Which.
        request: RequestId,
        /// By whom.
        by: Person,
    },
    /// The choice is none of the request's.
    #[error("request {request} does not offer {choice}")]
    NotOffered {
        /// Which.
        request: RequestId,
        /// What was chosen.
        choice: String,
    },
    /// The time lies in the past.
    #[error("the end lies in the past")]
    Past,
    /// The target is not of this host, or the inventory does not list it.
    #[error("{target} is not in the inventory")]
    UnknownTarget {
        /// Which.
        target: Target,
    },
    /// Nothing is held.
    #[error("{target} is not held")]
    NotHeld {
        /// Which.
        target: Target,
    },
    /// No such attempt, or its outcome is known.
    #[error("attempt {attempt} is not of unknown outcome")]
    NotUnknown {
        /// Which.
        attempt: AttemptId,
    },
    /// A person can say that it succeeded, failed, or never happened.
    #[error("an attempt is resolved as succeeded, failed or cancelled")]
    Outcome,
    /// No incident.
    #[error("{target} has no open incident")]
    NoIncident {
        /// Which.
        target: Target,
    },
    /// The incident is latched: what a person would choose is not run.
    #[error("the incident of {target} is latched: reopen it to have anything done")]
    Latched {
        /// What it is about.
        target: Target,
    },
    /// The incident is not latched.
    #[error("the incident of {target} is not latched: it goes on by itself")]
    NotLatched {
        /// Which.
        target: Target,
    },
    /// An attempt of the incident is open.
    #[error("an attempt of this incident is open")]
    AttemptOpen,
    /// The target is still failed: a new incident would open at once.
    #[error("{target} is still seen failed; hold it to have nothing done")]
    StillFailed {
        /// Which.
        target: Target,
    },
    /// Nothing is paused.
    #[error("nothing is paused")]
    NotPaused,
    /// No time is waiting to be confirmed.
    #[error("there is no unconfirmed time without the remediator")]
    NoGap,
}

/// Who orders, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Giver {
    /// Who.
    pub by: Person,
    /// Why, in that person's words.
    pub reason: String,
}

impl Giver {
    /// Checks that the reason can be kept and shown.
    fn checked(&self) -> Result<(), OrderError> {
        let length = self.reason.trim().chars().count();
        let fits = (1..=REASON_LENGTH_MAX).contains(&length);
        let printable = !self.reason.chars().any(char::is_control);
        if fits && printable {
            Ok(())
        } else {
            Err(OrderError::Reason)
        }
    }

    fn release(&self) -> Release {
        Release {
            by: self.by.clone(),
            reason: self.reason.clone(),
        }
    }

    fn resolution(&self, what: Resolved) -> Resolution {
        Resolution {
            what,
            by: self.by.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// What an order about a host comes to.
///
/// # Errors
/// [`OrderError`] when it cannot be carried out now.
pub fn of_host(
    order: &HostOrder,
    giver: &Giver,
    state: &HostState,
    evidence: &Evidence,
    knows: impl Fn(&Target) -> bool,
    now: Time,
) -> Result<Vec<Entry>, OrderError> {
    giver.checked()?;
    let orders = Orders {
        giver,
        state,
        evidence,
        now,
    };
    match order {
        HostOrder::Answer { request, choice } => orders.answer(*request, *choice),
        HostOrder::Hold { target, until } if knows(target) => orders.hold(target, *until),
        HostOrder::Hold { target, .. } => Err(OrderError::UnknownTarget {
            target: target.clone(),
        }),
        HostOrder::Release { target } => orders.release(target),
        HostOrder::ResolveAttempt { attempt, outcome } => orders.resolve(*attempt, *outcome),
        HostOrder::Reopen { target } => orders.reopen(target),
        HostOrder::Close { target } => orders.close(target, knows(target)),
    }
}

/// What an order about everything comes to.
///
/// # Errors
/// [`OrderError`] when it cannot be carried out now.
pub fn of_fleet(
    order: &FleetOrder,
    giver: &Giver,
    fleet: &FleetState,
    now: Time,
) -> Result<Vec<Entry>, OrderError> {
    giver.checked()?;
    let change = match order {
        FleetOrder::Pause { until: Some(until) } if *until <= now => return Err(OrderError::Past),
        FleetOrder::Pause { until } => Change::Paused(Pause {
            until: *until,
            reason: giver.reason.clone(),
            by: giver.by.clone(),
        }),
        FleetOrder::Resume if fleet.pause.is_none() => return Err(OrderError::NotPaused),
        FleetOrder::Resume => Change::Resumed(giver.release()),
        FleetOrder::ConfirmGap if fleet.unconfirmed_gap.is_zero() => return Err(OrderError::NoGap),
        FleetOrder::ConfirmGap => Change::HumanResolved(giver.resolution(Resolved::GapConfirmed)),
    };
    Ok(vec![Entry {
        host: None,
        target: None,
        incident: None,
        change,
    }])
}

struct Orders<'a> {
    giver: &'a Giver,
    state: &'a HostState,
    evidence: &'a Evidence,
    now: Time,
}

impl Orders<'_> {
    fn answer(&self, request: RequestId, choice: Choice) -> Result<Vec<Entry>, OrderError> {
        let asked = |incident: &&Incident| {
            incident
                .request
                .as_ref()
                .is_some_and(|open| open.id == request && self.now < open.expires_at)
        };
        let incident = self.state.incidents.values().find(asked);
        let open = incident.and_then(|incident| Some((incident, incident.request.as_ref()?)));
        let Some((incident, open)) = open else {
            return Err(OrderError::NoRequest { request });
        };
        if incident.latch.is_some() {
            let target = incident.target.clone();
            return Err(OrderError::Latched { target });
        }
        if let Some(answer) = &open.answer {
            let by = answer.by.clone();
            return Err(OrderError::Answered { request, by });
        }
        if let Choice::Approve(rung) = choice
            && open.alternative(rung).is_none()
        {
            let choice = rung.to_string();
            return Err(OrderError::NotOffered { request, choice });
        }
        let answer = Answer {
            choice,
            by: self.giver.by.clone(),
            reason: self.giver.reason.clone(),
        };
        let change = Change::ApprovalAnswered { request, answer };
        Ok(vec![self.entry(&incident.target, change)])
    }

    fn hold(&self, target: &Target, until: Option<Time>) -> Result<Vec<Entry>, OrderError> {
        if until.is_some_and(|until| until <= self.now) {
            return Err(OrderError::Past);
        }
        let hold = Hold {
            until,
            reason: self.giver.reason.clone(),
            by: self.giver.by.clone(),
        };
        Ok(vec![self.entry(target, Change::Held(hold))])
    }

    fn release(&self, target: &Target) -> Result<Vec<Entry>, OrderError> {
        if !self.state.holds.contains_key(target) {
            let target = target.clone();
            return Err(OrderError::NotHeld { target });
        }
        Ok(vec![
            self.entry(target, Change::Released(self.giver.release())),
        ])
    }

    fn resolve(&self, attempt: AttemptId, outcome: Outcome) -> Result<Vec<Entry>, OrderError> {
        let known = self.state.attempts.get(&attempt);
        let unknown = known.filter(|known| matches!(known.outcome, Some((Outcome::Unknown, _))));
        let Some(known) = unknown else {
            return Err(OrderError::NotUnknown { attempt });
        };
        if !matches!(
            outcome,
            Outcome::Succeeded | Outcome::Failed | Outcome::Cancelled
        ) {
            return Err(OrderError::Outcome);
        }
        let what = Resolved::Attempt { attempt, outcome };
        let change = Change::HumanResolved(self.giver.resolution(what));
        Ok(vec![self.entry(&known.intent.target, change)])
    }

    fn reopen(&self, target: &Target) -> Result<Vec<Entry>, OrderError> {
        let incident = self.incident(target)?;
        if incident.latch.is_none() {
            let target = target.clone();
            return Err(OrderError::NotLatched { target });
        }
        let change = Change::HumanResolved(self.giver.resolution(Resolved::Reopened));
        Ok(vec![self.entry(target, change)])
    }

    /// No incident opens anew of what the inventory does not list: it may be failed for good.
    fn close(&self, target: &Target, listed: bool) -> Result<Vec<Entry>, OrderError> {
        let incident = self.incident(target)?;
        if self.state.open_attempt(incident).is_some() {
            return Err(OrderError::AttemptOpen);
        }
        if listed && self.evidence.condition(target.module) == Condition::Failed {
            let target = target.clone();
            return Err(OrderError::StillFailed { target });
        }
        let resolution = self.giver.resolution(Resolved::Closed);
        let closing = Closing {
            ending: Ending::Ended,
            actor: Actor::Manual,
            rung: None,
            recovery_millis: None,
            reason: format!("{}: {}", self.giver.by, self.giver.reason),
            spent: self.state.spent_by(target),
        };
        let pages = self.state.pages.keys().filter(|(paged, _)| paged == target);
        let cleared = pages.map(|(_, reason)| Change::PageCleared {
            reason: *reason,
            hsm: None,
        });
        let changes = std::iter::once(Change::HumanResolved(resolution))
            .chain(cleared)
            .chain([Change::IncidentClosed(closing)]);
        Ok(changes.map(|change| self.entry(target, change)).collect())
    }

    fn incident(&self, target: &Target) -> Result<&Incident, OrderError> {
        self.state.incidents.get(target).ok_or_else(|| {
            let target = target.clone();
            OrderError::NoIncident { target }
        })
    }

    fn entry(&self, target: &Target, change: Change) -> Entry {
        let incident = self.state.incidents.get(target);
        Entry {
            host: Some(target.host.clone()),
            target: Some(target.clone()),
            incident: incident.map(|incident| incident.id.clone()),
            change,
        }
    }
}

#[cfg(test)]
mod tests;
