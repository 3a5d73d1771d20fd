//! `host tombstone`: makes sure that an attempt never starts, unless it already has.
//!
//! Who creates the journal decides: either `host run` does, and the attempt is known, or this does,
//! and it never starts. No lock is needed for that, so that a host that is busy with another
//! attempt can answer.
//!
//! That there is no journal shows only that none is there now. It shows that the attempt never
//! started if this is still the state directory of when it was decided: the look it was decided on
//! has to be kept here, as it has to be for the order itself.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use vcm_recovery::ids::{AttemptId, Epoch, ObservationId};

use super::document::Status;
use super::fence::{self, Caller, FenceError};
use super::journal::record::Record;
use super::journal::story::fold;
use super::journal::{Journal, JournalError};
use super::lock::HostLock;
use super::observe::kept::{self, KeptError};
use super::result::{self, ResultError};

/// Why an attempt could not be ruled out.
#[derive(Debug, thiserror::Error)]
pub enum TombstoneError {
    /// Somebody asks who is not listened to.
    #[error("not permitted")]
    Fence(#[from] FenceError),
    /// It could not be made sure that no other tombstone is written at the same time.
    #[error("cannot take the lock {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The tombstone could not be kept.
    #[error("the tombstone could not be kept")]
    Journal(#[from] JournalError),
    /// Whether the look that the attempt was decided on is kept here cannot be told.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// Nobody knows what became of the attempt.
    #[error(transparent)]
    Result(#[from] ResultError),
}

/// Rules an attempt out that was decided on the look `decided_on`. Returns [`Status::Tombstoned`] if
/// it never started, and else what became of it; [`Status::NotFound`], and nothing is ruled out, if
/// neither it nor the look is known here.
///
/// # Errors
/// If nobody knows, or it could not be made durable.
pub fn tombstone(
    state_dir: &Path,
    attempt: AttemptId,
    decided_on: ObservationId,
    caller: Caller,
) -> Result<Status, TombstoneError> {
    fence::admit(state_dir, caller)?;
    // Two at a time would write their records in the same place.
    let _alone = alone(state_dir)?;
    let Caller { epoch, .. } = caller;
    if !kept::knows(state_dir, decided_on)? {
        // An order that comes later finds no look either, and is refused.
        return known(state_dir, attempt, epoch);
    }
    match Journal::create(state_dir, attempt) {
        Ok(mut journal) => {
            journal.append(Record::Tombstoned { epoch })?;
            Ok(Status::Tombstoned)
        }
        Err(JournalError::Known { .. }) => known(state_dir, attempt, epoch),
        Err(error) => Err(error.into()),
    }
}

/// Keeps other tombstones from being written as long as the value lives.
pub(super) fn alone(state_dir: &Path) -> Result<File, TombstoneError> {
    let path = state_dir.join("tombstone.lock");
    fence::exclusive(&path).map_err(|source| TombstoneError::Lock { path, source })
}

/// An attempt whose process died before any step can still be ruled out, under the lock.
fn known(state_dir: &Path, attempt: AttemptId, epoch: Epoch) -> Result<Status, TombstoneError> {
    let status = result::result(state_dir, attempt)?;
    if !matches!(status, Status::Interrupted { .. }) {
        return Ok(status);
    }
    let Ok(_lock) = HostLock::take(state_dir) else {
        return Ok(status);
    };
    let Some((mut journal, entries)) = Journal::open(state_dir, attempt)? else {
        return Ok(Status::NotFound);
    };
    let story = fold(&entries).map_err(|source| ResultError::Story { attempt, source })?;
    if !story.can_be_ruled_out() {
        return Ok(status);
    }
    journal.append(Record::Tombstoned { epoch })?;
    Ok(Status::Tombstoned)
}
