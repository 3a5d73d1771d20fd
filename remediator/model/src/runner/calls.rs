//! What remediators and the host itself ask for, until a process is at work.

use std::time::Duration;

use vcm_recovery::step::Step;
use vcm_remediator::host::after_restart;
use vcm_remediator::host::clear;
use vcm_remediator::host::document::Status;
use vcm_remediator::host::fence::{self, Caller};
use vcm_remediator::host::journal::story::{Blocking, Section, StepStory, Story};
use vcm_remediator::host::liveness::Alive;
use vcm_remediator::host::result::status;

use super::actions::After;
use super::lines::{self, HERE, Line, Rec, moment};
use super::state::{By, Journal, Pc, Program, Runner, State, Tombstoner, module};
use super::{Broken, CALLERS, Host, OURS};

/// As configured: the vendor's own.
const WAIT: Duration = Duration::from_secs(30);

/// `fence::admit`: whether this remediator is listened to.
pub(super) fn admit(host: &Host, state: &mut State, caller: usize, named: bool) -> bool {
    let asks = CALLERS[caller];
    let pinned = state.fence.and_then(|fence| fence.store);
    let store = pinned.filter(|_| !named).unwrap_or(asks.store);
    let after = match fence::rule(state.fence, Caller { store, ..asks }) {
        _ if host.breaks(Broken::FenceAdmitsAll) => return true,
        Ok(after) => Some(after),
        Err(_) => return false,
    };
    if state.fence != after || !host.breaks(Broken::FenceNotSynced) {
        state.fence_on_disk = after;
    }
    state.fence = after;
    if asks.store == OURS {
        state.heard = state.heard.max(asks.epoch.0);
    }
    true
}

/// A call is killed between the rename of the fence and the sync of its directory.
pub(super) fn killed_at_fence(host: &Host, state: &mut State, caller: usize) {
    let named = !host.breaks(Broken::StoreNotNamed);
    let before = (state.fence_on_disk, state.heard);
    if admit(host, state, caller, named) && state.fence != before.0 {
        (state.fence_on_disk, state.heard) = before;
        state.left.kills -= 1;
    }
}

/// The story of an attempt; `None` if it has no journal or nobody can read it.
pub(super) fn story(host: &Host, state: &State, attempt: usize) -> Option<Story> {
    let journal = state.attempts[attempt].journal.as_ref()?;
    let read = lines::read(&journal.lines, attempt, host.rungs[attempt]);
    (*read).clone().ok().filter(|_| !journal.broken)
}

/// `liveness::lives`.
pub(super) fn lives(host: &Host, state: &State, story: &Story) -> bool {
    !host.breaks(Broken::LivingDoesNotBlock)
        && story.lives(
            HERE,
            |process| state.alive(pid(process.pid)),
            |leader| state.session_alive(pid(leader.pid)),
        )
}

fn pid(pid: i32) -> u8 {
    u8::try_from(pid).unwrap_or(u8::MAX)
}

/// `run` up to its look: lock, fence, known, nothing else open. What the lock protects cannot
/// change before the look; the fence is asked again behind it, and the journal is created by one.
pub(super) fn run(host: &Host, state: &mut State, caller: usize, attempt: usize) {
    if state.locked() || !admit(host, state, caller, true) {
        return;
    }
    let known = state.attempts[attempt].journal.is_some();
    if (known && !host.breaks(Broken::KnownStartsAgain)) || !nothing_open(host, state, attempt) {
        return;
    }
    state.runner = Some(Runner {
        attempt,
        pid: state.fresh_pid(0),
        by: By::Caller(caller),
        begun: false,
        current: (0, Step::RetryModule(module())),
        unwritten: Vec::new(),
        pc: Pc::Judge,
        program: Program::Retry,
    });
}

/// `run::nothing_open`.
pub(super) fn nothing_open(host: &Host, state: &State, attempt: usize) -> bool {
    let others = (0..state.attempts.len()).filter(|&other| other != attempt);
    let known = others.filter(|&other| state.attempts[other].journal.is_some());
    known.map(|other| story(host, state, other)).all(|story| {
        let blocks = |story: Story| story.blocks(|| lives(host, state, &story));
        match story.map(blocks) {
            None => false,
            Some(None) => true,
            Some(Some(Blocking::Open(_))) => host.breaks(Broken::SectionDoesNotBlock),
            Some(Some(Blocking::Lives)) => false,
        }
    })
}

/// `resume` up to its first record.
pub(super) fn resume(host: &Host, state: &mut State, caller: usize, attempt: usize, after: After) {
    let named = !host.breaks(Broken::StoreNotNamed);
    if !state.locked() && admit(host, state, caller, named) {
        take_up(host, state, attempt, By::Caller(caller), after);
    }
}

/// `resume_open` up to the first record of one attempt.
pub(super) fn boot_resume(host: &Host, state: &mut State, attempt: usize, after: After) {
    if !state.locked() {
        take_up(host, state, attempt, By::Boot, after);
    }
}

fn take_up(host: &Host, state: &mut State, attempt: usize, by: By, after: After) {
    if host.breaks(Broken::NoResume) {
        return;
    }
    let Some(story) = story(host, state, attempt) else {
        return;
    };
    let Ok(section) = story.take_up(|| lives(host, state, &story)) else {
        return;
    };
    let pid = state.fresh_pid(0);
    let index = story.steps.last().map_or(0, |step| step.index);
    let program = match section {
        Section::Clear(_) => clear_so_far(host, &story, after),
        Section::Restart => Program::Restart {
            starts: if host.breaks(Broken::StartsForgotten) {
                0
            } else {
                u8::try_from(starts_so_far(&story, after)).unwrap_or(u8::MAX)
            },
            looks: Vec::new(),
        },
    };
    state.runner = Some(Runner {
        attempt,
        pid,
        by,
        begun: true,
        current: (u8::try_from(index).unwrap_or(u8::MAX), Step::Wait(0)),
        unwritten: Vec::new(),
        pc: Pc::Write(Rec::Resumed(pid)),
        program,
    });
}

fn starts_so_far(story: &Story, after: After) -> usize {
    after_restart::progress(story, WAIT, &moment(after.millis())).starts
}

/// `clear::progress`, and whether what it waits is enough.
fn clear_so_far(host: &Host, story: &Story, after: After) -> Program {
    let now = moment(after.millis());
    let progress = clear::progress(story, module(), WAIT, &now);
    let waits = if host.breaks(Broken::WaitForgotten) {
        0
    } else {
        progress.look_at - now.boottime_ms
    };
    let command = |step: &&StepStory| step.step.command().is_some();
    let finished = story
        .steps
        .iter()
        .rfind(command)
        .and_then(|step| step.finished.as_ref());
    let since = finished.filter(|finished| finished.at.boot_id == HERE);
    let since = since.map_or(0, |finished| now.boottime_ms - finished.at.boottime_ms);
    Program::Clear {
        clears: if host.breaks(Broken::ClearsForgotten) {
            0
        } else {
            u8::try_from(progress.clears).unwrap_or(u8::MAX)
        },
        waited: false,
        enough: u128::from(since + waits) >= WAIT.as_millis(),
    }
}

/// The times from the last command to a resume that can make a difference.
pub(super) fn afters(host: &Host, state: &State, attempt: usize) -> &'static [After] {
    let Some(journal) = &state.attempts[attempt].journal else {
        return &[];
    };
    let ended_here = |line: &Line| line.here && matches!(line.rec, Rec::StepFinished(..));
    let clear = host.rungs[attempt] == vcm_recovery::tier::Rung::Clear;
    if clear && journal.lines.iter().any(ended_here) {
        &[After::AtOnce, After::Part, After::All]
    } else {
        &[After::AtOnce]
    }
}

/// `result`, and that a caller reads it.
pub(super) fn result(host: &Host, state: &mut State, attempt: usize) {
    if let Some(status) = result_status(host, state, attempt) {
        told(state, attempt, &status);
    }
}

/// `result::result`; `None` if there is no journal, or nobody can read it.
pub(super) fn result_status(host: &Host, state: &mut State, attempt: usize) -> Option<Status> {
    let story = story(host, state, attempt)?;
    let begins = story == Story::default() && state.locked();
    let runner = story.runner(HERE);
    let alive = if begins || runner.is_some_and(|runner| state.alive(pid(runner.pid))) {
        Alive::Runner
    } else if lives(host, state, &story) {
        Alive::Command
    } else {
        Alive::Nothing
    };
    if story == Story::default() && !begins && !host.breaks(Broken::NameNotSynced) {
        // What is answered next rests on the journal's being there.
        state.attempts[attempt].journal.as_mut()?.named = true;
    }
    Some(status(&story, alive))
}

/// A caller reads a status.
fn told(state: &mut State, attempt: usize, status: &Status) {
    let never = match status {
        Status::Refused(_) | Status::Tombstoned => true,
        Status::Interrupted { steps_started, .. } => *steps_started == 0,
        Status::NotFound | Status::Running | Status::StillRunning { .. } | Status::Ended { .. } => {
            false
        }
    };
    let attempt = &mut state.attempts[attempt];
    attempt.told_never |= never && !attempt.started;
}

/// `tombstone` up to its record.
pub(super) fn tombstone(host: &Host, state: &mut State, caller: usize, attempt: usize) {
    let together = host.breaks(Broken::TombstonesTogether);
    let named = !host.breaks(Broken::StoreNotNamed);
    // One after the other.
    if state.tombstoners.len() > usize::from(together) || !admit(host, state, caller, named) {
        return;
    }
    let Some(journal) = &state.attempts[attempt].journal else {
        state.attempts[attempt].journal = Some(Journal::new(true));
        state.tombstoners.push(Tombstoner {
            attempt,
            at: 0,
            locked: false,
        });
        return;
    };
    let at = journal.lines.len();
    let Some(status) = result_status(host, state, attempt) else {
        return;
    };
    if !matches!(status, Status::Interrupted { .. }) || state.locked() {
        return told(state, attempt, &status);
    }
    let ruled_out = story(host, state, attempt).is_some_and(|story| story.can_be_ruled_out());
    if ruled_out || host.breaks(Broken::TombstoneAlways) {
        let locked = true;
        state.tombstoners.push(Tombstoner {
            attempt,
            at,
            locked,
        });
    } else {
        told(state, attempt, &status);
    }
}

/// A `tombstone` is killed between creating the journal and syncing its directory.
pub(super) fn tombstone_killed_at_name(
    host: &Host,
    state: &mut State,
    caller: usize,
    attempt: usize,
) {
    let named = !host.breaks(Broken::StoreNotNamed);
    let free = state.attempts[attempt].journal.is_none() && state.tombstoners.is_empty();
    if free && admit(host, state, caller, named) {
        state.attempts[attempt].journal = Some(Journal::new(false));
        state.left.kills -= 1;
    }
}

/// A `tombstone` writes its record, and answers if it is synced.
pub(super) fn tombstoned(state: &mut State, index: usize, synced: bool) {
    let Tombstoner { attempt, at, .. } = state.tombstoners.remove(index);
    let Some(journal) = &mut state.attempts[attempt].journal else {
        return;
    };
    if journal.lines.len() != at {
        journal.broken = true;
        return;
    }
    let (here, rec) = (true, Rec::Tombstoned);
    journal.lines.push(Line { here, rec });
    journal.synced = synced;
    if synced {
        told(state, attempt, &Status::Tombstoned);
    }
}
