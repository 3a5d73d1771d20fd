//! Tables for resolving labels, and the order-insensitivity of facts (S10).

use proptest::prelude::*;

use super::*;
use crate::inventory::{Kind, ModuleEntry};
use crate::policy::Policy;
use crate::state::HostState;
use crate::step::Platform;

fn host(name: &str, instance: Option<&str>, modules: &[(u16, &str)]) -> HostEntry {
    HostEntry {
        name: name.parse().unwrap(),
        instance: instance.map(|text| text.parse().unwrap()),
        platform: Platform::Linux,
        mode: None,
        modules: modules
            .iter()
            .map(|&(number, esn)| {
                let entry = ModuleEntry {
                    esn: esn.parse().ok(),
                    kind: Kind::Vcm,
                    hsm: None,
                    name: None,
                };
                (ModuleNumber::try_from(number).unwrap(), entry)
            })
            .collect(),
    }
}

fn inventory() -> Inventory {
    let hosts = [
        host(
            "tenant-1",
            Some("10.0.0.1:9808"),
            &[(1, "1A2B-05E0-D947"), (2, "")],
        ),
        host("tenant-2", None, &[(1, "2B3C-05E0-D947")]),
    ];
    Inventory {
        hosts: hosts
            .into_iter()
            .map(|host| (host.name.clone(), host))
            .collect(),
    }
}

fn alert(labels: &[(&str, &str)]) -> Alert {
    Alert {
        fingerprint: "00000000000000aa".parse().unwrap(),
        firing: true,
        labels: labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        starts_at: Time::from_millis(1_000),
        ends_at: None,
    }
}

fn resolved(labels: &[(&str, &str)]) -> Result<(String, Option<Tier>), &'static str> {
    alert(labels)
        .resolve(&inventory(), &Policy::default(), Time::from_millis(2_000))
        .map(|fact| (fact.target.to_string(), fact.tier))
        .map_err(|ignored| ignored.as_str())
}

#[test]
fn labels_name_a_target_of_the_inventory_or_nothing() {
    use Tier::{Network, Restart, Retry};
    type Row<'a> = (
        &'a [(&'a str, &'a str)],
        Result<(&'a str, Option<Tier>), &'a str>,
    );
    let failed = ("alertname", "VcmFailed");
    let down = ("alertname", "HardserverDown");
    let one = ("host", "tenant-1");
    let m1 = ("module", "1");
    let long = "x".repeat(2000);
    let table: &[Row<'_>] = &[
        (&[failed, one, m1], Ok(("tenant-1/1", Some(Retry)))),
        (
            &[failed, ("instance", "10.0.0.1:9808"), m1],
            Ok(("tenant-1/1", Some(Retry))),
        ),
        (
            &[failed, one, ("instance", "10.0.0.1:9808"), m1],
            Ok(("tenant-1/1", Some(Retry))),
        ),
        (
            &[failed, one, ("instance", "10.0.0.2:9808"), m1],
            Err("unknown_target"),
        ),
        (
            &[failed, one, ("instance", "tenant-2"), m1],
            Err("unknown_target"),
        ),
        (
            &[failed, ("host", "tenant-2"), ("instance", "x:1"), m1],
            Ok(("tenant-2/1", Some(Retry))),
        ),
        (
            &[
                failed,
                ("host", "tenant-2"),
                ("instance", "10.0.0.1:9808"),
                m1,
            ],
            Err("unknown_target"),
        ),
        (&[failed, ("host", "tenant-9"), m1], Err("unknown_target")),
        (&[failed, ("host", "TENANT-1"), m1], Err("unknown_target")),
        (&[failed, m1], Err("unknown_target")),
        (&[failed, one], Err("unknown_target")),
        (&[failed, one, ("module", "")], Err("unknown_target")),
        (&[failed, one, ("module", "3")], Err("unknown_target")),
        (&[failed, one, ("module", "0")], Err("malformed")),
        (&[failed, one, ("module", "01")], Err("malformed")),
        (&[failed, one, ("module", "+1")], Err("malformed")),
        (&[failed, one, ("module", " 1")], Err("malformed")),
        (&[failed, one, ("module", "1; rm -rf /")], Err("malformed")),
        (&[failed, one, ("module", "--all")], Err("malformed")),
        (
            &[failed, one, ("module", "99999999999999999999")],
            Err("malformed"),
        ),
        (&[failed, one, ("module", "1\n")], Err("malformed")),
        (&[failed, ("host", "tenant-1\u{0}"), m1], Err("malformed")),
        (&[failed, ("host", &long), m1], Err("malformed")),
        (
            &[failed, one, m1, ("esn", "1A2B-05E0-D947")],
            Ok(("tenant-1/1", Some(Retry))),
        ),
        (
            &[failed, one, m1, ("esn", "2B3C-05E0-D947")],
            Err("unknown_target"),
        ),
        (&[failed, one, m1, ("esn", "unknown")], Err("malformed")),
        (
            &[failed, one, ("module", "2"), ("esn", "2B3C-05E0-D947")],
            Ok(("tenant-1/2", Some(Retry))),
        ),
        (&[down, one], Ok(("tenant-1", Some(Restart)))),
        (&[down, one, m1], Err("unknown_target")),
        (
            &[failed, one, m1, ("recovery_tier", "network")],
            Ok(("tenant-1/1", Some(Network))),
        ),
        (
            &[failed, one, m1, ("recovery_tier", "clear")],
            Ok(("tenant-1/1", Some(Retry))),
        ),
        (
            &[failed, one, m1, ("recovery_tier", "everything")],
            Err("malformed"),
        ),
        (&[("alertname", "Other"), one, m1], Ok(("tenant-1/1", None))),
        (&[("alertname", "Other"), one], Ok(("tenant-1", None))),
        (&[("alertname", "Other")], Err("no_tier")),
        (&[one, m1], Err("malformed")),
    ];
    for (labels, expected) in table {
        let expected = (*expected).map(|(target, tier)| (target.to_owned(), tier));
        assert_eq!(resolved(labels), expected, "{labels:?}");
    }
}

#[test]
fn start_and_end_far_in_the_future_hide_the_alert_for_a_day_at_most() {
    let mut alert = alert(&[
        ("alertname", "VcmFailed"),
        ("host", "tenant-2"),
        ("module", "1"),
    ]);
    alert.starts_at = Time::from_millis(i64::MAX);
    alert.ends_at = Some(Time::from_millis(i64::MAX));
    let delivered = Time::from_millis(5_000);
    let fact = alert
        .resolve(&inventory(), &Policy::default(), delivered)
        .unwrap();
    let latest = delivered.after(CLOCKS_APART_MAX);
    assert_eq!((fact.starts_at, fact.ends_at), (latest, Some(latest)));
}

/// The program's clock is two hours behind Alertmanager's.
#[test]
fn program_that_is_behind_hears_every_start_once_and_every_end() {
    let mut state = HostState::new("tenant-2".parse().unwrap());
    let (site, policy) = (inventory(), Policy::default());
    let mut at = alert(&[
        ("alertname", "VcmFailed"),
        ("host", "tenant-2"),
        ("module", "1"),
    ]);
    let target = Target::module(state.host.clone(), ModuleNumber::try_from(1).unwrap());
    let mut deliver = |firing, start: i64, end: Option<i64>, now: i64| {
        at.firing = firing;
        at.starts_at = Time::from_millis(7_200_000 + start);
        at.ends_at = end.map(|end| Time::from_millis(7_200_000 + end));
        let now = Time::from_millis(now);
        let fact = at.resolve(&site, &policy, now).unwrap();
        let before = state.facts.clone();
        state.deliver(&fact);
        let starts = |facts: &BTreeMap<Fingerprint, FactRecord>| {
            facts.values().next().and_then(|fact| fact.newest_start)
        };
        let begun = starts(&before) != starts(&state.facts);
        (begun, state.alert_view(&target, &policy, now).permits)
    };
    assert_eq!(deliver(true, 0, None, 1_000), (true, true));
    assert_eq!(deliver(true, 0, None, 301_000), (false, true));
    assert_eq!(deliver(false, 0, Some(400_000), 401_000), (false, false));
    assert_eq!(deliver(true, 500_000, None, 501_000), (true, true));
}

fn fact(firing: bool, start: i64, end: i64, delivered: i64) -> Fact {
    Fact {
        fingerprint: "00000000000000aa".parse().unwrap(),
        name: "VcmFailed".to_owned(),
        target: Target::module(
            "tenant-2".parse().unwrap(),
            ModuleNumber::try_from(1).unwrap(),
        ),
        tier: Some(Tier::Retry),
        lowered: None,
        firing,
        starts_at: Time::from_millis(start),
        ends_at: (!firing).then(|| Time::from_millis(end)),
        delivered_at: Time::from_millis(delivered),
    }
}

fn joined(facts: &[Fact]) -> Option<FactRecord> {
    let (first, rest) = facts.split_first()?;
    let mut record = FactRecord::new(first);
    rest.iter().for_each(|fact| record.join(fact));
    Some(record)
}

#[test]
fn late_firing_of_an_ended_alert_stays_ended() {
    let end = fact(false, 10, 20, 21);
    let late = fact(true, 10, 0, 25);
    let again = fact(true, 30, 0, 31);
    assert!(!joined(&[end.clone(), late.clone()]).unwrap().firing());
    assert!(
        joined(&[end.clone(), late, again.clone()])
            .unwrap()
            .firing()
    );
    assert!(joined(&[again, end]).unwrap().firing());
}

#[test]
fn alert_that_is_not_delivered_again_ceases_to_count() {
    let record = joined(&[fact(true, 10, 0, 1_000)]).unwrap();
    let ttl = Duration::from_secs(1);
    assert!(record.valid(ttl, Time::from_millis(2_000)));
    assert!(!record.valid(ttl, Time::from_millis(2_001)));
}

proptest! {
    /// S10: any order and any repetition of the same deliveries gives the same record.
    #[test]
    fn facts_join_in_any_order_and_any_number(
        raw in prop::collection::vec((any::<bool>(), 0i64..50, 0i64..50, 0i64..100), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let facts: Vec<Fact> = raw.iter().map(|&(f, s, e, d)| fact(f, s, e, d)).collect();
        let mut shuffled: Vec<Fact> = order.iter().map(|i| i.get(&facts).clone()).collect();
        shuffled.extend(facts.iter().rev().cloned());
        prop_assert_eq!(joined(&facts), joined(&shuffled));
    }
}
