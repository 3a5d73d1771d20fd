//! A stream of bodies as Alertmanager 0.25 sent them (27 in 20 s, with a short `group_interval`: alerts of
//! a module and of its host that begin, are told again, end and begin anew), delivered in any order,
//! again and again, comes to what it comes to as it was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vcm_recovery::alert::{AlertView, FactRecord};
use vcm_recovery::ids::Fingerprint;
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Tier;

use crate::program::{NOW, Program, inventory};

/// One body a line.
const RECORDED: &str = include_str!("../fixtures/webhook-stream.jsonl");

/// A quarter of an hour after the recorded stream, in milliseconds since 1970.
const DELIVERED_AT: i64 = 1_795_411_500_000;

type View = (
    BTreeMap<Fingerprint, FactRecord>,
    BTreeMap<Target, AlertView>,
);

/// What is known after these bodies.
async fn known(bodies: &[&str]) -> View {
    let program = Program::new();
    let since = u64::try_from(DELIVERED_AT - NOW.as_millis()).unwrap();
    program.time.advance(Duration::from_millis(since));
    for body in bodies {
        let answer = program.post((*body).to_owned()).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }
    let now = program.app.clock.now();
    let states = program.app.store.load().await.unwrap().hosts;
    let facts = states.values().flat_map(|state| state.facts.clone());
    let mut views = BTreeMap::new();
    for host in inventory().hosts.values() {
        let modules = host.modules.keys().map(|module| Some(*module));
        for module in modules.chain([None]) {
            let target = Target {
                host: host.name.clone(),
                module,
            };
            let state = &states[&host.name];
            let view = state.alert_view(&target, &program.app.policy, now);
            views.insert(target, view);
        }
    }
    (facts.collect(), views)
}

fn otherwise() -> impl Strategy<Value = Vec<&'static str>> {
    let recorded: Vec<&str> = RECORDED.lines().collect();
    let again = proptest::collection::vec(proptest::sample::select(recorded.clone()), 0..20);
    again
        .prop_map(move |again| recorded.iter().copied().chain(again).collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_recorded_stream_comes_to_the_same_in_any_order_and_however_often_it_is_delivered(
        otherwise in otherwise(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let recorded: Vec<&str> = RECORDED.lines().collect();
        let first = runtime.block_on(known(&recorded));
        prop_assert_eq!(&runtime.block_on(known(&otherwise)), &first);
    }
}

/// That the stream says something: what fires at its end, and what has ended.
#[tokio::test]
async fn the_recorded_stream_ends_with_two_failed_modules() {
    let (facts, views) = known(&RECORDED.lines().collect::<Vec<_>>()).await;
    assert_eq!(facts.len(), 5);
    let firing = facts.values().filter(|fact| fact.firing());
    let mut firing: Vec<String> = firing
        .map(|fact| format!("{} {}", fact.name, fact.target))
        .collect();
    firing.sort();
    assert_eq!(firing, ["VcmFailed tenant-1/1", "VcmFailed tenant-2/1"]);
    let ceilings = views.values().map(|view| view.ceiling);
    let retry = Some(Tier::Retry);
    assert_eq!(
        ceilings.collect::<Vec<_>>(),
        [None, retry, None, None, retry]
    );
}
