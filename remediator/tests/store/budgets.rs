//! Reservations: no budget is ever given twice.

use std::sync::Arc;

use vcm_recovery::attempt::Outcome;
use vcm_recovery::guard::Guard;
use vcm_recovery::tier::Rung;
use vcm_remediator::store::{Store as _, StoreError};

use crate::place::{BUDGETS, Place, guard, intent, module, settled};

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
