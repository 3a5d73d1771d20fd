//! One host: journal, fencing and resume, with an old remediator that still lives, its successor and
//! a foreign one.
//!
//! The remediators have no state here: each may ask for anything, at any time and as often as it
//! likes. That covers every lost, late, doubled and swapped call and answer. Every process can be
//! killed before and after each of its records and effects; every record can fail to be written,
//! or be written and not synced; the host can lose power; vendor commands outlive their parents and
//! their deadlines; a human clears the module. How often each of these happens is bounded, and how
//! often may still follow is part of the state, so that there are finitely many.
//!
//! What decides is the program's own: `fence::rule`, `story::fold` and `Story`'s rules,
//! `result::status`, `clear::decide` and `progress`, `after_restart::proven` and `progress`, and
//! `Rung::steps`. What is modelled is the shell around them, in the order in which `host::run`,
//! `resume`, `steps` and `tombstone` do things.
//!
//! ```text
//! state        disk, processes, module
//! lines        journal records, small, and as the program reads them
//! actions      everything that can happen next
//! calls        run, resume, result, tombstone: until a process is at work
//! steps        what that process does
//! world        commands, power, humans
//! settle       what happens when nothing more goes wrong
//! properties   what must hold in every state, and what must be possible
//! ```

mod actions;
mod calls;
mod lines;
mod properties;
mod settle;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod world;

use stateright::{Model, Property};
use vcm_recovery::ids::{Epoch, StoreId};
use vcm_recovery::tier::Rung;

use vcm_remediator::host::fence::{self, Caller};

use crate::Size;
use crate::check::{self, Outcome};
use actions::Action;
use state::{Attempt, Left, Module, State};

/// Old, new, foreign.
const CALLERS: [Caller; 3] = [
    Caller {
        epoch: Epoch(1),
        store: OURS,
    },
    Caller {
        epoch: NEWEST,
        store: OURS,
    },
    Caller {
        epoch: Epoch(9),
        store: StoreId::from_bits(2),
    },
];
const OURS: StoreId = StoreId::from_bits(1);
const NEWEST: Epoch = Epoch(2);

/// The index of the newest remediator of our store.
const NEW: usize = 1;

/// One host with its attempts.
#[derive(Clone, Debug)]
struct Host {
    rungs: Vec<Rung>,
    left: Left,
    /// The rule that is broken, to see that a property notices.
    broken: Option<Broken>,
}

/// Rules that a test breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// Everybody is listened to.
    FenceAdmitsAll,
    /// That the fence reads as asked for is taken for its being on disk.
    FenceNotSynced,
    /// Tombstones and resumes name no store.
    StoreNotNamed,
    /// A journal that is there is begun anew.
    KnownStartsAgain,
    /// That a journal without records is there is taken for its name being on disk.
    NameNotSynced,
    /// Two tombstones write at the same time.
    TombstonesTogether,
    /// A tombstone does not ask whether anything started.
    TombstoneAlways,
    /// An open section stands in nobody's way.
    SectionDoesNotBlock,
    /// A process that lives stands in nobody's way.
    LivingDoesNotBlock,
    /// A resume forgets the `-c` before it.
    ClearsForgotten,
    /// A resume forgets the starts before it.
    StartsForgotten,
    /// A resume does not wait.
    WaitForgotten,
    /// A command that outlives its deadline is not waited for.
    LateCommandForgotten,
    /// A record that could not be written is left out, and what follows it is written.
    UnwrittenForgotten,
    /// That a step starts is not written.
    RecordLeftOut,
    /// Nobody finishes a section.
    NoResume,
    /// Only a remediator finishes a section.
    NoResumeAtBoot,
}

impl Host {
    fn breaks(&self, rule: Broken) -> bool {
        self.broken == Some(rule)
    }

    /// Before anybody asked, or with the old remediator known.
    fn beginning(&self, known: bool) -> State {
        let asked = || fence::rule(None, CALLERS[0]).ok();
        let fence = known.then(asked).flatten();
        State {
            fence,
            fence_on_disk: fence,
            attempts: vec![Attempt::default(); self.rungs.len()],
            runner: None,
            tombstoners: Vec::new(),
            commands: Vec::new(),
            module: Module::Failed,
            hardserver: true,
            left: self.left,
            heard: 0,
            wrong: None,
        }
    }
}

impl Model for Host {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.beginning(false), self.beginning(true)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions::actions(self, state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        actions::apply(self, &mut next, action);
        for index in 0..self.rungs.len() {
            if next.attempts[index].ended() && calls::story(self, &next, index).is_some() {
                next.attempts[index].fold_end();
            }
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties(self)
    }
}

/// Checks the estates of a size.
#[must_use]
pub fn check(size: Size, threads: usize) -> Vec<Outcome> {
    let estates = match size {
        Size::Quick => quick(),
        Size::Full => full(),
    };
    let check = |(name, host)| check::check(size, name, host, threads);
    estates.into_iter().map(check).collect()
}

fn host(rungs: &[Rung], [kills, reboots, failures, hangs, humans]: [u8; 5]) -> Host {
    Host {
        rungs: rungs.to_vec(),
        left: Left {
            kills,
            reboots,
            failures,
            hangs,
            humans,
        },
        broken: None,
    }
}

fn quick() -> Vec<(&'static str, Host)> {
    vec![
        (
            "runner: a clear, killed and without power",
            host(&[Rung::Clear], [1, 1, 0, 0, 1]),
        ),
        (
            "runner: a clear, its disk failing, its commands late",
            host(&[Rung::Clear], [0, 0, 1, 1, 0]),
        ),
        (
            "runner: a clear, killed, its commands late",
            host(&[Rung::Clear], [1, 0, 0, 1, 0]),
        ),
        (
            "runner: a restart, killed",
            host(&[Rung::Restart], [1, 0, 0, 0, 1]),
        ),
        (
            "runner: a restart, its disk failing",
            host(&[Rung::Restart], [0, 0, 1, 0, 0]),
        ),
        (
            "runner: a clear beside a retry",
            host(&[Rung::Clear, Rung::Retry], [1, 0, 0, 0, 0]),
        ),
    ]
}

/// Those of every run, and larger ones.
fn full() -> Vec<(&'static str, Host)> {
    let more = [
        (
            "runner: a clear, killed, without power, its disk failing",
            host(&[Rung::Clear], [1, 1, 1, 0, 0]),
        ),
        (
            "runner: a restart, killed, without power, its disk failing",
            host(&[Rung::Restart], [1, 1, 1, 0, 0]),
        ),
        (
            "runner: a clear beside a restart",
            host(&[Rung::Clear, Rung::Restart], [1, 0, 0, 0, 0]),
        ),
        (
            "runner: three attempts",
            host(&[Rung::Clear, Rung::Restart, Rung::Retry], [0, 0, 0, 0, 0]),
        ),
    ];
    quick().into_iter().chain(more).collect()
}
