//! What the process at work does: `host::run` behind its look, `steps`, `clear::finish` and
//! `after_restart::ensure_up`.

use nshield::ModuleState;
use vcm_recovery::observation::HardserverLook;
use vcm_recovery::step::{CLEAR_WAIT_MIN, Hardserver, Platform, Step};
use vcm_recovery::tier::Rung;
use vcm_remediator::host::after_restart::{Proven, STARTS_MAX, proven};
use vcm_remediator::host::clear::{CLEARS_MAX, Next, Seen, decide};

use super::actions::Event;
use super::calls::admit;
use super::lines::{Exit, Line, Rec};
use super::state::{By, Command, Journal, Module, Pc, Program, Runner, State, Wrong, module};
use super::{Broken, CALLERS, Host, OURS};

/// Lets the process do something, or something happen to it.
pub(super) fn apply(host: &Host, state: &mut State, event: Event) {
    let Some(mut runner) = state.runner.take() else {
        return;
    };
    let goes_on = match event {
        Event::Judge(passes) => judge(host, state, &mut runner, passes),
        Event::Kill => kill(state, &runner),
        Event::KillUnsynced => kill_unsynced(state, &mut runner),
        Event::Fail => fail(host, state, &mut runner, false),
        Event::FailWritten => fail(host, state, &mut runner, true),
        Event::Denied => {
            state.left.failures -= 1;
            let finished = Rec::StepFinished(runner.current.0, Exit::NeverStarted);
            write(&mut runner, finished)
        }
        Event::Outlive => outlive(host, state, &mut runner),
        Event::Look(seen) => look(&mut runner, seen),
        Event::LookAtHardserver(look) => look_at_hardserver(&mut runner, look),
        Event::Go => go(host, state, &mut runner),
    };
    if goes_on {
        state.runner = Some(runner);
    }
}

/// What the process does next is this. Always goes on.
fn next(runner: &mut Runner, pc: Pc) -> bool {
    runner.pc = pc;
    true
}

fn write(runner: &mut Runner, rec: Rec) -> bool {
    next(runner, Pc::Write(rec))
}

/// Journals the next step, behind which it is started.
fn start(runner: &mut Runner, step: Step) -> bool {
    let index = runner.current.0 + 1;
    runner.current = (index, step);
    write(runner, Rec::StepStarted(index, step))
}

/// The deadline of a command is over, and it lives on: it is waited for all the same.
fn outlive(host: &Host, state: &mut State, runner: &mut Runner) -> bool {
    let Pc::Await(pid) = runner.pc else {
        return true;
    };
    state.left.hangs -= 1;
    if host.breaks(Broken::LateCommandForgotten) {
        return write(
            runner,
            Rec::StepFinished(runner.current.0, Exit::StillRunning),
        );
    }
    write(runner, Rec::StillRunning(pid))
}

fn go(host: &Host, state: &mut State, runner: &mut Runner) -> bool {
    match runner.pc {
        Pc::Create(first) => create(host, state, runner, first),
        Pc::Write(rec) => write_next(host, state, runner, rec),
        Pc::Spawn => spawn(host, state, runner),
        Pc::Await(_) => {
            let finished = Rec::StepFinished(runner.current.0, Exit::Ended);
            write(runner, finished)
        }
        Pc::Gone(rec) => gone(state, runner, rec),
        Pc::Judge | Pc::Look => true,
    }
}

/// Whether the guards can pass: a failed module, or anything for a restart.
pub(super) fn guards_may_pass(host: &Host, state: &State, runner: &Runner) -> bool {
    let failed = state.hardserver && state.module == Module::Failed;
    failed || host.rungs[runner.attempt] == Rung::Restart
}

/// The guards' answer, the plan, and the fence once more.
fn judge(host: &Host, state: &mut State, runner: &mut Runner, passes: bool) -> bool {
    let By::Caller(caller) = runner.by else {
        return false;
    };
    if !passes {
        return next(runner, Pc::Create(None));
    }
    let behind = CALLERS[caller].store != OURS || CALLERS[caller].epoch.0 < state.heard;
    if !admit(host, state, caller, true) {
        return false;
    }
    if behind {
        state.wrong(Wrong::BehindFence);
    }
    let hardserver = if state.hardserver {
        Hardserver::Running
    } else {
        Hardserver::Down
    };
    let rung = host.rungs[runner.attempt];
    let plan = rung.steps(Platform::Linux, Some(module()), hardserver, CLEAR_WAIT_MIN);
    next(runner, Pc::Create(plan.first().copied()))
}

/// Who creates the journal decides.
fn create(host: &Host, state: &mut State, runner: &mut Runner, first: Option<Step>) -> bool {
    let journal = &mut state.attempts[runner.attempt].journal;
    if journal.is_some() && !host.breaks(Broken::KnownStartsAgain) {
        return false;
    }
    *journal = Some(Journal::new(true));
    let rec = first.map_or(Rec::Refused, |first| Rec::Accepted(runner.pid, first));
    write(runner, rec)
}

fn kill(state: &mut State, runner: &Runner) -> bool {
    state.left.kills -= 1;
    if let Some(journal) = &mut state.attempts[runner.attempt].journal {
        // Nobody is left who would not count it.
        journal.uncounted = false;
    }
    false
}

fn kill_unsynced(state: &mut State, runner: &mut Runner) -> bool {
    let journal = &mut state.attempts[runner.attempt].journal;
    match (runner.pc, &mut *journal) {
        (Pc::Create(_), None) => *journal = Some(Journal::new(false)),
        (Pc::Write(rec), Some(journal)) => {
            let rec = runner.unwritten.first().copied().unwrap_or(rec);
            append(journal, rec);
            journal.synced = false;
        }
        _ => {}
    }
    kill(state, runner)
}

fn append(journal: &mut Journal, rec: Rec) {
    if journal.uncounted {
        journal.lines.pop();
    }
    journal.lines.push(Line { here: true, rec });
    (journal.uncounted, journal.synced) = (false, true);
}

/// Writes what could not be written before, one by one, and then this.
fn write_next(host: &Host, state: &mut State, runner: &mut Runner, rec: Rec) -> bool {
    let left_out = host.breaks(Broken::RecordLeftOut) && matches!(rec, Rec::StepStarted(..));
    if let Some(journal) = state.attempts[runner.attempt].journal.as_mut()
        && !left_out
    {
        append(journal, runner.unwritten.first().copied().unwrap_or(rec));
    }
    if runner.unwritten.is_empty() {
        return written(runner, rec);
    }
    runner.unwritten.remove(0);
    true
}

/// A record cannot be written. Before the first command that stops everything, behind it nothing.
fn fail(host: &Host, state: &mut State, runner: &mut Runner, on_disk: bool) -> bool {
    let Pc::Write(rec) = runner.pc else {
        return true;
    };
    state.left.failures -= 1;
    if let Some(journal) = &mut state.attempts[runner.attempt].journal {
        if on_disk {
            append(journal, runner.unwritten.first().copied().unwrap_or(rec));
            (journal.uncounted, journal.synced) = (true, false);
        } else if journal.uncounted {
            journal.lines.pop();
            journal.uncounted = false;
        }
    }
    if runner.begun {
        if !host.breaks(Broken::UnwrittenForgotten) {
            runner.unwritten.push(rec);
        }
        return written(runner, rec) || died(state, runner);
    }
    match rec {
        Rec::Accepted(..) | Rec::StepStarted(..) => write(runner, Rec::Refused),
        Rec::Refused
        | Rec::Process(_)
        | Rec::StillRunning(_)
        | Rec::StepFinished(..)
        | Rec::Ended
        | Rec::Resumed(_)
        | Rec::Tombstoned => died(state, runner),
    }
}

/// The process ends by itself; what it would not count stays in the file.
fn died(state: &mut State, runner: &Runner) -> bool {
    if let Some(journal) = &mut state.attempts[runner.attempt].journal {
        journal.uncounted = false;
    }
    false
}

/// What follows a record. `false` behind the last one.
fn written(runner: &mut Runner, rec: Rec) -> bool {
    match rec {
        Rec::Accepted(_, first) => {
            runner.program = match first {
                Step::EnterMaintenance(_) => Program::Clear {
                    clears: 0,
                    waited: false,
                    enough: true,
                },
                Step::RestartHardserver | Step::StartHardserver => Program::Restart {
                    starts: 0,
                    looks: Vec::new(),
                },
                Step::RetryModule(_)
                | Step::ClearModule(_)
                | Step::Wait(_)
                | Step::StopService
                | Step::StartService => Program::Retry,
            };
            runner.current = (0, first);
            write(runner, Rec::StepStarted(0, first))
        }
        Rec::StepStarted(index, Step::Wait(_)) => {
            write(runner, Rec::StepFinished(index, Exit::Waited))
        }
        Rec::StepStarted(..) => {
            runner.begun = true;
            next(runner, Pc::Spawn)
        }
        Rec::Process(pid) | Rec::StillRunning(pid) => next(runner, Pc::Await(pid)),
        Rec::StepFinished(index, exit) => finished(runner, index, exit),
        Rec::Resumed(_) => round(runner),
        Rec::Refused | Rec::Ended | Rec::Tombstoned => false,
    }
}

/// What follows a step.
fn finished(runner: &mut Runner, index: u8, exit: Exit) -> bool {
    let never = exit == Exit::NeverStarted && index == 0;
    match (&mut runner.program, runner.current.1) {
        _ if never => next(runner, Pc::Gone(Rec::Refused)),
        (Program::Retry, _) => next(runner, Pc::Gone(Rec::Ended)),
        (Program::Clear { .. }, Step::Wait(_)) => next(runner, Pc::Look),
        (
            Program::Clear {
                clears,
                waited,
                enough,
            },
            step,
        ) => {
            *clears += u8::from(matches!(step, Step::ClearModule(_)));
            (*waited, *enough) = (false, true);
            round(runner)
        }
        (Program::Restart { starts, looks }, _) => {
            *starts += u8::from(index > 0);
            looks.clear();
            round(runner)
        }
    }
}

/// The head of the loop in `clear::finish`, and a look otherwise.
fn round(runner: &mut Runner) -> bool {
    match runner.program {
        Program::Clear { clears, waited, .. } if clears == 0 || waited => {
            start(runner, Step::Wait(30_000))
        }
        Program::Clear { .. } | Program::Restart { .. } | Program::Retry => next(runner, Pc::Look),
    }
}

/// What a look at the module shows, if it shows anything.
pub(super) fn seen(state: &State) -> Seen {
    match state.module {
        _ if !state.hardserver => Seen::Unknown,
        Module::Operational => Seen::Operational,
        Module::Failed => Seen::Other(ModuleState::Failed),
        Module::Maintenance => Seen::Maintenance,
    }
}

fn look(runner: &mut Runner, seen: Seen) -> bool {
    let Program::Clear { clears, waited, .. } = &mut runner.program else {
        return true;
    };
    match decide(seen, usize::from(*clears), *waited) {
        Next::Stop(_) => next(runner, Pc::Gone(Rec::Ended)),
        Next::Clear => start(runner, Step::ClearModule(module())),
        Next::Wait => {
            *waited = true;
            round(runner)
        }
    }
}

/// What a look at the hardserver shows, if it shows anything.
pub(super) fn hardserver(state: &State) -> HardserverLook {
    if state.hardserver {
        HardserverLook::Up
    } else {
        HardserverLook::SuspectedDown
    }
}

fn look_at_hardserver(runner: &mut Runner, look: HardserverLook) -> bool {
    let Program::Restart { starts, looks } = &mut runner.program else {
        return true;
    };
    looks.push(look);
    match proven(looks) {
        None => true,
        Some(Proven::Down) if usize::from(*starts) < STARTS_MAX => {
            start(runner, Step::StartHardserver)
        }
        Some(_) => next(runner, Pc::Gone(Rec::Ended)),
    }
}

/// Whether it matters to what follows that such a command is late: a late retry or restart only
/// delays the end.
pub(super) fn late_matters(step: Step) -> bool {
    matches!(step, Step::EnterMaintenance(_) | Step::ClearModule(_))
}

/// Whether a command of this process lives.
pub(super) fn commands_live(state: &State, runner: &Runner) -> bool {
    state
        .commands
        .iter()
        .any(|command| command.session == runner.pid)
}

/// None of its commands lives any more.
fn gone(state: &mut State, runner: &mut Runner, rec: Rec) -> bool {
    if let Program::Clear { clears, .. } = runner.program {
        let gave_up = usize::from(clears) >= CLEARS_MAX;
        if state.module == Module::Maintenance && !gave_up {
            state.wrong(Wrong::LeftInMaintenance);
        }
    }
    write(runner, rec)
}

/// The command starts. From here on it may have its effect.
fn spawn(host: &Host, state: &mut State, runner: &mut Runner) -> bool {
    let (index, step) = runner.current;
    let record = Rec::StepStarted(index, step);
    let journal = state.attempts[runner.attempt].journal.as_ref();
    let recorded = journal.is_some_and(|journal| {
        let on_disk = journal.lines.iter().any(|line| line.rec == record);
        on_disk && journal.synced && journal.named
    });
    if !recorded && !runner.unwritten.contains(&record) {
        state.wrong(Wrong::NoRecord);
    }
    count(host, state, runner, step);
    let pid = state.fresh_pid(runner.pid);
    state.commands.push(Command {
        attempt: runner.attempt,
        step,
        pid,
        session: runner.pid,
        recorded,
    });
    state.commands.sort_by_key(|command| command.pid);
    write(runner, Rec::Process(pid))
}

/// Whether this command may start now, of all that was started before.
fn count(host: &Host, state: &mut State, runner: &Runner, step: Step) {
    let failed = host.left.failures - state.left.failures;
    let enters = |command: &Command| {
        command.attempt == runner.attempt && matches!(command.step, Step::EnterMaintenance(_))
    };
    let enter_lives = state.commands.iter().any(enters);
    let attempt = &mut state.attempts[runner.attempt];
    match step {
        Step::ClearModule(_) => {
            attempt.clears += 1;
            let most = CLEARS_MAX + usize::from(failed);
            if usize::from(attempt.clears) > most {
                state.wrong(Wrong::TooManyClears);
            }
            if enter_lives || matches!(runner.program, Program::Clear { enough: false, .. }) {
                state.wrong(Wrong::TooEarly);
            }
        }
        Step::StartHardserver if attempt.started => {
            attempt.starts += 1;
            let most = STARTS_MAX + usize::from(failed);
            if usize::from(attempt.starts) > most {
                state.wrong(Wrong::TooManyStarts);
            }
        }
        Step::RetryModule(_)
        | Step::EnterMaintenance(_)
        | Step::RestartHardserver
        | Step::StartHardserver
        | Step::StopService
        | Step::StartService
        | Step::Wait(_) => {
            if attempt.started {
                state.wrong(Wrong::StartedTwice);
            }
            first(host, state, runner);
        }
    }
}

/// The first command of an attempt.
fn first(host: &Host, state: &mut State, runner: &Runner) {
    state.attempts[runner.attempt].started = true;
    if state.attempts[runner.attempt].told_never {
        state.wrong(Wrong::StartedThoughTold);
    }
    let others = (0..host.rungs.len()).filter(|&other| other != runner.attempt);
    for other in others {
        let attempt = &state.attempts[other];
        let ended = attempt.journal.as_ref().is_some_and(Journal::ended);
        let section = host.rungs[other] != Rung::Retry && attempt.started && !ended;
        let mut commands = state
            .commands
            .iter()
            .filter(|command| command.attempt == other);
        if commands.any(|command| command.recorded) {
            state.wrong(Wrong::LivesElsewhere);
        } else if section {
            state.wrong(Wrong::OpenElsewhere);
        }
    }
}
