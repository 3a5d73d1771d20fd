//! One attempt at a time on a host: a lock that is held from before the last look until the last
//! command is gone. A second one is refused and never waits.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::durable;

/// Whoever can open it can take it, and keep every attempt away.
pub(super) const LOCK_MODE: u32 = 0o600;

/// The lock, held as long as this value lives, and given back by the kernel however its process
/// ends. No child inherits it.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it.
    #[error("another attempt holds the lock of this host")]
    Busy,
    /// It cannot be taken.
    #[error("cannot take the lock {}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl HostLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`LockError::Busy`] if somebody holds it.
    pub fn take(state_dir: &Path) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        let failed = |source| LockError::Failed {
            path: path.clone(),
            source,
        };
        durable::create_directory(state_dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = match options.mode(LOCK_MODE).open(&path) {
            // What was begun is finished on a disk that went read-only too.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path),
            opened => opened,
        };
        let file = file.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(LockError::Busy),
            Err(error) => Err(failed(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_held_by_one_and_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let held = HostLock::take(directory.path()).unwrap();
        assert!(matches!(
            HostLock::take(directory.path()),
            Err(LockError::Busy)
        ));
        drop(held);
        HostLock::take(directory.path()).unwrap();
    }

    #[test]
    fn nobody_else_can_take_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        HostLock::take(directory.path()).unwrap();
        let mode = std::fs::metadata(directory.path().join("lock")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, LOCK_MODE);
    }
}
