//! One operation inside the writer's transaction: appending events with their chain.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use vcm_recovery::event::{Change, EVENT_SCHEMA, Entry, Event};
use vcm_recovery::time::Time;

use super::chain::{self, Hash};
use super::row::Row;
use super::{StoreError, StoreIdentity, attempts};

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) time: i64,
    pub(super) hash: Hash,
}

impl Head {
    /// The newest event, or the chain's origin when there is none.
    pub(super) fn read(connection: &Connection, identity: StoreIdentity) -> rusqlite::Result<Self> {
        let newest = connection
            .prepare_cached("SELECT seq, time, hash FROM events ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| {
                Ok(Self {
                    seq: row.get(0)?,
                    time: row.get(1)?,
                    hash: row.get(2)?,
                })
            })
            .optional()?;
        let origin = || Self {
            seq: 0,
            time: 0,
            hash: chain::origin(identity.store_id),
        };
        Ok(newest.unwrap_or_else(origin))
    }
}

/// An operation at work: what it does is undone together when it fails.
pub(super) struct Operation<'a> {
    pub(super) connection: &'a Connection,
    pub(super) identity: StoreIdentity,
    pub(super) head: &'a mut Head,
    pub(super) now: Time,
}

impl Operation<'_> {
    /// Appends one entry.
    pub(super) fn append(&mut self, entry: Entry) -> Result<Event, StoreError> {
        let event = Event {
            seq: (self.head.seq + 1).cast_unsigned(),
            schema: EVENT_SCHEMA,
            time: self.now.max(Time::from_millis(self.head.time)),
            epoch: self.identity.epoch,
            entry,
        };
        let row = Row::encode(&event)?;
        let hash = chain::next(&self.head.hash, &row);
        insert(&mut self.insert_statement()?, &row, &hash)?;
        if let Change::AttemptReported { attempt, report } = &event.entry.change {
            attempts::reported(self.connection, *attempt, report)?;
        }
        *self.head = Head {
            seq: row.seq,
            time: row.time,
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

/// Calls `visit` with every row after `seq` and its stored hash, in order, until it says stop.
pub(super) fn each_row(
    connection: &Connection,
    seq: i64,
    limit: u32,
    mut visit: impl FnMut(Row, Hash) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, schema, time, epoch, host, target_host, target_module, incident, kind, body,
                hash
         FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![seq, limit])?;
    while let Some(row) = rows.next()? {
        visit(read(row)?, row.get(10)?)?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
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
    })
}
