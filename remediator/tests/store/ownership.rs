//! A store that is deleted, swapped or taken over under the running program: nothing is started
//! on an orphaned file.

use std::fs;

use vcm_recovery::tier::Rung;
use vcm_remediator::store::open::open;
use vcm_remediator::store::ownership::NotOwner;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{Store as _, StoreError};

use crate::place::{BUDGETS, Place, fact, guard, intent, look, module, opened};

/// Every write is refused for the same reason; what is open can be read.
async fn refuses_all(store: &SqliteStore) -> NotOwner {
    let epoch = store.identity().epoch;
    let entry = intent(99, &module(9), Rung::Retry, epoch);
    let (host, seen) = look(99);
    let refusals = [
        store.reserve(entry, BUDGETS).await.map(drop),
        store.accept(vec![fact(99, 1_000)]).await.map(drop),
        store.append(vec![opened(module(9))]).await.map(drop),
        store.keep_observation(&host, &seen).await,
    ];
    let mut reasons = refusals.map(|refused| match refused {
        Err(StoreError::NotOwner(why)) => why,
        other => panic!("{other:?}"),
    });
    reasons.sort_by_key(|why| format!("{why:?}"));
    assert_eq!(reasons[0], reasons[3]);
    let seqs: Vec<u64> = store
        .events_after(0, 10)
        .await
        .unwrap()
        .iter()
        .map(|event| event.seq)
        .collect();
    assert_eq!(seqs, [1]);
    assert_eq!(store.head().await.unwrap().seq, 1);
    assert!(
        store
            .load()
            .await
            .unwrap()
            .hosts
            .contains_key(&module(1).host)
    );
    let [why, ..] = reasons;
    why
}

async fn store_with_one_event(place: &Place) -> SqliteStore {
    let store = place.store();
    store.append(vec![opened(module(1))]).await.unwrap();
    assert_eq!(store.ownership(), Ok(()));
    store
}

#[tokio::test]
async fn nothing_is_written_to_a_store_that_was_deleted_and_all_is_fine_when_it_is_back() {
    let place = Place::new();
    let store = store_with_one_event(&place).await;
    let aside = place.directory.path().join("aside");
    fs::rename(place.file(), &aside).unwrap();
    let gone = NotOwner::Gone { path: place.file() };
    assert_eq!(refuses_all(&store).await, gone);
    fs::rename(&aside, place.file()).unwrap();
    let entry = intent(1, &module(1), Rung::Retry, store.identity().epoch);
    assert_eq!(guard(&store.reserve(entry, BUDGETS).await.unwrap()), None);
}

#[tokio::test]
async fn nothing_is_written_once_a_copy_was_restored_over_it() {
    let place = Place::new();
    let copy = place.directory.path().join("copy");
    let store = store_with_one_event(&place).await;
    fs::copy(place.file(), &copy).unwrap();
    fs::rename(&copy, place.file()).unwrap();
    let replaced = NotOwner::Replaced { path: place.file() };
    assert_eq!(refuses_all(&store).await, replaced);
}

#[tokio::test]
async fn without_its_lock_it_is_not_ours_and_a_second_program_takes_it_over() {
    let place = Place::new();
    let store = store_with_one_event(&place).await;
    let lock = place.directory.path().join("remediator.sqlite.lock");
    fs::remove_file(&lock).unwrap();
    assert_eq!(
        refuses_all(&store).await,
        NotOwner::Gone { path: lock.clone() }
    );
    let second = open(&place.file()).unwrap();
    assert_eq!(
        refuses_all(&store).await,
        NotOwner::Replaced { path: lock.clone() }
    );
    let identity = second.identity;
    drop(second);
    // As if nobody had ever touched the lock: what is inside tells.
    let taken_over = NotOwner::TakenOver {
        store_id: identity.store_id.to_string(),
        epoch: identity.epoch,
    };
    let other = Place::new();
    let store = store_with_one_event(&other).await;
    other.sql(&format!(
        "UPDATE meta SET store_id = '{}', epoch = {}",
        identity.store_id, identity.epoch
    ));
    assert_eq!(refuses_all(&store).await, taken_over);
    assert_eq!(store.ownership(), Err(taken_over), "it is known at once");
}

#[tokio::test]
async fn nothing_is_written_after_something_else_has_written_events() {
    let place = Place::new();
    let store = store_with_one_event(&place).await;
    place.sql(
        "INSERT INTO events SELECT 2, schema, time, epoch, host, target_host, target_module,
         incident, kind, body, hash FROM events WHERE seq = 1",
    );
    let refused = store.append(vec![opened(module(2))]).await;
    let altered = NotOwner::Altered { found: 2, left: 1 };
    assert!(
        matches!(&refused, Err(StoreError::NotOwner(why)) if *why == altered),
        "{refused:?}"
    );
    place.sql("DELETE FROM events WHERE seq = 2");
    assert_eq!(
        refuses_all(&store).await,
        altered,
        "only a new start gets over it"
    );
    drop(store);
    place.store().append(vec![opened(module(2))]).await.unwrap();
}
