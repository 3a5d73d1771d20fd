//! Commands, power, humans.

use vcm_recovery::step::Step;

use super::actions::Effect;
use super::state::{Command, Journal, Module, Program, State};

/// A command does what it is for, and ends.
pub(super) fn acts(state: &mut State, index: usize, effect: Effect) {
    let command = ends(state, index);
    let works = effect == Effect::Works;
    match command.step {
        Step::RetryModule(_) if state.module == Module::Failed => {
            state.module = Module::Operational
        }
        Step::EnterMaintenance(_) => state.module = Module::Maintenance,
        Step::ClearModule(_) if works => state.module = Module::Operational,
        Step::ClearModule(_) => state.module = Module::Failed,
        Step::RestartHardserver | Step::StartHardserver => state.hardserver = works,
        Step::RetryModule(_) | Step::Wait(_) | Step::StopService | Step::StartService => {}
    }
}

/// A command ends. A wait that began while `-M` lived is not enough.
pub(super) fn ends(state: &mut State, index: usize) -> Command {
    let command = state.commands.remove(index);
    let enters = matches!(command.step, Step::EnterMaintenance(_));
    if let Some(runner) = &mut state.runner
        && runner.attempt == command.attempt
        && runner.current.1 != command.step
        && let Program::Clear { enough, .. } = &mut runner.program
        && enters
    {
        *enough = false;
    }
    command
}

/// The host loses power and boots. The module is elsewhere and keeps its state.
///
/// What was not synced is lost or kept all together: two such things at once take two crashes
/// within the two syncs.
pub(super) fn reboot(state: &mut State, lose: bool, hardserver: bool) {
    state.left.reboots -= 1;
    state.runner = None;
    state.tombstoners.clear();
    state.commands.clear();
    state.hardserver = hardserver;
    if lose {
        state.fence = state.fence_on_disk;
    } else {
        state.fence_on_disk = state.fence;
    }
    for attempt in &mut state.attempts {
        if lose
            && attempt
                .journal
                .as_ref()
                .is_some_and(|journal| !journal.named)
        {
            attempt.journal = None;
        }
        if let Some(journal) = &mut attempt.journal {
            power_cut(journal, lose);
        }
    }
}

fn power_cut(journal: &mut Journal, lose: bool) {
    if lose && !journal.synced {
        journal.lines.pop();
    }
    (journal.synced, journal.named, journal.uncounted) = (true, true, false);
    journal.lines.iter_mut().for_each(|line| line.here = false);
}

/// A human clears the module.
pub(super) fn human_clears(state: &mut State) {
    if state.module != Module::Operational {
        state.left.humans -= 1;
        state.module = Module::Operational;
    }
}

/// A human starts the hardserver.
pub(super) fn human_starts(state: &mut State) {
    if !state.hardserver {
        state.left.humans -= 1;
        state.hardserver = true;
    }
}
