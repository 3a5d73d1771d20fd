//! Facts and evidence are forgotten in time, the events never.

use std::time::Duration;

use rusqlite::Connection;
use vcm_recovery::alert::{FACT_MEMORY, Fact};
use vcm_recovery::ids::Fingerprint;
use vcm_remediator::store::Store as _;
use vcm_remediator::store::retention::KEPT;
use vcm_remediator::store::sqlite::SqliteStore;

use crate::place::{NOW, Place, fact, look, module, resolved};

fn count(place: &Place, table: &str) -> u32 {
    Connection::open(place.file())
        .unwrap()
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

fn counts(place: &Place) -> [u32; 3] {
    ["facts", "evidence", "events"].map(|table| count(place, table))
}

/// Keeps the writer going until only `left` rows of facts and evidence are left. Each operation
/// waits for one portion at most, so this many are more than enough.
async fn forgets_down_to(place: &Place, store: &SqliteStore, left: [u32; 2]) {
    for _ in 0..1000 {
        let [facts, evidence, _] = counts(place);
        if [facts, evidence] == left {
            return;
        }
        store.head().await.unwrap();
    }
    panic!("{:?} are left, not {left:?}", counts(place));
}

#[tokio::test]
async fn old_evidence_and_facts_are_forgotten_while_the_program_runs_and_events_are_not() {
    let place = Place::new();
    let store = place.store();
    store
        .accept((0..1000).map(|number| fact(number, 1_000)).collect())
        .await
        .unwrap();
    for number in 0..300 {
        let (host, seen) = look(number);
        store.keep_observation(&host, &seen).await.unwrap();
    }
    place.clock.advance(KEPT);
    store.head().await.unwrap();
    assert_eq!(counts(&place), [1000, 300, 1000], "not a moment too early");
    let (host, seen) = look(300);
    store.keep_observation(&host, &seen).await.unwrap();
    place.clock.advance(Duration::from_secs(3600));
    forgets_down_to(&place, &store, [0, 1]).await;
    assert_eq!(count(&place, "events"), 1000);
}

#[tokio::test]
async fn what_was_due_while_the_program_did_not_run_is_forgotten_after_the_next_start() {
    let place = Place::new();
    let store = place.store();
    store.accept(vec![fact(1, 1_000)]).await.unwrap();
    drop(store);
    place.clock.advance(KEPT + Duration::from_secs(1));
    let store = place.store();
    forgets_down_to(&place, &store, [0, 0]).await;
}

#[tokio::test]
async fn a_fact_that_is_delivered_again_is_one_row_and_counts_from_its_last_delivery() {
    let place = Place::new();
    let store = place.store();
    store.accept(vec![fact(1, 1_000)]).await.unwrap();
    for _ in 0..10 {
        place.clock.advance(KEPT / 10);
        let mut again = fact(1, 1_000);
        again.delivered_at = vcm_remediator::clock::Clock::now(&*place.clock);
        store.accept(vec![again]).await.unwrap();
    }
    place.clock.advance(KEPT / 2);
    drop(store);
    let store = place.store();
    store.head().await.unwrap();
    assert_eq!(counts(&place), [1, 0, 1]);
}

/// The events have every alert that ever was; what has ended is not carried along for ever.
#[tokio::test]
async fn what_ended_a_day_ago_is_not_loaded_and_ends_a_late_firing_all_the_same() {
    let place = Place::new();
    let store = place.store();
    let begun = NOW.as_millis();
    store.accept(vec![fact(1, begun)]).await.unwrap();
    store
        .accept(vec![resolved(1, begun, begun + 1), fact(2, begun)])
        .await
        .unwrap();
    let known = async |store: &SqliteStore| -> Vec<Fingerprint> {
        let hosts = store.load().await.unwrap().hosts;
        hosts[&module(1).host].facts.keys().copied().collect()
    };
    let both = [1, 2].map(|number| fact(number, 0).fingerprint);
    place.clock.advance(FACT_MEMORY);
    assert_eq!(known(&store).await, both);
    place.clock.advance(Duration::from_secs(1));
    // What has not ended may be silenced: who knows the silences forgets it.
    assert_eq!(known(&store).await, both[1..]);
    drop(store);
    let store = place.store();
    assert_eq!(known(&store).await, both[1..]);
    let late = Fact {
        delivered_at: vcm_remediator::clock::Clock::now(&*place.clock),
        ..fact(1, begun)
    };
    let accepted = store.accept(vec![late]).await.unwrap();
    assert_eq!(accepted.events, []);
    assert!(!accepted.known[0].1.firing());
}

/// Rooms of forgotten evidence are used again: the file stops growing.
#[tokio::test]
async fn the_file_stops_growing_when_as_much_is_forgotten_as_is_kept() {
    let place = Place::new();
    let store = place.store();
    let mut sizes = Vec::new();
    for round in 0..4_u64 {
        for number in 0..500 {
            let (host, seen) = look(u128::from(round * 500 + number));
            store.keep_observation(&host, &seen).await.unwrap();
        }
        place.clock.advance(KEPT + Duration::from_secs(3600));
        forgets_down_to(&place, &store, [0, 0]).await;
        place.sql("PRAGMA wal_checkpoint(TRUNCATE)");
        sizes.push(std::fs::metadata(place.file()).unwrap().len());
    }
    assert!(
        sizes[0] > 500_000,
        "there is something to forget: {sizes:?}"
    );
    assert!(sizes[3] <= sizes[0] + sizes[0] / 20, "{sizes:?}");
}
