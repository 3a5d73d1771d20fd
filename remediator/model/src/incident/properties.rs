//! What must hold in every state, and what must be possible. S and L are the names of the design.

use std::collections::BTreeMap;

use stateright::Property;
use vcm_recovery::alert::FactRecord;
use vcm_recovery::attempt::{Attempt, Outcome};
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::incident::{Actor, Ending, Latch};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;
use vcm_recovery::tier::{Rung, Tier};

use super::state::{JobAt, Note, Pc, State, Wrong};
use super::{Estate, alerts, ghost};
use crate::check;
use crate::scene::{Hardserver, Module, Ping};
use crate::ticks::{ago, at};

type Is = check::Is<Estate>;

/// Every property. What an estate of its kind cannot reach is not asked there.
pub(super) fn properties(estate: &Estate) -> Vec<Property<Estate>> {
    check::properties(ALWAYS, SOMETIMES, &estate.possible)
}

/// The calm after which something must have been done: the longest time of the policy that starts
/// anew with each change, `stuck`, and what it takes to see and to say that.
const CALM: u8 = 6;

/// The calm after which an attempt has an outcome: `report_timeout`, or a verification extended twice,
/// and a look.
const CALM_TO_OUTCOME: u8 = 5;

/// The calm after which a failed target that may be retried has been: `not_before`, the settling of
/// the network, and a look.
const CALM_TO_ATTEMPT: u8 = 4;

pub(super) const ALWAYS: &[(&str, Is)] = &[
    (
        "S1 nothing starts above what the delivered alerts permit",
        |_, state| never(state, Wrong::AboveCeiling),
    ),
    (
        "S1 nothing starts on evidence older than 30 s",
        |_, state| never(state, Wrong::OldEvidence),
    ),
    (
        "S1 nothing starts on a target that is not failed",
        |_, state| never(state, Wrong::NotFailed),
    ),
    ("S2 an attempt starts at most once", |_, state| {
        never(state, Wrong::StartedTwice)
    }),
    ("S2 what was given up never starts", |_, state| {
        never(state, Wrong::StartedThoughOver)
    }),
    ("S2 no cap is exceeded", |_, state| {
        never(state, Wrong::AboveCap)
    }),
    (
        "S2 nothing starts while an outcome is unknown",
        |_, state| never(state, Wrong::WhileUnknown),
    ),
    ("S3 no order behind the fence is admitted", |_, state| {
        never(state, Wrong::BehindFence)
    }),
    ("S4 one attempt at a time on a host", |_, state| {
        never(state, Wrong::TwoOnHost)
    }),
    (
        "S5 every lower rung has failed or was left out",
        |_, state| never(state, Wrong::OutOfOrder),
    ),
    (
        "S5 failed means seen failed twice since the steps ended",
        |_, state| never(state, Wrong::FailedUnseen),
    ),
    (
        "S6 nothing runs on another module than the inventory's",
        |_, state| never(state, Wrong::OtherModule),
    ),
    (
        "S7 nothing starts while the target does not answer the network",
        |_, state| never(state, Wrong::NetworkNotGood),
    ),
    (
        "S10 what is known of the alerts is a join of what was delivered",
        joined,
    ),
    (
        "S11 nothing starts without its intent on record",
        |_, state| never(state, Wrong::NoIntent),
    ),
    (
        "S12 nothing starts that was ordered behind a pause or hold",
        |_, state| never(state, Wrong::ThoughStopped),
    ),
    (
        "S13 what needs a person's word has it, for this, in time, once",
        |_, state| never(state, Wrong::NotApproved),
    ),
    (
        "S14 no healthy module is disrupted unless that was allowed",
        |_, state| never(state, Wrong::Harm),
    ),
    (
        "L1 when nothing happens an incident ends or is paged",
        handled,
    ),
    (
        "L2 every attempt comes to an outcome, or is unknown and paged",
        concluded,
    ),
    (
        "L3 the fleet's share of an unknown outcome is released",
        released,
    ),
    ("L4 an open section is resumed or paged", sections_finish),
    ("L6 what is failed and may be retried is", attempted),
];

/// The alerts as the program knows them are those of every fact delivered, whatever the order and the
/// number of deliveries was.
fn joined(_: &Estate, state: &State) -> bool {
    let mut facts: BTreeMap<Fingerprint, FactRecord> = BTreeMap::new();
    for fact in state.delivered.values() {
        facts
            .entry(fact.fingerprint)
            .and_modify(|record| record.join(fact))
            .or_insert_with(|| FactRecord::new(fact));
    }
    facts == state.host.facts
}

fn handled(_: &Estate, state: &State) -> bool {
    let waited = state.pc == Pc::Turned && state.calm >= CALM;
    let mut incidents = state.host.incidents.values();
    !waited
        || incidents.all(|incident| {
            let mut pages = state.host.pages.keys();
            pages.any(|(target, _)| *target == incident.target)
        })
}

fn concluded(_: &Estate, state: &State) -> bool {
    let paged = |attempt: &Attempt| {
        let mut pages = state.host.pages.keys();
        pages.any(|(target, _)| *target == attempt.intent.target)
    };
    state.pc != Pc::Turned
        || state.host.unsettled().all(|attempt| match attempt.outcome {
            None => state.calm < CALM_TO_OUTCOME,
            Some(_) => paged(attempt),
        })
}

fn released(estate: &Estate, state: &State) -> bool {
    let due = |attempt: &Attempt| {
        let page = (attempt.intent.target.clone(), PageReason::AttemptUnknown);
        let since = state.host.pages.get(&page);
        since.is_some_and(|since| at(state.now).since(*since) > estate.rules.unknown_release)
    };
    let mut unknown = state.host.unsettled().filter(|attempt| {
        attempt.outcome.is_some() && attempt.intent.rung.disruptive() && due(attempt)
    });
    state.pc != Pc::Turned || unknown.all(|attempt| attempt.released)
}

fn sections_finish(estate: &Estate, state: &State) -> bool {
    let old = |since| ago(state.now, at(since)) >= 3;
    let mut jobs = state.world.jobs.iter().flatten();
    let open = jobs.any(|job| matches!(job.at, JobAt::Section(since) if old(since)));
    let paged = state
        .host
        .pages
        .keys()
        .any(|(target, _)| *target == estate.target());
    state.pc != Pc::Turned || state.calm < 3 || !open || paged
}

/// The target is failed and everything is as it should be for a retry, and has been for long enough.
/// One that is handed over is left to people, who are paged: somebody was seen to work on it, and
/// whether that person is done nobody but a person can tell.
fn attempted(estate: &Estate, state: &State) -> bool {
    let view = &state.world.view;
    let good = view.ping == Ping::Good && !view.renumbered && !view.hold_file;
    let failed = !estate.about_host()
        && view.hardserver == Hardserver::Up
        && view.modules.first() == Some(&Module::Failed);
    let may = estate.rules.mode == Mode::Act
        && !estate.rules.retry.approval
        && !ghost::stopped(state, &estate.target())
        && alerts::permitted(estate, state, &estate.target()) >= Some(Tier::Retry);
    let due = state.pc == Pc::Turned && state.calm >= CALM_TO_ATTEMPT && good && failed && may;
    let due = due && !handed_over(state);
    !due || !state.world.jobs.is_empty()
}

/// An incident is left to people, and a page says so.
fn handed_over(state: &State) -> bool {
    let mut incidents = state.host.incidents.values();
    incidents.any(|incident| {
        let latch = incident.latch.as_ref().map(|(latch, _)| *latch);
        latch == Some(Latch::HandedOver)
            && state
                .host
                .pages
                .keys()
                .any(|(target, _)| *target == incident.target)
    })
}

/// What happened is possible at all. Each is asked in the estates that name it.
pub(super) const SOMETIMES: &[(&str, Is)] = &[
    ("recovered by retry", |_, state| {
        recovered_by(state, Rung::Retry)
    }),
    ("recovered by restart", |_, state| {
        recovered_by(state, Rung::Restart)
    }),
    ("recovered by clear", |_, state| {
        recovered_by(state, Rung::Clear)
    }),
    ("recovered by itself", |_, state| {
        let closed = Note::Closed(Ending::Recovered, Actor::None, None);
        state.notes.contains(&closed)
    }),
    ("ended without having been seen failed", |_, state| {
        closed(state, Ending::Ended)
    }),
    ("closed by a person", |_, state| {
        let mut notes = state.notes.iter();
        notes.any(|note| matches!(note, Note::Closed(_, Actor::Manual, _)))
    }),
    ("exhausted", |_, state| {
        ghost::latched(state, Latch::Exhausted)
    }),
    ("healthy after it was exhausted", |_, state| {
        closed(state, Ending::Exhausted)
    }),
    ("handed over", |_, state| {
        ghost::latched(state, Latch::HandedOver)
    }),
    ("made worse", |_, state| {
        settled(state, Outcome::MadeWorse, false)
    }),
    ("an outcome is unknown", |_, state| {
        settled(state, Outcome::Unknown, false)
    }),
    ("unknown, and then a late report", |_, state| {
        let known = |outcome| settled(state, outcome, true);
        known(Outcome::Succeeded) || known(Outcome::Failed)
    }),
    ("unknown, and then a person's word", |_, state| {
        state.notes.contains(&Note::Resolved)
    }),
    ("a clear completed after it was cut short", |_, state| {
        state.notes.contains(&Note::ClearResumed)
    }),
    ("an approval is used", |_, state| {
        state.notes.contains(&Note::ApprovalUsed)
    }),
    ("a clear that a person approved recovers", |_, state| {
        let closed = Note::Closed(Ending::Recovered, Actor::Approved, Some(Rung::Clear));
        state.notes.contains(&closed)
    }),
    (
        "an approval is void because something changed",
        |_, state| state.notes.contains(&Note::ApprovalVoided),
    ),
    ("a request expires", |_, state| {
        state.notes.contains(&Note::ApprovalExpired)
    }),
    ("a person decides against it", |_, state| {
        state.notes.contains(&Note::Denied)
    }),
    ("observe mode shows a rung", |_, state| {
        state.notes.contains(&Note::Shadow)
    }),
    (
        "a pause or hold stops a rung that was reserved",
        |_, state| state.notes.contains(&Note::StoppedReady),
    ),
    (
        "a reserved rung does not stand when it is decided again",
        |_, state| state.notes.contains(&Note::Cancelled),
    ),
    (
        "the host refuses what the remediator ordered",
        |_, state| state.notes.contains(&Note::Refused),
    ),
    (
        "the host refuses an older start of the remediator",
        |_, state| state.notes.contains(&Note::Fenced),
    ),
    ("the host refuses an attempt that it knows", |_, state| {
        state.notes.contains(&Note::KnownAttempt)
    }),
    (
        "a tombstone ends an attempt that never arrived",
        |_, state| {
            let mut jobs = state.world.jobs.iter().flatten();
            jobs.any(|job| job.at == JobAt::Tombstoned)
        },
    ),
    ("the fleet's share is released", |_, state| {
        state.notes.contains(&Note::ShareReleased)
    }),
    ("a latched incident begins anew", |_, state| {
        state.notes.contains(&Note::Reopened)
    }),
    ("an incident opens behind a closed one", |_, state| {
        state.notes.contains(&Note::OpenedAgain)
    }),
    ("a page for the network", |_, state| {
        paged(state, PageReason::NetworkBad)
    }),
    ("a page for what is not known", |_, state| {
        paged(state, PageReason::ObservationUnknown)
    }),
    ("a page for a changed number", |_, state| {
        paged(state, PageReason::InventoryDrift)
    }),
    ("a page for being stuck", |_, state| {
        paged(state, PageReason::Stuck)
    }),
    ("a page for an open section", |_, state| {
        paged(state, PageReason::CriticalSection)
    }),
    (
        "a page for a hardserver that does not answer",
        |_, state| paged(state, PageReason::HardserverUnresponsive),
    ),
    (
        "a page for a hardserver that was stopped on purpose",
        |_, state| paged(state, PageReason::StoppedOnPurpose),
    ),
];

fn never(state: &State, wrong: Wrong) -> bool {
    !state.wrong.contains(&wrong)
}

fn closed(state: &State, ending: Ending) -> bool {
    let mut notes = state.notes.iter();
    notes.any(|note| matches!(note, Note::Closed(so, ..) if *so == ending))
}

fn recovered_by(state: &State, rung: Rung) -> bool {
    let by = [Actor::Automatic, Actor::Approved];
    let closed = |actor| Note::Closed(Ending::Recovered, actor, Some(rung));
    by.into_iter()
        .any(|actor| state.notes.contains(&closed(actor)))
}

fn settled(state: &State, outcome: Outcome, before: bool) -> bool {
    state.notes.contains(&Note::Settled(outcome, before))
}

fn paged(state: &State, reason: PageReason) -> bool {
    state.host.pages.keys().any(|(_, paged)| *paged == reason)
}
