//! The places of a target: what holds beyond the bound, where it depends on the order of deliveries
//! who got them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use vcm_recovery::alert::{FACT_MEMORY, Fact, FactRecord};
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::start::Start;
use vcm_recovery::time::Time;
use vcm_remediator::clock::Clock as _;
use vcm_remediator::store::places::{PLACES, PLACES_OF_A_NAME};
use vcm_remediator::store::{Accepted, Store as _};

use crate::place::{Place, fact, module};

/// A body of alerts about one module with neighbouring fingerprints, some time after the one before.
#[derive(Clone, Debug)]
struct Body {
    first: u64,
    alerts: u64,
    firing: bool,
    /// How old what it tells of is.
    late: Duration,
    after: Duration,
    /// Whether the program ends and starts again before it.
    restarts: bool,
}

/// Four names of 40 fingerprints: more than there are places, and more of each than a name may have.
const OF_A_NAME: u64 = 40;
const FINGERPRINTS: u64 = 4 * OF_A_NAME;

fn any_body() -> impl Strategy<Value = Body> {
    let after = prop_oneof![
        4 => 0_u64..3_600,
        1 => 3_600_u64..30 * 3_600,
    ];
    let alerts = prop_oneof![1_u64..4, 10_u64..60];
    (
        0..FINGERPRINTS,
        alerts,
        any::<bool>(),
        0_u64..3_600,
        after,
        proptest::bool::weighted(0.1),
    )
        .prop_map(|(first, alerts, firing, late, after, restarts)| Body {
            first,
            alerts,
            firing,
            late: Duration::from_secs(late),
            after: Duration::from_secs(after),
            restarts,
        })
}

impl Body {
    fn facts(&self, now: Time) -> Vec<Fact> {
        let about = now.before(self.late);
        let fact = |number: u64| Fact {
            name: format!("Alert{}", number / OF_A_NAME),
            target: module(1),
            firing: self.firing,
            starts_at: about,
            ends_at: (!self.firing).then_some(about),
            delivered_at: now,
            ..fact(0, 0)
        };
        let numbers = (0..self.alerts).map(|number| (self.first + number) % FINGERPRINTS);
        numbers
            .map(|number| Fact {
                fingerprint: format!("{number:016x}").parse().unwrap(),
                ..fact(number)
            })
            .collect()
    }
}

/// What is to be known: each alert that was taken in, joined, and when it last took its place.
#[derive(Debug, Default)]
struct Expected(BTreeMap<Fingerprint, (FactRecord, Time)>);

impl Expected {
    fn holding(&self, now: Time) -> BTreeSet<Fingerprint> {
        let since = now.before(FACT_MEMORY);
        let holding = self.0.iter().filter(|(_, (_, seen))| *seen >= since);
        holding.map(|(fingerprint, _)| *fingerprint).collect()
    }

    /// The places that are taken, in all and of the name that has most.
    fn taken(&self, now: Time) -> (usize, usize) {
        let holding = self.holding(now);
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for fingerprint in &holding {
            *names.entry(&self.0[fingerprint].0.name).or_default() += 1;
        }
        let most = names.values().copied().max().unwrap_or_default();
        (holding.len(), most)
    }

    fn take_in(&mut self, fact: &Fact, record: &FactRecord) {
        let held = self.0.get(&fact.fingerprint);
        let mut joined = held.map_or_else(|| FactRecord::new(fact), |(record, _)| record.clone());
        joined.join(fact);
        assert_eq!(joined, *record);
        self.0.insert(fact.fingerprint, (joined, fact.delivered_at));
    }
}

/// Looks at what came of a body, and learns from it.
fn check(expected: &mut Expected, facts: &[Fact], accepted: &Accepted, now: Time) {
    let refused: usize = accepted.refused.values().map(|refused| refused.facts).sum();
    assert_eq!(
        accepted.known.len() + refused,
        facts.len(),
        "each is one or the other"
    );
    let known: BTreeMap<Fingerprint, &FactRecord> = accepted
        .known
        .iter()
        .map(|(fingerprint, record)| (*fingerprint, record))
        .collect();
    let holding = expected.holding(now);
    for fact in facts {
        let stored = expected.0.contains_key(&fact.fingerprint);
        let must = holding.contains(&fact.fingerprint) || (stored && !fact.firing);
        let Some(record) = known.get(&fact.fingerprint) else {
            assert!(
                !must,
                "{} was refused although it is known",
                fact.fingerprint
            );
            continue;
        };
        let (all, most) = expected.taken(now);
        let of_name = expected
            .holding(now)
            .iter()
            .filter(|holding| expected.0[*holding].0.name == fact.name)
            .count();
        let full = all >= PLACES as usize || of_name >= PLACES_OF_A_NAME as usize;
        assert!(most <= PLACES_OF_A_NAME as usize);
        let seen = expected.0.get(&fact.fingerprint).map(|(_, seen)| *seen);
        expected.take_in(fact, record);
        if full && !holding.contains(&fact.fingerprint) {
            // Only the end of what is stored, which takes no place.
            assert!(
                stored && !fact.firing,
                "{} has a place too many",
                fact.fingerprint
            );
            let entry = expected.0.get_mut(&fact.fingerprint).unwrap();
            entry.1 = seen.unwrap();
        }
    }
    let (all, most) = expected.taken(now);
    assert!(
        all <= PLACES as usize && most <= PLACES_OF_A_NAME as usize,
        "{all}, {most}"
    );
}

async fn deliver(bodies: Vec<Body>) {
    let place = Place::new();
    let mut store = place.store();
    let mut expected = Expected::default();
    for body in bodies {
        place.clock.advance(body.after);
        if body.restarts {
            drop(store);
            store = place.store();
        }
        let now = place.clock.now();
        let facts = body.facts(now);
        let accepted = store.accept(facts.clone()).await.unwrap();
        check(&mut expected, &facts, &accepted, now);
    }
    let now = place.clock.now();
    let live = store.load().await.unwrap();
    drop(store);
    let again = place.store().load().await.unwrap();
    assert_eq!(live, again, "a start folds to the same");
    let facts = live.hosts.get(&module(1).host).map(|state| &state.facts);
    for fingerprint in expected.holding(now) {
        let (record, _) = &expected.0[&fingerprint];
        let ended = !record.firing() && record.last_heard() < Some(now.before(FACT_MEMORY));
        let found = facts.unwrap().get(&fingerprint);
        assert_eq!(found, Some(record).filter(|_| !ended));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Never more than the bound, what holds a place is never refused nor lost, the end of what is
    /// stored is never lost, and a start in between changes nothing.
    #[test]
    fn beyond_the_bound_what_is_known_stays_and_strangers_are_refused(
        bodies in proptest::collection::vec(any_body(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(deliver(bodies));
    }
}

/// Nobody knows how long the program was away: how old a delivery is cannot be told.
#[tokio::test]
async fn a_fact_whose_delivery_is_forgotten_counts_again_from_the_next_one() {
    let place = Place::new();
    let firing = fact(1, 0);
    let store = place.store();
    store.accept(vec![firing.clone()]).await.unwrap();
    let start = Start {
        away_known: false,
        ..Start::FIRST
    };
    store
        .append(start.entries(std::iter::empty(), place.clock.now()))
        .await
        .unwrap();
    drop(store);
    let store = place.store();
    let now = place.clock.now();
    let valid = |record: &FactRecord| record.valid(Duration::from_secs(900), now);
    let loaded = store.load().await.unwrap();
    let facts = &loaded.hosts.values().next().unwrap().facts;
    assert!(
        facts
            .values()
            .all(|record| record.firing() && !valid(record))
    );
    let again = Fact {
        delivered_at: now,
        ..firing
    };
    let accepted = store.accept(vec![again]).await.unwrap();
    assert!(accepted.events.is_empty(), "it has fired all the time");
    assert!(accepted.known.iter().all(|(_, record)| valid(record)));
}

#[tokio::test]
async fn the_targets_of_a_host_have_places_of_their_own() {
    let place = Place::new();
    let store = place.store();
    let flood = |target, from: u64| -> Vec<Fact> {
        let numbers = from..from + 200;
        let named = numbers.map(|number| Fact {
            fingerprint: format!("{number:016x}").parse().unwrap(),
            name: format!("Alert{}", number / 10),
            target: vcm_recovery::inventory::Target::clone(&target),
            ..fact(0, 1_000)
        });
        named.collect()
    };
    let one = store.accept(flood(module(1), 0)).await.unwrap();
    let host = crate::place::host(1);
    let other = store.accept(flood(host.clone(), 1_000)).await.unwrap();
    for (accepted, target) in [(one, module(1)), (other, host)] {
        assert_eq!(accepted.known.len(), PLACES as usize);
        let refused: Vec<_> = accepted.refused.keys().cloned().collect();
        assert_eq!(refused, [target]);
    }
}
