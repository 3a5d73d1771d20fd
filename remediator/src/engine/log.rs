//! One log line per stored event.

use tracing::Span;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::event::{Change, Event};
use vcm_recovery::ids::{AttemptId, HostName};

use crate::told;

/// What the lines about a host are logged in.
pub(super) fn span(host: &HostName) -> Span {
    tracing::info_span!("host", host = %host)
}

/// One line per state transition.
pub(super) fn log(event: &Event) {
    let incident = event
        .entry
        .incident
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let module = event.entry.target.as_ref().and_then(|target| target.module);
    let module = module.map(|module| module.to_string()).unwrap_or_default();
    match &event.entry.change {
        Change::IncidentOpened(_) => tracing::info!(incident, module, "incident opened"),
        Change::IncidentLatched { latch, reason } => {
            tracing::warn!(
                incident,
                module,
                latch = latch.as_str(),
                reason,
                "incident latched"
            );
        }
        Change::IncidentClosed(closing) => tracing::info!(
            incident,
            module,
            ending = closing.ending.as_str(),
            actor = closing.actor.as_str(),
            reason = closing.reason,
            "incident closed"
        ),
        Change::IntentReserved(intent) => tracing::info!(
            incident, module, attempt = %intent.attempt, rung = %intent.rung, "attempt reserved"
        ),
        Change::AttemptReported { attempt, report } => {
            log_report(&incident, &module, *attempt, report)
        }
        Change::PageRaised { reason, text, .. } => {
            tracing::error!(
                incident,
                module,
                reason = reason.as_str(),
                text,
                "page raised"
            );
        }
        Change::PageCleared { reason, .. } => {
            tracing::info!(incident, module, reason = reason.as_str(), "page cleared");
        }
        Change::Decided(ruling) => {
            tracing::info!(incident, module, standing = %ruling.standing, "decided");
        }
        Change::FactChanged(fact) => {
            tracing::info!(
                module,
                alert = fact.name,
                firing = fact.firing,
                "alert changed"
            );
        }
        Change::Observed(summary) => {
            tracing::info!(
                hardserver = summary.hardserver.as_str(),
                "host looks different"
            );
        }
        change @ (Change::ApprovalAsked(_)
        | Change::ApprovalAnswered { .. }
        | Change::ApprovalUsed { .. }
        | Change::ApprovalExpired { .. }
        | Change::Paused(_)
        | Change::Resumed(_)
        | Change::Held(_)
        | Change::Released(_)
        | Change::HumanResolved(_)
        | Change::HealthHeld { .. }
        | Change::ShadowStarted(_)
        | Change::FleetShareReleased { .. }
        | Change::LoadShed(_)
        | Change::LoadRestored(_)
        | Change::LoadReported(_)
        | Change::PolicyLoaded(_)
        | Change::GapFound { .. }
        | Change::Started(_)
        | Change::ClockStepped { .. }) => {
            let kind = change.kind();
            tracing::info!(incident, module, kind, "{}", told::change(change));
        }
    }
}

/// What came of an attempt; a warning where it did not help or nobody knows.
fn log_report(incident: &str, module: &str, attempt: AttemptId, report: &Report) {
    match report {
        Report::Accepted => tracing::info!(incident, module, %attempt, "attempt accepted"),
        Report::Ended { detail } => {
            tracing::info!(incident, module, %attempt, detail, "the attempt's steps have ended");
        }
        Report::Interrupted { detail } => {
            tracing::warn!(incident, module, %attempt, detail, "attempt cut short");
        }
        Report::Settled { outcome, reason } => {
            let outcome_word = outcome.as_str();
            if matches!(outcome, Outcome::Succeeded) {
                tracing::info!(incident, module, %attempt, outcome = outcome_word, reason, "attempt settled");
            } else {
                tracing::warn!(incident, module, %attempt, outcome = outcome_word, reason, "attempt settled");
            }
        }
    }
}
