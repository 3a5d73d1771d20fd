//! Acceptance is a join: any order, repetition and packing of the same deliveries gives the same
//! alert view, also over the program's end in between. That is so below the bound on different alerts
//! of one target, as every stream here is; what holds beyond it is in `places.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vcm_recovery::alert::{AlertView, Fact, FactRecord};
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::Policy;
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;
use vcm_remediator::store::Store as _;

use crate::place::{NOW, Place, fact, host, module, resolved};

/// What an alert's labels fix, by the number of its fingerprint.
fn labelled(number: u64, fact: Fact) -> Fact {
    let (name, target, lowered) = match number {
        0 => ("VcmFailed", module(1), None),
        1 => ("VcmFailedLong", module(1), Some(Tier::Retry)),
        2 => ("HardserverDown", host(1), None),
        _ => ("VcmFailed", module(2), None),
    };
    Fact {
        name: name.to_owned(),
        target,
        lowered,
        ..fact
    }
}

fn any_fact() -> impl Strategy<Value = Fact> {
    (
        0_u64..4,
        0_i64..5,
        proptest::option::of(0_i64..5),
        0_u64..1800,
    )
        .prop_map(|(number, starts, ends, delivered)| {
            let at = |millis: i64| NOW.as_millis() + millis;
            let base = match ends {
                None => fact(number, at(starts)),
                Some(ends) => resolved(number, at(starts), at(ends)),
            };
            let delivered_at = NOW.after(Duration::from_secs(delivered));
            labelled(
                number,
                Fact {
                    delivered_at,
                    ..base
                },
            )
        })
}

/// Bodies as they were recorded, one fact at a time.
fn recorded() -> impl Strategy<Value = Vec<Fact>> {
    proptest::collection::vec(any_fact(), 1..12)
}

/// The same facts, each at least once, in another order, in other bodies.
fn delivered_otherwise(facts: &[Fact]) -> impl Strategy<Value = Vec<Vec<Fact>>> + use<> {
    let again = proptest::collection::vec(proptest::sample::select(facts.to_vec()), 0..12);
    let facts = facts.to_vec();
    again
        .prop_map(move |again| facts.iter().cloned().chain(again).collect::<Vec<Fact>>())
        .prop_shuffle()
        .prop_flat_map(|facts| (Just(facts), 1_usize..6))
        .prop_map(|(facts, size)| facts.chunks(size).map(<[Fact]>::to_vec).collect())
}

type Views = BTreeMap<(Target, Time), AlertView>;
type Facts = BTreeMap<(Target, Fingerprint), FactRecord>;

/// What is known after these bodies; with `restart_after`, the program ends after that many.
async fn known(bodies: Vec<Vec<Fact>>, restart_after: Option<usize>) -> (Views, Facts) {
    let place = Place::new();
    let mut store = place.store();
    for (number, facts) in bodies.into_iter().enumerate() {
        if restart_after == Some(number) {
            drop(store);
            store = place.store();
        }
        store.accept(facts).await.unwrap();
    }
    let policy = Policy::default();
    let states = store.load().await.unwrap().hosts;
    let mut views = Views::new();
    let mut facts = Facts::new();
    for (name, state) in &states {
        for (fingerprint, record) in &state.facts {
            let key = (record.target.clone(), *fingerprint);
            facts.insert(key, record.clone());
        }
        let targets = [module(1), module(2), host(1)];
        for target in targets.into_iter().filter(|target| target.host == *name) {
            for minutes in [0, 14, 20, 29, 50] {
                let at = NOW.after(Duration::from_secs(minutes * 60));
                let view = state.alert_view(&target, &policy, at);
                views.insert((target.clone(), at), view);
            }
        }
    }
    (views, facts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_repetition_and_packing_gives_the_same_alert_view(
        (once, otherwise) in recorded().prop_flat_map(|facts| {
            let otherwise = delivered_otherwise(&facts);
            (Just(facts), otherwise)
        }),
        restart_after in proptest::option::of(0_usize..6),
    ) {
        let alone = once.iter().map(|fact| vec![fact.clone()]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (first, second) = runtime.block_on(async {
            (known(alone, None).await, known(otherwise, restart_after).await)
        });
        prop_assert_eq!(&first, &second);
        for ((target, fingerprint), record) in &first.1 {
            let mut joined: Option<FactRecord> = None;
            for fact in &once {
                if fact.fingerprint == *fingerprint && fact.target == *target {
                    joined.get_or_insert_with(|| FactRecord::new(fact)).join(fact);
                }
            }
            prop_assert_eq!(joined.as_ref(), Some(record));
        }
    }
}
