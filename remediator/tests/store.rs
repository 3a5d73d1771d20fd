//! The store on real files: reopening, damage, the lock, group commit, budgets and the chain.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nshield::ModuleNumber;
use rusqlite::Connection;
use tempfile::TempDir;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, IncidentId, ObservationId};
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::Budgets;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;
use vcm_remediator::clock::{Clock, ManualClock};
use vcm_remediator::store::open::{OpenError, open};
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{Reservation, Store, StoreError};

const NOW: Time = Time::from_millis(1_700_000_000_000);
const BUDGETS: Budgets = Budgets {
    host: 1,
    hsm_retry: 2,
    fleet_disruptive: 1,
};

struct Place {
    directory: TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            clock: Arc::new(ManualClock::at(NOW)),
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("remediator.sqlite")
    }

    fn store(&self) -> SqliteStore {
        let clock: Arc<dyn Clock> = self.clock.clone();
        SqliteStore::start(open(&self.file()).unwrap(), clock).unwrap()
    }

    fn refusal(&self) -> OpenError {
        open(&self.file()).unwrap_err()
    }

    fn sql(&self, statements: &str) {
        Connection::open(self.file())
            .unwrap()
            .execute_batch(statements)
            .unwrap();
    }
}

fn host(number: u16) -> Target {
    Target::host(format!("tenant-{number}").parse().unwrap())
}

fn module(number: u16) -> Target {
    Target::module(host(number).host, ModuleNumber::try_from(1).unwrap())
}

fn fact(number: u64, starts_at: i64) -> Fact {
    Fact {
        fingerprint: format!("{number:016x}").parse().unwrap(),
        name: "VcmFailed".to_owned(),
        target: module(1),
        tier: Some(Tier::Retry),
        lowered: Some(Tier::Restart),
        firing: true,
        starts_at: Time::from_millis(starts_at),
        ends_at: None,
        delivered_at: NOW,
    }
}

fn resolved(number: u64, starts_at: i64, ends_at: i64) -> Fact {
    Fact {
        firing: false,
        ends_at: Some(Time::from_millis(ends_at)),
        ..fact(number, starts_at)
    }
}

fn opened(target: Target) -> Entry {
    Entry {
        host: target.host.clone(),
        incident: Some(IncidentId::new(&target, NOW)),
        target: Some(target),
        change: Change::IncidentOpened,
    }
}

fn intent(number: u128, target: &Target, rung: Rung, epoch: Epoch) -> Entry {
    let hsms = BTreeSet::from([Some("hsm-a".parse().unwrap())]);
    let incident = IncidentId::new(target, NOW);
    let intent = Intent {
        attempt: AttemptId::from_bits(number),
        incident: incident.clone(),
        target: target.clone(),
        rung,
        epoch,
        observation: ObservationId::from_bits(1),
        ceiling: Tier::Clear,
        esn: None,
        hsms,
        steps: Vec::new(),
        healthy_before: BTreeSet::new(),
    };
    Entry {
        host: target.host.clone(),
        target: Some(target.clone()),
        incident: Some(incident),
        change: Change::IntentReserved(intent),
    }
}

fn settled(number: u128, target: &Target, outcome: Outcome) -> Entry {
    let report = Report::Settled {
        outcome,
        reason: "test".to_owned(),
    };
    let change = Change::AttemptReported {
        attempt: AttemptId::from_bits(number),
        report,
    };
    Entry {
        host: target.host.clone(),
        target: Some(target.clone()),
        incident: None,
        change,
    }
}

fn guard(reservation: &Reservation) -> Option<Guard> {
    match reservation {
        Reservation::Reserved(_) => None,
        Reservation::Refused(guard, _) => Some(*guard),
    }
}

#[tokio::test]
async fn what_was_accepted_and_appended_is_there_after_reopening() {
    let place = Place::new();
    let store = place.store();
    let events = store.accept(vec![fact(1, 1_000)]).await.unwrap();
    assert_eq!(events.len(), 1);
    store.append(vec![opened(module(1))]).await.unwrap();
    let before = store.load().await.unwrap();
    drop(store);

    let store = place.store();
    let after = store.load().await.unwrap();
    assert_eq!(after, before);
    let state = &after[&host(1).host];
    assert!(state.incidents.contains_key(&module(1)));
    assert!(
        state
            .facts
            .values()
            .all(|record| record.valid(Duration::from_secs(60), NOW))
    );
}

#[tokio::test]
async fn each_start_has_the_next_epoch_and_the_same_store_id() {
    let place = Place::new();
    let first = place.store().identity();
    let second = place.store().identity();
    let third = place.store().identity();
    assert_eq!(
        [first.epoch, second.epoch, third.epoch],
        [Epoch(1), Epoch(2), Epoch(3)]
    );
    assert_eq!(first.store_id, third.store_id);
    assert_ne!(first.store_id, Place::new().store().identity().store_id);
}

#[test]
fn a_second_process_on_the_same_store_is_refused_until_the_first_has_ended() {
    let place = Place::new();
    let store = place.store();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal}");
    assert!(refusal.to_string().contains("remediator.sqlite"));
    drop(store);
    drop(place.store());
}

#[test]
fn an_absent_store_is_made_and_says_so() {
    let place = Place::new();
    assert!(open(&place.file()).unwrap().created);
    assert!(!open(&place.file()).unwrap().created);
}

#[test]
fn a_store_in_a_missing_directory_is_unreadable() {
    let place = Place::new();
    let refusal = open(&place.directory.path().join("missing/store.sqlite")).unwrap_err();
    assert!(matches!(refusal, OpenError::Unreadable { .. }), "{refusal}");
}

#[test]
fn an_empty_file_is_corrupt_and_not_taken_for_an_absent_one() {
    let place = Place::new();
    std::fs::write(place.file(), "").unwrap();
    assert!(matches!(place.refusal(), OpenError::Corrupt { .. }));
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let place = Place::new();
    std::fs::write(place.file(), "mode: observe\n".repeat(1000)).unwrap();
    assert!(matches!(place.refusal(), OpenError::Corrupt { .. }));
}

#[test]
fn a_database_of_another_program_is_foreign_and_left_alone() {
    let place = Place::new();
    place.sql("CREATE TABLE recipes (name TEXT);");
    assert!(matches!(place.refusal(), OpenError::Foreign { .. }));
    place.sql("INSERT INTO recipes VALUES ('soup');");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_named_so() {
    let place = Place::new();
    drop(place.store());
    place.sql("PRAGMA user_version = 2;");
    let refusal = place.refusal();
    assert!(
        matches!(
            refusal,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_torn_file_is_corrupt() {
    let place = Place::new();
    let store = place.store();
    for number in 0..50 {
        store.accept(vec![fact(number, 1_000)]).await.unwrap();
    }
    drop(store);
    let length = std::fs::metadata(place.file()).unwrap().len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(place.file())
        .unwrap();
    file.set_len(length / 2).unwrap();
    let refusal = place.refusal();
    assert!(matches!(refusal, OpenError::Corrupt { .. }), "{refusal}");
}

#[tokio::test]
async fn an_event_that_was_changed_dropped_or_slipped_in_breaks_the_chain() {
    let tampering = [
        "UPDATE events SET body = replace(body, 'VcmFailed', 'VcmOther') WHERE seq = 2",
        "UPDATE events SET time = time + 1 WHERE seq = 2",
        "UPDATE events SET target_module = NULL WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "INSERT INTO events SELECT 4, schema, time, epoch, host, target_host, target_module, \
         incident, kind, body, hash FROM events WHERE seq = 3",
        "UPDATE meta SET store_id = '00000000-0000-4000-8000-000000000000'",
    ];
    for statement in tampering {
        let place = Place::new();
        let store = place.store();
        store
            .accept(vec![fact(1, 1_000), fact(2, 1_000), fact(3, 1_000)])
            .await
            .unwrap();
        drop(store);
        drop(open(&place.file()).unwrap());
        place.sql(statement);
        let refusal = place.refusal();
        let expected =
            matches!(&refusal, OpenError::Corrupt { detail, .. } if detail.contains("chain"));
        assert!(expected, "{statement}: {refusal}");
    }
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
        tasks.spawn(async move { store.accept(vec![fact(number, 1_000)]).await.unwrap() });
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
    let hosts = store.load().await.unwrap();
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
    assert_eq!(store.accept(vec![fact(1, 1)]).await.unwrap().len(), 1);
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

#[tokio::test]
async fn repeated_delivery_makes_no_second_event_and_a_new_episode_does() {
    let place = Place::new();
    let store = place.store();
    let accept = async |fact: Fact| store.accept(vec![fact]).await.unwrap().len();
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
async fn a_hundred_reservations_at_once_with_one_place_get_exactly_one() {
    let place = Place::new();
    let store = Arc::new(place.store());
    let epoch = store.identity().epoch;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let store = store.clone();
        let entry = intent(number, &module(1), Rung::Retry, epoch);
        tasks.spawn(async move { store.reserve(entry, BUDGETS).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let reserved = answers
        .iter()
        .filter(|answer| guard(answer).is_none())
        .count();
    assert_eq!(reserved, 1);
    let refused = answers
        .iter()
        .filter(|answer| guard(answer) == Some(Guard::BudgetHost))
        .count();
    assert_eq!(refused, 99);
    assert_eq!(store.events_after(0, 1000).await.unwrap().len(), 1);
}

#[tokio::test]
async fn budgets_count_retries_per_hsm_and_disruption_in_the_fleet() {
    let place = Place::new();
    let store = place.store();
    let epoch = store.identity().epoch;
    let reserve = async |number: u16, rung| {
        let entry = intent(number.into(), &module(number), rung, epoch);
        guard(&store.reserve(entry, BUDGETS).await.unwrap())
    };
    assert_eq!(reserve(1, Rung::Retry).await, None);
    assert_eq!(reserve(2, Rung::Retry).await, None);
    assert_eq!(reserve(3, Rung::Retry).await, Some(Guard::BudgetHsm));
    assert_eq!(reserve(3, Rung::Restart).await, None);
    assert_eq!(reserve(4, Rung::Clear).await, Some(Guard::BudgetFleet));
    assert_eq!(reserve(5, Rung::Restart).await, Some(Guard::BudgetFleet));
}

#[tokio::test]
async fn an_unknown_outcome_keeps_its_budget_over_a_restart_and_any_other_frees_it() {
    let place = Place::new();
    for (round, outcome) in (1..).zip([
        Outcome::Succeeded,
        Outcome::Failed,
        Outcome::MadeWorse,
        Outcome::Refused,
        Outcome::Cancelled,
    ]) {
        let store = place.store();
        let epoch = store.identity().epoch;
        let (held, next) = (round * 2, round * 2 + 1);
        let first = intent(held, &module(1), Rung::Restart, epoch);
        assert_eq!(
            guard(&store.reserve(first, BUDGETS).await.unwrap()),
            None,
            "{outcome:?}"
        );
        store
            .append(vec![settled(held, &module(1), Outcome::Unknown)])
            .await
            .unwrap();
        drop(store);

        let store = place.store();
        let epoch = store.identity().epoch;
        let second = intent(next, &module(1), Rung::Restart, epoch);
        let refused = store.reserve(second.clone(), BUDGETS).await.unwrap();
        assert_eq!(guard(&refused), Some(Guard::BudgetHost));
        store
            .append(vec![settled(held, &module(1), outcome)])
            .await
            .unwrap();
        assert_eq!(
            guard(&store.reserve(second, BUDGETS).await.unwrap()),
            None,
            "{outcome:?}"
        );
        store
            .append(vec![settled(next, &module(1), outcome)])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_final_outcome_is_not_made_unknown_by_a_late_report() {
    let place = Place::new();
    let store = place.store();
    let epoch = store.identity().epoch;
    let reserve = async |number| {
        store
            .reserve(intent(number, &module(1), Rung::Retry, epoch), BUDGETS)
            .await
    };
    assert_eq!(guard(&reserve(1).await.unwrap()), None);
    store
        .append(vec![settled(1, &module(1), Outcome::Failed)])
        .await
        .unwrap();
    store
        .append(vec![settled(1, &module(1), Outcome::Unknown)])
        .await
        .unwrap();
    assert_eq!(guard(&reserve(2).await.unwrap()), None);
}

#[tokio::test]
async fn an_attempt_is_reserved_once_and_only_by_the_start_that_decided_it() {
    let place = Place::new();
    let old = place.store().identity().epoch;
    let store = place.store();
    let epoch = store.identity().epoch;
    let stale = store
        .reserve(intent(1, &module(1), Rung::Retry, old), BUDGETS)
        .await;
    assert!(matches!(stale, Err(StoreError::NotAnIntent)));
    let entry = intent(1, &module(1), Rung::Retry, epoch);
    assert_eq!(
        guard(&store.reserve(entry.clone(), BUDGETS).await.unwrap()),
        None
    );
    store
        .append(vec![settled(1, &module(1), Outcome::Failed)])
        .await
        .unwrap();
    let again = store.reserve(entry, BUDGETS).await;
    assert!(matches!(again, Err(StoreError::AttemptKnown(_))));
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

#[tokio::test]
async fn old_evidence_and_facts_are_forgotten_and_events_are_not() {
    let place = Place::new();
    let store = place.store();
    store.accept(vec![fact(1, 1_000)]).await.unwrap();
    drop(store);
    place.clock.advance(Duration::from_secs(91 * 24 * 3600));
    drop(place.store());
    let connection = Connection::open(place.file()).unwrap();
    let count = |table: &str| -> u32 {
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
    };
    assert_eq!((count("facts"), count("events")), (0, 1));
}

mod any_order {
    //! Acceptance is a join: any order and any repetition of the same facts gives the same state.

    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use vcm_recovery::alert::FactRecord;
    use vcm_recovery::ids::Fingerprint;

    use super::*;

    fn any_fact() -> impl Strategy<Value = Fact> {
        (0_u64..3, 0_i64..5, proptest::option::of(0_i64..5), 0_i64..5).prop_map(
            |(number, starts, ends, delivered)| {
                let delivered_at = NOW.after(Duration::from_millis(delivered.unsigned_abs()));
                let base = match ends {
                    None => fact(number, starts),
                    Some(ends) => resolved(number, starts, ends),
                };
                Fact {
                    delivered_at,
                    ..base
                }
            },
        )
    }

    fn delivered() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
        proptest::collection::vec(any_fact(), 1..8).prop_flat_map(|facts| {
            let twice: Vec<Fact> = facts.iter().chain(&facts).cloned().collect();
            (Just(facts), Just(twice).prop_shuffle())
        })
    }

    async fn stored(bodies: &[Vec<Fact>]) -> BTreeMap<Fingerprint, FactRecord> {
        let place = Place::new();
        let store = place.store();
        for facts in bodies {
            store.accept(facts.clone()).await.unwrap();
        }
        store
            .load()
            .await
            .unwrap()
            .remove(&host(1).host)
            .unwrap()
            .facts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn gives_the_same_facts((once, shuffled) in delivered()) {
            let alone: Vec<Vec<Fact>> = once.iter().map(|fact| vec![fact.clone()]).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (first, second) =
                runtime.block_on(async { (stored(&alone).await, stored(&[shuffled]).await) });
            prop_assert_eq!(&first, &second);
            for (fingerprint, record) in &first {
                let mut alone: Option<FactRecord> = None;
                for fact in once.iter().filter(|fact| fact.fingerprint == *fingerprint) {
                    alone.get_or_insert_with(|| FactRecord::new(fact)).join(fact);
                }
                prop_assert_eq!(alone.as_ref(), Some(record));
            }
        }
    }
}
