use nshield::ModuleNumber;

use super::*;
use crate::inventory::{Kind, ModuleEntry};
use crate::step::Platform;

const START: i64 = 1_000_000_000;

fn at(seconds: i64) -> Time {
    Time::from_millis(START + seconds * 1_000)
}

fn name(n: usize) -> HostName {
    format!("tenant-{n}").parse().unwrap()
}

/// `hosts` hosts, each with module 1 on HSM a and module 2 of unknown HSM.
fn inventory(hosts: usize) -> Inventory {
    let module = |hsm: Option<&str>| ModuleEntry {
        esn: None,
        kind: Kind::Vcm,
        hsm: hsm.map(|hsm| hsm.parse().unwrap()),
        name: None,
    };
    let number = |n: u16| ModuleNumber::try_from(n).unwrap();
    let host = |n| HostEntry {
        name: name(n),
        instance: None,
        platform: Platform::Linux,
        mode: None,
        modules: BTreeMap::from([(number(1), module(Some("a"))), (number(2), module(None))]),
    };
    let hosts = (1..=hosts).map(|n| (name(n), host(n))).collect();
    Inventory { hosts }
}

fn states(failures: &[(usize, Option<u16>, i64)]) -> Vec<HostState> {
    let mut states: BTreeMap<HostName, HostState> = BTreeMap::new();
    for &(host, module, seconds) in failures {
        let state = states
            .entry(name(host))
            .or_insert_with(|| HostState::new(name(host)));
        let target = Target {
            host: name(host),
            module: module.map(|n| ModuleNumber::try_from(n).unwrap()),
        };
        state.failures.entry(target).or_default().push(at(seconds));
    }
    states.into_values().collect()
}

fn storms(hosts: usize, failures: &[(usize, Option<u16>, i64)], now: i64) -> Storms {
    let states = states(failures);
    let policy = Policy::default();
    Storms::of(states.iter(), &inventory(hosts), &policy, at(now))
}

fn a() -> Option<HsmName> {
    "a".parse().ok()
}

#[test]
fn two_hosts_of_one_hsm_within_the_window_are_a_storm_of_it() {
    let hsm_in_storm = |failures: &[(usize, Option<u16>, i64)], now| {
        storms(20, failures, now).hsms.get(&a()).copied()
    };
    let module = Some(1);
    // One host, however often.
    assert_eq!(hsm_in_storm(&[(1, module, 0), (1, module, 60)], 60), None);
    // Two hosts of two HSMs.
    assert_eq!(hsm_in_storm(&[(1, module, 0), (2, Some(2), 1)], 60), None);
    // Two hosts of one, just outside and just inside the window.
    assert_eq!(hsm_in_storm(&[(1, module, 0), (2, module, 300)], 300), None);
    let both = [(1, module, 0), (2, module, 299)];
    assert_eq!(hsm_in_storm(&both, 299), Some(at(299)));
    assert_eq!(hsm_in_storm(&both, 298), None);
    // Two hosts whose modules are of unknown HSM share a group.
    let unknown = storms(20, &[(1, Some(2), 0), (2, Some(2), 1)], 1);
    assert_eq!(unknown.hsms, BTreeMap::from([(None, at(1))]));
}

#[test]
fn a_storm_ends_after_ten_minutes_below_half() {
    let failures = [(1, Some(1), 0), (2, Some(1), 10)];
    let since = |now| storms(20, &failures, now).hsms.get(&a()).copied();
    // The second host leaves the window at 310 s; below half of two is none.
    assert_eq!(since(310 + 599), Some(at(10)));
    assert_eq!(since(310 + 600), None);
    // A third host keeps it going, and it is the same storm.
    let failures = [(1, Some(1), 0), (2, Some(1), 10), (3, Some(1), 800)];
    let since = |now| storms(20, &failures, now).hsms.get(&a()).copied();
    assert_eq!(since(1_600), Some(at(10)));
    assert_eq!(since(1_100 + 600), None);
}

#[test]
fn the_fleet_storms_with_a_fifth_of_its_hosts_but_never_with_one_or_two() {
    let failed = |hosts: usize| -> Vec<(usize, Option<u16>, i64)> {
        (1..=hosts).map(|n| (n, None, 0)).collect()
    };
    let table = [
        (2, 2, false),
        (5, 2, false),
        (5, 3, true),
        (15, 3, true),
        (16, 3, false),
        (16, 4, true),
        (100, 19, false),
        (100, 20, true),
    ];
    for (hosts, failing, expected) in table {
        let storms = storms(hosts, &failed(failing), 0);
        assert_eq!(storms.fleet.is_some(), expected, "{failing} of {hosts}");
        assert!(storms.hsms.is_empty(), "a host itself belongs to no HSM");
    }
}

#[test]
fn the_first_failure_is_that_of_the_newest_run_of_failures() {
    let first = |failures: &[(usize, Option<u16>, i64)], now| {
        storms(20, failures, now).first_failures.get(&a()).copied()
    };
    let module = Some(1);
    assert_eq!(first(&[(1, module, 0)], 299), Some(at(0)));
    // The turns of a storm follow the boot window.
    assert_eq!(first(&[(1, module, 0)], 329), Some(at(0)));
    assert_eq!(first(&[(1, module, 0)], 330), None);
    // An old incident of the device is another trouble.
    let failures = [(1, module, 0), (2, module, 1_000), (3, module, 1_200)];
    assert_eq!(first(&failures, 1_200), Some(at(1_000)));
}

#[test]
fn failures_after_now_do_not_count_yet() {
    let storms = storms(20, &[(1, Some(1), 0), (2, Some(1), 5)], 4);
    assert!(storms.hsms.is_empty());
}

#[test]
fn a_thousand_failures_are_counted_in_passing() {
    let failures: Vec<_> = (1..=1_000).map(|n| (n, Some(1), 0)).collect();
    let storms = storms(1_000, &failures, 60);
    assert_eq!(storms.fleet, Some(at(0)));
    let of_a = BTreeSet::from([a()]);
    assert_eq!(
        storms.newest_first_failure(&of_a),
        Some((at(0), a().as_ref()))
    );
    assert_eq!(storms.newest_first_failure(&BTreeSet::from([None])), None);
}
