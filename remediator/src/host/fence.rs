//! Which remediator is listened to: the one store that this host is pinned to, and no start of it
//! older than the newest one that was heard of.
//!
//! An old process that still lives, a restored back-up and a second remediator are refused here. A
//! back-up that was started often enough has an epoch that is not older; it does not know which
//! attempt was accepted here last, and each order has to name that one.
//! That an attempt is known is for its [journal] to say.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use vcm_recovery::ids::{AttemptId, Epoch, StoreId};

use super::document::chain;
use super::durable;
use super::journal::{self, JournalError, past};
use super::lock::LOCK_MODE;

/// The version of the file that this build writes and reads.
const SCHEMA: u32 = 1;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    schema: u32,
    /// The store that this host is pinned to: the first one that asked for anything.
    pub store: Option<StoreId>,
    /// The highest epoch that was heard of.
    pub epoch: Epoch,
    /// The attempt that was accepted last for this store. Its journal may be gone long since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
}

/// The attempt that a host has accepted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// Which.
    pub attempt: AttemptId,
    /// The start of the remediator that ordered it.
    pub epoch: Epoch,
}

/// Who asks for something: a start of a remediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which start.
    pub epoch: Epoch,
    /// Its store. Epochs of two stores have nothing to do with each other.
    pub store: StoreId,
}

/// What a store is that does not know what was accepted, and what to do about it.
pub const COPY: &str = "the store is a copy of before that attempt, and what was attempted, held or \
                        paused since is not in it; stop the program, run \
                        `vcm-remediator store bump-epoch`, which pauses, look at the hosts, then resume";

/// Why somebody is not listened to.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// A newer start of the remediator was heard of.
    #[error("epoch {epoch} is older than {highest}, which this host has heard of")]
    LowerEpoch {
        /// The one that asks.
        epoch: Epoch,
        /// The newest one.
        highest: Epoch,
    },
    /// Another store's remediator asks.
    #[error("store {store} asks, but this host is pinned to store {pinned}")]
    ForeignStore {
        /// The one that asks.
        store: StoreId,
        /// The one that is listened to.
        pinned: StoreId,
    },
    /// The order goes by another newest attempt than this host's: the store is a copy of before it.
    #[error(
        "this host accepted {} last, the order goes by {}: {COPY}",
        named(newest.map(|newest| newest.attempt)),
        named(*known)
    )]
    OtherNewest {
        /// The one that was accepted here last.
        newest: Option<Newest>,
        /// The one that the order names.
        known: Option<AttemptId>,
    },
    /// The file is gone although attempts are on record, so that nobody knows whom to listen to.
    #[error("{} is gone although attempts are on record beside it", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{} is not what was written", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// What was heard could not be kept.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Whether attempts are on record is not known.
    #[error("cannot tell whether attempts are on record")]
    Journal(#[from] JournalError),
}

/// Listens to the caller from now on, and to no older start; or says why not.
///
/// # Errors
/// [`FenceError`], and then nothing may be done.
pub fn admit(state_dir: &Path, caller: Caller) -> Result<(), FenceError> {
    let _exclusive = alone(state_dir)?;
    let before = read(state_dir)?;
    let after = rule(before, caller)?;
    if before == Some(after) {
        // Whoever wrote it may have died before it was durable.
        let path = path(state_dir);
        return durable::sync_directory(state_dir)
            .map_err(|source| FenceError::Write { path, source });
    }
    keep(state_dir, &after)
}

/// Which attempt was accepted last for the store that this host obeys.
///
/// # Errors
/// If that cannot be read.
pub fn newest(state_dir: &Path) -> Result<Option<Newest>, FenceError> {
    Ok(read(state_dir)?.and_then(|fence| fence.newest))
}

/// Whether the order goes by the attempt that was accepted here last.
///
/// # Errors
/// [`FenceError::OtherNewest`] if not, another one if nobody knows.
pub fn agree(state_dir: &Path, known: Option<AttemptId>) -> Result<(), FenceError> {
    agreed(newest(state_dir)?, known)
}

/// Listens to the caller like [`admit`], and makes an attempt the newest one of this host. On disk
/// before the attempt is in its journal: one that then was not accepted is one that the store knows
/// all the same.
///
/// # Errors
/// [`FenceError`], and then nothing may be done.
pub fn accept(
    state_dir: &Path,
    caller: Caller,
    known: Option<AttemptId>,
    attempt: AttemptId,
) -> Result<(), FenceError> {
    let _exclusive = alone(state_dir)?;
    let fence = rule(read(state_dir)?, caller)?;
    agreed(fence.newest, known)?;
    let epoch = caller.epoch;
    let newest = Some(Newest { attempt, epoch });
    keep(state_dir, &Fence { newest, ..fence })
}

fn agreed(newest: Option<Newest>, known: Option<AttemptId>) -> Result<(), FenceError> {
    if newest.map(|newest| newest.attempt) == known {
        Ok(())
    } else {
        Err(FenceError::OtherNewest { newest, known })
    }
}

fn named(attempt: Option<AttemptId>) -> String {
    attempt.map_or("no attempt".to_owned(), |attempt| {
        format!("attempt {attempt}")
    })
}

/// Listens to the caller for what was begun, also where that cannot be kept: a full disk interrupts
/// nothing. What is kept then says that it is our store's caller, and of no older start.
///
/// # Errors
/// [`FenceError`], and then nothing may be done.
pub fn admit_to_finish(state_dir: &Path, caller: Caller) -> Result<(), FenceError> {
    let Err(error) = admit(state_dir, caller) else {
        return Ok(());
    };
    let obeyed =
        |before: Fence| before.store == Some(caller.store) && rule(Some(before), caller).is_ok();
    let written = matches!(error, FenceError::Write { .. });
    if written && read(state_dir)?.is_some_and(obeyed) {
        let error = chain(&error);
        tracing::error!(error, "going on without having kept who asks");
        return Ok(());
    }
    Err(error)
}

/// Nobody is admitted meanwhile, as long as the value lives.
pub(super) fn alone(state_dir: &Path) -> Result<File, FenceError> {
    let path = state_dir.join("fence.lock");
    durable::create_directory(state_dir)
        .and_then(|()| exclusive(&path))
        .map_err(|source| FenceError::Write { path, source })
}

/// Pins the host to a store, of which no start older than `epoch` is listened to. Only for who holds
/// [`alone`].
pub(super) fn write(state_dir: &Path, store: StoreId, epoch: Epoch) -> Result<(), FenceError> {
    let fence = Fence {
        schema: SCHEMA,
        store: Some(store),
        epoch,
        newest: None,
    };
    keep(state_dir, &fence)
}

fn keep(state_dir: &Path, fence: &Fence) -> Result<(), FenceError> {
    let path = path(state_dir);
    let json = serde_json::to_vec(fence).map_err(io::Error::from);
    json.and_then(|json| durable::write(&path, &json))
        .map_err(|source| FenceError::Write { path, source })
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("fence.json")
}

/// The fence after a request; `before` is absent on a host that nobody has asked yet. Pure.
///
/// # Errors
/// If the one who asks is not listened to.
pub fn rule(before: Option<Fence>, caller: Caller) -> Result<Fence, FenceError> {
    let Caller { epoch, store } = caller;
    if let Some(before) = before {
        if let Some(pinned) = before.store.filter(|&pinned| pinned != store) {
            return Err(FenceError::ForeignStore { store, pinned });
        }
        if epoch < before.epoch {
            let highest = before.epoch;
            return Err(FenceError::LowerEpoch { epoch, highest });
        }
    }
    Ok(Fence {
        schema: SCHEMA,
        store: Some(store),
        epoch,
        newest: before.and_then(|before| before.newest),
    })
}

/// What is kept; `None` on a host that nobody has asked yet.
pub(super) fn read(state_dir: &Path) -> Result<Option<Fence>, FenceError> {
    let path = path(state_dir);
    match fs::read(&path) {
        Ok(json) => serde_json::from_slice(&json)
            .ok()
            .filter(|fence: &Fence| fence.schema == SCHEMA)
            .map(Some)
            .ok_or(FenceError::Corrupt { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if journal::known(state_dir)?.is_empty() && past::load(state_dir)?.is_empty() {
                Ok(None)
            } else {
                Err(FenceError::Lost { path })
            }
        }
        Err(source) => Err(FenceError::Unreadable { path, source }),
    }
}

/// One process at a time, the others wait. Held for a moment only, unlike the host's lock.
pub(super) fn exclusive(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.mode(LOCK_MODE).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use vcm_recovery::ids::AttemptId;

    use super::*;
    use crate::host::journal::Journal;

    const OURS: StoreId = StoreId::from_bits(1);
    const FOREIGN: StoreId = StoreId::from_bits(2);

    fn admit_all(state_dir: &Path, asks: &[(u64, StoreId)]) -> Vec<bool> {
        let ask = |&(epoch, store)| admit(state_dir, caller(epoch, store)).is_ok();
        asks.iter().map(ask).collect()
    }

    fn caller(epoch: u64, store: StoreId) -> Caller {
        let epoch = Epoch(epoch);
        Caller { epoch, store }
    }

    #[test]
    fn listens_to_the_first_store_and_to_no_older_epoch() {
        let directory = tempfile::tempdir().unwrap();
        let asks = [
            (3, OURS),
            (3, OURS),
            (2, OURS),
            (9, FOREIGN),
            (4, OURS),
            (3, OURS),
        ];
        assert_eq!(
            admit_all(directory.path(), &asks),
            [true, true, false, false, true, false]
        );
    }

    #[test]
    fn what_was_begun_is_finished_for_our_store_where_that_cannot_be_kept_and_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let finish = |epoch, store| admit_to_finish(directory.path(), caller(epoch, store));
        // Nothing can be written in the place of the fence.
        let blocked = directory.path().join("fence.tmp");
        fs::create_dir(&blocked).unwrap();
        assert!(
            matches!(finish(3, OURS), Err(FenceError::Write { .. })),
            "pinned to nobody"
        );
        fs::remove_dir(&blocked).unwrap();
        admit(directory.path(), caller(3, OURS)).unwrap();
        fs::create_dir(&blocked).unwrap();
        finish(3, OURS).unwrap();
        finish(4, OURS).unwrap();
        assert!(matches!(
            finish(2, OURS),
            Err(FenceError::LowerEpoch { .. })
        ));
        assert!(matches!(
            finish(4, FOREIGN),
            Err(FenceError::ForeignStore { .. })
        ));
        assert!(
            admit(directory.path(), caller(4, OURS)).is_err(),
            "nothing begins where that cannot be kept"
        );
    }

    #[test]
    fn absent_lost_corrupt_and_unreadable_are_four_results() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fence.json");
        let result = || admit(directory.path(), caller(1, OURS));
        fs::create_dir(&path).unwrap();
        assert!(matches!(result(), Err(FenceError::Unreadable { .. })));
        fs::remove_dir(&path).unwrap();
        for text in ["", "{}", r#"{"schema":2,"store":null,"epoch":0}"#] {
            fs::write(&path, text).unwrap();
            assert!(
                matches!(result(), Err(FenceError::Corrupt { .. })),
                "{text}"
            );
        }
        fs::remove_file(&path).unwrap();
        result().unwrap();
        Journal::create(directory.path(), AttemptId::from_bits(7)).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(result(), Err(FenceError::Lost { .. })));
    }
}
