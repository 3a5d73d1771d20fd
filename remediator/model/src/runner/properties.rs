//! What must hold in every state, and what must be possible. S and L are the names of the design.

use stateright::Property;
use vcm_recovery::tier::Rung;
use vcm_remediator::host::clear::CLEARS_MAX;
use vcm_remediator::host::fence::{FenceError, rule};

use super::lines::{Line, Rec};
use super::settle::{quiet, settles};
use super::state::{Attempt, By, Module, Pc, Program, Runner, State, Wrong};
use super::{CALLERS, Host, NEW, calls};

type Is = fn(&Host, &State) -> bool;

/// Every property. What no estate of a size can reach is not asked there.
pub(super) fn properties(host: &Host) -> Vec<Property<Host>> {
    let always = ALWAYS.iter().map(|&(name, is)| Property::always(name, is));
    let possible = SOMETIMES.iter().filter(|(_, when, _)| when(host));
    let sometimes = possible.map(|&(name, _, is)| Property::sometimes(name, is));
    always.chain(sometimes).collect()
}

const ALWAYS: &[(&str, Is)] = &[
    (
        "S2 the first command of an attempt starts at most once",
        |_, state| state.wrong != Some(Wrong::StartedTwice),
    ),
    (
        "S2 -c at most three times, and once more for each record that could not be written",
        |_, state| state.wrong != Some(Wrong::TooManyClears),
    ),
    (
        "S2 three additional starts at most, and one more for each record that could not be written",
        |_, state| state.wrong != Some(Wrong::TooManyStarts),
    ),
    (
        "S3 no order behind the fence is admitted, also after a power cut",
        |_, state| state.wrong != Some(Wrong::BehindFence),
    ),
    (
        "S3 what a caller was told will never start never starts",
        |_, state| state.wrong != Some(Wrong::StartedThoughTold),
    ),
    ("S8 nothing starts while a section is open", |_, state| {
        state.wrong != Some(Wrong::OpenElsewhere)
    }),
    (
        "S8 nothing starts while a recorded command of another attempt lives",
        |_, state| state.wrong != Some(Wrong::LivesElsewhere),
    ),
    ("S8 no -c before the vendor's 30 s are over", |_, state| {
        state.wrong != Some(Wrong::TooEarly)
    }),
    (
        "S8 no clear ends with its module in maintenance before three -c",
        |_, state| state.wrong != Some(Wrong::LeftInMaintenance),
    ),
    (
        "S11 no command starts without its record on disk, unless the disk fails inside a section",
        |_, state| state.wrong != Some(Wrong::NoRecord),
    ),
    ("L2 the newest remediator is listened to", |_, state| {
        let Some(new) = CALLERS.get(NEW) else {
            return false;
        };
        rule(state.fence, *new).is_ok()
    }),
    (
        "L2 every journal can be read: no record follows an end, or a step that is not there",
        |host, state| {
            let mut attempts = (0..).zip(&state.attempts);
            attempts.all(|(index, attempt)| {
                attempt.journal.is_none() || calls::story(host, state, index).is_some()
            })
        },
    ),
    (
        "L2 when nothing runs, one resume of the newest remediator ends every section",
        |host, state| !quiet(state) || settles(host, state, By::Caller(NEW)),
    ),
    (
        "L4 when nothing runs, the host's own resume ends every section",
        |host, state| !quiet(state) || settles(host, state, By::Boot),
    ),
];

type When = fn(&Host) -> bool;

const SOMETIMES: &[(&str, When, Is)] = &[
    (
        "a clear completed after a crash between -M and -c",
        crashing_clear,
        |host, state| {
            ending(host, state, Rung::Clear, |runner, attempt| {
                let resumed = resumed_before_clear(attempt);
                resumed && clears(runner) > 0 && state.module == Module::Operational
            })
        },
    ),
    (
        "a clear finished by the host itself, in another boot",
        booting_clear,
        |host, state| {
            ending(host, state, Rung::Clear, |runner, attempt| {
                let before = |attempt: &Attempt| attempt.lines().iter().any(|line| !line.here);
                runner.by == By::Boot && before(attempt) && clears(runner) > 0
            })
        },
    ),
    (
        "a tombstone wins against a late run",
        |_| true,
        |_, state| {
            state.runner.as_ref().is_some_and(|runner| {
                let records = state.attempts[runner.attempt].lines();
                let tombstoned = records
                    .last()
                    .is_some_and(|line| line.rec == Rec::Tombstoned);
                matches!(runner.pc, Pc::Create(_)) && tombstoned
            })
        },
    ),
    (
        "a run wins against a tombstone, which says so",
        |_| true,
        |host, state| {
            state.runner.as_ref().is_some_and(|runner| {
                let status = calls::result_status(host, &mut state.clone(), runner.attempt);
                let running = status == Some(vcm_remediator::host::document::Status::Running);
                matches!(runner.pc, Pc::Spawn | Pc::Await(_)) && running
            })
        },
    ),
    (
        "an old epoch is refused",
        |_| true,
        |_, state| {
            refused(state, 0, |error| {
                matches!(error, FenceError::LowerEpoch { .. })
            })
        },
    ),
    (
        "a foreign store is refused",
        |_| true,
        |_, state| {
            refused(state, 2, |error| {
                matches!(error, FenceError::ForeignStore { .. })
            })
        },
    ),
    (
        "an order that was admitted before a newer epoch was heard of goes on",
        |_| true,
        |_, state| {
            state.runner.as_ref().is_some_and(|runner| {
                let old = runner.by == By::Caller(0) && state.heard > CALLERS[0].epoch.0;
                old && matches!(runner.pc, Pc::Spawn) && runner.current.0 == 0
            })
        },
    ),
    (
        "a human clears the module first, and there is no -c",
        humane_clear,
        |host, state| {
            ending(host, state, Rung::Clear, |runner, _| {
                clears(runner) == 0 && state.module == Module::Operational
            })
        },
    ),
    (
        "three times -c, then a person must look",
        |host| host.rungs.contains(&Rung::Clear),
        |host, state| {
            ending(host, state, Rung::Clear, |runner, _| {
                clears(runner) == CLEARS_MAX && state.module == Module::Maintenance
            })
        },
    ),
    (
        "a late -M is waited for and cleared behind it",
        hanging_clear,
        |host, state| {
            ending(host, state, Rung::Clear, |runner, attempt| {
                let works = state.module == Module::Operational;
                late_enter(attempt) && clears(runner) == 1 && works
            })
        },
    ),
    (
        "a restart left the hardserver down, and a start brought it up",
        restarting,
        |host, state| {
            ending(host, state, Rung::Restart, |runner, _| {
                matches!(runner.program, Program::Restart { starts, .. } if starts > 0)
                    && state.hardserver
            })
        },
    ),
    (
        "a command outlives its parent and keeps others away",
        crowded,
        |host, state| {
            let others = state.commands.iter().any(|command| {
                let mut attempts = 0..host.rungs.len();
                attempts.any(|index| {
                    index != command.attempt && !calls::nothing_open(host, state, index)
                })
            });
            state.runner.is_none() && others
        },
    ),
    (
        "an attempt starts when another one is over",
        crowded,
        |host, state| {
            let ended = |attempt: &&Attempt| attempt.started && attempt.ended();
            let over = state.attempts.iter().filter(ended).count();
            let begun = state.runner.as_ref().is_some_and(|runner| runner.begun);
            over > 0 && begun && host.rungs.len() > 1
        },
    ),
    (
        "a section ends although its records could not be written",
        failing,
        |host, state| {
            let unwritten = |runner: &Runner| !runner.unwritten.is_empty();
            let ending = |runner: &Runner| runner.pc == Pc::Write(Rec::Ended);
            let late = state
                .runner
                .as_ref()
                .is_some_and(|runner| unwritten(runner) && ending(runner));
            late && host.left.failures > state.left.failures
        },
    ),
    (
        "a full disk stops an attempt before its first command",
        failing,
        |host, state| {
            let refused = |attempt: &Attempt| !attempt.started && attempt.ended();
            host.left.failures > state.left.failures && state.attempts.iter().any(refused)
        },
    ),
];

fn crashing_clear(host: &Host) -> bool {
    host.rungs.contains(&Rung::Clear) && host.left.kills > 0
}

fn booting_clear(host: &Host) -> bool {
    host.rungs.contains(&Rung::Clear) && host.left.reboots > 0
}

fn humane_clear(host: &Host) -> bool {
    host.rungs.contains(&Rung::Clear) && host.left.humans > 0
}

fn hanging_clear(host: &Host) -> bool {
    host.rungs.contains(&Rung::Clear) && host.left.hangs > 0
}

fn restarting(host: &Host) -> bool {
    host.rungs.contains(&Rung::Restart)
}

fn crowded(host: &Host) -> bool {
    host.rungs.len() > 1 && host.left.kills > 0
}

fn failing(host: &Host) -> bool {
    host.left.failures > 0
}

/// Whether an attempt of this rung is about to write that it ended, and is so.
fn ending(host: &Host, state: &State, rung: Rung, so: impl Fn(&Runner, &Attempt) -> bool) -> bool {
    state.runner.as_ref().is_some_and(|runner| {
        let ends = runner.pc == Pc::Write(Rec::Ended) && host.rungs[runner.attempt] == rung;
        ends && so(runner, &state.attempts[runner.attempt])
    })
}

/// How many `-c` this process knows of.
fn clears(runner: &Runner) -> usize {
    match runner.program {
        Program::Clear { clears, .. } => clears.into(),
        Program::Retry | Program::Restart { .. } => 0,
    }
}

fn resumed_before_clear(attempt: &Attempt) -> bool {
    let lines = attempt.lines();
    let resumed = lines
        .iter()
        .position(|line| matches!(line.rec, Rec::Resumed(_)));
    let clear = lines.iter().position(is_clear);
    matches!((resumed, clear), (Some(resumed), Some(clear)) if resumed < clear)
}

fn is_clear(line: &Line) -> bool {
    matches!(
        line.rec,
        Rec::StepStarted(_, vcm_recovery::step::Step::ClearModule(_))
    )
}

/// Whether what outlived its deadline is `-M`.
fn late_enter(attempt: &Attempt) -> bool {
    let mut before = attempt.lines().iter().take_while(|line| !is_clear(line));
    before.any(|line| matches!(line.rec, Rec::StillRunning(_)))
}

fn refused(state: &State, caller: usize, why: impl Fn(&FenceError) -> bool) -> bool {
    let asks = CALLERS[caller];
    state.fence.is_some() && rule(state.fence, asks).is_err_and(|error| why(&error))
}
