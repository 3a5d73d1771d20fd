//! Opening the store's file: absent, unreadable, foreign, newer and corrupt are different results.
//!
//! `serve` calls [`open`] once, before anything else happens. It takes the lock, checks the file
//! from header to hash chain, and commits the epoch of this start.

use std::error::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use uuid::Uuid;
use vcm_recovery::ids::{Epoch, StoreId};
use vcm_recovery::time::Time;

use super::transaction::{Head, each_row};
use super::{StoreError, StoreIdentity, chain, row, schema};

/// A store that is open, locked and checked; its epoch is committed.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub path: PathBuf,
    /// The store's id and the epoch of this start.
    pub identity: StoreIdentity,
    /// The newest instant in the store; the program's time goes on from here at the earliest.
    pub last_time: Option<Time>,
    /// The newest event, 0 when there is none.
    pub last_seq: u64,
    /// Whether the file was absent and has just been made.
    pub created: bool,
    pub(super) connection: Connection,
    pub(super) lock: File,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
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
        "store {} is corrupt: {detail}; restore a copy, or move the file away to start anew",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
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
    let lock = lock(path)?;
    let created = create_if_absent(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_header(path, &connection)?;
    check_pages(path, &connection)?;
    let store_id = read_store_id(path, &connection)?;
    let head = check_chain(path, &connection, store_id)?;
    let unreadable = |source| OpenError::unreadable(path, source);
    let last_time = last_time(&connection).map_err(unreadable)?;
    configure(&connection).map_err(unreadable)?;
    let epoch = next_epoch(&connection).map_err(unreadable)?;
    Ok(Opened {
        path: path.to_owned(),
        identity: StoreIdentity { store_id, epoch },
        last_time,
        last_seq: head.seq.cast_unsigned(),
        created,
        connection,
        lock,
    })
}

/// Takes the lock beside the file; the kernel gives it back when the process ends, however.
fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = with_suffix(path, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(|source| OpenError::io(&beside, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(OpenError::io(&beside, source)),
    }
}

/// Makes the file under another name and renames it, so that a half-made store is never found.
fn create_if_absent(path: &Path) -> Result<bool, OpenError> {
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
        .execute("INSERT INTO meta VALUES (1, ?1, 0)", [store_id.to_string()])
        .map(drop)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| OpenError::unreadable(path, error))
}

fn check_header(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let size = fs::metadata(path)
        .map_err(|source| OpenError::io(path, source))?
        .len();
    if size == 0 {
        return Err(OpenError::Corrupt {
            path: path.to_owned(),
            detail: "it is empty".to_owned(),
        });
    }
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(|source| OpenError::unreadable(path, source))
    };
    if pragma("application_id")? != schema::APPLICATION_ID {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    let found = pragma("user_version")?;
    let known = schema::SCHEMA_VERSION;
    if found > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if found < known {
        let detail = format!("version {found} was never written by this program");
        return Err(OpenError::Corrupt {
            path: path.to_owned(),
            detail,
        });
    }
    Ok(())
}

fn check_pages(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let found = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|source| OpenError::unreadable(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    Err(OpenError::Corrupt {
        path: path.to_owned(),
        detail: found,
    })
}

fn read_store_id(path: &Path, connection: &Connection) -> Result<StoreId, OpenError> {
    let corrupt = |detail: String| OpenError::Corrupt {
        path: path.to_owned(),
        detail,
    };
    let text: String = connection
        .query_row("SELECT store_id FROM meta", [], |row| row.get(0))
        .map_err(|source| corrupt(source.to_string()))?;
    row::text(&text).map_err(|source| corrupt(source.to_string()))
}

/// Recomputes every hash, from the first event on; the end of the chain.
fn check_chain(path: &Path, connection: &Connection, store_id: StoreId) -> Result<Head, OpenError> {
    let mut head = Head {
        seq: 0,
        time: i64::MIN,
        hash: chain::origin(store_id),
    };
    let mut broken = None;
    let walked = each_row(connection, i64::MIN, u32::MAX, |row, stored| {
        let hash = chain::next(&head.hash, &row);
        if broken.is_none() && (row.seq != head.seq + 1 || hash != stored) {
            broken = Some(row.seq);
        }
        head = Head {
            seq: row.seq,
            time: row.time,
            hash,
        };
        Ok(())
    });
    match (walked, broken) {
        (Ok(()), None) => Ok(head),
        (Ok(()), Some(seq)) => {
            let detail = format!("the chain of events is broken at event {seq}");
            Err(OpenError::Corrupt {
                path: path.to_owned(),
                detail,
            })
        }
        (Err(StoreError::Database(source)), _) => Err(OpenError::Unreadable {
            path: path.to_owned(),
            source,
        }),
        (Err(error), _) => Err(OpenError::Corrupt {
            path: path.to_owned(),
            detail: error.to_string(),
        }),
    }
}

/// The newest instant that anything in the store carries.
fn last_time(connection: &Connection) -> rusqlite::Result<Option<Time>> {
    let newest: Option<i64> = connection.query_row(
        "SELECT max(time) FROM (SELECT max(time) AS time FROM events
                                UNION ALL SELECT max(last_seen) FROM facts
                                UNION ALL SELECT max(time) FROM evidence)",
        [],
        |row| row.get(0),
    )?;
    Ok(newest.map(Time::from_millis))
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

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
