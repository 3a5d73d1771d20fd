//! What hosts make of a restored and of a deleted store, and how `store bump-epoch` mends the
//! former. The hosts' side is the real fence of the host runner.

use std::fs;
use std::path::Path;

use vcm_recovery::attempt::Outcome;
use vcm_recovery::event::Change;
use vcm_recovery::ids::{AttemptId, Epoch, StoreId};
use vcm_recovery::start::{Boot, Start};
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_remediator::clock::Clock as _;
use vcm_remediator::host::fence::{self, Caller, FenceError, admit};
use vcm_remediator::store::audit::verify;
use vcm_remediator::store::epoch::{self, BumpError, Bumped, LEAP};
use vcm_remediator::store::open::{OpenError, open};
use vcm_remediator::store::{Store as _, StoreIdentity};

use crate::place::{BUDGETS, Place, fact, guard, intent, module, settled};

fn bump(path: &Path, at_least: Option<Epoch>) -> Result<Bumped, BumpError> {
    epoch::bump(path, at_least, "ops".parse().unwrap())
}

/// A start of the program, as a host hears of it.
fn start(place: &Place, host: &str) -> Result<StoreIdentity, FenceError> {
    let identity = place.store().identity();
    let state_dir = place.directory.path().join(host);
    admit(&state_dir, caller(identity.epoch, identity.store_id)).map(|()| identity)
}

#[test]
fn hosts_refuse_a_restored_store_until_its_epoch_was_bumped() {
    let place = Place::new();
    start(&place, "host").unwrap();
    let copy = fs::read(place.file()).unwrap();
    let mut lost = start(&place, "host").unwrap();
    for _ in 0..5 {
        lost = start(&place, "host").unwrap();
    }
    fs::write(place.file(), copy).unwrap();
    let refused = start(&place, "host").unwrap_err();
    let (epoch, highest) = (Epoch(2), lost.epoch);
    assert!(
        matches!(refused, FenceError::LowerEpoch { epoch: e, highest: h } if (e, h) == (epoch, highest)),
        "{refused}"
    );
    let bumped = bump(&place.file(), None).unwrap();
    assert_eq!(
        (bumped.before, bumped.after),
        (epoch, Epoch(epoch.0 + LEAP))
    );
    assert_eq!(
        bumped.store_id, lost.store_id,
        "it stays the store that hosts are pinned to"
    );
    let identity = start(&place, "host").unwrap();
    assert_eq!(identity.epoch, Epoch(bumped.after.0 + 1));
    let state_dir = place.directory.path().join("host");
    let old = admit(&state_dir, caller(lost.epoch, lost.store_id));
    assert!(
        old.is_err(),
        "a process of before that still lives is fenced off"
    );
}

/// An attempt of this start of the program, as the engine orders it: reserved, and ordered only if
/// the store accounts for what the host accepted last; settled, so that another may follow.
async fn attempt(place: &Place, number: u128) -> Result<(), &'static str> {
    let store = place.store();
    let StoreIdentity { store_id, epoch } = store.identity();
    let target = module(1);
    let reserved = store.reserve(intent(number, &target, Rung::Retry, epoch), BUDGETS);
    assert_eq!(guard(&reserved.await.unwrap()), None);
    let settled = settled(number, &target, Outcome::Failed);
    store.append(vec![settled]).await.unwrap();
    let state_dir = place.directory.path().join("host");
    let newest = fence::newest(&state_dir).unwrap();
    if let Some(newest) = newest
        && !store
            .accounts_for(newest.attempt, newest.epoch)
            .await
            .unwrap()
    {
        return Err("the store does not know the newest attempt");
    }
    let known = newest.map(|newest| newest.attempt);
    let id = AttemptId::from_bits(number);
    fence::accept(&state_dir, caller(epoch, store_id), known, id).map_err(|_| "the host refused")
}

/// A program that ran at one epoch for months, and a copy that was made meanwhile: starts since the
/// copy raise no epoch above that of the restored copy's own start.
#[tokio::test]
async fn a_copy_is_refused_after_no_start_and_after_one_if_anything_was_accepted_since() {
    for starts_since in [0, 1] {
        let place = Place::new();
        attempt(&place, 1).await.unwrap();
        let copy = fs::read(place.file()).unwrap();
        // What is accepted in the start that the copy was made in, or in the next one.
        let lost = {
            let identity = place.store().identity();
            let epoch = Epoch(identity.epoch.0 - 1 + starts_since);
            let state_dir = place.directory.path().join("host");
            let known = Some(AttemptId::from_bits(1));
            let caller = caller(epoch, identity.store_id);
            fence::accept(&state_dir, caller, known, AttemptId::from_bits(2)).unwrap();
            epoch
        };
        fs::write(place.file(), &copy).unwrap();
        assert!(
            start(&place, "host").is_ok(),
            "its epoch alone is not older: {lost}"
        );
        for number in [3, 4] {
            let refused = attempt(&place, number).await.unwrap_err();
            assert_eq!(refused, "the store does not know the newest attempt");
        }
        bump(&place.file(), None).unwrap();
        attempt(&place, 5).await.unwrap();
        attempt(&place, 6).await.unwrap();
    }
}

/// One that was raised after an earlier restoring accounts for what was lost then, and not for what
/// is lost now.
#[tokio::test]
async fn a_copy_that_was_raised_once_does_not_account_for_what_came_after() {
    let place = Place::new();
    attempt(&place, 1).await.unwrap();
    let bumped = bump(&place.file(), None).unwrap();
    let store = place.store();
    let unknown = AttemptId::from_bits(9);
    let accounts = async |epoch| store.accounts_for(unknown, epoch).await.unwrap();
    assert!(accounts(Epoch(1)).await);
    assert!(accounts(bumped.after).await);
    assert!(!accounts(store.identity().epoch).await);
}

#[tokio::test]
async fn a_store_that_was_never_raised_accounts_for_its_own_attempts_only() {
    let place = Place::new();
    for number in 1..4 {
        attempt(&place, number).await.unwrap();
    }
    let store = place.store();
    let known = AttemptId::from_bits(1);
    assert!(store.accounts_for(known, Epoch(1)).await.unwrap());
    let unknown = AttemptId::from_bits(9);
    assert!(!store.accounts_for(unknown, Epoch(1)).await.unwrap());
}

#[test]
fn what_a_host_has_named_is_passed_and_a_lower_number_makes_no_shorter_leap() {
    let place = Place::new();
    drop(place.store());
    let far = Epoch(5 * LEAP);
    let state_dir = place.directory.path().join("host");
    let store_id = place.store().identity().store_id;
    admit(&state_dir, caller(far, store_id)).unwrap();
    bump(&place.file(), Some(Epoch(3))).unwrap();
    assert!(matches!(
        start(&place, "host"),
        Err(FenceError::LowerEpoch { .. })
    ));
    bump(&place.file(), Some(far)).unwrap();
    let next = start(&place, "host").unwrap();
    assert!(
        next.epoch > far,
        "not even the process that used it may go on"
    );
}

#[test]
fn hosts_refuse_a_store_that_was_made_anew_because_the_old_one_was_deleted() {
    let place = Place::new();
    start(&place, "host").unwrap();
    fs::remove_file(place.file()).unwrap();
    let refused = start(&place, "host").unwrap_err();
    assert!(
        matches!(refused, FenceError::ForeignStore { .. }),
        "{refused}"
    );
    bump(&place.file(), None).unwrap();
    let refused = start(&place, "host").unwrap_err();
    assert!(
        matches!(refused, FenceError::ForeignStore { .. }),
        "no epoch mends that: {refused}"
    );
    start(&place, "a-new-host").unwrap();
}

#[tokio::test]
async fn a_bump_is_refused_while_the_program_runs_and_changes_nothing() {
    let place = Place::new();
    let store = place.store();
    store.accept(vec![fact(1, 1_000)]).await.unwrap();
    let refused = bump(&place.file(), None).unwrap_err();
    assert!(
        matches!(refused, BumpError::Open(OpenError::Locked { .. })),
        "{refused}"
    );
    store.accept(vec![fact(2, 1_000)]).await.unwrap();
    let before = store.identity().epoch;
    drop(store);
    let refused = bump(&place.file(), Some(Epoch(u64::MAX))).unwrap_err();
    assert!(matches!(refused, BumpError::TooHigh { .. }), "{refused}");
    assert_eq!(place.store().identity().epoch, Epoch(before.0 + 1));
}

#[test]
fn a_bump_makes_no_store_and_touches_no_broken_one() {
    let place = Place::new();
    let refused = bump(&place.file(), None).unwrap_err();
    assert!(
        matches!(refused, BumpError::Open(OpenError::Absent { .. })),
        "{refused}"
    );
    assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 0);
    drop(place.store());
    place.sql("PRAGMA user_version = 99");
    let refused = bump(&place.file(), None).unwrap_err();
    assert!(
        matches!(refused, BumpError::Open(OpenError::Newer { .. })),
        "{refused}"
    );
}

#[tokio::test]
async fn after_a_bump_everything_is_paused_and_the_chain_says_who_did_it() {
    let place = Place::new();
    let store = place.store();
    store.accept(vec![fact(1, 1_000)]).await.unwrap();
    drop(store);
    let bumped = bump(&place.file(), None).unwrap();
    let store = place.store();
    let events = store.events_after(1, 10).await.unwrap();
    let [paused, started, gap] = &events[..] else {
        panic!("{events:?}");
    };
    let kinds = [started, gap].map(|event| event.entry.change.kind());
    assert_eq!(kinds, ["Started", "GapFound"]);
    assert_eq!((paused.epoch, &paused.entry.host), (bumped.after, &None));
    let Change::Paused(pause) = &paused.entry.change else {
        panic!("{paused:?}");
    };
    assert_eq!((pause.until, pause.by.as_str()), (None, "ops"));
    let loaded = store.load().await.unwrap();
    assert!(loaded.fleet.pause.is_some(), "{:?}", loaded.fleet);
    drop(store);
    let report = verify(&place.file(), &[]).unwrap();
    assert!(report.broken.is_none(), "{:?}", report.broken);
}

fn caller(epoch: Epoch, store: StoreId) -> Caller {
    Caller { epoch, store }
}

/// The copy may be hours old, and hold answers that were used after it was made.
#[tokio::test]
async fn a_raised_epoch_voids_what_counts_for_a_while_and_says_that_nobody_looked() {
    let place = Place::new();
    let store = place.store();
    store.accept(vec![fact(1, 0)]).await.unwrap();
    let boot = Boot {
        id: "this".to_owned(),
        began: Time::from_millis(0),
    };
    let start = Start {
        boot: Some(boot.clone()),
        ..Start::FIRST
    };
    let entries = start.entries(std::iter::empty(), place.clock.now());
    store.append(entries).await.unwrap();
    drop(store);
    let opened = open(&place.file()).unwrap();
    let last = opened.last_time.unwrap();
    assert_eq!(opened.last_boot, Some(boot));
    drop(opened);
    bump(&place.file(), None).unwrap();
    let opened = open(&place.file()).unwrap();
    assert_eq!(opened.last_boot, None, "nor does the next start know");
    drop(opened);
    let fleet = place.store().load().await.unwrap().fleet;
    assert!(fleet.away_unknown_at.is_some() && fleet.pause.is_some());
    assert_eq!(fleet.unconfirmed_since, Some(last));
}
