//! One operation inside the writer's transaction: appending events with their chain.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use vcm_recovery::event::{EVENT_SCHEMA, Entry, Event};
use vcm_recovery::ids::StoreId;
use vcm_recovery::time::Time;

use super::chain::{self, ChainHead, Hash};
use super::row::Row;
use super::{StoreError, StoreIdentity, attempts, facts};

/// The newest event, or the chain's origin when there is none.
pub(super) fn read_head(connection: &Connection, store_id: StoreId) -> rusqlite::Result<ChainHead> {
    let newest = connection
        .prepare_cached("SELECT seq, time, hash FROM events ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(ChainHead {
                seq: row.get::<_, i64>(0)?.cast_unsigned(),
                time: Some(Time::from_millis(row.get(1)?)),
                hash: row.get(2)?,
            })
        })
        .optional()?;
    Ok(newest.unwrap_or_else(|| ChainHead::origin(store_id)))
}

/// An operation at work: what it does is undone together when it fails.
pub(super) struct Operation<'a> {
    pub(super) connection: &'a Connection,
    pub(super) identity: StoreIdentity,
    pub(super) head: &'a mut ChainHead,
    pub(super) now: Time,
}

impl Operation<'_> {
    /// Appends one entry.
    pub(super) fn append(&mut self, entry: Entry) -> Result<Event, StoreError> {
        let event = Event {
            seq: self.head.seq + 1,
            schema: EVENT_SCHEMA,
            time: self.head.time.map_or(self.now, |time| time.max(self.now)),
            epoch: self.identity.epoch,
            entry,
        };
        let row = Row::encode(&event)?;
        let hash = chain::next(&self.head.hash, &row);
        insert(&mut self.insert_statement()?, &row, &hash)?;
        attempts::follow(self.connection, &event.entry.change)?;
        facts::follow(self.connection, &event.entry.change)?;
        *self.head = ChainHead {
            seq: event.seq,
            time: Some(event.time),
            hash,
        };
        Ok(event)
    }

    fn insert_statement(&self) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(
            "INSERT INTO events (seq, schema, time, epoch, host, target_host, target_module,
                                 incident, kind, body, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
    }
}

fn insert(statement: &mut CachedStatement<'_>, row: &Row, hash: &Hash) -> rusqlite::Result<()> {
    let columns = params![
        row.seq,
        row.schema,
        row.time,
        row.epoch,
        row.host,
        row.target_host,
        row.target_module,
        row.incident,
        row.kind,
        row.body,
        hash.as_slice(),
    ];
    statement.execute(columns).map(drop)
}

/// Calls `visit` with every row after `seq` and its stored hash, in order.
pub(super) fn each_row(
    connection: &Connection,
    seq: i64,
    limit: u32,
    mut visit: impl FnMut(Row, Hash) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_stored(connection, seq, limit, |_, stored| {
        let (row, hash) = stored?;
        visit(row, hash)
    })
}

/// Calls `visit` with the number of every row after `seq`, and with the row and its stored hash,
/// or why they cannot be read; in order.
pub(super) fn each_stored<E: From<rusqlite::Error>>(
    connection: &Connection,
    seq: i64,
    limit: u32,
    mut visit: impl FnMut(i64, rusqlite::Result<(Row, Hash)>) -> Result<(), E>,
) -> Result<(), E> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, schema, time, epoch, host, target_host, target_module, incident, kind, body,
                hash
         FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![seq, limit])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?, read(row))?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Row, Hash)> {
    let columns = Row {
        seq: row.get(0)?,
        schema: row.get(1)?,
        time: row.get(2)?,
        epoch: row.get(3)?,
        host: row.get(4)?,
        target_host: row.get(5)?,
        target_module: row.get(6)?,
        incident: row.get(7)?,
        kind: row.get(8)?,
        body: row.get(9)?,
    };
    Ok((columns, row.get(10)?))
}
