//! What must hold in every state, and what must be possible.

use vcm_recovery::event::LoadClass;
use vcm_recovery::page::PageReason;

use super::Estate;
use super::state::{State, Wrong};
use crate::check::Is;

pub(super) const ALWAYS: &[(&str, Is<Estate>)] = &[
    (
        "S1 load is taken for a failed module only, and not in a pause",
        |_, state| never(state, Wrong::Unwanted),
    ),
    (
        "S2 no order acts twice, whatever dies or is lost",
        |_, state| never(state, Wrong::ActedTwice),
    ),
    ("S1 no hook is called where there is none", |_, state| {
        never(state, Wrong::NoHook)
    }),
    (
        "L5 load that is taken returns when the trouble or its longest time is over, or people are paged",
        |_, state| state.overdue <= 1 || state.is_paged(),
    ),
];

pub(super) const SOMETIMES: &[(&str, Is<Estate>)] = &[
    ("load is taken, and has returned", |_, state| {
        state.seen.taken && !state.taken && state.fleet.sheds.is_empty()
    }),
    (
        "it returns although the module is still failed: the longest time is over",
        |estate, state| {
            returned_early(estate, state) && state.shown(estate) != Some(LoadClass::Low)
        },
    ),
    (
        "it returns although the module is still failed: the load is low",
        |estate, state| {
            returned_early(estate, state) && state.shown(estate) == Some(LoadClass::Low)
        },
    ),
    (
        "a call that a crash cut short is made again and acts once",
        |_, state| state.seen.crashed && state.seen.again,
    ),
    (
        "a call whose answer was lost is made again and acts once",
        |_, state| state.seen.unheard && state.seen.again,
    ),
    ("the hook fails and people are paged", |_, state| {
        state.is_paged()
    }),
    ("the page ends when it has worked", |_, state| {
        state.seen.paged && !state.is_paged()
    }),
    ("a pause keeps load from being taken", |estate, state| {
        let high = state.shown(estate) == Some(LoadClass::High);
        let nothing = state.fleet.sheds.is_empty() && state.fleet.restored.is_empty();
        state.fleet.pause.is_some() && high && nothing && state.tick > 0
    }),
    ("people are asked to take load", |_, state| asked(state)),
    ("people are asked no more", |_, state| {
        !state.fleet.restored.is_empty() && !asked(state)
    }),
];

fn never(state: &State, wrong: Wrong) -> bool {
    state.wrong != Some(wrong)
}

fn returned_early(estate: &Estate, state: &State) -> bool {
    let returned = state.seen.taken && !state.taken && state.fleet.sheds.is_empty();
    returned && state.is_failed(estate)
}

fn asked(state: &State) -> bool {
    let page = (Some(Estate::hsm()), PageReason::LoadHigh);
    state.fleet.pages.contains_key(&page)
}
