//! The attempts as the API shows them: those of unknown outcome, and the settled ones of the last
//! two days.

use serde::Serialize;
use vcm_recovery::attempt::{Attempt, Outcome};
use vcm_recovery::ids::{AttemptId, Epoch, IncidentId};
use vcm_recovery::inventory::Target;
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use super::App;
use super::named::RequestName;

/// `GET /api/v1/attempts`
#[derive(Debug, Serialize)]
pub(super) struct List {
    /// When this was put together.
    time: Time,
    /// The attempts, newest first.
    attempts: Vec<Shown>,
}

/// An attempt. Times are milliseconds since 1970.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    attempt: AttemptId,
    incident: IncidentId,
    target: Target,
    tier: Rung,
    epoch: Epoch,
    steps: Vec<Step>,
    /// The request whose answer let it start, as `host#number`.
    approval: Option<String>,
    reserved_at: Time,
    /// Whether the host runner has accepted it.
    accepted: bool,
    ended_at: Option<Time>,
    outcome: Option<Outcome>,
    settled_at: Option<Time>,
    /// Why it came to that outcome; empty until then.
    reason: String,
    /// Whether a person has said what it came to.
    resolved: bool,
    /// Whether it holds its budgets: open, or of unknown outcome.
    unsettled: bool,
}

/// Every attempt that is known.
pub(super) fn list(app: &App) -> List {
    let time = app.clock.now();
    let hosts = app.board.all();
    let attempts = hosts.iter().flat_map(|host| host.attempts.values());
    let mut attempts: Vec<Shown> = attempts.map(shown).collect();
    attempts.sort_by_key(|attempt| std::cmp::Reverse((attempt.reserved_at, attempt.attempt)));
    List { time, attempts }
}

/// One attempt.
pub(super) fn shown(attempt: &Attempt) -> Shown {
    let intent = &attempt.intent;
    let host = &intent.target.host;
    Shown {
        attempt: intent.attempt,
        incident: intent.incident.clone(),
        target: intent.target.clone(),
        tier: intent.rung,
        epoch: intent.epoch,
        steps: intent.steps.clone(),
        approval: intent
            .approval
            .map(|id| RequestName::new(host, id).to_string()),
        reserved_at: attempt.reserved_at,
        accepted: attempt.accepted,
        ended_at: attempt.ended_at,
        outcome: attempt.outcome.map(|(outcome, _)| outcome),
        settled_at: attempt.outcome.map(|(_, at)| at),
        reason: attempt.reason.clone(),
        resolved: attempt.resolved,
        unsettled: attempt.unsettled(),
    }
}
