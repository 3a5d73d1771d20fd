//! What must hold in every state, and what must be possible. S and L are the names of the design.

use std::collections::BTreeMap;

use stateright::Property;
use vcm_recovery::attempt::Attempt;
use vcm_recovery::guard::Guard;
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::Rung;

use super::state::{Note, Pc, State, Wrong};
use super::{Estate, engine};
use crate::check;
use crate::scene::Module;
use crate::ticks::at;

type Is = check::Is<Estate>;

/// Every property. What an estate of its kind cannot reach is not asked there.
pub(super) fn properties(estate: &Estate) -> Vec<Property<Estate>> {
    check::properties(ALWAYS, SOMETIMES, &estate.possible)
}

/// The calm after which a failed module has been tried or a person is asked: an alert, a look, and
/// `stuck`.
const CALM_TO_ATTEMPT: u8 = 6;

/// The calm after which an attempt has an outcome.
const CALM_TO_OUTCOME: u8 = 5;

pub(super) const ALWAYS: &[(&str, Is)] = &[
    (
        "S4 no more attempts on a host than its budget",
        |estate, state| {
            let budget = estate.rules.budgets.host;
            state.hosts.iter().all(|host| {
                let open = host.state.unsettled().count();
                u32::try_from(open).is_ok_and(|open| open <= budget)
            })
        },
    ),
    (
        "S4 no more retries on an HSM than its budget",
        hsms_within_budget,
    ),
    (
        "S4 no more restarts and clears in the fleet than its budget",
        fleet_within_budget,
    ),
    (
        "S4 no more restarts and clears really run than that",
        really_within_budget,
    ),
    (
        "S12 no restart or clear starts while something is made worse",
        |_, state| never(state, Wrong::DespiteHarm),
    ),
    (
        "S14 no restart or clear starts while its HSM fails on several hosts",
        |_, state| never(state, Wrong::InStorm),
    ),
    (
        "S14 no restart or clear starts while its HSM may be booting",
        |_, state| never(state, Wrong::InBootWindow),
    ),
    (
        "S14 in a storm no retry starts while the HSM may be booting",
        |_, state| never(state, Wrong::RetryInBootWindow),
    ),
    (
        "L2 every attempt comes to an outcome, or is unknown and paged",
        concluded,
    ),
    (
        "L3 the fleet's share of an unknown outcome is released",
        released,
    ),
    (
        "L6 what is failed and finds room is tried, or a person is asked",
        attempted,
    ),
];

fn hsms_within_budget(estate: &Estate, state: &State) -> bool {
    let mut retries: BTreeMap<_, u32> = BTreeMap::new();
    for open in state.hosts.iter().flat_map(|host| host.state.unsettled()) {
        if open.intent.rung == Rung::Retry {
            for hsm in &open.intent.hsms {
                *retries.entry(hsm).or_default() += 1;
            }
        }
    }
    let budget = estate.rules.budgets.hsm_retry;
    retries.values().all(|open| *open <= budget)
}

fn fleet_within_budget(estate: &Estate, state: &State) -> bool {
    let open = state.hosts.iter().flat_map(|host| host.state.unsettled());
    let disruptive = open.filter(|open| open.intent.rung.disruptive() && !open.released);
    u32::try_from(disruptive.count())
        .is_ok_and(|open| open <= estate.rules.budgets.fleet_disruptive)
}

/// Counted on the hosts themselves. One whose share was released may still run beside another, and
/// one that a person has said never ran.
fn really_within_budget(estate: &Estate, state: &State) -> bool {
    let disruptive = |host: &super::state::Host| {
        let attempts = host.state.attempts.values();
        let jobs = attempts.zip(&host.jobs).filter(|(attempt, job)| {
            let runs = job.until.is_some_and(|until| until > state.now);
            let counts = !attempt.released && !attempt.resolved;
            runs && counts && job.rung.disruptive()
        });
        jobs.count()
    };
    let running: usize = state.hosts.iter().map(disruptive).sum();
    u32::try_from(running).is_ok_and(|open| open <= estate.rules.budgets.fleet_disruptive)
}

fn concluded(_: &Estate, state: &State) -> bool {
    state.hosts.iter().all(|host| {
        let paged = |attempt: &Attempt| {
            let mut pages = host.state.pages.keys();
            pages.any(|(target, _)| *target == attempt.intent.target)
        };
        host.pc != Pc::Turned
            || host.state.unsettled().all(|attempt| match attempt.outcome {
                None => state.calm < CALM_TO_OUTCOME,
                Some(_) => paged(attempt),
            })
    })
}

fn released(estate: &Estate, state: &State) -> bool {
    state.hosts.iter().all(|host| {
        let due = |attempt: &&Attempt| {
            let page = (attempt.intent.target.clone(), PageReason::AttemptUnknown);
            let since = host.state.pages.get(&page);
            let due = since
                .is_some_and(|since| at(state.now).since(*since) > estate.rules.unknown_release);
            attempt.outcome.is_some() && attempt.intent.rung.disruptive() && due
        };
        host.pc != Pc::Turned
            || host
                .state
                .unsettled()
                .filter(due)
                .all(|attempt| attempt.released)
    })
}

/// When nothing is in flight anywhere and nothing happens, every failed module has had an attempt. Of
/// restarts and clears a person may have been told instead that none can start.
fn attempted(estate: &Estate, state: &State) -> bool {
    let over = state.hosts.iter().all(|host| host.pc == Pc::Turned);
    let idle = state
        .hosts
        .iter()
        .all(|host| host.state.unsettled().next().is_none());
    let quiet = over && idle && state.calm >= CALM_TO_ATTEMPT;
    !quiet
        || state.hosts.iter().all(|host| {
            let incidents = host.state.incidents.values();
            let mut failed = incidents.filter(|incident| {
                let number = incident.target.module.map_or(0, nshield::ModuleNumber::get);
                let module = host.view.modules.get(usize::from(number).wrapping_sub(1));
                module == Some(&Module::Failed)
            });
            failed.all(|incident| {
                let mut pages = host.state.pages.keys();
                let paged = pages.any(|(target, _)| *target == incident.target);
                paged && estate.harms || !incident.attempts.is_empty()
            })
        })
}

/// What happened is possible at all. Each is asked in the estates that name it.
pub(super) const SOMETIMES: &[(&str, Is)] = &[
    ("two hosts have decided for the same budget", |_, state| {
        let proposed = state
            .hosts
            .iter()
            .filter(|host| matches!(host.pc, Pc::Proposed(_)));
        proposed.count() == 2
    }),
    (
        "an HSM's budget refuses what was decided on an old view",
        |_, state| state.notes.contains(&Note::Refused(Guard::BudgetHsm)),
    ),
    (
        "the fleet's budget refuses what was decided on an old view",
        |_, state| state.notes.contains(&Note::Refused(Guard::BudgetFleet)),
    ),
    ("a budget is granted after it was refused", |_, state| {
        state.notes.contains(&Note::GrantedAfterAll)
    }),
    (
        "a budget is held by an attempt of unknown outcome",
        held_by_unknown,
    ),
    ("a person's word frees a budget", |_, state| {
        state.notes.contains(&Note::Resolved)
    }),
    ("a late report frees a budget", |_, state| {
        state.notes.contains(&Note::LateReport)
    }),
    (
        "another restart or clear begins behind a share that was released",
        |_, state| state.notes.contains(&Note::BesideReleased),
    ),
    ("a storm", |estate, state| {
        !engine::fleet(estate, state).storms.hsms.is_empty()
    }),
    (
        "a storm that is over, with what it was about still failed",
        |estate, state| {
            let storms = engine::fleet(estate, state).storms;
            let failed = state
                .hosts
                .iter()
                .all(|host| !host.state.failures.is_empty());
            let again = state.now > 5 && storms.hsms.is_empty();
            again
                && failed
                && state
                    .hosts
                    .iter()
                    .all(|host| !host.state.incidents.is_empty())
        },
    ),
    ("a module is made worse", |_, state| {
        state.notes.contains(&Note::MadeWorse)
    }),
    ("harm on one host pauses another", |_, state| {
        let paused = |host: &super::state::Host| {
            let mut incidents = host.state.incidents.values();
            incidents.any(|incident| incident.blocked.contains_key(&Guard::Paused))
        };
        state.hosts.iter().any(paused)
    }),
];

/// A guard stands in the way of one host because of an attempt on the other.
fn held_by_unknown(_: &Estate, state: &State) -> bool {
    let unknown = |host: &super::state::Host| {
        host.state
            .unsettled()
            .any(|attempt| attempt.outcome.is_some())
    };
    let blocked = |host: &super::state::Host| {
        let mut incidents = host.state.incidents.values();
        incidents.any(|incident| {
            let guards = [Guard::BudgetHsm, Guard::BudgetFleet];
            guards
                .iter()
                .any(|guard| incident.blocked.contains_key(guard))
        })
    };
    state.hosts.iter().any(unknown)
        && state
            .hosts
            .iter()
            .any(|host| !unknown(host) && blocked(host))
}

fn never(state: &State, wrong: Wrong) -> bool {
    !state.wrong.contains(&wrong)
}
