//! Events and steps in words, for the page, the log and the command line.

use jiff::Timestamp;
use vcm_recovery::approval::{Choice, Request};
use vcm_recovery::attempt::Report;
use vcm_recovery::control::{Resolution, Resolved};
use vcm_recovery::event::{Change, Ruling, Summary};
use vcm_recovery::guard::Guard;
use vcm_recovery::step::{Program, Step};
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

/// When a pause or hold ends.
pub(crate) fn until(end: Option<Time>) -> String {
    match end {
        Some(at) => format!("until {}", instant(at)),
        None => "until somebody ends it".to_owned(),
    }
}

/// Reasons of one decision that are told; the API has them all.
const REASONS_MAX: usize = 3;

/// A step as an operator would type it.
pub(crate) fn step(step: Step) -> String {
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

/// An instant in UTC, to the second.
pub(crate) fn instant(time: Time) -> String {
    let millis = time.as_millis();
    Timestamp::from_millisecond(millis)
        .map_or_else(|_| format!("{millis} ms"), |at| format!("{at:.0}"))
}

/// What happened, in one line.
pub(crate) fn change(change: &Change) -> String {
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
        Change::IncidentOpened(_) => "incident opened".to_owned(),
        Change::HealthHeld { why } => {
            format!("healthy for long enough, and stays open: {why}; a new failure begins anew")
        }
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
        Change::PageCleared { reason, .. } => format!("no longer needed: {}", reason.as_str()),
        Change::ApprovalAsked(request) => asked(request),
        Change::ApprovalAnswered { request, answer } => {
            let choice = match answer.choice {
                Choice::Approve(rung) => format!("approves {rung}"),
                Choice::Deny => "decides for nothing".to_owned(),
            };
            let (by, reason) = (&answer.by, &answer.reason);
            format!("request {request}: {by} {choice}: {reason}")
        }
        Change::ApprovalUsed { request, attempt } => {
            format!("request {request}: the approval is used by attempt {attempt}")
        }
        Change::ApprovalExpired { request, why } => format!("request {request} is void: {why}"),
        Change::Paused(pause) => {
            let end = until(pause.until);
            format!(
                "everything is paused by {} {end}: {}",
                pause.by, pause.reason
            )
        }
        Change::Resumed(end) => format!("the pause is ended by {}: {}", end.by, end.reason),
        Change::Held(hold) => {
            format!("held by {} {}: {}", hold.by, until(hold.until), hold.reason)
        }
        Change::Released(end) => format!("the hold is ended by {}: {}", end.by, end.reason),
        Change::HumanResolved(resolution) => resolved(resolution),
        Change::ShadowStarted(shadow) => {
            let steps: Vec<String> = shadow.steps.iter().map(|planned| step(*planned)).collect();
            format!("{} would have been run: {}", shadow.rung, steps.join("; "))
        }
        Change::FleetShareReleased { attempt } => {
            format!("attempt {attempt} no longer keeps the fleet from restarts and clears")
        }
        Change::LoadShed(order) => {
            format!("load of HSM {} is to be shed: {}", order.hsm, order.why)
        }
        Change::LoadRestored(order) => {
            format!("load of HSM {} is to be restored: {}", order.hsm, order.why)
        }
        Change::LoadReported(report) => {
            let came = report.failure.as_deref().unwrap_or("done");
            format!(
                "load of HSM {}: {}: {came}",
                report.hsm,
                report.action.as_str()
            )
        }
        Change::PolicyLoaded(_) => "another policy decides from now on".to_owned(),
        Change::GapFound { since } => format!(
            "the remediator did not run since {}; caps on restart and clear, holds and pauses wait for a person's word",
            instant(*since)
        ),
        Change::Started(start) if start.away_known => "the program was started".to_owned(),
        Change::Started(_) => "the program was started, and how long it was away is not known: alerts \
                               count when they are delivered again, and answers of people when they \
                               are given again"
            .to_owned(),
        Change::ClockStepped { milliseconds } => {
            format!("the wall clock stepped by {milliseconds} ms; the program's time went on")
        }
    }
}

fn asked(request: &Request) -> String {
    let alternatives: Vec<String> = request
        .alternatives
        .iter()
        .map(|offered| format!("{} (disrupts {})", offered.scope.rung, offered.disrupts))
        .collect();
    let id = request.id;
    format!(
        "request {id}: a person decides: {}; or nothing",
        alternatives.join("; ")
    )
}

fn resolved(resolution: &Resolution) -> String {
    let (by, reason) = (&resolution.by, &resolution.reason);
    match resolution.what {
        Resolved::Attempt { attempt, outcome } => {
            format!(
                "{by} says that attempt {attempt} has {}: {reason}",
                outcome.as_str()
            )
        }
        Resolved::Reopened => format!("{by} has the ladder begin anew: {reason}"),
        Resolved::Closed => format!("{by} closes the incident: {reason}"),
        Resolved::GapConfirmed => {
            format!("{by} confirms the time in which the remediator did not run: {reason}")
        }
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

/// What a guard says, with its reason, in columns.
pub(crate) fn verdict(guard: Guard, verdict: &Verdict) -> String {
    let (word, reason) = (verdict.as_str(), verdict.reason());
    let until = verdict_ends(verdict).map(|until| format!(" (until {})", instant(until)));
    let until = until.unwrap_or_default();
    let line = format!("{word:<15}{:<25}{reason}{until}", guard.as_str());
    line.trim_end().to_owned()
}

/// When a verdict ends by itself.
pub(crate) const fn verdict_ends(verdict: &Verdict) -> Option<Time> {
    match verdict {
        Verdict::Refuse { until, .. } => *until,
        Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Skip(_) | Verdict::Ask(_) => None,
    }
}
