//! Notices that files changed, without reading them.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::clock;

/// Largest file that is read, in bytes: bundles of certificates are a few hundred KiB.
pub(super) const FILE_SIZE_MAX: u64 = 1 << 20;

/// A file changed so shortly before it was looked at may change again without another time stamp:
/// the kernel's stamps have a grain of some milliseconds, those of network file systems of a second
/// or two. Seconds.
const UNSETTLED: i64 = 2;

/// Files as they were when they were read.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    /// Of all that was read, in its order.
    content: Sha256,
}

/// What tells one state of a file from another. A symbolic link is followed: a link that points
/// elsewhere leads to another inode.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    settled: bool,
}

impl Files {
    /// Reads a file and notes its state: that before it was read, so that a change meanwhile is a
    /// change since then.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is larger than [`FILE_SIZE_MAX`].
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.stamps.push((path.to_owned(), Stamp::of(path)));
        let mut bytes = Vec::new();
        let mut file = File::open(path)?.take(FILE_SIZE_MAX + 1);
        file.read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_SIZE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.content.update((bytes.len() as u64).to_be_bytes());
        self.content.update(&bytes);
        Ok(bytes)
    }

    /// Returns whether a file may have changed since.
    pub(super) fn changed(&self) -> bool {
        let changed = |(path, stamp): &(PathBuf, Option<Stamp>)| match stamp {
            Some(stamp) => !stamp.settled || Stamp::of(path).as_ref() != Some(stamp),
            None => Stamp::of(path).is_some(),
        };
        self.stamps.iter().any(changed)
    }

    /// Returns whether the same was read from the same files.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        let paths = |files: &Self| -> Vec<PathBuf> {
            files.stamps.iter().map(|(path, _)| path.clone()).collect()
        };
        let digest = |files: &Self| files.content.clone().finalize();
        paths(self) == paths(other) && digest(self) == digest(other)
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            settled: settled(&found),
            inode: (found.dev(), found.ino()),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

fn settled(found: &Metadata) -> bool {
    let now = i64::try_from(clock::since_1970().as_secs()).unwrap_or(i64::MAX);
    now.saturating_sub(found.ctime()) > UNSETTLED
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(path: &Path) -> Files {
        let mut files = Files::default();
        // A file that is missing is noted too.
        let _ = files.read(path);
        files
    }

    #[test]
    fn an_old_file_has_not_changed() {
        assert!(!read(Path::new("/etc/passwd")).changed());
    }

    #[test]
    fn a_file_just_written_may_have_changed_and_holds_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "one").unwrap();
        let before = read(&path);
        assert!(before.changed());
        assert!(read(&path).same_content(&before));
        fs::write(&path, "two").unwrap();
        assert!(!read(&path).same_content(&before));
    }

    #[test]
    fn a_file_that_appears_or_goes_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let missing = read(&path);
        assert!(!missing.changed());
        fs::write(&path, "one").unwrap();
        assert!(missing.changed());
    }

    #[test]
    fn a_link_that_points_elsewhere_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        symlink("/etc/passwd", &path).unwrap();
        let before = read(&path);
        assert!(!before.changed());
        fs::remove_file(&path).unwrap();
        symlink("/etc/group", &path).unwrap();
        assert!(before.changed());
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let read = Files::default().read(Path::new("/dev/zero"));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
