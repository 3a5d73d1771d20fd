//! What the records of a journal mean together. Pure: `host result` and `host resume` read the
//! same story.

use nshield::ModuleNumber;
use nshield::runner::ProcessIdentity;
use vcm_recovery::guard::Guard;
use vcm_recovery::step::Step;

use super::record::{Accepted, Entry, Record, StepExit};
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
    /// How it ended, if it has.
    pub end: Option<End>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
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
                let step = self.steps.last_mut()?;
                step.process.replace(*identity).is_none().then_some(())
            }
            Record::StepFinished {
                index,
                exit,
                output,
            } => {
                let step = self.steps.last_mut()?;
                let finished = Finished {
                    at: entry.at(),
                    exit: exit.clone(),
                    output: output.clone(),
                };
                let first = step.finished.replace(finished).is_none();
                (first && step.index == *index).then_some(())
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

    /// The processes of this boot that may still work on this attempt.
    #[must_use]
    pub fn processes(&self, boot_id: &str) -> Vec<ProcessIdentity> {
        let here = self.runners.iter().filter(|(boot, _)| boot == boot_id);
        let unfinished = self.steps.iter().filter(|step| step.may_live());
        let steps = unfinished.filter(|step| step.started.boot_id == boot_id);
        here.map(|(_, runner)| *runner)
            .chain(steps.filter_map(|step| step.process))
            .collect()
    }

    /// The runner, if a step of this boot was about to start and nobody recorded its process: that
    /// process, if there is one, is in the runner's session.
    #[must_use]
    pub fn unseen_child_of(&self, boot_id: &str) -> Option<ProcessIdentity> {
        let last = self.steps.last()?;
        let unseen = last.process.is_none() && last.finished.is_none();
        let command = last.step.command().is_some();
        let (boot, runner) = self.runners.last()?;
        (unseen && command && boot == boot_id && last.started.boot_id == boot_id).then_some(*runner)
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
        matches!(
            self.finished,
            None | Some(Finished {
                exit: StepExit::StillRunning,
                ..
            })
        )
    }
}
