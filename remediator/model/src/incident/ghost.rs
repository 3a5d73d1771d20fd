//! What is known to have happened, beside the program: the facts that the properties are about. No
//! guard is asked here.

use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::{Attempt, Outcome, Report};
use vcm_recovery::control::Resolved;
use vcm_recovery::decide::Proposal;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::AttemptId;
use vcm_recovery::incident::{Incident, Latch};
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::OthersHealthy;
use vcm_recovery::tier::Rung;
use vcm_recovery::verdict::Verdict;

use super::state::{Approved, AtReserve, Job, JobAt, Note, Order, State, Wrong, index};
use super::{Estate, alerts, runner};
use crate::scene::{Hardserver, Module, Ping};
use crate::ticks::{Tick, ago, at};

/// What is so when an attempt is reserved. An approval is used up by it.
pub(super) fn at_reserve(estate: &Estate, state: &mut State, proposal: &Proposal) -> AtReserve {
    let newest = state.looks.last().cloned();
    AtReserve {
        looked: newest.as_ref().map(|(tick, _)| *tick),
        view: newest.and_then(|(_, view)| view),
        stopped: stopped(state, &proposal.target),
        permitted: alerts::permitted(estate, state, &proposal.target),
        in_order: in_order(estate, state, proposal),
        approved: state
            .approved
            .take_if(|approved| proposal.approval == Some(approved.request)),
    }
}

/// Whether everything is paused, or the target or its host held.
pub(super) fn stopped(state: &State, target: &Target) -> bool {
    let now = at(state.now);
    let paused = state.pause.as_ref().is_some_and(|pause| pause.active(now));
    let mut holds = state.host.holds.iter();
    let held =
        holds.any(|(held, hold)| hold.active(now) && (held == target || held.module.is_none()));
    paused || held
}

/// The first step of an attempt is about to start: everything that must be so.
pub(super) fn starts(estate: &Estate, state: &mut State, order: &Order) {
    for (so, wrong) in [
        (permitted(order), Wrong::AboveCeiling),
        (order.facts.looked == Some(state.now), Wrong::OldEvidence),
        (failed(estate, state, order), Wrong::NotFailed),
        (!over(state, order.attempt), Wrong::StartedThoughOver),
        (below_caps(estate, state, order), Wrong::AboveCap),
        (all_known(state, order.attempt), Wrong::WhileUnknown),
        (
            !state.world.jobs.iter().flatten().any(Job::open),
            Wrong::TwoOnHost,
        ),
        (order.facts.in_order, Wrong::OutOfOrder),
        (
            runner::is_inventorys(estate, state, order),
            Wrong::OtherModule,
        ),
        (network(estate, state), Wrong::NetworkNotGood),
        (
            state.host.attempts.contains_key(&order.attempt),
            Wrong::NoIntent,
        ),
        (
            !order.facts.stopped && !state.world.view.hold_file,
            Wrong::ThoughStopped,
        ),
        (approved(estate, state, order), Wrong::NotApproved),
        (harmless(estate, state, order), Wrong::Harm),
    ] {
        if !so {
            state.wrong(wrong);
        }
    }
}

/// Takes in an event that is about to be stored.
pub(super) fn notice(state: &mut State, entry: &Entry) {
    let note = match &entry.change {
        Change::IncidentClosed(closing) => {
            Some(Note::Closed(closing.ending, closing.actor, closing.rung))
        }
        Change::IncidentLatched { latch, .. } => Some(Note::Latched(*latch)),
        Change::AttemptReported { attempt, report } => noticed_report(state, *attempt, report),
        Change::ApprovalAnswered { request, answer } => {
            noticed_answer(state, entry, *request, answer.choice)
        }
        Change::ApprovalUsed { .. } => Some(Note::ApprovalUsed),
        Change::ApprovalExpired { .. } => Some(noticed_end(state, entry)),
        Change::HumanResolved(resolution) => match resolution.what {
            Resolved::Attempt { .. } => Some(Note::Resolved),
            Resolved::Reopened => Some(Note::Reopened),
            Resolved::Closed | Resolved::GapConfirmed => None,
        },
        Change::ShadowStarted(_) => Some(Note::Shadow),
        Change::FleetShareReleased { .. } => Some(Note::ShareReleased),
        Change::IncidentOpened(_) => (!state.host.spent.is_empty()).then_some(Note::OpenedAgain),
        Change::IntentReserved(_) => {
            state.calm = 0;
            None
        }
        Change::FactChanged(_)
        | Change::Observed(_)
        | Change::Decided(_)
        | Change::HealthHeld { .. }
        | Change::PageRaised { .. }
        | Change::PageCleared { .. }
        | Change::ApprovalAsked(_)
        | Change::Paused(_)
        | Change::Resumed(_)
        | Change::Held(_)
        | Change::Released(_)
        | Change::LoadShed(_)
        | Change::LoadRestored(_)
        | Change::LoadReported(_)
        | Change::PolicyLoaded(_)
        | Change::GapFound { .. }
        | Change::Started(_)
        | Change::ClockStepped { .. } => None,
    };
    state.notes.extend(note);
}

fn noticed_report(state: &mut State, attempt: AttemptId, report: &Report) -> Option<Note> {
    state.calm = 0;
    let Report::Settled { outcome, .. } = report else {
        return None;
    };
    let known = state.host.attempts.get(&attempt)?;
    let unknown = known.outcome.is_some();
    if *outcome == Outcome::Failed && !seen_failed(state, known) {
        state.wrong(Wrong::FailedUnseen);
    }
    Some(Note::Settled(*outcome, unknown))
}

/// Whether the target was seen failed twice since the steps ended.
fn seen_failed(state: &State, attempt: &Attempt) -> bool {
    let Some(ended) = attempt.ended_at else {
        return false;
    };
    let about_host = attempt.intent.target.module.is_none();
    let failed = |(tick, view): &&(Tick, Option<crate::scene::View>)| {
        at(*tick) >= ended
            && view.as_ref().is_some_and(|view| {
                let down = view.hardserver == Hardserver::Down;
                let failed = view.modules.first() == Some(&Module::Failed);
                // After a restart a hardserver that stays down is a failure of the rung, too.
                down && (about_host || attempt.intent.rung == Rung::Restart)
                    || !about_host && failed && !down
            })
    };
    state.looks.iter().filter(failed).count() >= 2
}

fn noticed_answer(
    state: &mut State,
    entry: &Entry,
    request: vcm_recovery::ids::RequestId,
    choice: Choice,
) -> Option<Note> {
    let Choice::Approve(rung) = choice else {
        return Some(Note::Denied);
    };
    let asked = entry.target.as_ref().and_then(|target| {
        let incident = state.host.incidents.get(target)?;
        incident.request.as_ref()
    })?;
    let scope = &asked.alternative(rung)?.scope;
    let until = Tick::try_from(ago_from_start(asked.expires_at)).unwrap_or(Tick::MAX);
    let others = (2..).zip(state.world.view.modules.iter().skip(1));
    let others = others.map(|(n, _)| {
        let healthy = scope.healthy_others.contains(&crate::scene::number(n));
        if healthy {
            Module::Operational
        } else {
            Module::Failed
        }
    });
    state.approved = Some(Approved {
        request,
        rung,
        until,
        others: others.collect(),
    });
    None
}

fn ago_from_start(instant: vcm_recovery::time::Time) -> u32 {
    let end = ago(Tick::MAX, instant);
    u32::from(Tick::MAX).saturating_sub(end)
}

/// A request ended without being used.
fn noticed_end(state: &mut State, entry: &Entry) -> Note {
    state.approved = None;
    let target = entry.target.as_ref();
    let incident = target.and_then(|target| state.host.incidents.get(target));
    let over = incident
        .and_then(|incident| incident.request.as_ref())
        .is_some_and(|request| at(state.now) >= request.expires_at);
    match over {
        true => Note::ApprovalExpired,
        false => Note::ApprovalVoided,
    }
}

fn permitted(order: &Order) -> bool {
    order
        .facts
        .permitted
        .is_some_and(|tier| order.rung.tier() <= tier)
}

/// The target really is failed.
fn failed(estate: &Estate, state: &State, order: &Order) -> bool {
    let view = &state.world.view;
    if estate.about_host() {
        return view.hardserver != Hardserver::Up;
    }
    let hangs = view.hardserver == Hardserver::Hangs && order.approval.is_some();
    view.modules.first() == Some(&Module::Failed) && (view.hardserver == Hardserver::Up || hangs)
}

/// The attempt was given up, or is gone.
fn over(state: &State, attempt: AttemptId) -> bool {
    state
        .host
        .attempts
        .get(&attempt)
        .is_none_or(|known| !known.unsettled())
        || matches!(state.job(attempt), Some(job) if job.at == JobAt::Tombstoned)
}

/// With this start no more than a cap allows, counted from what really started, but for what a person
/// has said never did.
fn below_caps(estate: &Estate, state: &State, order: &Order) -> bool {
    let caps = &estate.rules.rung(order.rung).caps;
    let module = order.target.module.map(nshield::ModuleNumber::get);
    let denied = |number: usize| {
        let mut attempts = state.host.attempts.values();
        attempts.any(|attempt| {
            let cancelled = attempt.outcome.map(|(outcome, _)| outcome) == Some(Outcome::Cancelled);
            index(attempt.intent.attempt) == number && attempt.resolved && cancelled
        })
    };
    caps.iter().all(|cap| {
        let jobs = state.world.jobs.iter().enumerate();
        let jobs = jobs.filter_map(|(number, job)| job.as_ref().filter(|_| !denied(number)));
        let started = jobs.filter(|job| {
            let same =
                job.rung == order.rung && (job.rung == Rung::Restart || job.module == module);
            same && job.starts > 0 && at(state.now).since(at(job.began)) < cap.window
        });
        u32::try_from(started.count()).is_ok_and(|count| count < cap.attempts)
    })
}

/// The outcome of every other attempt on the host is known.
fn all_known(state: &State, attempt: AttemptId) -> bool {
    state
        .host
        .unsettled()
        .all(|other| other.intent.attempt == attempt)
}

/// The target answers the network; a host that is down is not asked.
fn network(estate: &Estate, state: &State) -> bool {
    estate.about_host() || state.world.view.ping == Ping::Good
}

/// Every lower rung has failed as often as it may, or was left out: by a reason on record, or by a
/// person who chose this one.
fn in_order(estate: &Estate, state: &State, proposal: &Proposal) -> bool {
    let Some(incident) = state.host.incidents.get(&proposal.target) else {
        return false;
    };
    let lower = Rung::ALL.into_iter().filter(|rung| *rung < proposal.rung);
    proposal.target.module.is_none()
        || lower.into_iter().all(|rung| {
            enough_failed(estate, state, incident, rung)
                || incident.denied.contains_key(&rung)
                || left_out(incident, rung, proposal.approval.is_some())
        })
}

fn enough_failed(estate: &Estate, state: &State, incident: &Incident, rung: Rung) -> bool {
    let limit = estate.rules.rung(rung).attempts_per_incident;
    let all_failed = state.looks.last().and_then(|(_, view)| view.as_ref());
    let all_failed =
        all_failed.is_some_and(|view| view.modules.iter().all(|module| *module == Module::Failed));
    let limit = if rung == Rung::Retry && all_failed {
        1
    } else {
        limit
    };
    let failed = |attempt: &&Attempt| {
        let outcome = attempt.outcome.map(|(outcome, _)| outcome);
        attempt.intent.rung == rung && matches!(outcome, Some(Outcome::Failed | Outcome::MadeWorse))
    };
    let count = state.host.ladder_attempts(incident).filter(failed).count();
    u32::try_from(count).is_ok_and(|count| count >= limit)
}

fn left_out(incident: &Incident, rung: Rung, chosen: bool) -> bool {
    let verdicts = incident.ruling.iter().flat_map(|ruling| &ruling.verdicts);
    let mut of_rung = verdicts.filter(|given| given.rung == rung);
    of_rung.any(|given| match &given.verdict {
        Verdict::Skip(reason) => !reason.is_empty(),
        Verdict::Ask(_) => chosen,
        Verdict::Pass | Verdict::NotApplicable(_) | Verdict::Refuse { .. } => false,
    })
}

/// A rung that needs a person's word has it: for this rung, in this situation, in time, once.
fn approved(estate: &Estate, state: &State, order: &Order) -> bool {
    let rules = &estate.rules;
    let needed = rules.rung(order.rung).approval
        || rules.mode == vcm_recovery::policy::Mode::Approve
        || order.approval.is_some()
        || state.world.view.hardserver == Hardserver::Down && state.world.view.on_purpose;
    let given = order.facts.approved.as_ref().is_some_and(|approved| {
        let others = state.world.view.modules.iter().skip(1);
        let same = others
            .zip(&approved.others)
            .all(|(now, then)| (*now == Module::Operational) == (*then == Module::Operational));
        // A clear takes nothing from other modules: that they changed since the last look is no
        // matter of the host's, and is known to the remediator at the next look.
        let same = same || order.rung != Rung::Restart;
        approved.rung == order.rung && state.now < approved.until && same
    });
    !needed || given
}

/// A restart takes nothing from a healthy module unless a person or the policy allowed it.
fn harmless(estate: &Estate, state: &State, order: &Order) -> bool {
    let view = &state.world.view;
    let works = view.hardserver == Hardserver::Up
        && view
            .modules
            .iter()
            .skip(1)
            .any(|module| *module == Module::Operational);
    let allowed =
        order.facts.approved.is_some() || estate.rules.others_healthy == OthersHealthy::Allow;
    order.rung != Rung::Restart || !works || allowed
}

/// Whether a note says that an incident was latched so.
pub(super) fn latched(state: &State, latch: Latch) -> bool {
    state.notes.contains(&Note::Latched(latch))
}
