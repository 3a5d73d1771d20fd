//! Whether the store on disk is still the one that this process has open.
//!
//! An operator may restore, delete or swap the file, or remove its lock, under the running
//! program. What is written afterwards is on a file that nobody will ever open again, so nothing
//! may be started on it. The writer asks before each transaction; the engine asks for the guard
//! `not_owner` through [`Store::ownership`](super::Store::ownership).

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use vcm_recovery::ids::Epoch;

/// The files are looked at this often at most when a guard asks: a decision a second later than
/// the swap changes nothing, because the reservation looks again.
const ASKED_AT_MOST: Duration = Duration::from_secs(1);

/// Why the store is not ours any more. Nothing is written until it is again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOwner {
    /// The path names nothing any more: what is open was deleted or moved away.
    #[error("{} is gone: it was deleted or moved away under the running program", path.display())]
    Gone {
        /// The store or its lock.
        path: PathBuf,
    },
    /// The path names another file than the one that is open.
    #[error("{} is another file than the one that is open: it was replaced under the running program", path.display())]
    Replaced {
        /// The store or its lock.
        path: PathBuf,
    },
    /// Nobody can say which file the path names.
    #[error("{} cannot be looked at ({kind})", path.display())]
    Hidden {
        /// The store or its lock.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The store carries another identity than the one of this start.
    #[error("the store is now {store_id} at epoch {epoch}: another process has taken it over")]
    TakenOver {
        /// The id that is in the store now.
        store_id: String,
        /// The epoch that is in the store now.
        epoch: Epoch,
    },
    /// The chain does not end where this process has left it.
    #[error(
        "the chain of events ends at event {found}, this process has left it at event {left}: something else has written to the store"
    )]
    Altered {
        /// The newest event in the store.
        found: u64,
        /// The newest event that this process knows of.
        left: u64,
    },
}

/// The two files as they were when the store was opened.
#[derive(Debug)]
pub(super) struct Ownership {
    files: [(PathBuf, FileId); 2],
    asked: Mutex<Option<(Instant, Result<(), NotOwner>)>>,
    /// What the writer found inside the store. Only a new start gets over that.
    lost: OnceLock<NotOwner>,
}

impl Ownership {
    /// The store at `path` and its lock at `lock_path` are these files.
    pub(super) fn new(path: &Path, store: FileId, lock_path: &Path, lock: FileId) -> Self {
        Self {
            files: [(path.to_owned(), store), (lock_path.to_owned(), lock)],
            asked: Mutex::default(),
            lost: OnceLock::new(),
        }
    }

    /// Looks now.
    pub(super) fn check(&self) -> Result<(), NotOwner> {
        if let Some(why) = self.lost.get() {
            return Err(why.clone());
        }
        self.files.iter().try_for_each(|(path, id)| {
            let path = path.clone();
            match fs::metadata(&path) {
                Ok(found) if FileId::of(&found) == *id => Ok(()),
                Ok(_) => Err(NotOwner::Replaced { path }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(NotOwner::Gone { path })
                }
                Err(error) => Err(NotOwner::Hidden {
                    path,
                    kind: error.kind(),
                }),
            }
        })
    }

    /// Looks, unless that was done a moment ago.
    pub(super) fn check_sometimes(&self) -> Result<(), NotOwner> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match &*asked {
            Some((at, found)) if at.elapsed() < ASKED_AT_MOST && self.lost.get().is_none() => {
                found.clone()
            }
            Some(_) | None => {
                let found = self.check();
                *asked = Some((Instant::now(), found.clone()));
                found
            }
        }
    }

    /// Remembers what was found inside the store; the first finding stays.
    pub(super) fn lose(&self, why: NotOwner) {
        self.lost.get_or_init(|| why);
    }
}

/// What tells a file from every other one that exists at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of the file with this metadata.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(directory: &Path) -> Ownership {
        let [store, lock] = ["store", "store.lock"].map(|name| directory.join(name));
        let id = |path: &Path| {
            fs::write(path, "").unwrap();
            FileId::of(&fs::metadata(path).unwrap())
        };
        Ownership::new(&store, id(&store), &lock, id(&lock))
    }

    #[test]
    fn either_file_gone_or_replaced_is_found_and_put_back_is_fine_again() {
        for name in ["store", "store.lock"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(name);
            let aside = directory.path().join("aside");
            let ownership = owned(directory.path());
            assert_eq!(ownership.check(), Ok(()));
            fs::rename(&path, &aside).unwrap();
            assert_eq!(
                ownership.check(),
                Err(NotOwner::Gone { path: path.clone() })
            );
            fs::write(&path, "").unwrap();
            let replaced = NotOwner::Replaced { path: path.clone() };
            assert_eq!(ownership.check(), Err(replaced));
            fs::rename(&aside, &path).unwrap();
            assert_eq!(ownership.check(), Ok(()));
        }
    }

    #[test]
    fn a_path_that_cannot_be_followed_is_not_taken_for_ours() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let ownership = owned(&inside);
        fs::rename(&inside, directory.path().join("aside")).unwrap();
        fs::write(&inside, "").unwrap();
        let hidden = matches!(ownership.check(), Err(NotOwner::Hidden { .. }));
        assert!(hidden, "{:?}", ownership.check());
    }

    #[test]
    fn what_was_found_inside_the_store_stays_found_and_is_not_delayed() {
        let directory = tempfile::tempdir().unwrap();
        let ownership = owned(directory.path());
        assert_eq!(ownership.check_sometimes(), Ok(()));
        let altered = |found| NotOwner::Altered { found, left: 7 };
        ownership.lose(altered(9));
        ownership.lose(altered(10));
        assert_eq!(ownership.check_sometimes(), Err(altered(9)));
        assert_eq!(ownership.check(), Err(altered(9)));
    }
}
