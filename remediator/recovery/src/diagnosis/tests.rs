use std::collections::BTreeMap;

use nshield::{ModuleNumber, ModuleState};

use super::*;
use crate::evidence::Look;
use crate::ids::{HostName, ObservationId};
use crate::inventory::{Kind, ModuleEntry, Target};
use crate::observation::{
    ModuleLook, NetworkLook, OBSERVATION_SCHEMA, SourceStatus, Sources, StopSign,
};
use crate::policy::Policy;
use crate::step::Platform;
use crate::tier::Tier;

const NOW: Time = Time::from_millis(1_000_000_000);

fn number(n: u16) -> ModuleNumber {
    ModuleNumber::try_from(n).unwrap()
}

fn esn(n: u16) -> String {
    format!("1A2B-05E0-D94{n}")
}

fn echo(replies: u8) -> NetworkLook {
    NetworkLook::Echo { sent: 5, replies }
}

/// Two modules, of which the first has failed.
fn seen() -> Observation {
    let look = |n: u16, state| ModuleLook {
        state,
        printed: String::new(),
        esn: esn(n).parse().ok(),
        hardware_ok: Some(true),
        connection_ok: Some(true),
        kind: Some(Kind::Vcm),
        objects: Some(7),
        uptime: None,
        load_percent: None,
        path: None,
        hold: None,
        network: echo(5),
    };
    Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(1),
        boot_id: String::new(),
        started_boottime: 0,
        finished_boottime: 0,
        sources: Sources {
            enquiry: SourceStatus::Ok,
            enquiry_server: SourceStatus::NotAsked,
            stattree: SourceStatus::Ok,
            socket: SourceStatus::Ok,
        },
        hardserver: HardserverLook::Up,
        complete: true,
        modules: BTreeMap::from([
            (number(1), look(1, ModuleState::Failed)),
            (number(2), look(2, ModuleState::Operational)),
        ]),
        clients: Some(3),
        hardserver_uptime: None,
        stop: StopSign::None,
        pause: None,
        hold: None,
        host_uptime: Some(86_400),
        service_check: None,
        max_tier: Tier::Clear,
    }
}

fn first(seen: &mut Observation) -> &mut ModuleLook {
    seen.modules.get_mut(&number(1)).unwrap()
}

/// The diagnosis of an incident of module 1, or of the host, after two equal looks.
struct Told {
    patterns: Vec<&'static str>,
    hints: Vec<String>,
}

fn about(module: Option<u16>, fleet: &FleetView, seen: Option<Observation>) -> Told {
    let name: HostName = "tenant-1".parse().unwrap();
    let entry = |n: u16| ModuleEntry {
        esn: esn(n).parse().ok(),
        kind: Kind::Vcm,
        hsm: "hsm-a".parse().ok(),
        name: None,
    };
    let host = HostEntry {
        name: name.clone(),
        instance: None,
        platform: Platform::Linux,
        mode: None,
        modules: (1..=2).map(|n| (number(n), entry(n))).collect(),
    };
    let policy = Policy::default();
    let mut evidence = Evidence::default();
    for seen in seen.into_iter().flat_map(|seen| [seen.clone(), seen]) {
        let at = match evidence.newest() {
            None => NOW.before(policy.agreement_span),
            Some(_) => NOW,
        };
        evidence.push(Look { at, seen: Ok(seen) });
    }
    let target = Target {
        host: name,
        module: module.map(number),
    };
    let incident = Incident::open(target, NOW);
    let case = Case {
        incident: &incident,
        evidence: &evidence,
        fleet,
        site: Site {
            host: &host,
            policy: &policy,
        },
        now: NOW,
    };
    Told {
        patterns: diagnose(&case).map(|pattern| pattern.name).collect(),
        hints: hints(&case),
    }
}

fn with(change: impl FnOnce(&mut Observation)) -> Told {
    let mut seen = seen();
    change(&mut seen);
    about(Some(1), &FleetView::default(), Some(seen))
}

#[test]
fn every_row_is_found_by_what_it_says_is_seen() {
    type Change = fn(&mut Observation);
    let table: [(&str, Change); 9] = [
        ("one_failed", |_| {}),
        ("all_failed", |seen| {
            seen.modules.get_mut(&number(2)).unwrap().state = ModuleState::Failed;
        }),
        ("hardserver_down", |seen| {
            seen.hardserver = HardserverLook::SuspectedDown;
        }),
        ("hardserver_unresponsive", |seen| {
            seen.hardserver = HardserverLook::Unresponsive;
        }),
        ("permission_denied", |seen| {
            seen.hardserver = HardserverLook::PermissionDenied;
        }),
        ("network_bad", |seen| first(seen).network = echo(0)),
        ("in_service", |seen| {
            first(seen).state = ModuleState::Maintenance;
        }),
        ("hardware_fault", |seen| {
            first(seen).hardware_ok = Some(false)
        }),
        ("stale_alert", |seen| {
            first(seen).state = ModuleState::Operational;
        }),
    ];
    for (name, change) in table {
        assert_eq!(with(change).patterns, [name]);
    }
    let cut = with(|seen| seen.complete = false);
    assert_eq!(cut.patterns, ["unknown"]);
    let none = about(Some(1), &FleetView::default(), None);
    assert_eq!(none.patterns, ["unknown"]);
    let renumbered = with(|seen| first(seen).esn = esn(9).parse().ok());
    assert_eq!(renumbered.patterns, ["one_failed", "renumbered"]);
    let mut fleet = FleetView::default();
    fleet.storms.hsms.insert("hsm-a".parse().ok(), NOW);
    let storm = about(Some(1), &fleet, Some(seen()));
    assert_eq!(storm.patterns, ["one_failed", "storm"]);
}

#[test]
fn every_pattern_has_a_name_of_its_own_and_texts() {
    let names: std::collections::BTreeSet<_> = PATTERNS.iter().map(|p| p.name).collect();
    assert_eq!(names.len(), PATTERNS.len());
    for pattern in &PATTERNS {
        assert!(!pattern.seen.is_empty() && !pattern.means.is_empty() && !pattern.so.is_empty());
    }
}

#[test]
fn old_look_is_unknown_and_no_pattern_of_it_is_told() {
    let told = with(|seen| seen.hardserver = HardserverLook::Unknown);
    assert_eq!(told.patterns, ["unknown"]);
}

#[test]
fn a_host_that_rebooted_just_before_its_network_was_lost_is_named() {
    let rebooted = with(|seen| {
        first(seen).network = echo(0);
        seen.host_uptime = Some(120);
    });
    assert_eq!(
        rebooted.hints[0],
        "this host rebooted 120 s ago and its network is not back: settings may not have survived \
         the reboot"
    );
    let long_ago = with(|seen| first(seen).network = echo(0));
    let network_good = with(|seen| seen.host_uptime = Some(120));
    for told in [long_ago, network_good] {
        assert!(!told.hints.iter().any(|hint| hint.contains("rebooted")));
    }
}

#[test]
fn what_is_wrong_with_the_way_is_named_while_the_network_is_lost() {
    let hints = |path: PathLook| {
        with(|seen| {
            first(seen).network = echo(0);
            first(seen).path = Some(path);
        })
        .hints
    };
    assert!(hints(PathLook::default()).contains(&"this host has no route to it".to_owned()));
    let unreadable = hints(PathLook {
        problem: Some("permission denied".to_owned()),
        ..PathLook::default()
    });
    let text = "whether this host has a route to it is not known: permission denied";
    assert!(unreadable.contains(&text.to_owned()));
    let broken = hints(PathLook {
        interface: Some("eth1".to_owned()),
        gateway: Some("10.0.0.1".to_owned()),
        interface_up: Some(false),
        neighbour: Some(false),
        problem: None,
    });
    assert_eq!(
        broken[..2],
        [
            "interface eth1, through which it is reached, is down",
            "gateway 10.0.0.1 does not answer on interface eth1"
        ]
    );
    let good = hints(PathLook {
        interface: Some("eth1".to_owned()),
        interface_up: Some(true),
        neighbour: Some(true),
        ..PathLook::default()
    });
    assert!(!good.iter().any(|hint| hint.contains("eth1")));
}

#[test]
fn census_of_objects_and_clients_is_told() {
    assert_eq!(
        with(|_| {}).hints,
        [
            "7 objects are loaded in the module",
            "3 clients are connected to the hardserver"
        ]
    );
}

#[test]
fn drift_names_every_difference_from_the_inventory_and_none_that_is_not_certain() {
    let hints = |change: fn(&mut Observation)| with(change).hints;
    let drift = hints(|seen| {
        let third = seen.modules[&number(2)].clone();
        seen.modules.insert(number(3), third);
        first(seen).esn = esn(9).parse().ok();
        seen.modules.get_mut(&number(2)).unwrap().kind = Some(Kind::Nethsm);
    });
    assert_eq!(
        drift[2..],
        [
            "module 1 has ESN 1A2B-05E0-D949, the inventory says 1A2B-05E0-D941",
            "module 3 is there and not in the inventory",
            "module 2 is a nethsm on the host and a vcm in the inventory"
        ]
    );
    let unseen = hints(|seen| {
        first(seen).esn = esn(9).parse().ok();
        seen.complete = false;
    });
    assert!(!unseen.iter().any(|hint| hint.contains("ESN")));
}
