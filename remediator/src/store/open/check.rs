//! What is checked of a store before it is used, from header to hash chain.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use vcm_recovery::ids::Epoch;

use super::OpenError;
use crate::store::chain::ChainHead;
use crate::store::{StoreIdentity, audit, row, schema};

/// Whose database this is; returns the version of its tables.
pub(super) fn check_header(path: &Path, connection: &Connection) -> Result<i32, OpenError> {
    let size = fs::metadata(path)
        .map_err(|source| OpenError::io(path, source))?
        .len();
    if size == 0 {
        return Err(corrupt(path, "it is empty".to_owned()));
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
    if found < 1 {
        let detail = format!("version {found} was never written by this program");
        return Err(corrupt(path, detail));
    }
    Ok(found)
}

/// Whether the pages of the file hang together.
pub(in crate::store) fn check_pages(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let found = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|source| OpenError::unreadable(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    Err(corrupt(path, found))
}

/// The store's id, and the epoch of the newest start on it.
pub(in crate::store) fn read_identity(
    path: &Path,
    connection: &Connection,
) -> Result<StoreIdentity, OpenError> {
    let (store_id, epoch): (String, i64) = connection
        .query_row("SELECT store_id, epoch FROM meta", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(|source| corrupt(path, source.to_string()))?;
    let store_id = row::text(&store_id).map_err(|source| corrupt(path, source.to_string()))?;
    let epoch = u64::try_from(epoch).map_err(|source| corrupt(path, source.to_string()))?;
    Ok(StoreIdentity {
        store_id,
        epoch: Epoch(epoch),
    })
}

/// Walks the whole chain; its end.
pub(super) fn check_chain(
    path: &Path,
    connection: &Connection,
    identity: StoreIdentity,
) -> Result<ChainHead, OpenError> {
    let report =
        audit::walk(connection, identity).map_err(|source| OpenError::unreadable(path, source))?;
    match report.broken {
        None => Ok(report.head),
        Some(broken) => Err(OpenError::Broken {
            path: path.to_owned(),
            source: Box::new(broken),
        }),
    }
}

fn corrupt(path: &Path, detail: String) -> OpenError {
    OpenError::Corrupt {
        path: path.to_owned(),
        detail,
    }
}
