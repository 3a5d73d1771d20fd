//! The store as a file: whether it can be used at all, its lock, making it, connecting to it.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};
use rustix::process::geteuid;
use uuid::Uuid;
use vcm_recovery::ids::StoreId;

use super::OpenError;
use crate::store::ownership::{FileId, Ownership};
use crate::store::schema;

/// Why a path cannot be a store, or not for this process.
#[derive(Debug, thiserror::Error)]
pub enum FileTrouble {
    /// It names a directory.
    #[error("it is a directory; `store.path` names the file itself")]
    Directory,
    /// It names a device, a socket, a pipe.
    #[error("it is no regular file")]
    NotAFile,
    /// The file is not for this user.
    #[error("user {uid} may not {verb} it: it belongs to user {owner} and has mode {mode:04o}")]
    Denied {
        /// Who this process is.
        uid: u32,
        /// What was tried.
        verb: &'static str,
        /// Whose the file is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
}

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

/// What the path names, if this process can use it.
pub(super) fn usable(path: &Path, wanted: Use) -> Result<Metadata, OpenError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = path.to_owned();
            return Err(OpenError::Absent { path });
        }
        Err(error) => return Err(OpenError::io(path, error)),
    };
    let trouble = |trouble: FileTrouble| OpenError::Unreadable {
        path: path.to_owned(),
        source: Box::new(trouble),
    };
    if found.is_dir() {
        return Err(trouble(FileTrouble::Directory));
    }
    if !found.is_file() {
        return Err(trouble(FileTrouble::NotAFile));
    }
    let (asked, verb) = match wanted {
        Use::Read => (Access::READ_OK, "read"),
        Use::Write => (Access::READ_OK | Access::WRITE_OK, "write"),
    };
    // Not opened to find out: closing it again would take SQLite's own locks off the file.
    match access(path, asked) {
        Ok(()) => Ok(found),
        Err(rustix::io::Errno::ACCESS) => Err(trouble(FileTrouble::Denied {
            uid: geteuid().as_raw(),
            verb,
            owner: found.uid(),
            mode: found.mode() & 0o7777,
        })),
        Err(source) => Err(OpenError::io(path, source.into())),
    }
}

/// Takes the lock beside the file; the kernel gives it back when the process ends, however.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = lock_path(path);
    let unusable = |source| OpenError::io(&beside, source);
    let file = match OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(&beside)
    {
        Ok(new) => {
            give_to_owner_of(path, &new).map_err(unusable)?;
            new
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new()
            .write(true)
            .open(&beside)
            .map_err(unusable)?,
        Err(error) => return Err(unusable(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// A lock that root has made for a command must not keep the program's own user out later.
fn give_to_owner_of(path: &Path, lock: &File) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(store) if geteuid().is_root() => fchown(lock, Some(store.uid()), Some(store.gid())),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The two files that must stay what they are while the store is open.
pub(super) fn ownership(
    path: &Path,
    before: Metadata,
    lock: &File,
) -> Result<Ownership, OpenError> {
    let lock_path = lock_path(path);
    let held = lock
        .metadata()
        .map_err(|source| OpenError::io(&lock_path, source))?;
    let ids = [FileId::of(&before), FileId::of(&held)];
    let ownership = Ownership::new(path, ids[0], &lock_path, ids[1]);
    match ownership.check() {
        Ok(()) => Ok(ownership),
        Err(swapped) => Err(OpenError::Unreadable {
            path: path.to_owned(),
            source: Box::new(swapped),
        }),
    }
}

/// Makes the file under another name and renames it, so that a half-made store is never found.
pub(super) fn create_if_absent(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(OpenError::io(path, error)),
    }
    let new = with_suffix(path, ".new");
    let failed = |source| OpenError::io(path, source);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = connect(&new, flags)?;
    fill(&connection).map_err(|source| OpenError::unreadable(path, source))?;
    connection
        .close()
        .map_err(|(_, source)| OpenError::unreadable(path, source))?;
    File::open(&new)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))
        .and_then(|d| d.sync_all())
        .map_err(failed)?;
    Ok(true)
}

fn fill(connection: &Connection) -> rusqlite::Result<()> {
    let store_id = StoreId::from_bits(Uuid::new_v4().as_u128());
    connection.execute_batch(&format!(
        "BEGIN; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
        schema::TABLES,
        schema::APPLICATION_ID,
        schema::SCHEMA_VERSION,
    ))?;
    connection
        .execute(
            "INSERT INTO meta (one, store_id, epoch) VALUES (1, ?1, 0)",
            [store_id.to_string()],
        )
        .map(drop)
}

/// Connects to the file at `path`.
pub(super) fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| OpenError::unreadable(path, error))
}

/// Connects to the file at `path` without the means to change it.
///
/// Where the program does not run, the files beside the store that SQLite needs even for reading
/// do not exist; a reader who may not make them reads the file as one that nobody changes.
pub(super) fn connect_to_read(path: &Path) -> Result<Connection, OpenError> {
    let log = fs::metadata(with_suffix(path, "-wal")).map(|found| found.len());
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let may_write = access(directory.unwrap_or(Path::new(".")), Access::WRITE_OK).is_ok();
    if may_write || log.is_ok_and(|length| length > 0) {
        return connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    }
    let uri = format!("file:{}?immutable=1", in_uri(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    connect(Path::new(&uri), flags)
}

/// The path as it stands in a URI.
fn in_uri(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|&byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn lock_path(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_that_does_not_fit_on_the_disk_is_refused_in_words_and_leaves_none_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(&with_suffix(&path, ".new"), flags).unwrap();
        connection
            .query_row("PRAGMA max_page_count = 3", [], |_| Ok(()))
            .unwrap();
        let refusal = fill(&connection).unwrap_err();
        let refusal = OpenError::unreadable(&path, refusal);
        let text = vcm_telemetry::logging::chain(&refusal);
        assert!(text.contains("database or disk is full"), "{text}");
        drop(connection);
        assert!(
            create_if_absent(&path).unwrap(),
            "what was half made is made anew"
        );
    }

    #[test]
    fn a_path_stands_in_a_uri_as_what_it_is() {
        assert_eq!(
            in_uri(Path::new("/a b/c?d#e%.x-y")),
            "/a%20b/c%3Fd%23e%25.x-y"
        );
    }
}
