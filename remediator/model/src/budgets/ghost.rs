//! What is known to have happened, beside the program. No guard is asked here.

use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::decide::Proposal;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::HsmName;
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

use super::Estate;
use super::state::{Note, State, Wrong};
use crate::ticks::at;

/// What is so just before an attempt is ordered.
pub(super) struct Before {
    harm: bool,
    storm: bool,
    booting: bool,
    released: bool,
}

/// Looks at the facts on record about every host.
pub(super) fn before(estate: &Estate, state: &State, host: usize, proposal: &Proposal) -> Before {
    let entry = estate.entry(host);
    let hsms = entry.hsms_touched(proposal.rung, &proposal.target);
    let hsms: Vec<HsmName> = hsms.into_iter().flatten().collect();
    let now = at(state.now);
    let rules = &estate.rules;
    let young = |failures: &[(usize, Time)]| {
        let window = rules.storm.window;
        let mut hosts: Vec<usize> = failures
            .iter()
            .filter(|(_, at)| now.since(*at) < window)
            .map(|(host, _)| *host)
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.len() >= 2
    };
    let of = |hsm: &HsmName| failures(estate, state, hsm);
    let own = entry
        .module_of(&proposal.target)
        .and_then(|module| module.hsm.clone());
    let booting = own.is_some_and(|hsm| {
        let failures = of(&hsm);
        let newest = failures.iter().map(|(_, at)| *at).max();
        newest.is_some_and(|newest| now.since(newest) < rules.boot_window)
            && failures
                .iter()
                .all(|(_, at)| now.since(*at) < rules.boot_window)
    });
    let mut pages = state.hosts.iter().flat_map(|host| host.state.pages.keys());
    let mut open = state.hosts.iter().flat_map(|host| host.state.unsettled());
    Before {
        harm: pages.any(|(_, reason)| *reason == PageReason::MadeWorse),
        storm: hsms.iter().any(|hsm| young(&of(hsm))),
        booting,
        released: open.any(|attempt| attempt.released),
    }
}

/// The first step of an attempt starts.
pub(super) fn starts(state: &mut State, rung: Rung, before: &Before) {
    let wrongs = match rung {
        Rung::Retry => [
            (before.storm && before.booting, Wrong::RetryInBootWindow),
            (false, Wrong::DespiteHarm),
            (false, Wrong::InStorm),
        ],
        Rung::Restart | Rung::Clear => [
            (before.harm, Wrong::DespiteHarm),
            (before.storm, Wrong::InStorm),
            (before.booting, Wrong::InBootWindow),
        ],
    };
    let wrongs = wrongs.into_iter().filter(|(wrong, _)| *wrong);
    state.wrong.extend(wrongs.map(|(_, wrong)| wrong));
    if before.released && rung.disruptive() {
        state.notes.insert(Note::BesideReleased);
    }
}

/// Takes in an event that is about to be stored.
pub(super) fn notice(state: &mut State, host: usize, entry: &Entry) {
    if matches!(
        entry.change,
        Change::IntentReserved(_) | Change::AttemptReported { .. }
    ) {
        state.calm = 0;
    }
    let Change::AttemptReported { attempt, report } = &entry.change else {
        return;
    };
    let Report::Settled { outcome, .. } = report else {
        return;
    };
    let known = state.hosts[host].state.attempts.get(attempt);
    let unknown = known.is_some_and(|known| known.outcome.is_some());
    if *outcome == Outcome::MadeWorse {
        state.notes.insert(Note::MadeWorse);
    }
    if unknown {
        state.notes.insert(Note::LateReport);
    }
}

/// When modules of an HSM were first seen failed, and on which host.
pub(super) fn failures(estate: &Estate, state: &State, hsm: &HsmName) -> Vec<(usize, Time)> {
    let mut found = Vec::new();
    for (number, host) in state.hosts.iter().enumerate() {
        for (target, times) in &host.state.failures {
            let module = estate.entry(number).module_of(target);
            if module.and_then(|module| module.hsm.as_ref()) == Some(hsm) {
                found.extend(times.iter().map(|at| (number, *at)));
            }
        }
    }
    found
}
