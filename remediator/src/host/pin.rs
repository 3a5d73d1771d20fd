//! `host pin`: has this host obey another store. For an operator, as root on the host itself, when a
//! store is lost for good.
//!
//! Nothing of an attempt may be open, and no attempt can begin meanwhile. Who moved the pin, when, why
//! and from which store is on disk in `<state_dir>/pins.jsonl` before it counts. Journals and ids of
//! attempts stay, so that what ran for the old store runs for no other one, and a store that is pinned
//! again is heard from the highest epoch on that was ever heard of it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vcm_recovery::ids::{Epoch, StoreId};

use super::document::Refusal;
use super::fence::{self, FenceError};
use super::journal::{self, JournalError};
use super::kernel::Moment;
use super::lock::{HostLock, LockError};
use super::result::{self, ResultError};
use super::{durable, run};

/// The version of the records that this build writes and reads.
const SCHEMA: u32 = 1;

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

/// Set by sshd for what a forced command runs, to what the client asked for.
pub const FORCED_COMMAND: &str = "SSH_ORIGINAL_COMMAND";

/// Why somebody moves the pin: text that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

/// A text is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason is text of 1 to {REASON_MAX} characters, without control characters")]
pub struct NoReason;

impl std::str::FromStr for Reason {
    type Err = NoReason;

    fn from_str(text: &str) -> Result<Self, NoReason> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > REASON_MAX || text.chars().any(char::is_control) {
            return Err(NoReason);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A pin that was moved, as it is kept and printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    schema: u32,
    /// When.
    pub at: Moment,
    /// Who: the user that became root, where sudo says so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The store that was obeyed before; absent where none was, or the fence was lost.
    pub before: Option<StoreId>,
    /// The highest epoch that was heard of it.
    pub epoch_before: Option<Epoch>,
    /// The store that is obeyed from now on.
    pub store: StoreId,
    /// No older start of it is listened to.
    pub epoch: Epoch,
}

/// Why the pin was not moved.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Not root.
    #[error("only root on this host moves the pin")]
    NotRoot,
    /// Called by way of a forced command of sshd.
    #[error("the pin is moved by hand on this host, and not through a forced command")]
    Remote,
    /// An attempt is under way.
    #[error("the pin is not moved while an attempt is under way")]
    Lock(#[from] LockError),
    /// An attempt is open.
    #[error("{}", .0.reason)]
    Open(Refusal),
    /// There is nothing to move.
    #[error("this host obeys store {store} already")]
    Already {
        /// The store.
        store: StoreId,
    },
    /// The fence cannot be read or written.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A journal makes no sense.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The record of it cannot be kept, or those of earlier ones cannot be read.
    #[error("cannot keep the record of it in {}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Checks that a person calls on the host itself.
///
/// # Errors
/// [`PinError::NotRoot`] or [`PinError::Remote`].
pub fn by_hand() -> Result<(), PinError> {
    let root = rustix::process::geteuid().is_root();
    let forced = std::env::var_os(FORCED_COMMAND);
    allowed(root, forced.as_deref())
}

fn allowed(root: bool, forced_command: Option<&OsStr>) -> Result<(), PinError> {
    match (root, forced_command) {
        (_, Some(_)) => Err(PinError::Remote),
        (false, None) => Err(PinError::NotRoot),
        (true, None) => Ok(()),
    }
}

/// Moves the pin.
///
/// # Errors
/// If anything is open, or it could not be recorded; the old store is obeyed then.
pub fn pin(state_dir: &Path, store: StoreId, by: &str, reason: &Reason) -> Result<Moved, PinError> {
    let _lock = HostLock::take(state_dir)?;
    run::nothing_open(state_dir, None).map_err(PinError::Open)?;
    let _exclusive = fence::alone(state_dir)?;
    // One that was lost or is not what was written is what this is for, too.
    let before = match fence::read(state_dir) {
        Ok(before) => before,
        Err(FenceError::Lost { .. } | FenceError::Corrupt { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let pinned = before.and_then(|fence| fence.store);
    if pinned == Some(store) {
        return Err(PinError::Already { store });
    }
    let record = |source| PinError::Record {
        path: file(state_dir),
        source,
    };
    let moved = Moved {
        schema: SCHEMA,
        at: Moment::now().map_err(record)?,
        by: by.to_owned(),
        reason: reason.0.clone(),
        before: pinned,
        epoch_before: before.map(|fence| fence.epoch),
        store,
        epoch: heard_of(state_dir, store)?,
    };
    append(state_dir, &moved).map_err(record)?;
    fence::write(state_dir, store, moved.epoch)?;
    Ok(moved)
}

/// How the pin was moved before, oldest first.
///
/// # Errors
/// If that cannot be read. That there is no record means that it never was.
pub fn history(state_dir: &Path) -> Result<Vec<Moved>, PinError> {
    let path = file(state_dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(PinError::Record { path, source }),
    };
    let lines = durable::whole_lines(&bytes).split_inclusive(|&byte| byte == b'\n');
    let known = |moved: &Moved| moved.schema == SCHEMA;
    let parsed = lines.map(|line| serde_json::from_slice(line).ok().filter(known));
    parsed
        .collect::<Option<_>>()
        .ok_or_else(|| PinError::Record {
            path,
            source: io::ErrorKind::InvalidData.into(),
        })
}

/// The highest epoch that this host has ever heard of a store.
fn heard_of(state_dir: &Path, store: StoreId) -> Result<Epoch, PinError> {
    let mut highest = Epoch::default();
    for moved in history(state_dir)? {
        if moved.before == Some(store) {
            highest = highest.max(moved.epoch_before.unwrap_or_default());
        }
        if moved.store == store {
            highest = highest.max(moved.epoch);
        }
    }
    for attempt in journal::known(state_dir)? {
        let story = result::story(state_dir, attempt)?;
        let accepted = story.and_then(|story| story.accepted);
        let of_store = accepted.filter(|accepted| accepted.store == store);
        highest = highest.max(of_store.map(|accepted| accepted.epoch).unwrap_or_default());
    }
    Ok(highest)
}

fn append(state_dir: &Path, moved: &Moved) -> io::Result<()> {
    let mut line = serde_json::to_vec(moved)?;
    line.push(b'\n');
    durable::append_lines(&file(state_dir), &line)
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("pins.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_alone_moves_it_and_no_forced_command() {
        assert!(allowed(true, None).is_ok());
        assert!(matches!(allowed(false, None), Err(PinError::NotRoot)));
        for (root, command) in [(true, ""), (true, "host pin"), (false, "x")] {
            let said = allowed(root, Some(OsStr::new(command)));
            assert!(matches!(said, Err(PinError::Remote)), "{command}");
        }
    }

    #[test]
    fn a_reason_says_something() {
        for text in ["", "  ", "a\nb", "\u{1b}[2J", &"x".repeat(REASON_MAX + 1)] {
            assert_eq!(text.parse::<Reason>(), Err(NoReason), "{text:?}");
        }
        let kept: Reason = " the disk died ".parse().unwrap();
        assert_eq!(kept.0, "the disk died");
    }
}
