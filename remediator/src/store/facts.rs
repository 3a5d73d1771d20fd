//! The facts table: the join of everything that was delivered, by host and fingerprint.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use vcm_recovery::alert::{Fact, FactRecord};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::ids::{Fingerprint, HostName};
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;

use super::StoreError;
use super::row::text;
use super::transaction::Operation;

/// Joins the facts in order; an event for each that began or ended to fire.
pub(super) fn accept(
    operation: &mut Operation<'_>,
    facts: &[Fact],
) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for fact in facts {
        let before = find(operation.connection, fact)?;
        let after = match before.clone() {
            Some(mut record) => {
                record.join(fact);
                record
            }
            None => FactRecord::new(fact),
        };
        write(operation.connection, fact, &after)?;
        if began(before.as_ref()) != began(Some(&after)) {
            events.push(operation.append(entry(fact))?);
        }
    }
    Ok(events)
}

/// Since when the alert has been firing this time; `None` when it does not.
fn began(record: Option<&FactRecord>) -> Option<Time> {
    record
        .filter(|record| record.firing())
        .and_then(|record| record.newest_start)
}

fn entry(fact: &Fact) -> Entry {
    Entry {
        host: Some(fact.target.host.clone()),
        target: Some(fact.target.clone()),
        incident: None,
        change: Change::FactChanged(fact.clone()),
    }
}

const COLUMNS: &str = "fingerprint, host, name, module, lowered, newest_start, newest_end, \
                       last_firing_delivery";

fn find(connection: &Connection, fact: &Fact) -> Result<Option<FactRecord>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM facts WHERE host = ?1 AND fingerprint = ?2");
    let key = params![fact.target.host.as_str(), fact.fingerprint.to_string()];
    let stored = connection
        .prepare_cached(&query)?
        .query_row(key, Stored::read)
        .optional()?;
    Ok(stored
        .map(Stored::decode)
        .transpose()?
        .map(|(_, record)| record))
}

fn write(connection: &Connection, fact: &Fact, record: &FactRecord) -> Result<(), StoreError> {
    let millis = |time: Option<Time>| time.map(Time::as_millis);
    connection
        .prepare_cached(
            "INSERT INTO facts (host, fingerprint, name, module, lowered, newest_start, newest_end,
                                last_firing_delivery, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (host, fingerprint) DO UPDATE SET
                 name = excluded.name, module = excluded.module, lowered = excluded.lowered,
                 newest_start = excluded.newest_start, newest_end = excluded.newest_end,
                 last_firing_delivery = excluded.last_firing_delivery,
                 last_seen = max(last_seen, excluded.last_seen)",
        )?
        .execute(params![
            record.target.host.as_str(),
            fact.fingerprint.to_string(),
            record.name,
            record.target.module.map(|module| module.get()),
            record.lowered.map(Tier::as_str),
            millis(record.newest_start),
            millis(record.newest_end),
            millis(record.last_firing_delivery),
            fact.delivered_at.as_millis(),
        ])?;
    Ok(())
}

/// Every stored fact.
pub(super) fn all(connection: &Connection) -> Result<Vec<(Fingerprint, FactRecord)>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM facts ORDER BY host, fingerprint");
    let mut statement = connection.prepare_cached(&query)?;
    let stored = statement.query_map([], Stored::read)?;
    stored.map(|stored| stored?.decode()).collect()
}

/// The columns of a fact.
struct Stored {
    fingerprint: String,
    host: String,
    name: String,
    module: Option<u16>,
    lowered: Option<String>,
    newest_start: Option<i64>,
    newest_end: Option<i64>,
    last_firing_delivery: Option<i64>,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            fingerprint: row.get(0)?,
            host: row.get(1)?,
            name: row.get(2)?,
            module: row.get(3)?,
            lowered: row.get(4)?,
            newest_start: row.get(5)?,
            newest_end: row.get(6)?,
            last_firing_delivery: row.get(7)?,
        })
    }

    fn decode(self) -> Result<(Fingerprint, FactRecord), StoreError> {
        let fingerprint = self.fingerprint.clone();
        self.try_decode()
            .map_err(|source| StoreError::UnreadableFact {
                fingerprint,
                source,
            })
    }

    fn try_decode(
        self,
    ) -> Result<(Fingerprint, FactRecord), Box<dyn std::error::Error + Send + Sync>> {
        let module = self
            .module
            .map(nshield::ModuleNumber::try_from)
            .transpose()?;
        let lowered = self.lowered.as_deref().map(str::parse).transpose()?;
        let target = Target {
            host: text::<HostName>(&self.host)?,
            module,
        };
        let record = FactRecord {
            name: self.name,
            target,
            lowered,
            newest_start: self.newest_start.map(Time::from_millis),
            newest_end: self.newest_end.map(Time::from_millis),
            last_firing_delivery: self.last_firing_delivery.map(Time::from_millis),
        };
        Ok((self.fingerprint.parse()?, record))
    }
}
