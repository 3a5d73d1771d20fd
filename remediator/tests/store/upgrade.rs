//! A store whose tables are of version 1 is brought up to this one and stays what it was.

use rusqlite::Connection;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::control::Pause;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::guard::Guard;
use vcm_recovery::tier::Rung;
use vcm_remediator::store::Store as _;
use vcm_remediator::store::audit::verify;
use vcm_remediator::store::open::{OpenError, open};

use crate::place::{BUDGETS, Place, fact, guard, intent, look, module, settled};

/// The two tables that version 2 changed, as version 1 made them. Rows and chain are the same in
/// both; what was of the fleet had no place.
const TO_VERSION_1: &str = "
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE events_1 (
    seq           INTEGER PRIMARY KEY,
    schema        INTEGER NOT NULL,
    time          INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    host          TEXT NOT NULL,
    target_host   TEXT,
    target_module INTEGER,
    incident      TEXT,
    kind          TEXT NOT NULL,
    body          TEXT NOT NULL,
    hash          BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO events_1 SELECT * FROM events;
DROP TABLE events;
ALTER TABLE events_1 RENAME TO events;
CREATE TABLE attempts_1 (
    attempt  TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL UNIQUE REFERENCES events (seq),
    host     TEXT NOT NULL,
    rung     TEXT NOT NULL,
    outcome  TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO attempts_1 SELECT attempt, seq, host, rung, outcome FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_1 RENAME TO attempts;
CREATE INDEX attempts_unsettled ON attempts (host, rung)
    WHERE outcome IS NULL OR outcome = 'unknown';
ALTER TABLE meta DROP COLUMN alive;
PRAGMA user_version = 1;
COMMIT;
";

/// Three facts, an attempt that failed, one of unknown outcome, and a look.
async fn a_store_of_version_1() -> Place {
    let place = Place::new();
    let store = place.store();
    let epoch = store.identity().epoch;
    let facts = vec![fact(1, 1_000), fact(2, 1_000), fact(3, 1_000)];
    store.accept(facts).await.unwrap();
    for (number, outcome) in [(1, Outcome::Failed), (2, Outcome::Unknown)] {
        let entry = intent(number, &module(1), Rung::Restart, epoch);
        let reserved = store.reserve(entry, BUDGETS).await.unwrap();
        assert_eq!(guard(&reserved), None);
        let outcome = settled(number, &module(1), outcome);
        store.append(vec![outcome]).await.unwrap();
    }
    let (host, observation) = look(7);
    store.keep_observation(&host, &observation).await.unwrap();
    drop(store);
    place.sql(TO_VERSION_1);
    assert_eq!(version(&place), 1);
    place
}

fn version(place: &Place) -> i32 {
    let connection = Connection::open(place.file()).unwrap();
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_store_of_version_1_keeps_its_chain_its_state_and_its_budgets() {
    let place = a_store_of_version_1().await;
    let store = place.store();
    assert_eq!(version(&place), 3);
    let report = verify(&place.file(), &[]).unwrap();
    assert!(report.broken.is_none(), "{:?}", report.broken);
    assert_eq!(report.events, 7);
    assert_eq!(report.head, store.head().await.unwrap());

    let state = &store.load().await.unwrap().hosts[&module(1).host];
    assert_eq!(state.attempts.len(), 2);
    assert_eq!(state.unsettled().count(), 1);
    // The one of unknown outcome keeps the host's place, and the fleet's.
    let epoch = store.identity().epoch;
    for (target, expected) in [(1, Guard::BudgetHost), (2, Guard::BudgetFleet)] {
        let entry = intent(3, &module(target), Rung::Restart, epoch);
        let refused = store.reserve(entry, BUDGETS).await.unwrap();
        assert_eq!(guard(&refused), Some(expected));
    }
    // What version 1 had no place for: an event of the fleet, and the fleet's share given back.
    let paused = Change::Paused(Pause {
        by: "alice".parse().unwrap(),
        reason: "upgrade".to_owned(),
        until: None,
    });
    let released = Change::FleetShareReleased {
        attempt: vcm_recovery::ids::AttemptId::from_bits(2),
    };
    let of_fleet = |change| Entry {
        host: None,
        target: None,
        incident: None,
        change,
    };
    let of_host = Entry {
        host: Some(module(1).host),
        ..of_fleet(released)
    };
    let entries = vec![of_fleet(paused), of_host];
    store.append(entries).await.unwrap();
    let entry = intent(3, &module(2), Rung::Restart, epoch);
    let reserved = store.reserve(entry, BUDGETS).await.unwrap();
    assert_eq!(guard(&reserved), None);
    drop(store);
    drop(place.store());
    let report = verify(&place.file(), &[]).unwrap();
    assert!(report.broken.is_none(), "{:?}", report.broken);
}

/// As it comes from a back-up, before any newer program has opened it.
#[tokio::test]
async fn a_store_of_version_1_is_verified_as_it_is() {
    let place = a_store_of_version_1().await;
    let report = verify(&place.file(), &[]).unwrap();
    assert!(report.broken.is_none(), "{:?}", report.broken);
    assert_eq!(report.events, 7);
    assert_eq!(version(&place), 1, "looking changes nothing");
}

#[tokio::test]
async fn a_broken_record_in_a_store_of_version_1_is_named_before_and_after_the_upgrade() {
    for (statement, seq, fault) in [
        (
            "UPDATE events SET body = replace(body, 'VcmFailed', 'VcmOther') WHERE seq = 2",
            2,
            "hash",
        ),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM events WHERE seq = 3",
            4,
            "gap",
        ),
        (
            "UPDATE attempts SET outcome = 'succeeded' WHERE outcome = 'failed'",
            4,
            "attempts",
        ),
    ] {
        let place = a_store_of_version_1().await;
        place.sql(statement);
        let named = || {
            let broken = verify(&place.file(), &[]).unwrap().broken;
            let broken = broken.expect(statement);
            (broken.seq, broken.fault.as_str())
        };
        assert_eq!(named(), (seq, fault), "{statement}");
        let refusal = open(&place.file()).unwrap_err();
        assert!(matches!(refusal, OpenError::Broken { .. }), "{refusal}");
        assert_eq!(named(), (seq, fault), "{statement}");
    }
}
