//! `host result`: what the journal of an attempt says, together with what lives of it.

use std::io;
use std::path::{Path, PathBuf};

use vcm_recovery::ids::AttemptId;

use super::document::{Refusal, Reported, Status, StepReport};
use super::durable;
use super::journal::record::shown;
use super::journal::story::{End, Finished, OutOfOrder, StepStory, Story, fold};
use super::journal::{self, JournalError, past};
use super::kernel;
use super::liveness::{self, Alive};
use super::lock::{HostLock, LockError};

/// Why nobody knows what became of an attempt.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// Its journal cannot be read or is broken.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its journal makes no sense.
    #[error("the journal of attempt {attempt} makes no sense")]
    Story {
        /// The attempt.
        attempt: AttemptId,
        /// Where.
        #[source]
        source: OutOfOrder,
    },
    /// Without the boot id nobody knows what lives.
    #[error("cannot read the boot id")]
    BootId(#[source] io::Error),
    /// That its journal is there may not outlive a power cut.
    #[error("cannot make the names in {} durable", path.display())]
    Sync {
        /// The directory of the journals.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What became of an attempt.
///
/// # Errors
/// If nobody knows.
pub fn result(state_dir: &Path, attempt: AttemptId) -> Result<Status, ResultError> {
    Ok(reported(state_dir, attempt)?.status)
}

/// What became of an attempt, with what worked before it.
///
/// # Errors
/// If nobody knows.
pub fn reported(state_dir: &Path, attempt: AttemptId) -> Result<Reported, ResultError> {
    let boot_id = kernel::boot_id().map_err(ResultError::BootId)?;
    let mut before = None;
    loop {
        let Some(story) = story(state_dir, attempt)? else {
            let past = past::load(state_dir)?.remove(&attempt);
            let status = past.map_or(Status::NotFound, |end| {
                status(&Story::ended(end), Alive::Nothing)
            });
            return Ok(Reported::new(attempt, status));
        };
        let alive = if begins(state_dir, &story) {
            Alive::Runner
        } else {
            liveness::alive(&story, &boot_id)
        };
        // A process that was seen dead may have written its last record after the story was read:
        // only a story that reads the same after that is all of it.
        if story.end.is_some() || alive == Alive::Runner || before.as_ref() == Some(&story) {
            if story == Story::default() {
                name_outlives_a_power_cut(state_dir)?;
            }
            let status = status(&story, alive);
            let snapshot = story.accepted.and_then(|accepted| accepted.snapshot);
            return Ok(Reported {
                snapshot,
                ..Reported::new(attempt, status)
            });
        }
        before = Some(story);
    }
}

/// Without a record, that the journal is there is all that keeps the attempt from starting, and who
/// created it may have died before its name was durable.
fn name_outlives_a_power_cut(state_dir: &Path) -> Result<(), ResultError> {
    let path = journal::directory(state_dir);
    durable::sync_directory(&path).map_err(|source| ResultError::Sync { path, source })
}

/// A journal without a record is one that its process is about to begin, or died before it did.
fn begins(state_dir: &Path, story: &Story) -> bool {
    *story == Story::default() && matches!(HostLock::take(state_dir), Err(LockError::Busy))
}

/// Reads the story of an attempt; `None` if it is not known.
///
/// # Errors
/// If the journal cannot be read or makes no sense.
pub fn story(state_dir: &Path, attempt: AttemptId) -> Result<Option<Story>, ResultError> {
    let Some(entries) = journal::load(state_dir, attempt)? else {
        return Ok(None);
    };
    fold(&entries)
        .map(Some)
        .map_err(|source| ResultError::Story { attempt, source })
}

/// The status of a known attempt, given what of it lives. Pure.
#[must_use]
pub fn status(story: &Story, alive: Alive) -> Status {
    match &story.end {
        Some(End::Refused { guard, reason }) => Status::Refused(Refusal {
            guard: *guard,
            reason: reason.clone(),
        }),
        Some(End::Tombstoned) => Status::Tombstoned,
        Some(End::Ended { detail }) => Status::Ended {
            detail: detail.clone(),
            steps: story.steps.iter().map(report).collect(),
        },
        None => match (alive, &story.still_running) {
            (Alive::Runner, None) => Status::Running,
            (Alive::Runner, Some(command)) => Status::StillRunning {
                detail: format!("{command} is still running after its deadline"),
            },
            (Alive::Command, _) => Status::StillRunning {
                detail: format!("{}; it outlives the process that ran it", how_far(story)),
            },
            (Alive::Nothing, _) => interrupted(story),
        },
    }
}

fn interrupted(story: &Story) -> Status {
    Status::Interrupted {
        section_open: story.open_section().is_some(),
        steps_started: story.steps.len(),
        detail: how_far(story),
    }
}

fn report(step: &StepStory) -> StepReport {
    let finished = step.finished.as_ref();
    StepReport {
        index: step.index,
        step: step.step,
        exit: finished.map(|finished| finished.exit.clone()),
        output: finished.map_or_else(String::new, |finished| finished.output.clone()),
    }
}

fn how_far(story: &Story) -> String {
    match (&story.accepted, story.steps.last()) {
        (None, _) => "its process died before anything was accepted".to_owned(),
        (Some(_), None) => "accepted; no step was started".to_owned(),
        (Some(_), Some(step)) => {
            let name = shown(step.step);
            match &step.finished {
                None => format!("{name} was started; whether it ended is not known"),
                Some(Finished { exit, .. }) => {
                    format!("{name}: {exit}; nothing after it is known")
                }
            }
        }
    }
}
