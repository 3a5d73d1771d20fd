//! `host resume`, in its detached process: brings the open critical section of an attempt to its
//! end after the process that ran it died. It starts no rung, and asks no guard: what was begun
//! must not be left half done.

use std::path::Path;

use vcm_recovery::ids::{AttemptId, Epoch};

use super::config::HostConfig;
use super::document::{Answer, Answered, Refusal, chain};
use super::fence::Caller;
use super::journal::record::Record;
use super::journal::story::{Section, Story, fold};
use super::journal::{self, Journal, JournalError};
use super::launch::Detached;
use super::lock::{HostLock, LockError};
use super::run::own_identity;
use super::steps::Steps;
use super::{after_restart, clear, fence, hooks, kernel, liveness, result};

/// Finishes the section for the remediator, or says why not.
///
/// # Errors
/// Never once a command may have run.
pub async fn resume(
    config: &HostConfig,
    attempt: AttemptId,
    caller: Caller,
    detached: &Detached,
) -> Result<(), JournalError> {
    let answer = |answer| detached.answer(&Answered { attempt, answer });
    let lock = match HostLock::take(&config.state_dir) {
        Ok(lock) => lock,
        Err(error) => {
            answer(Answer::Refused(Refusal::error(error)));
            return Ok(());
        }
    };
    let admitted = fence::admit_to_finish(&config.state_dir, caller).map_err(Refusal::error);
    match admitted.and_then(|()| take_up(&config.state_dir, attempt, Some(caller.epoch))) {
        Ok(open) => {
            answer(Answer::Accepted);
            finish(config, attempt, open).await?;
            drop(lock);
        }
        Err(refusal) => {
            tracing::info!(reason = refusal.reason, "refused to resume");
            drop(lock);
            answer(Answer::Refused(refusal));
        }
    }
    Ok(())
}

/// Why the open sections of a host could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Somebody is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Finishes every open section of this host, without being asked by anybody: at boot, when the
/// remediator may not be there. Returns which were finished, and why each other one was not.
///
/// # Errors
/// If somebody else is at work here, or it cannot be told what is open.
pub async fn resume_open(config: &HostConfig) -> Result<Vec<Answered>, ResumeError> {
    let lock = HostLock::take(&config.state_dir)?;
    let mut answers = Vec::new();
    for attempt in journal::known(&config.state_dir)? {
        let ended = |story: &Story| story.end.is_some() || story.open_section().is_none();
        if let Ok(Some(story)) = result::story(&config.state_dir, attempt)
            && ended(&story)
        {
            continue;
        }
        let answer = match take_up(&config.state_dir, attempt, None) {
            Ok(open) => {
                finish(config, attempt, open).await?;
                Answer::Accepted
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        answers.push(Answered { attempt, answer });
    }
    drop(lock);
    Ok(answers)
}

/// An open section that is ours now.
struct Open {
    section: Section,
    story: Story,
    journal: Journal,
    /// What could not be written.
    unwritten: Option<Record>,
    now: kernel::Moment,
}

/// Takes up the open section of an attempt. Without an `epoch` the host itself asks.
fn take_up(state_dir: &Path, attempt: AttemptId, epoch: Option<Epoch>) -> Result<Open, Refusal> {
    let now = kernel::Moment::now().map_err(Refusal::error)?;
    let Some((mut journal, entries)) = Journal::open(state_dir, attempt).map_err(Refusal::error)?
    else {
        return Err(Refusal::plain("this attempt is not known here"));
    };
    let story = fold(&entries).map_err(Refusal::error)?;
    let section = story
        .take_up(|| liveness::lives(&story, &now.boot_id))
        .map_err(Refusal::error)?;
    let runner = own_identity().map_err(Refusal::error)?;
    let accepted = story.accepted.as_ref().map(|accepted| accepted.epoch);
    let epoch = epoch.or(accepted).unwrap_or_default();
    let resumed = Record::Resumed { epoch, runner };
    // The section is finished even where that cannot be written down.
    let unwritten = match journal.append(resumed.clone()) {
        Ok(()) => None,
        Err(error) => {
            tracing::error!(error = chain(&error), "going on without the journal");
            Some(resumed)
        }
    };
    Ok(Open {
        section,
        story,
        journal,
        unwritten,
        now,
    })
}

async fn finish(config: &HostConfig, attempt: AttemptId, open: Open) -> Result<(), JournalError> {
    let Open {
        section,
        story,
        journal,
        unwritten,
        now,
    } = open;
    let log = journal::log_path(&config.state_dir, attempt);
    let next_index = story.steps.last().map_or(0, |step| step.index + 1);
    let mut steps = Steps::new(config, journal, log, next_index, true).owing(unwritten);
    let end = match section {
        Section::Clear(module) => {
            let progress = clear::progress(&story, module, config.clear_wait, &now);
            clear::finish(config, &mut steps, progress).await?
        }
        Section::Restart => {
            let spacing = config.after_restart.start_spacing;
            let progress = after_restart::progress(&story, spacing, &now);
            after_restart::ensure_up(config, &mut steps, progress).await?
        }
    };
    let detail = match &story.accepted {
        Some(accepted) => {
            let before = story.hook.as_ref();
            hooks::after(config, &mut steps, section, accepted, before, end).await
        }
        None => end.detail,
    };
    let detail = format!("resumed: {detail}");
    steps.end(Record::Ended { detail }).await
}
