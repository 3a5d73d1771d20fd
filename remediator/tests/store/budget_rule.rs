//! The reserving transaction gives and refuses exactly what the budgets' rule of the core does, which
//! is what the model check knows the store by.

use std::collections::{BTreeMap, BTreeSet};

use vcm_recovery::attempt::{Attempt, Outcome};
use vcm_recovery::control::{Resolution, Resolved};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::fleet::budget::used_up;
use vcm_recovery::guard::budget;
use vcm_recovery::ids::{AttemptId, HostName, HsmName};
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_remediator::store::{Reservation, Store as _};

use crate::place::{BUDGETS, Place, guard, intent, module, settled};

/// Enough for every budget to be refused and given again many times.
const STEPS: u128 = 600;

/// A sequence of numbers that is the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// The hosts as the core folds them.
#[derive(Default)]
struct Hosts(BTreeMap<HostName, HostState>);

impl Hosts {
    fn apply(&mut self, events: &[Event]) {
        for event in events {
            let host = event.entry.host.clone().unwrap();
            let state = self.0.entry(host.clone());
            state.or_insert_with(|| HostState::new(host)).apply(event);
        }
    }

    fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.0.values().flat_map(|host| host.attempts.values())
    }

    fn open(&self, numbers: &mut Numbers) -> Option<Attempt> {
        let open: Vec<&Attempt> = self.attempts().filter(|a| a.unsettled()).collect();
        (!open.is_empty()).then(|| numbers.one_of(&open).clone())
    }
}

#[tokio::test]
async fn the_transaction_and_the_rule_of_the_core_give_and_refuse_the_same() {
    let place = Place::new();
    let store = place.store();
    let epoch = store.identity().epoch;
    let (mut hosts, mut numbers) = (Hosts::default(), Numbers(42));
    let mut answers = BTreeMap::new();
    for number in 0..STEPS {
        if numbers.below(3) == 0 {
            if let Some(open) = hosts.open(&mut numbers) {
                let entry = ending(&open, &mut numbers);
                hosts.apply(&store.append(vec![entry]).await.unwrap());
            }
            continue;
        }
        let target = module(u16::try_from(1 + numbers.below(5)).unwrap());
        let rung = numbers.one_of(&[Rung::Retry, Rung::Retry, Rung::Restart, Rung::Clear]);
        let mut entry = intent(number, &target, rung, epoch);
        let Change::IntentReserved(wanted) = &mut entry.change else {
            unreachable!("an intent is an intent");
        };
        wanted.hsms = hsms(&mut numbers);
        let expected = used_up(wanted, hosts.attempts(), BUDGETS);
        let reservation = store.reserve(entry, BUDGETS).await.unwrap();
        assert_eq!(guard(&reservation), expected, "step {number}");
        *answers.entry(expected).or_insert(0) += 1;
        if let Reservation::Reserved(events) = reservation {
            hosts.apply(&events);
        }
    }
    // Given, and refused by each of the three.
    assert_eq!(answers.len(), 4, "{answers:?}");
}

/// In the words of the guard, which an operator may have read just before.
#[tokio::test]
async fn a_refused_reservation_says_what_the_guard_says() {
    let place = Place::new();
    let store = place.store();
    let epoch = store.identity().epoch;
    let mut said = Vec::new();
    for (number, host, rung) in [
        (1, 1, Rung::Restart),
        (2, 1, Rung::Retry),
        (3, 2, Rung::Clear),
        (4, 2, Rung::Retry),
        (5, 3, Rung::Retry),
        (6, 4, Rung::Retry),
    ] {
        let entry = intent(number, &module(host), rung, epoch);
        let reservation = store.reserve(entry, BUDGETS).await.unwrap();
        if let Reservation::Refused(_, reason) = reservation {
            said.push(reason);
        }
    }
    let hsm: HsmName = "hsm-a".parse().unwrap();
    let words = [
        budget::full_on_host(1, BUDGETS.host),
        budget::full_in_fleet(1, BUDGETS.fleet_disruptive),
        budget::full_on_hsm(Some(&hsm), 2, BUDGETS.hsm_retry),
    ];
    assert_eq!(said, words);
    assert_eq!(said[0], "open attempts on this host: 1 (at most 1)");
}

/// The HSMs of an attempt: one, two, or those of unknown name.
fn hsms(numbers: &mut Numbers) -> BTreeSet<Option<HsmName>> {
    let hsm = |name: &str| Some(name.parse().unwrap());
    let all = [None, hsm("hsm-a"), hsm("hsm-b")];
    let first = usize::try_from(numbers.below(3)).unwrap();
    let second = usize::try_from(numbers.below(3)).unwrap();
    [all[first].clone(), all[second].clone()].into()
}

/// An outcome, also unknown; a person's word; or the release of the fleet's share.
fn ending(open: &Attempt, numbers: &mut Numbers) -> Entry {
    let attempt = open.intent.attempt;
    let target = &open.intent.target;
    let number = number_of(attempt);
    let known = open.outcome.is_some();
    let outcome = numbers.one_of(&[Outcome::Unknown, Outcome::Succeeded, Outcome::Failed]);
    let entry = settled(number, target, outcome);
    let change = match numbers.below(3) {
        0 if known => Change::FleetShareReleased { attempt },
        1 if known => Change::HumanResolved(Resolution {
            what: Resolved::Attempt {
                attempt,
                outcome: Outcome::Cancelled,
            },
            by: "ann".parse().unwrap(),
            reason: "seen".to_owned(),
        }),
        _ => entry.change.clone(),
    };
    Entry { change, ..entry }
}

fn number_of(attempt: AttemptId) -> u128 {
    u128::from_str_radix(&attempt.to_string().replace('-', ""), 16).unwrap()
}
