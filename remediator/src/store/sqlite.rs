//! The store in one SQLite file: WAL, `synchronous = FULL`, one writer thread.

use std::sync::Arc;

use rusqlite::params;
use vcm_recovery::alert::Fact;
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::fleet::Silences;
use vcm_recovery::ids::{AttemptId, Epoch, HostName};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::{Budgets, Policy};
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::chain::ChainHead;
use super::open::{OpenError, Opened};
use super::ownership::{NotOwner, Ownership};
use super::transaction::{Operation, each_row};
use super::writer::{Database, Writer};
use super::{
    Accepted, Loaded, Pending, Reservation, Store, StoreError, StoreIdentity, attempts, facts,
};
use crate::clock::Clock;

/// The store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    identity: StoreIdentity,
    ownership: Arc<Ownership>,
    writer: Writer,
}

impl SqliteStore {
    /// Starts the writer on an opened store.
    ///
    /// # Errors
    /// [`OpenError`] when the thread cannot be started.
    pub fn start(opened: Opened, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let Opened {
            path,
            connection,
            identity,
            lock,
            ownership,
            ..
        } = opened;
        let ownership = Arc::new(ownership);
        let database = Database::new(connection, identity, clock, Arc::clone(&ownership));
        let writer = Writer::start(database, lock).map_err(|source| OpenError::Unreadable {
            path,
            source: Box::new(source),
        })?;
        Ok(Self {
            identity,
            ownership,
            writer,
        })
    }

    /// Comes back when the writer has ended, which it never should while the store is in use:
    /// nothing is accepted any more. Asked for once; a second call never comes back.
    pub fn ended(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.writer.ended()
    }
}

impl Store for SqliteStore {
    fn identity(&self) -> StoreIdentity {
        self.identity
    }

    fn ownership(&self) -> Result<(), NotOwner> {
        self.ownership.check_sometimes()
    }

    fn head(&self) -> Pending<'_, ChainHead> {
        Box::pin(self.writer.look(|operation| Ok(*operation.head)))
    }

    fn accept(&self, facts: Vec<Fact>) -> Pending<'_, Accepted> {
        Box::pin(
            self.writer
                .call(move |operation| facts::accept(operation, &facts)),
        )
    }

    fn append(&self, entries: Vec<Entry>) -> Pending<'_, Vec<Event>> {
        Box::pin(
            self.writer
                .call(move |operation| append(operation, &entries)),
        )
    }

    fn reserve(&self, entry: Entry, budgets: Budgets) -> Pending<'_, Reservation> {
        Box::pin(
            self.writer
                .call(move |operation| attempts::reserve(operation, &entry, budgets)),
        )
    }

    fn accounts_for(&self, attempt: AttemptId, ordered_by: Epoch) -> Pending<'_, bool> {
        Box::pin(
            self.writer.look(move |operation| {
                Ok(attempts::accounted_for(operation, attempt, ordered_by)?)
            }),
        )
    }

    fn keep_observation(&self, host: &HostName, observation: &Observation) -> Pending<'_, ()> {
        let host = host.clone();
        let id = observation.observation_id.to_string();
        let body = serde_json::to_string(observation).map_err(StoreError::Encode);
        Box::pin(async move {
            let body = body?;
            self.writer
                .call(move |operation| keep(operation, &host, &id, &body))
                .await
        })
    }

    fn load(&self) -> Pending<'_, Loaded> {
        Box::pin(self.writer.look(|operation| load(operation)))
    }

    fn events_after(&self, seq: u64, limit: u32) -> Pending<'_, Vec<Event>> {
        Box::pin(
            self.writer
                .look(move |operation| events_after(operation, seq, limit)),
        )
    }
}

fn append(operation: &mut Operation<'_>, entries: &[Entry]) -> Result<Vec<Event>, StoreError> {
    let append = |entry: &Entry| {
        if matches!(entry.change, Change::IntentReserved(_)) {
            return Err(StoreError::NotAnIntent);
        }
        operation.append(entry.clone())
    };
    entries.iter().map(append).collect()
}

fn keep(
    operation: &Operation<'_>,
    host: &HostName,
    id: &str,
    body: &str,
) -> Result<(), StoreError> {
    let now = operation.now.as_millis();
    let connection = operation.connection;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO evidence (observation, host, time, body)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![id, host.as_str(), now, body])?;
    Ok(())
}

fn load(operation: &Operation<'_>) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    each_row(operation.connection, 0, u32::MAX, |row, _| {
        let event = row.decode()?;
        match &event.entry.host {
            Some(host) => loaded.host(host).apply(&event),
            None => loaded.fleet.apply(&event),
        }
        Ok(())
    })?;
    for (fingerprint, record) in facts::all(operation.connection)? {
        let state = loaded.host(&record.target.host);
        state.facts.insert(fingerprint, record);
    }
    forget_outlived(&mut loaded, operation.now);
    Ok(loaded)
}

/// Leaves out the alerts that nothing depends on any more, as the events have every one that ever was.
/// Which are silenced is not known yet, and what an alert counts is for the policy of the engine.
fn forget_outlived(loaded: &mut Loaded, now: Time) {
    let silences = || Silences::Unknown(String::new());
    let policy = Policy::default();
    for state in loaded.hosts.values_mut() {
        let outlived = state.outlived_facts(&policy, silences, now);
        state.forget_facts(&outlived);
    }
}

impl Loaded {
    fn host(&mut self, name: &HostName) -> &mut HostState {
        self.hosts
            .entry(name.clone())
            .or_insert_with(|| HostState::new(name.clone()))
    }
}

fn events_after(operation: &Operation<'_>, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    let after = i64::try_from(seq).unwrap_or(i64::MAX);
    each_row(operation.connection, after, limit, |row, _| {
        events.push(row.decode()?);
        Ok(())
    })?;
    Ok(events)
}

#[cfg(test)]
mod tests {
    use vcm_recovery::inventory::Target;

    use super::*;
    use crate::clock::ManualClock;
    use crate::store::open::open;

    fn facts(count: u64) -> Vec<Fact> {
        let fact = |number: u64| Fact {
            fingerprint: format!("{number:016x}").parse().unwrap(),
            name: "HardserverDown".to_owned(),
            target: Target::host(format!("tenant-{}", number / 16).parse().unwrap()),
            tier: None,
            lowered: None,
            firing: true,
            starts_at: Time::from_millis(1),
            ends_at: None,
            delivered_at: Time::from_millis(2),
        };
        (1..=count).map(fact).collect()
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_does_not_fit_and_keeps_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open(&directory.path().join("store.sqlite")).unwrap();
        let pages: i64 = opened
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        opened
            .connection
            .query_row(
                &format!("PRAGMA max_page_count = {}", pages + 4),
                [],
                |_| Ok(()),
            )
            .unwrap();
        let clock = Arc::new(ManualClock::at(Time::from_millis(5)));
        let store = SqliteStore::start(opened, clock).unwrap();
        let (small, large, other) = tokio::join!(
            store.accept(facts(1)),
            store.accept(facts(5000)),
            store.accept(facts(2)),
        );
        assert!(matches!(large, Err(StoreError::Database(_))), "{large:?}");
        assert_eq!(
            (small.unwrap().events.len(), other.unwrap().events.len()),
            (1, 1)
        );
        assert_eq!(store.events_after(0, 10).await.unwrap().len(), 2);
    }
}
