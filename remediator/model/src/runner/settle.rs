//! What happens when nothing more goes wrong.

use vcm_recovery::observation::HardserverLook;
use vcm_remediator::host::document::Status;

use super::actions::{Action, After, Effect, Event};
use super::calls::{boot_resume, result_status, resume, story};
use super::state::{By, Left, Pc, Program, State};
use super::{Broken, Host, NEW, steps};

/// More than any section takes.
const STEPS_MAX: usize = 200;

/// Whether nothing runs, so that only a call changes anything.
pub(super) fn quiet(state: &State) -> bool {
    state.runner.is_none() && state.tombstoners.is_empty() && state.commands.is_empty()
}

/// Whether every attempt that is known reads as something that a remediator can go on from: an
/// outcome, an interruption without a section, or a section that one `resume` brings to its end.
pub(super) fn settles(host: &Host, state: &State, by: By) -> bool {
    let mut state = state.clone();
    state.left = Left {
        kills: 0,
        reboots: 0,
        failures: 0,
        hangs: 0,
        humans: 0,
    };
    let known = |state: &State, attempt: usize| state.attempts[attempt].journal.is_some();
    (0..host.rungs.len()).all(|attempt| {
        !known(&state, attempt)
            || match result_status(host, &mut state, attempt) {
                Some(Status::Interrupted {
                    section_open: true, ..
                }) => finishes(host, &mut state, attempt, by),
                Some(Status::Running | Status::StillRunning { .. } | Status::NotFound) => false,
                Some(_) => true,
                None => false,
            }
    })
}

/// Whether one resume brings a section to its end.
fn finishes(host: &Host, state: &mut State, attempt: usize, by: By) -> bool {
    match by {
        By::Caller(_) => resume(host, state, NEW, attempt, After::AtOnce),
        By::Boot if host.breaks(Broken::NoResumeAtBoot) => {}
        By::Boot => boot_resume(host, state, attempt, After::AtOnce),
    }
    for _ in 0..STEPS_MAX {
        let Some(action) = next(state) else {
            break;
        };
        super::actions::apply(host, state, action);
    }
    state.runner.is_none() && story(host, state, attempt).is_some_and(|story| story.end.is_some())
}

/// The one thing that happens next: commands work, and looks show what is.
fn next(state: &State) -> Option<Action> {
    if !state.commands.is_empty() {
        return Some(Action::Acts(0, Effect::Works));
    }
    let runner = state.runner.as_ref()?;
    let event = match (runner.pc, &runner.program) {
        (Pc::Look, Program::Restart { .. }) if state.hardserver => {
            Event::LookAtHardserver(HardserverLook::Up)
        }
        (Pc::Look, Program::Restart { .. }) => {
            Event::LookAtHardserver(HardserverLook::SuspectedDown)
        }
        (Pc::Look, _) => Event::Look(steps::seen(state)),
        _ => Event::Go,
    };
    Some(Action::Process(event))
}
