//! C34: load that was shed by automation was never restored.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::command::HostOrder;
use vcm_recovery::event::Change;
use vcm_recovery::fleet::load::{self, LoadReport};
use vcm_recovery::inventory::Inventory;
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::LoadPolicy;

use crate::failing;
use crate::lab::{Lab, of_fleet};

/// Lets time pass; the hook is called whenever that is decided, and works or does not.
fn run(lab: &mut Lab, seconds: u64, hook_works: bool) {
    for _ in 0..seconds {
        lab.run(1);
        let hosts = [(lab.host.name.clone(), lab.host.clone())];
        let inventory = Inventory {
            hosts: hosts.into(),
        };
        let states = std::iter::once(&lab.state);
        let decision = load::decide(&lab.fleet, states, &inventory, &lab.policy, lab.now);
        lab.store(decision.changes);
        for call in decision.calls {
            let report = LoadReport {
                hsm: call.hsm,
                action: call.action,
                failure: (!hook_works).then(|| "connection refused".to_owned()),
            };
            lab.store(vec![of_fleet(Change::LoadReported(report))]);
        }
    }
}

/// A failed module on an overloaded HSM whose load was shed.
fn shed() -> Lab {
    let mut lab = failing();
    lab.policy.load = Some(LoadPolicy {
        threshold_percent: 90,
        restore_below_percent: 70,
        hold: Duration::from_secs(600),
        max_shed: Duration::from_secs(7_200),
        hook: true,
    });
    lab.module(1).load_percent = Some(97);
    run(&mut lab, 60, true);
    assert_eq!(lab.count("LoadShed"), 1);
    assert_eq!(lab.fleet.sheds.len(), 1);
    assert_eq!(lab.rungs(), [], "nothing starts on an overloaded HSM");
    lab
}

/// A way in which the trouble ends, and how it comes about.
type End = (&'static str, fn(&mut Lab));

const ENDS: [End; 6] = [
    ("it heals", |lab| {
        lab.module(1).state = ModuleState::Operational;
    }),
    ("a person closes it", |lab| {
        lab.visible = false;
        lab.run(120);
        let target = lab.target(Some(1));
        lab.order(&HostOrder::Close { target }).unwrap();
        lab.alerts.clear();
    }),
    ("it is handed over and then heals", |lab| {
        lab.module(1).state = ModuleState::Maintenance;
        lab.run(600);
        lab.module(1).state = ModuleState::Operational;
    }),
    ("load is low again", |lab| {
        lab.module(1).load_percent = Some(20);
    }),
    ("the gate is switched off", |lab| lab.policy.load = None),
    ("nothing ends, and the longest time is over", |_| {}),
];

#[test]
fn c34_shed_load_is_restored_however_the_trouble_ends() {
    for (end, happen) in ENDS {
        for restarted in [false, true] {
            let mut lab = shed();
            happen(&mut lab);
            if restarted {
                lab.restart_remediator();
            }
            run(&mut lab, 7_300, true);
            assert_eq!(lab.fleet.sheds.len(), 0, "{end}");
            assert_eq!(lab.count("LoadRestored"), 1, "{end}");
            assert!(lab.fleet.pages.is_empty(), "{end}");
        }
    }
}

#[test]
fn c34_load_that_cannot_be_restored_is_paged_and_tried_again() {
    let mut lab = shed();
    lab.module(1).state = ModuleState::Operational;
    run(&mut lab, 3_600, false);
    assert_eq!(lab.fleet.sheds.len(), 1, "it is not forgotten");
    let paged = |lab: &Lab| {
        lab.fleet
            .pages
            .keys()
            .any(|(_, reason)| *reason == PageReason::LoadHook)
    };
    assert!(paged(&lab));
    lab.restart_remediator();
    run(&mut lab, 120, true);
    assert_eq!(lab.fleet.sheds.len(), 0);
    assert!(!paged(&lab));
}
