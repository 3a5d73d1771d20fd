//! A chain that was tampered with, and what `audit` says of it.

use vcm_recovery::attempt::Outcome;
use vcm_recovery::tier::Rung;
use vcm_remediator::store::Store as _;
use vcm_remediator::store::audit::{LoggedHead, Report, verify};
use vcm_remediator::store::open::{OpenError, open};
use vcm_telemetry::logging::chain;

use crate::place::{BUDGETS, NOW, Place, fact, intent, module, settled};

/// Three facts, an attempt that failed, one that is open.
async fn a_store_with_eight_events() -> Place {
    let place = Place::new();
    let store = place.store();
    let epoch = store.identity().epoch;
    store
        .accept(vec![fact(1, 1_000), fact(2, 1_000), fact(3, 1_000)])
        .await
        .unwrap();
    let attempt = async |number| {
        let entry = intent(number, &module(1), Rung::Retry, epoch);
        store.reserve(entry, BUDGETS).await.unwrap();
    };
    attempt(1).await;
    let outcome = |outcome| vec![settled(1, &module(1), outcome)];
    store.append(outcome(Outcome::Unknown)).await.unwrap();
    store.append(outcome(Outcome::Failed)).await.unwrap();
    store.append(outcome(Outcome::Unknown)).await.unwrap();
    attempt(2).await;
    drop(store);
    place
}

fn report(place: &Place) -> Report {
    verify(&place.file(), &[]).unwrap()
}

fn with_head(place: &Place, head: &str) -> Option<(i64, &'static str)> {
    let head: LoggedHead = head.parse().unwrap();
    let broken = verify(&place.file(), &[head]).unwrap().broken?;
    Some((broken.seq, broken.fault.as_str()))
}

#[tokio::test]
async fn a_whole_chain_is_counted_and_its_head_is_the_stores_own() {
    let place = a_store_with_eight_events().await;
    let store = place.store();
    let report = report(&place);
    assert!(report.broken.is_none(), "{:?}", report.broken);
    assert_eq!((report.events, report.first), (8, Some(NOW)));
    assert_eq!(report.head, store.head().await.unwrap());
    assert_eq!(report.identity, store.identity());
}

#[test]
fn a_store_without_events_is_whole_and_an_absent_one_is_absent() {
    let place = Place::new();
    let absent = verify(&place.file(), &[]);
    assert!(
        matches!(absent, Err(OpenError::Absent { .. })),
        "{absent:?}"
    );
    assert!(!place.file().exists(), "looking makes nothing");
    drop(place.store());
    let report = report(&place);
    assert_eq!(
        (report.events, report.first, report.head.time),
        (0, None, None)
    );
    assert!(report.broken.is_none());
}

/// Works on the file beside the program: a reader sees the chain as of one moment.
#[tokio::test]
async fn it_verifies_while_the_program_writes() {
    let place = Place::new();
    let store = place.store();
    for number in 0..50 {
        store.accept(vec![fact(number, 1_000)]).await.unwrap();
        let report = report(&place);
        assert!(report.broken.is_none());
        assert_eq!(report.events, number + 1);
    }
}

#[tokio::test]
async fn the_first_record_that_was_changed_dropped_or_slipped_in_is_named() {
    let copy_of_3 = |seq: i64| {
        format!(
            "INSERT INTO events SELECT {seq}, schema, time, epoch, host, target_host,
             target_module, incident, kind, body, hash FROM events WHERE seq = 3"
        )
    };
    let own = |statement: &str| statement.to_owned();
    let table = [
        (own("UPDATE events SET body = replace(body, 'VcmFailed', 'VcmOther') WHERE seq = 2"), 2, "hash"),
        (own("UPDATE events SET time = time + 1 WHERE seq >= 2"), 2, "hash"),
        (own("UPDATE events SET target_module = NULL WHERE seq = 2"), 2, "hash"),
        (own("UPDATE events SET hash = zeroblob(32) WHERE seq = 8"), 8, "hash"),
        (own("PRAGMA foreign_keys = OFF; DELETE FROM events WHERE seq = 2"), 3, "gap"),
        (own("DELETE FROM events WHERE seq = 1"), 2, "gap"),
        (copy_of_3(9), 9, "hash"),
        (copy_of_3(10), 10, "gap"),
        (copy_of_3(-1), -1, "gap"),
        (own("UPDATE meta SET store_id = '00000000-0000-4000-8000-000000000000'"), 1, "hash"),
        (own("UPDATE events SET body = CAST(x'FF' AS TEXT) WHERE seq = 5"), 5, "unreadable"),
        (own("UPDATE meta SET epoch = 0"), 1, "epoch"),
        (own("UPDATE attempts SET outcome = 'succeeded' WHERE outcome = 'failed'"), 4, "attempts"),
        (own("UPDATE attempts SET outcome = 'failed'"), 8, "attempts"),
        (own("UPDATE attempts SET host = 'tenant-9' WHERE seq = 4"), 4, "attempts"),
        (own("UPDATE attempts SET rung = 'clear' WHERE seq = 8"), 8, "attempts"),
        (own("UPDATE attempts SET released = 1 WHERE seq = 8"), 8, "attempts"),
        (own("UPDATE attempt_hsms SET hsm = 'hsm-b'"), 4, "attempts"),
        (own("DELETE FROM attempt_hsms; DELETE FROM attempts WHERE seq = 8"), 4, "attempts"),
        (own("DELETE FROM attempt_hsms WHERE attempt IN (SELECT attempt FROM attempts WHERE seq = 8);
              DELETE FROM attempts WHERE seq = 8"), 8, "attempts"),
        (own("INSERT INTO attempts (attempt, seq, host, rung) VALUES ('x', 1, 'tenant-1', 'retry')"), 1, "attempts"),
    ];
    for (statement, seq, what) in table {
        let place = a_store_with_eight_events().await;
        place.sql(&statement);
        let report = report(&place);
        let broken = report.broken.expect(&statement);
        assert_eq!(
            (broken.seq, broken.fault.as_str()),
            (seq, what),
            "{statement}: {broken:?}"
        );
        let refusal = open(&place.file()).unwrap_err();
        assert!(
            matches!(refusal, OpenError::Broken { .. }),
            "{statement}: {refusal}"
        );
        let text = chain(&refusal);
        assert!(
            text.contains(&format!("event {seq}")) && text.contains("audit verify"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_broken_record_says_when_it_happened_and_of_which_kind_it_is() {
    let place = a_store_with_eight_events().await;
    place.sql("UPDATE events SET body = '{}' WHERE seq = 4");
    let broken = report(&place).broken.unwrap();
    assert_eq!(broken.time, Some(NOW));
    assert_eq!(broken.kind.as_deref(), Some("IntentReserved"));
    place.sql("UPDATE attempts SET rung = 'clear' WHERE seq = 8");
    assert_eq!(report(&place).broken.unwrap().seq, 4, "the first is named");
}

#[tokio::test]
async fn a_logged_head_finds_a_tail_that_was_cut_off() {
    let place = a_store_with_eight_events().await;
    let store = place.store();
    let head = store.head().await.unwrap();
    store.accept(vec![fact(4, 1_000)]).await.unwrap();
    drop(store);
    let (hash, full) = (head.hash.to_string(), head.to_string());
    assert_eq!(full, format!("{hash}@8"));
    assert_eq!(
        [with_head(&place, &hash), with_head(&place, &full)],
        [None, None]
    );
    let other = format!("{}@8", "0".repeat(64));
    assert_eq!(with_head(&place, &other), Some((8, "other_head")));
    assert_eq!(
        with_head(&place, &format!("{hash}@7")),
        Some((7, "other_head"))
    );
    place.sql(
        "DELETE FROM attempt_hsms WHERE attempt IN (SELECT attempt FROM attempts WHERE seq = 8);
         DELETE FROM attempts WHERE seq = 8;
         DELETE FROM events WHERE seq >= 8",
    );
    assert!(
        report(&place).broken.is_none(),
        "without a logged head it looks whole"
    );
    assert_eq!(with_head(&place, &full), Some((8, "cut_off")));
    assert_eq!(with_head(&place, &hash), Some((7, "head_nowhere")));
}

#[test]
fn the_head_of_a_store_without_events_is_its_own_and_no_others() {
    let (place, other) = (Place::new(), Place::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let head = |place: &Place| runtime.block_on(place.store().head()).unwrap().to_string();
    let (ours, theirs) = (head(&place), head(&other));
    assert_eq!(with_head(&place, &ours), None);
    assert_eq!(with_head(&place, &theirs), Some((0, "other_head")));
}

#[test]
fn a_logged_head_is_a_hash_and_perhaps_a_number() {
    for bad in [
        "",
        "@1",
        "00",
        &format!("{}@", "0".repeat(64)),
        &format!("{}@x", "0".repeat(64)),
    ] {
        assert!(bad.parse::<LoggedHead>().is_err(), "{bad}");
    }
}
