//! The facts table: the join of everything that was delivered, by host and fingerprint.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use vcm_recovery::alert::{Fact, FactRecord};
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::{Fingerprint, HostName};
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;

use super::places::Places;
use super::row::text;
use super::transaction::Operation;
use super::{Accepted, Refused, StoreError};

/// Joins the facts in order; an event for each that began or ended to fire.
///
/// A fact that is known and holds a place is always joined. Any other needs a free place of its target
/// and is refused without one, except the end of what is known: that is joined and takes none.
pub(super) fn accept(
    operation: &mut Operation<'_>,
    facts: &[Fact],
) -> Result<Accepted, StoreError> {
    let mut accepted = Accepted::default();
    let mut places = Places::at(operation.now);
    for fact in facts {
        let known = find(operation.connection, fact)?;
        let Some(last_seen) = last_seen(operation.connection, &mut places, known.as_ref(), fact)?
        else {
            refuse(&mut accepted.refused, fact);
            continue;
        };
        let before = known.map(|known| known.record);
        let mut after = before.clone().unwrap_or_else(|| FactRecord::new(fact));
        after.join(fact);
        write(operation.connection, fact, &after, last_seen)?;
        if began(before.as_ref()) != began(Some(&after)) {
            accepted.events.push(operation.append(entry(fact))?);
        }
        accepted.known.push((fact.fingerprint, after));
    }
    Ok(accepted)
}

/// When the alert was last delivered, for its place; `None` when it is refused.
fn last_seen(
    connection: &Connection,
    places: &mut Places,
    known: Option<&Known>,
    fact: &Fact,
) -> Result<Option<Time>, StoreError> {
    let before = known.map(|known| known.last_seen);
    let (target, name) = known.map_or((&fact.target, &fact.name), |known| {
        (&known.record.target, &known.record.name)
    });
    let holds = before.is_some_and(|last_seen| places.holds(last_seen));
    if holds || places.take(connection, target, name)? {
        return Ok(before.max(Some(fact.delivered_at)));
    }
    Ok(before.filter(|_| !fact.firing))
}

fn refuse(refused: &mut BTreeMap<Target, Refused>, fact: &Fact) {
    let of_target = refused.entry(fact.target.clone());
    let of_target = of_target.or_insert_with(|| Refused {
        facts: 0,
        name: fact.name.clone(),
    });
    of_target.facts += 1;
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
                       last_firing_delivery, last_seen";

/// What is stored of a fingerprint.
struct Known {
    record: FactRecord,
    /// When it was last delivered.
    last_seen: Time,
}

fn find(connection: &Connection, fact: &Fact) -> Result<Option<Known>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM facts WHERE host = ?1 AND fingerprint = ?2");
    let key = params![fact.target.host.as_str(), fact.fingerprint.to_string()];
    let stored = connection
        .prepare_cached(&query)?
        .query_row(key, Stored::read)
        .optional()?;
    let known = stored.map(|stored| {
        let last_seen = Time::from_millis(stored.last_seen);
        let (_, record) = stored.decode()?;
        Ok::<_, StoreError>(Known { record, last_seen })
    });
    known.transpose()
}

fn write(
    connection: &Connection,
    fact: &Fact,
    record: &FactRecord,
    last_seen: Time,
) -> Result<(), StoreError> {
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
                 last_seen = excluded.last_seen",
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
            last_seen.as_millis(),
        ])?;
    Ok(())
}

/// After a start that does not know how long the program was away nobody can tell how long ago a fact
/// was delivered: none counts until it is delivered again.
pub(super) fn follow(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    if matches!(change, Change::Started(start) if !start.away_known) {
        connection.execute("UPDATE facts SET last_firing_delivery = NULL", [])?;
    }
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
    last_seen: i64,
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
            last_seen: row.get(8)?,
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
