//! Everything that can happen next.

use vcm_recovery::observation::HardserverLook;
use vcm_recovery::step::Step;
use vcm_remediator::host::clear::Seen;

use super::state::{Module, Pc, Program, State};
use super::{CALLERS, Host, calls, steps, world};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// `run`, up to its look.
    Run { caller: usize, attempt: usize },
    /// `resume`, up to its first record, this long behind the last command.
    Resume {
        caller: usize,
        attempt: usize,
        after: After,
    },
    /// The host's own resume at boot.
    BootResume { attempt: usize, after: After },
    /// `result`.
    Result { attempt: usize },
    /// `tombstone`, up to its record.
    Tombstone { caller: usize, attempt: usize },
    /// A `tombstone` is killed when the journal is there and its name is not synced.
    TombstoneKilledAtName { caller: usize, attempt: usize },
    /// A call is killed when the fence is renamed and not synced.
    KilledAtFence { caller: usize },
    /// The process at work does something, or something happens to it.
    Process(Event),
    /// A process of `tombstone` writes its record.
    Tombstoned(usize),
    /// It is killed before that.
    TombstonerKilled(usize),
    /// It is killed when its record is written and not synced.
    TombstonerKilledUnsynced(usize),
    /// A command does what it is for, and ends.
    Acts(usize, Effect),
    /// A command ends without.
    Dies(usize),
    /// The host loses power: whether what was not synced is lost, and how the hardserver comes up.
    Reboot { lose: bool, hardserver: bool },
    /// A human clears the module.
    HumanClears,
    /// A human starts the hardserver.
    HumanStarts,
    /// The module fails.
    ModuleFails,
}

/// What the process at work does, or what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A process of `run` asks the guards: whether they pass.
    Judge(bool),
    /// The process at work does what it does next.
    Go,
    /// It is killed.
    Kill,
    /// It is killed when its record is written and not synced, or its journal created and not.
    KillUnsynced,
    /// Its record cannot be written.
    Fail,
    /// Its record is written and cannot be synced.
    FailWritten,
    /// Its command cannot be started.
    Denied,
    /// Its command outlives its deadline.
    Outlive,
    /// It looks at the module.
    Look(Seen),
    /// It looks at the hardserver.
    LookAtHardserver(HardserverLook),
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// What it is for.
    Works,
    /// Nothing; the module is failed after `-c`, the hardserver down after a restart.
    Fails,
}

/// Time from the last command to a resume in the same boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// None.
    AtOnce,
    /// 12 s, less than any wait.
    Part,
    /// 99 s, more than any wait.
    All,
}

impl After {
    /// In milliseconds.
    pub(super) fn millis(self) -> u64 {
        match self {
            Self::AtOnce => 0,
            Self::Part => 12_000,
            Self::All => 99_000,
        }
    }
}

/// Everything that can happen in a state. What then changes nothing is no transition.
pub(super) fn actions(host: &Host, state: &State, actions: &mut Vec<Action>) {
    callers(host, state, actions);
    let mut events = Vec::new();
    process(host, state, &mut events);
    actions.extend(events.into_iter().map(Action::Process));
    tombstoners(state, actions);
    for (index, command) in state.commands.iter().enumerate() {
        actions.extend([Action::Acts(index, Effect::Works), Action::Dies(index)]);
        if matches!(command.step, Step::ClearModule(_) | Step::RestartHardserver) {
            actions.push(Action::Acts(index, Effect::Fails));
        }
    }
    environment(state, actions);
}

fn callers(host: &Host, state: &State, actions: &mut Vec<Action>) {
    let pinned = state.fence.is_some_and(|fence| fence.store.is_some());
    for attempt in 0..host.rungs.len() {
        actions.push(Action::Result { attempt });
        let afters = calls::afters(host, state, attempt);
        if !host.breaks(super::Broken::NoResumeAtBoot) {
            actions.extend(
                afters
                    .iter()
                    .map(|&after| Action::BootResume { attempt, after }),
            );
        }
        // Which store is listened to first is a person's choice: a foreign one comes later.
        for caller in (0..CALLERS.len()).filter(|&caller| caller < 2 || pinned) {
            actions.push(Action::Run { caller, attempt });
            actions.push(Action::Tombstone { caller, attempt });
            let resume = |&after| Action::Resume {
                caller,
                attempt,
                after,
            };
            actions.extend(afters.iter().map(resume));
            if state.left.kills > 0 {
                actions.push(Action::TombstoneKilledAtName { caller, attempt });
            }
        }
    }
    if state.left.kills > 0 {
        actions.extend((0..CALLERS.len() - 1).map(|caller| Action::KilledAtFence { caller }));
    }
}

fn process(host: &Host, state: &State, events: &mut Vec<Event>) {
    let Some(runner) = &state.runner else {
        return;
    };
    let kills = state.left.kills > 0;
    match runner.pc {
        Pc::Judge => {
            events.push(Event::Judge(false));
            if steps::guards_may_pass(host, state, runner) {
                events.push(Event::Judge(true));
            }
            return;
        }
        Pc::Create(_) | Pc::Write(_) => {
            events.push(Event::Go);
            if kills {
                events.push(Event::KillUnsynced);
            }
            if state.left.failures > 0 && matches!(runner.pc, Pc::Write(_)) {
                events.extend([Event::Fail, Event::FailWritten]);
            }
        }
        Pc::Spawn => {
            events.push(Event::Go);
            if state.left.failures > 0 {
                events.push(Event::Denied);
            }
        }
        Pc::Await(pid) => {
            if !state.alive(pid) {
                events.push(Event::Go);
            } else if state.left.hangs > 0 && steps::late_matters(runner.current.1) {
                events.push(Event::Outlive);
            }
        }
        Pc::Look => looks(state, &runner.program, events),
        Pc::Gone(_) => {
            if !steps::commands_live(state, runner) {
                events.push(Event::Go);
            }
        }
    }
    if kills {
        events.push(Event::Kill);
    }
}

/// A look shows what is, or nothing.
fn looks(state: &State, program: &Program, events: &mut Vec<Event>) {
    match program {
        Program::Retry => {}
        Program::Clear { .. } => {
            events.push(Event::Look(steps::seen(state)));
            events.push(Event::Look(Seen::Unknown));
        }
        Program::Restart { .. } => {
            events.push(Event::LookAtHardserver(steps::hardserver(state)));
            events.push(Event::LookAtHardserver(HardserverLook::Unresponsive));
        }
    }
}

fn tombstoners(state: &State, actions: &mut Vec<Action>) {
    for index in 0..state.tombstoners.len() {
        actions.push(Action::Tombstoned(index));
        if state.left.kills > 0 {
            actions.push(Action::TombstonerKilled(index));
            actions.push(Action::TombstonerKilledUnsynced(index));
        }
    }
}

fn environment(state: &State, actions: &mut Vec<Action>) {
    if state.left.reboots > 0 {
        for (lose, hardserver) in [(false, true), (false, false), (true, true), (true, false)] {
            actions.push(Action::Reboot { lose, hardserver });
        }
    }
    if state.left.humans > 0 {
        actions.extend([Action::HumanClears, Action::HumanStarts]);
    }
    if state.module == Module::Operational {
        actions.push(Action::ModuleFails);
    }
}

/// Lets it happen.
pub(super) fn apply(host: &Host, state: &mut State, action: Action) {
    match action {
        Action::Run { caller, attempt } => calls::run(host, state, caller, attempt),
        Action::Resume {
            caller,
            attempt,
            after,
        } => calls::resume(host, state, caller, attempt, after),
        Action::BootResume { attempt, after } => calls::boot_resume(host, state, attempt, after),
        Action::Result { attempt } => calls::result(host, state, attempt),
        Action::Tombstone { caller, attempt } => calls::tombstone(host, state, caller, attempt),
        Action::TombstoneKilledAtName { caller, attempt } => {
            calls::tombstone_killed_at_name(host, state, caller, attempt);
        }
        Action::KilledAtFence { caller } => calls::killed_at_fence(host, state, caller),
        Action::Tombstoned(index) => calls::tombstoned(state, index, true),
        Action::TombstonerKilledUnsynced(index) => {
            state.left.kills -= 1;
            calls::tombstoned(state, index, false);
        }
        Action::TombstonerKilled(index) => {
            state.left.kills -= 1;
            state.tombstoners.remove(index);
        }
        Action::Process(event) => steps::apply(host, state, event),
        Action::Acts(index, effect) => world::acts(state, index, effect),
        Action::Dies(index) => drop(world::ends(state, index)),
        Action::Reboot { lose, hardserver } => world::reboot(state, lose, hardserver),
        Action::HumanClears => world::human_clears(state),
        Action::HumanStarts => world::human_starts(state),
        Action::ModuleFails => state.module = Module::Failed,
    }
}
