//! The store, read as a file when nobody has it open: its events, and whether their hash chain
//! holds. Written from the description of the chain, and shares no code with the remediator.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row, types::ValueRef};
use sha2::{Digest as _, Sha256};
use vcm_lab::lab::remediator::Event;

/// What the first event follows, before the id of the store.
const ORIGIN: &str = "vcm-remediator events 1\n";

/// The events, or what is wrong with the chain.
pub(super) type Chain = Result<Vec<Event>, String>;

/// Reads and verifies a store.
pub(super) fn read(store: &Path) -> Chain {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(store, flags).map_err(|error| error.to_string())?;
    verified(&database).map_err(|error| error.to_string())?
}

fn verified(database: &Connection) -> rusqlite::Result<Chain> {
    let store_id: String = database.query_row("SELECT store_id FROM meta", [], |row| row.get(0))?;
    let mut before: [u8; 32] = Sha256::new()
        .chain_update(ORIGIN)
        .chain_update(store_id)
        .finalize()
        .into();
    let mut statement = database.prepare("SELECT * FROM events ORDER BY seq")?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let event = event(row)?;
        if event.seq != events.len() as u64 + 1 {
            return Ok(Err(format!("event {} follows {}", event.seq, events.len())));
        }
        let hash = hash(&before, row, &names)?;
        if row.get::<_, [u8; 32]>("hash")? != hash {
            return Ok(Err(format!("event {} breaks the chain", event.seq)));
        }
        before = hash;
        events.push(event);
    }
    Ok(Ok(events))
}

fn hash(before: &[u8; 32], row: &Row<'_>, names: &[String]) -> rusqlite::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    hasher.update(before);
    for name in names.iter().filter(|name| *name != "hash") {
        let text = match row.get_ref(name.as_str())? {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
            ValueRef::Text(text) | ValueRef::Blob(text) => Some(text.to_vec()),
            ValueRef::Real(number) => Some(number.to_string().into_bytes()),
        };
        hasher.update([u8::from(text.is_some())]);
        let text = text.unwrap_or_default();
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    Ok(hasher.finalize().into())
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let body: String = row.get("body")?;
    let number = |name: &str| row.get::<_, i64>(name).map(i64::cast_unsigned);
    Ok(Event {
        seq: number("seq")?,
        time_ms: number("time")?,
        host: row.get("host")?,
        target: None,
        incident: None,
        kind: row.get("kind")?,
        body: serde_json::from_str(&body).unwrap_or_default(),
    })
}
