//! Events and steps in words, for the page.

use vcm_recovery::attempt::Report;
use vcm_recovery::event::{Change, Ruling, Summary};
use vcm_recovery::step::{Program, Step};
use vcm_recovery::verdict::Verdict;

/// Reasons of one decision that are told; the API has them all.
const REASONS_MAX: usize = 3;

/// A step as an operator would type it.
pub(super) fn step(step: Step) -> String {
    match (step.command(), step) {
        (Some((program, arguments)), _) => {
            let program = match program {
                Program::Nopclearfail => "nopclearfail",
                Program::InitScript => "init.d-ncipher",
                Program::Net => "net",
            };
            format!("{program} {}", arguments.join(" "))
        }
        (None, Step::Wait(millis)) => format!("wait {} s", millis / 1000),
        (None, other) => format!("{other:?}"),
    }
}

/// What happened, in one line.
pub(super) fn change(change: &Change) -> String {
    match change {
        Change::FactChanged(fact) => {
            let verb = if fact.firing { "fires" } else { "has ended" };
            match fact.tier {
                Some(tier) => format!("alert {} {verb}; permits up to {tier}", fact.name),
                None => format!("alert {} {verb}; permits nothing", fact.name),
            }
        }
        Change::Observed(summary) => observed(summary),
        Change::Decided(ruling) => decided(ruling),
        Change::IncidentOpened => "incident opened".to_owned(),
        Change::IncidentLatched { reason, .. } => format!("left to people: {reason}"),
        Change::IncidentClosed(closing) => {
            format!(
                "incident closed as {}: {}",
                closing.ending.as_str(),
                closing.reason
            )
        }
        Change::IntentReserved(intent) => {
            let steps: Vec<String> = intent.steps.iter().map(|planned| step(*planned)).collect();
            format!("{} is reserved: {}", intent.rung, steps.join("; "))
        }
        Change::AttemptReported { report, .. } => match report {
            Report::Accepted => "the host runner has accepted the attempt".to_owned(),
            Report::Interrupted { detail } => format!("the attempt was cut short: {detail}"),
            Report::Ended { detail } => format!("the commands have ended: {detail}"),
            Report::Settled { outcome, reason } => {
                format!("the attempt's outcome is {}: {reason}", outcome.as_str())
            }
        },
        Change::PageRaised { text, .. } => format!("a human is needed: {text}"),
        Change::PageCleared { reason } => format!("no longer needed: {}", reason.as_str()),
    }
}

fn observed(summary: &Summary) -> String {
    let modules: Vec<String> = summary
        .modules
        .iter()
        .map(|seen| {
            format!(
                "module {} {}, network {}",
                seen.module,
                seen.condition.as_str(),
                seen.network.as_str()
            )
        })
        .collect();
    let seen = format!(
        "hardserver {}; {}",
        summary.hardserver.as_str(),
        modules.join("; ")
    );
    match &summary.problem {
        Some(problem) => format!("observed: {seen}; {problem}"),
        None => format!("observed: {seen}"),
    }
}

fn decided(ruling: &Ruling) -> String {
    let in_the_way: Vec<String> = ruling
        .verdicts
        .iter()
        .filter(|given| !matches!(given.verdict, Verdict::NotApplicable(_)))
        .map(|given| {
            let (says, reason) = (given.verdict.as_str(), given.verdict.reason());
            format!("{} {} {says}: {reason}", given.rung, given.guard)
        })
        .collect();
    let more = match in_the_way.len().saturating_sub(REASONS_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let first: String = in_the_way
        .iter()
        .take(REASONS_MAX)
        .map(|reason| format!("; {reason}"))
        .collect();
    format!("{}{first}{more}", ruling.standing)
}

/// When a verdict ends by itself.
pub(super) const fn until(verdict: &Verdict) -> Option<vcm_recovery::time::Time> {
    match verdict {
        Verdict::Refuse { until, .. } => *until,
        Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Skip(_) | Verdict::Ask(_) => None,
    }
}
