//! Files that are whole or not there, also after a crash.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What the host runner keeps is for its own user only.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The bits of a mode that let group and others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What a file is called until it is whole. Always the same, so that the next one replaces what a
/// crash has left behind.
pub(super) const TEMPORARY: &str = "tmp";

/// Writes `bytes` to `path`, replacing what was there, so that a reader and a crash see the old
/// content or the new one and nothing between. Only for who writes that file alone.
///
/// # Errors
/// If any part of it failed; the old content is then still there or the new one is.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(TEMPORARY);
    let written = write_and_sync(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync_directory)
}

/// Appends lines behind those that were written whole, and makes them durable, also their file.
///
/// # Errors
/// If any part of it failed; the lines then count as never written.
pub fn append_lines(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.mode(FILE_MODE).open(path)?;
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    let length = u64::try_from(whole_lines(&before).len()).map_err(io::Error::other)?;
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length))?;
    file.write_all(lines)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// The lines that were written whole: the last one is torn when the machine stopped before it was
/// synced.
#[must_use]
pub fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte == b'\n');
    end.and_then(|end| bytes.get(..=end)).unwrap_or_default()
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a directory durable.
///
/// # Errors
/// If the directory cannot be opened or synced.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Creates a directory and those above it, for the own user only. One that is there has to be the
/// own user's alone: what somebody else can write there is not to be acted on, and a name that
/// somebody else can put there may lead anywhere.
///
/// # Errors
/// If one of them could not be created, or it is not ours alone.
pub fn create_directory(path: &Path) -> io::Result<()> {
    make_directory(path)?;
    let found = fs::symlink_metadata(path)?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if found.is_dir() && ours && found.mode() & WRITABLE_BY_OTHERS == 0 {
        return Ok(());
    }
    let why = format!(
        "{} is not a directory that belongs to this user and that nobody else can write",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Makes the names of what it creates durable: what is synced in a directory is lost with the
/// directory's own name.
fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.map_or(Ok(()), make_directory)?;
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        // Another process was faster, and may not have come to sync it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => created?,
    }
    above.map_or(Ok(()), sync_directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn replaces_the_content_and_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fence.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn lines_are_appended_over_a_torn_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("past");
        append_lines(&path, b"one\ntwo\nthr").unwrap();
        append_lines(&path, b"four\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\nfour\n");
        assert_eq!(whole_lines(b"torn"), b"");
        assert_eq!(whole_lines(b""), b"");
    }

    #[test]
    fn replaces_what_a_crash_has_left_of_the_last_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fence.json");
        fs::write(directory.path().join("fence.tmp"), b"half of a longer one").unwrap();
        write(&path, b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn creates_what_is_missing_above_for_the_own_user_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/attempts");
        create_directory(&path).unwrap();
        create_directory(&path).unwrap();
        for path in [path.as_path(), path.parent().unwrap()] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, DIRECTORY_MODE, "{}", path.display());
        }
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(create_directory(&file).is_err());
        assert!(create_directory(&file.join("below")).is_err());
    }

    #[test]
    fn leaves_nothing_behind_when_it_cannot_replace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fence.json");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"one").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_somebody_else_can_write_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        create_directory(&path).unwrap();
        for (bits, ours) in [(0o700, true), (0o755, true), (0o775, false), (0o757, false)] {
            mode(bits);
            assert_eq!(create_directory(&path).is_ok(), ours, "{bits:o}");
        }
        mode(0o700);
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(create_directory(&link).is_err(), "it may lead anywhere");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            let refused = create_directory(&path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
