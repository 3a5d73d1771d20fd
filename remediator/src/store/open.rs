//! Opening the store's file: absent, unreadable, foreign, newer and corrupt are different results.
//!
//! `serve` calls [`open`] once, before anything else happens. It takes the lock, checks the file
//! from header to hash chain, and commits the epoch of this start. The commands of operators open
//! it with `open_existing` for themselves, or with `read_only` beside the program.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use vcm_recovery::ids::Epoch;
use vcm_recovery::start::{Boot, Start};
use vcm_recovery::time::Time;

use super::audit::Broken;
use super::chain::ChainHead;
use super::ownership::Ownership;
use super::{StoreIdentity, schema};

mod check;
mod file;

pub(super) use check::{check_pages, read_identity};
pub use file::FileTrouble;

/// A store that is open, locked and checked; its epoch is committed.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub path: PathBuf,
    /// The store's id and the epoch of this start.
    pub identity: StoreIdentity,
    /// The newest instant in the store; the program's time goes on from here at the earliest.
    pub last_time: Option<Time>,
    /// The boot of the machine at the last start, as far as that is recorded.
    pub last_boot: Option<Boot>,
    /// The newest event, 0 when there is none.
    pub last_seq: u64,
    /// Whether the file was absent and has just been made.
    pub created: bool,
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) ownership: Ownership,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none, and none is to be made.
    #[error("there is no store at {}", path.display())]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// Another process works on it.
    #[error("store {} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read, written or made.
    #[error("store {} cannot be opened", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It is a database, but not one of this program.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of the program has written it.
    #[error("store {} has version {found}, this program knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: i32,
        /// The newest version this build reads.
        known: i32,
    },
    /// Its contents are damaged or were changed by something else.
    #[error(
        "store {} is corrupt: {detail}; restore a copy and run `vcm-remediator store bump-epoch` on it",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// An event, or what is counted from the events, is not as it was written.
    #[error(
        "store {} is corrupt: its chain of events is broken; `vcm-remediator audit verify` says more; restore a copy and run `vcm-remediator store bump-epoch` on it",
        path.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first record that is not as it was written.
        #[source]
        source: Box<Broken>,
    },
}

impl OpenError {
    /// What an error of the database means for the file.
    pub(super) fn unreadable(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                path,
                detail: source.to_string(),
            },
            _ => Self::Unreadable {
                path,
                source: Box::new(source),
            },
        }
    }

    fn io(path: &Path, source: io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            source: Box::new(source),
        }
    }
}

/// Opens the store at `path`, making it when it is absent, and commits a new epoch.
///
/// # Errors
/// [`OpenError`]; nothing was changed in an existing file.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let lock = file::lock(path)?;
    let created = file::create_if_absent(path)?;
    let unreadable = |source| OpenError::unreadable(path, source);
    let mut checked = check(path, lock)?;
    let last_time = last_time(&checked.connection).map_err(unreadable)?;
    let last_boot = last_boot(&checked.connection).map_err(unreadable)?;
    checked.identity.epoch = next_epoch(&checked.connection).map_err(unreadable)?;
    Ok(Opened {
        path: path.to_owned(),
        identity: checked.identity,
        last_time,
        last_boot,
        last_seq: checked.head.seq,
        created,
        connection: checked.connection,
        lock: checked.lock,
        ownership: checked.ownership,
    })
}

/// An existing store that is locked and checked, with the epoch of the newest start.
pub(super) struct Checked {
    pub(super) connection: Connection,
    pub(super) identity: StoreIdentity,
    pub(super) head: ChainHead,
    lock: File,
    ownership: Ownership,
}

/// Opens the store at `path` to change it while no program runs on it.
///
/// # Errors
/// [`OpenError`]; nothing was changed.
pub(super) fn open_existing(path: &Path) -> Result<Checked, OpenError> {
    file::usable(path, file::Use::Write)?;
    check(path, file::lock(path)?)
}

/// Opens the store at `path` without changing anything, also beside the program that works on it.
pub(super) fn read_only(path: &Path) -> Result<Connection, OpenError> {
    file::usable(path, file::Use::Read)?;
    let connection = file::connect_to_read(path)?;
    check::check_header(path, &connection)?;
    Ok(connection)
}

/// Brings the tables of an older version up to this one, one version after the other, each in one
/// transaction.
fn upgrade(path: &Path, connection: &Connection, version: i32) -> Result<(), OpenError> {
    for (from, statements) in [(1, schema::FROM_VERSION_1), (2, schema::FROM_VERSION_2)] {
        if version <= from {
            connection
                .execute_batch(statements)
                .map_err(|source| OpenError::unreadable(path, source))?;
        }
    }
    tracing::info!(
        from = version,
        to = schema::SCHEMA_VERSION,
        "the tables of the store are of this version now"
    );
    Ok(())
}

fn check(path: &Path, lock: File) -> Result<Checked, OpenError> {
    let store = file::usable(path, file::Use::Write)?;
    let connection = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = check::check_header(path, &connection)?;
    check_pages(path, &connection)?;
    if version < schema::SCHEMA_VERSION {
        upgrade(path, &connection, version)?;
    }
    let identity = read_identity(path, &connection)?;
    let head = check::check_chain(path, &connection, identity)?;
    configure(&connection).map_err(|source| OpenError::unreadable(path, source))?;
    let ownership = file::ownership(path, store, &lock)?;
    Ok(Checked {
        connection,
        identity,
        head,
        lock,
        ownership,
    })
}

/// The newest instant that anything in the store carries.
pub(super) fn last_time(connection: &Connection) -> rusqlite::Result<Option<Time>> {
    let newest: Option<i64> = connection.query_row(
        "SELECT max(time) FROM (SELECT time FROM events WHERE seq = (SELECT max(seq) FROM events)
                                UNION ALL SELECT alive FROM meta
                                UNION ALL SELECT max(last_seen) FROM facts
                                UNION ALL SELECT max(time) FROM evidence)",
        [],
        |row| row.get(0),
    )?;
    Ok(newest.map(Time::from_millis))
}

/// The boot that the newest start has recorded.
fn last_boot(connection: &Connection) -> rusqlite::Result<Option<Boot>> {
    let newest: Option<String> = connection
        .query_row(
            "SELECT body FROM events WHERE kind = 'Started' ORDER BY seq DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    // One that cannot be read says nothing here; to load it is an error.
    let start = newest.and_then(|body| serde_json::from_str::<Start>(&body).ok());
    Ok(start.and_then(|start| start.boot))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(schema::CONNECTION)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(mode, "the file system of the store does not support WAL");
    }
    Ok(())
}

fn next_epoch(connection: &Connection) -> rusqlite::Result<Epoch> {
    let epoch: i64 = connection.query_row(
        "UPDATE meta SET epoch = epoch + 1 RETURNING epoch",
        [],
        |row| row.get(0),
    )?;
    Ok(Epoch(epoch.cast_unsigned()))
}
