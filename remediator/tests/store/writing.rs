//! What was written is there, in order, all or none, in few commits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use vcm_recovery::alert::Fact;
use vcm_recovery::event::Event;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_remediator::clock::{Clock, ManualClock};
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{Store as _, StoreError};

use crate::place::{NOW, Place, fact, host, intent, module, opened, resolved};

#[tokio::test]
async fn what_was_accepted_and_appended_is_there_after_reopening() {
    let place = Place::new();
    let store = place.store();
    let events = store.accept(vec![fact(1, 1_000)]).await.unwrap().events;
    assert_eq!(events.len(), 1);
    store.append(vec![opened(module(1))]).await.unwrap();
    let before = store.load().await.unwrap();
    drop(store);

    let store = place.store();
    let after = store.load().await.unwrap();
    assert_eq!(after, before);
    let state = &after.hosts[&host(1).host];
    assert!(state.incidents.contains_key(&module(1)));
    assert!(
        state
            .facts
            .values()
            .all(|record| record.valid(Duration::from_secs(60), NOW))
    );
}

/// A clock that goes on a millisecond with each reading. The writer reads it once a transaction.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Time {
        Time::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

#[tokio::test]
async fn operations_at_once_share_commits_and_all_are_kept_in_one_chain() {
    let place = Place::new();
    let opened = open(&place.file()).unwrap();
    let store = Arc::new(SqliteStore::start(opened, Arc::new(Ticking::default())).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500 {
        let store = store.clone();
        tasks.spawn(async move {
            store
                .accept(vec![fact(number, 1_000)])
                .await
                .unwrap()
                .events
        });
    }
    let events: Vec<Event> = tasks.join_all().await.into_iter().flatten().collect();
    let seqs: BTreeSet<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=500).collect());
    let commits: BTreeSet<Time> = events.iter().map(|event| event.time).collect();
    assert!(
        commits.len() <= 250,
        "{} commits for 500 operations",
        commits.len()
    );
    drop(store);
    assert_eq!(
        place.store().events_after(0, 1000).await.unwrap().len(),
        500
    );
}

#[tokio::test]
async fn a_failing_operation_takes_nothing_from_its_siblings() {
    let place = Place::new();
    let store = place.store();
    let bad = intent(1, &module(1), Rung::Retry, store.identity().epoch);
    let (first, refused, second) = tokio::join!(
        store.append(vec![opened(module(1))]),
        store.append(vec![opened(module(2)), bad]),
        store.append(vec![opened(module(3))]),
    );
    assert!(matches!(refused, Err(StoreError::NotAnIntent)));
    assert_eq!((first.unwrap()[0].seq, second.unwrap()[0].seq), (1, 2));
    let hosts = store.load().await.unwrap().hosts;
    assert!(
        !hosts.contains_key(&host(2).host),
        "the refused operation left nothing behind"
    );
    drop(store);
    drop(place.store());
}

#[tokio::test]
async fn a_database_that_cannot_be_written_refuses_and_goes_on_when_it_can_again() {
    let place = Place::new();
    let store = place.store();
    let blocker = Connection::open(place.file()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (first, second) = tokio::join!(
        store.accept(vec![fact(1, 1)]),
        store.accept(vec![fact(2, 1)])
    );
    assert!(matches!(first, Err(StoreError::NotCommitted)), "{first:?}");
    assert!(
        matches!(second, Err(StoreError::NotCommitted)),
        "{second:?}"
    );
    blocker.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        store.accept(vec![fact(1, 1)]).await.unwrap().events.len(),
        1
    );
    assert_eq!(store.events_after(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn time_in_the_store_never_goes_back() {
    let place = Place::new();
    place.clock.advance(Duration::from_secs(3600));
    let store = place.store();
    store.append(vec![opened(module(1))]).await.unwrap();
    drop(store);
    let opened_again = open(&place.file()).unwrap();
    assert_eq!(
        opened_again.last_time,
        Some(NOW.after(Duration::from_secs(3600)))
    );
    let behind: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let store = SqliteStore::start(opened_again, behind).unwrap();
    let later = store.append(vec![opened(module(2))]).await.unwrap();
    assert_eq!(later[0].time, NOW.after(Duration::from_secs(3600)));
}

/// Nothing is recorded for hours while nothing happens.
#[tokio::test]
async fn a_quiet_time_is_no_time_without_the_program() {
    let place = Place::new();
    let store = place.store();
    store.append(vec![opened(module(1))]).await.unwrap();
    for _ in 0..2 {
        place.clock.advance(Duration::from_secs(3600));
        store.load().await.unwrap();
    }
    let lived_until = place.clock.now();
    drop(store);
    place.clock.advance(Duration::from_secs(3600));
    let opened_again = open(&place.file()).unwrap();
    assert_eq!(opened_again.last_time, Some(lived_until));
    // One that has not recorded its start yet would hide how long there was none.
    let clock: Arc<dyn Clock> = place.clock.clone();
    let store = SqliteStore::start(opened_again, clock).unwrap();
    store.load().await.unwrap();
    drop(store);
    let opened_again = open(&place.file()).unwrap();
    assert_eq!(opened_again.last_time, Some(lived_until));
}

#[tokio::test]
async fn repeated_delivery_makes_no_second_event_and_a_new_episode_does() {
    let place = Place::new();
    let store = place.store();
    let accept = async |fact: Fact| store.accept(vec![fact]).await.unwrap().events.len();
    assert_eq!(accept(fact(1, 1_000)).await, 1, "it began");
    assert_eq!(accept(fact(1, 1_000)).await, 0, "delivered again");
    assert_eq!(
        accept(fact(1, 900)).await,
        0,
        "an earlier start of the same episode"
    );
    assert_eq!(accept(resolved(1, 1_000, 2_000)).await, 1, "it ended");
    assert_eq!(
        accept(resolved(1, 1_000, 2_000)).await,
        0,
        "ended, delivered again"
    );
    assert_eq!(
        accept(fact(1, 1_000)).await,
        0,
        "a late copy of the episode that ended"
    );
    assert_eq!(accept(fact(1, 3_000)).await, 1, "it began again");
    assert_eq!(
        accept(fact(1, 4_000)).await,
        1,
        "began anew; the end in between was never seen"
    );
    assert_eq!(
        accept(resolved(9, 1_000, 2_000)).await,
        0,
        "an end of what never fired here"
    );
}

#[tokio::test]
async fn events_are_read_in_order_and_in_portions() {
    let place = Place::new();
    let store = place.store();
    let entries = (1..=5).map(|number| opened(module(number))).collect();
    let stored = store.append(entries).await.unwrap();
    assert_eq!(store.events_after(0, 100).await.unwrap(), stored);
    assert_eq!(store.events_after(2, 2).await.unwrap(), stored[2..4]);
    assert_eq!(store.events_after(5, 100).await.unwrap(), []);
    assert_eq!(store.events_after(u64::MAX, 100).await.unwrap(), []);
}
