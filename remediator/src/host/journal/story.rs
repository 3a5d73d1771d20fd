//! What the records of a journal mean together. Pure: `host result` and `host resume` read the
//! same story.

use nshield::ModuleNumber;
use nshield::runner::ProcessIdentity;
use serde::{Deserialize, Serialize};
use vcm_recovery::guard::Guard;
use vcm_recovery::step::Step;

use super::record::{Accepted, Entry, Hook, Record, StepExit};
use crate::host::kernel::Moment;

/// What is known of one attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// What was accepted.
    pub accepted: Option<Accepted>,
    /// The steps that started, in order.
    pub steps: Vec<StepStory>,
    /// The processes that ran it, each with its boot.
    pub runners: Vec<(String, ProcessIdentity)>,
    /// What the site runs after the steps, once it was started.
    pub hook: Option<HookStory>,
    /// The command that its last record says is still running after its time.
    pub still_running: Option<String>,
    /// How it ended, if it has.
    pub end: Option<End>,
}

/// How an attempt ended. Kept on disk as it is in the list of [past](super::past) attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// Nothing was done.
    Refused {
        /// The guard that refused, where it was one.
        guard: Option<Guard>,
        /// Why.
        reason: String,
    },
    /// It never started and never will.
    Tombstoned,
    /// Everything that was to be done was done or given up.
    Ended {
        /// What came of it, for people.
        detail: String,
    },
}

/// What is known of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepStory {
    /// Its number.
    pub index: u32,
    /// The step.
    pub step: Step,
    /// When it was journalled as started.
    pub started: Moment,
    /// Its process.
    pub process: Option<ProcessIdentity>,
    /// How it ended.
    pub finished: Option<Finished>,
}

/// What is known of a hook. It is started once at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStory {
    /// Which.
    pub hook: Hook,
    /// How many steps had started before it. A resumed attempt may start more behind it.
    pub steps_before: usize,
    /// When it was journalled as started.
    pub started: Moment,
    /// Its process.
    pub process: Option<ProcessIdentity>,
    /// How it ended.
    pub finished: Option<Finished>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// When.
    pub at: Moment,
    /// How.
    pub exit: StepExit,
    /// What it printed, cut and redacted.
    pub output: String,
}

/// A critical section that was begun and not brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `-M` may have been issued for this module.
    Clear(ModuleNumber),
    /// The hardserver may have been stopped.
    Restart,
}

/// Why nothing else may be run while an attempt is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// A process of it lives.
    Lives,
    /// Its critical section is not finished.
    Open(Section),
}

/// Why there is nothing to take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotResumed {
    /// Nothing was begun, or it was brought to its end.
    #[error("it has no critical section to finish")]
    NothingOpen,
    /// Somebody is at it.
    #[error("a process of it still lives")]
    Lives,
}

/// Records that cannot follow each other: nobody knows what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} cannot follow the ones before it")]
pub struct OutOfOrder {
    /// The record.
    pub seq: u64,
}

/// Reads the story.
///
/// # Errors
/// If the records cannot have been written in this order.
pub fn fold(entries: &[Entry]) -> Result<Story, OutOfOrder> {
    let mut story = Story::default();
    for entry in entries {
        story.add(entry).ok_or(OutOfOrder { seq: entry.seq })?;
    }
    Ok(story)
}

impl Story {
    /// Adds a record; `None` if it cannot follow.
    fn add(&mut self, entry: &Entry) -> Option<()> {
        if self.end.is_some() {
            return None;
        }
        let begun = self.accepted.is_some();
        self.still_running = None;
        match &entry.record {
            Record::Accepted(accepted) => {
                self.runners.push((entry.boot_id.clone(), accepted.runner));
                self.accepted
                    .replace((**accepted).clone())
                    .is_none()
                    .then_some(())
            }
            Record::Refused { guard, reason } => {
                self.end = Some(End::Refused {
                    guard: *guard,
                    reason: reason.clone(),
                });
                self.nothing_done().then_some(())
            }
            Record::Tombstoned { .. } => {
                self.end = Some(End::Tombstoned);
                self.nothing_done().then_some(())
            }
            Record::StepStarted { index, step } => {
                self.steps.push(StepStory {
                    index: *index,
                    step: *step,
                    started: entry.at(),
                    process: None,
                    finished: None,
                });
                begun.then_some(())
            }
            Record::Process(identity) => {
                let steps = self.steps.len();
                let hook = self.hook.as_mut();
                let process = match hook.filter(|hook| hook.steps_before == steps) {
                    Some(hook) => &mut hook.process,
                    None => &mut self.steps.last_mut()?.process,
                };
                process.replace(*identity).is_none().then_some(())
            }
            Record::StepFinished {
                index,
                exit,
                output,
            } => {
                let step = self.steps.last_mut()?;
                let finished = Finished::of(entry, exit, output);
                let first = step.finished.replace(finished).is_none();
                (first && step.index == *index).then_some(())
            }
            Record::StillRunning { command } => {
                self.still_running = Some(command.clone());
                (!self.steps.is_empty()).then_some(())
            }
            Record::HookStarted { hook } => {
                let started = HookStory {
                    hook: *hook,
                    steps_before: self.steps.len(),
                    started: entry.at(),
                    process: None,
                    finished: None,
                };
                let first = self.hook.replace(started).is_none();
                (first && !self.steps.is_empty()).then_some(())
            }
            Record::HookFinished { exit, output } => {
                let finished = Finished::of(entry, exit, output);
                let hook = self.hook.as_mut()?;
                hook.finished.replace(finished).is_none().then_some(())
            }
            Record::Resumed { runner, .. } => {
                self.runners.push((entry.boot_id.clone(), *runner));
                begun.then_some(())
            }
            Record::Ended { detail } => {
                self.end = Some(End::Ended {
                    detail: detail.clone(),
                });
                begun.then_some(())
            }
        }
    }

    /// What is left of an attempt whose journal is gone.
    #[must_use]
    pub fn ended(end: End) -> Self {
        Self {
            end: Some(end),
            ..Self::default()
        }
    }

    /// Whether certainly no step has run.
    #[must_use]
    pub fn nothing_done(&self) -> bool {
        self.steps.iter().all(|step| !step.may_have_run())
    }

    /// The critical section that is open, if one is.
    #[must_use]
    pub fn open_section(&self) -> Option<Section> {
        if self.end.is_some() {
            return None;
        }
        let section = |step: &StepStory| match step.step {
            Step::EnterMaintenance(module) => Some(Section::Clear(module)),
            Step::RestartHardserver
            | Step::StartHardserver
            | Step::StopService
            | Step::StartService => Some(Section::Restart),
            Step::RetryModule(_) | Step::Wait(_) | Step::ClearModule(_) => None,
        };
        let ran = self.steps.iter().filter(|step| step.may_have_run());
        ran.filter_map(section).next()
    }

    /// Why no other attempt may start, if this one stands in its way.
    pub fn blocks(&self, lives: impl FnOnce() -> bool) -> Option<Blocking> {
        if self.end.is_some() {
            None
        } else if lives() {
            Some(Blocking::Lives)
        } else {
            self.open_section().map(Blocking::Open)
        }
    }

    /// The section to finish.
    ///
    /// # Errors
    /// If there is none, or somebody is at it.
    pub fn take_up(&self, lives: impl FnOnce() -> bool) -> Result<Section, NotResumed> {
        match self.open_section() {
            None => Err(NotResumed::NothingOpen),
            Some(_) if lives() => Err(NotResumed::Lives),
            Some(section) => Ok(section),
        }
    }

    /// Whether it can still be kept from ever starting, once nothing of it lives.
    #[must_use]
    pub fn can_be_ruled_out(&self) -> bool {
        self.end.is_none() && self.steps.is_empty()
    }

    /// Whether a process of it lives: one that runs it, or one that it started. `alive` is asked
    /// about processes, `session_alive` about everything that a process may have started.
    pub fn lives(
        &self,
        boot_id: &str,
        alive: impl Fn(&ProcessIdentity) -> bool,
        session_alive: impl FnOnce(ProcessIdentity) -> bool,
    ) -> bool {
        self.processes(boot_id).iter().any(alive)
            || self.unseen_child_of(boot_id).is_some_and(session_alive)
    }

    /// The processes of this boot that may still work on this attempt.
    #[must_use]
    pub fn processes(&self, boot_id: &str) -> Vec<ProcessIdentity> {
        let here = self.runners.iter().filter(|(boot, _)| boot == boot_id);
        let unfinished = self.steps.iter().filter(|step| step.may_live());
        let steps = unfinished.filter(|step| step.started.boot_id == boot_id);
        let hook = self.hook.iter().filter(|hook| may_live(&hook.finished));
        let hook = hook.filter(|hook| hook.started.boot_id == boot_id);
        here.map(|(_, runner)| *runner)
            .chain(steps.filter_map(|step| step.process))
            .chain(hook.filter_map(|hook| hook.process))
            .collect()
    }

    /// The processes of this boot whose whole process group may still work on this attempt: behind
    /// sudo, the command goes on when sudo has ended. Not those that start a hardserver, which they
    /// may leave in their group.
    #[must_use]
    pub fn groups(&self, boot_id: &str) -> Vec<ProcessIdentity> {
        let leaves_none = |step: &&StepStory| match step.step {
            Step::RetryModule(_) | Step::EnterMaintenance(_) | Step::ClearModule(_) => true,
            Step::RestartHardserver
            | Step::StartHardserver
            | Step::StopService
            | Step::StartService
            | Step::Wait(_) => false,
        };
        let steps = self.steps.iter().filter(leaves_none);
        let steps = steps.filter(|step| step.may_live() && step.started.boot_id == boot_id);
        let hook = self.hook.iter().filter(|hook| may_live(&hook.finished));
        let hook = hook.filter(|hook| hook.started.boot_id == boot_id);
        steps
            .filter_map(|step| step.process)
            .chain(hook.filter_map(|hook| hook.process))
            .collect()
    }

    /// The process that runs the attempt, or ran it last, if that was in this boot.
    #[must_use]
    pub fn runner(&self, boot_id: &str) -> Option<ProcessIdentity> {
        let (boot, runner) = self.runners.last()?;
        (boot == boot_id).then_some(*runner)
    }

    /// The runner, if a step or a hook of this boot was about to start and nobody recorded its
    /// process: that process, if there is one, is in the runner's session.
    #[must_use]
    pub fn unseen_child_of(&self, boot_id: &str) -> Option<ProcessIdentity> {
        let hook = self.hook.as_ref();
        let hook = hook.filter(|hook| hook.steps_before == self.steps.len());
        let (process, finished, started) = match (hook, self.steps.last()) {
            (Some(hook), _) => (hook.process, &hook.finished, &hook.started),
            (None, Some(step)) if step.step.command().is_some() => {
                (step.process, &step.finished, &step.started)
            }
            (None, Some(_) | None) => return None,
        };
        let unseen = process.is_none() && finished.is_none() && started.boot_id == boot_id;
        self.runner(boot_id).filter(|_| unseen)
    }
}

impl StepStory {
    /// Whether its command may have been issued.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.step.command().is_some()
            && !matches!(
                self.finished,
                Some(Finished {
                    exit: StepExit::NeverStarted(_),
                    ..
                })
            )
    }

    /// Whether its process may still live.
    fn may_live(&self) -> bool {
        may_live(&self.finished)
    }
}

/// Whether a command of which this is known may still live.
fn may_live(finished: &Option<Finished>) -> bool {
    let exit = finished.as_ref().map(|finished| &finished.exit);
    matches!(exit, None | Some(StepExit::StillRunning))
}

impl Finished {
    fn of(entry: &Entry, exit: &StepExit, output: &str) -> Self {
        Self {
            at: entry.at(),
            exit: exit.clone(),
            output: output.to_owned(),
        }
    }
}
