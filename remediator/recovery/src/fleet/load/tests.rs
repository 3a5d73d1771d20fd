//! The load gate over time: an HSM, a failed module on it, a hook that works or does not.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "it looks for single kinds of event"
)]

use nshield::ModuleNumber;

use super::*;
use crate::alert::Fact;
use crate::control::{Hold, Pause};
use crate::event::{Event, ModuleSummary, Summary};
use crate::ids::{Epoch, HostName};
use crate::incident::Latch;
use crate::inventory::{HostEntry, Kind, ModuleEntry};
use crate::observation::{Condition, HardserverLook, Network};
use crate::policy::{AlertRule, Scope};
use crate::step::Platform;

const MINUTE: u64 = 60;

/// Two hosts with module 1 each on HSM a.
struct Lab {
    inventory: Inventory,
    policy: Policy,
    hosts: Vec<HostState>,
    fleet: FleetState,
    events: Vec<Event>,
    now: Time,
}

fn hsm() -> HsmName {
    "hsm-a".parse().unwrap()
}

fn host(n: usize) -> HostName {
    format!("tenant-{n}").parse().unwrap()
}

fn target(n: usize) -> Target {
    Target::module(host(n), ModuleNumber::try_from(1).unwrap())
}

impl Lab {
    /// The gate is on, with a hook; nothing is wrong yet.
    fn new() -> Self {
        let module = ModuleEntry {
            esn: None,
            kind: Kind::Vcm,
            hsm: Some(hsm()),
            name: None,
        };
        let number = ModuleNumber::try_from(1).unwrap();
        let entry = |n| HostEntry {
            name: host(n),
            instance: None,
            platform: Platform::Linux,
            mode: None,
            modules: BTreeMap::from([(number, module.clone())]),
        };
        let mut policy = Policy {
            mode: Mode::Act,
            load: Some(LoadPolicy {
                threshold_percent: 90,
                restore_below_percent: 70,
                hold: Duration::from_secs(10 * MINUTE),
                max_shed: Duration::from_secs(120 * MINUTE),
                hook: true,
            }),
            ..Policy::default()
        };
        let rule = AlertRule {
            tier: Tier::Load,
            scope: Scope::Module,
        };
        policy.alerts.insert("HsmLoadHigh".to_owned(), rule);
        Self {
            inventory: Inventory {
                hosts: [1, 2].map(|n| (host(n), entry(n))).into(),
            },
            policy,
            hosts: vec![HostState::new(host(1)), HostState::new(host(2))],
            fleet: FleetState::default(),
            events: Vec::new(),
            now: Time::from_millis(1_000_000_000),
        }
    }

    /// Module 1 of host 1 has failed, and host 2 shows a high load of its HSM.
    fn overloaded() -> Self {
        let mut lab = Self::new();
        lab.alert(1, "VcmFailed");
        lab.open(1);
        lab.alert(2, "HsmLoadHigh");
        lab.show(1, Condition::Failed, None);
        lab
    }

    fn alert(&mut self, n: usize, name: &str) {
        let fact = Fact {
            fingerprint: format!("{:016x}", n * 100 + name.len()).parse().unwrap(),
            name: name.to_owned(),
            target: target(n),
            tier: None,
            lowered: None,
            firing: true,
            starts_at: self.now,
            ends_at: None,
            delivered_at: self.now,
        };
        self.hosts[n - 1].deliver(&fact);
    }

    fn load_alert_ends(&mut self) {
        self.hosts[1].facts.clear();
    }

    fn change(&mut self, n: usize, change: &Change) {
        let now = self.now;
        self.hosts[n - 1].apply_change(&target(n), None, change, now);
    }

    fn open(&mut self, n: usize) {
        self.change(n, &Change::IncidentOpened(None));
    }

    fn show(&mut self, n: usize, condition: Condition, load: Option<LoadClass>) {
        let module = ModuleSummary {
            module: ModuleNumber::try_from(1).unwrap(),
            condition,
            network: Network::Good,
            load,
        };
        let summary = Summary {
            observation: None,
            problem: None,
            hardserver: HardserverLook::Up,
            host: Condition::Healthy,
            modules: vec![module],
        };
        self.change(n, &Change::Observed(summary));
    }

    fn closes(&mut self, n: usize) {
        self.hosts[n - 1].incidents.clear();
    }

    fn record(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let event = Event {
                seq: u64::try_from(self.events.len()).unwrap() + 1,
                schema: 2,
                time: self.now,
                epoch: Epoch(1),
                entry,
            };
            self.fleet.apply(&event);
            self.events.push(event);
        }
    }

    /// Decides until nothing new is recorded, as the program does: the calls that are due then.
    fn calls(&mut self) -> Vec<(LoadAction, u64)> {
        for _ in 0..10 {
            let decision = self.decide();
            if decision.changes.is_empty() {
                let calls = decision.calls.into_iter();
                return calls.map(|call| (call.action, call.order)).collect();
            }
            assert!(decision.next_wake.is_none_or(|at| at >= self.now));
            self.record(decision.changes);
        }
        panic!("decisions do not come to rest: {:?}", self.kinds());
    }

    fn decide(&self) -> FleetDecision {
        let hosts = self.hosts.iter();
        decide(&self.fleet, hosts, &self.inventory, &self.policy, self.now)
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        // The alerts are delivered again and again.
        for host in &mut self.hosts {
            for fact in host.facts.values_mut() {
                fact.last_firing_delivery = Some(self.now);
            }
        }
    }

    fn reported(&mut self, action: LoadAction, failure: Option<&str>) {
        let report = LoadReport {
            hsm: hsm(),
            action,
            failure: failure.map(str::to_owned),
        };
        self.record(vec![Entry {
            host: None,
            target: None,
            incident: None,
            change: Change::LoadReported(report),
        }]);
    }

    /// The kinds of what was recorded.
    fn kinds(&self) -> Vec<&'static str> {
        let kinds = self.events.iter().map(|event| event.entry.change.kind());
        kinds.collect()
    }

    /// Why load was shed, or restored.
    fn why(&self, kind: &str) -> Vec<&str> {
        let changes = self.events.iter().map(|event| &event.entry.change);
        changes
            .filter(|change| change.kind() == kind)
            .filter_map(|change| match change {
                Change::LoadShed(order) | Change::LoadRestored(order) => Some(order.why.as_str()),
                _ => None,
            })
            .collect()
    }

    fn pages(&self) -> Vec<PageReason> {
        self.fleet.pages.keys().map(|(_, reason)| *reason).collect()
    }

    /// Folds what was recorded again, as a start of the program does.
    fn restart(&mut self) {
        let mut fleet = FleetState::default();
        for event in &self.events {
            let text = serde_json::to_string(event).unwrap();
            fleet.apply(&serde_json::from_str(&text).unwrap());
        }
        assert_eq!(fleet, self.fleet);
        self.fleet = fleet;
    }

    /// Load has been shed by the hook.
    fn shed() -> Self {
        let mut lab = Self::overloaded();
        assert_eq!(lab.calls(), [(LoadAction::Shed, 1)]);
        lab.reported(LoadAction::Shed, None);
        assert_eq!(lab.calls(), []);
        lab
    }
}

#[test]
fn high_load_and_a_failed_module_shed_and_the_order_is_on_record_before_the_call() {
    let mut lab = Lab::overloaded();
    let decision = lab.decide();
    assert_eq!(
        decision.calls,
        [],
        "nothing is called before it is recorded"
    );
    lab.record(decision.changes);
    assert_eq!(
        lab.why("LoadShed"),
        ["tenant-1/1 has failed and tenant-2/1 alert HsmLoadHigh tells of it"]
    );
    assert_eq!(lab.calls(), [(LoadAction::Shed, 1)]);
    lab.reported(LoadAction::Shed, None);
    assert_eq!(lab.calls(), [], "it is done");
    assert_eq!(lab.kinds(), ["LoadShed", "LoadReported"]);
    assert_eq!(lab.pages(), []);
}

#[test]
fn a_high_figure_of_a_host_that_is_looked_at_counts_as_an_alert_does() {
    let mut lab = Lab::overloaded();
    lab.load_alert_ends();
    assert_eq!(lab.calls(), []);
    lab.open(2);
    lab.show(2, Condition::Healthy, Some(LoadClass::Middle));
    assert_eq!(lab.calls(), []);
    lab.show(2, Condition::Healthy, Some(LoadClass::High));
    assert_eq!(lab.calls(), [(LoadAction::Shed, 1)]);
}

#[test]
fn the_last_figure_of_a_host_that_nobody_looks_at_says_nothing() {
    let mut lab = Lab::overloaded();
    lab.load_alert_ends();
    lab.open(2);
    lab.show(2, Condition::Healthy, Some(LoadClass::High));
    lab.closes(2);
    assert_eq!(lab.calls(), []);
    let hosts = lab.hosts.iter();
    let loads = Loads::of(hosts, &lab.fleet, &lab.inventory, &lab.policy, lab.now);
    assert_eq!(loads, Loads::default());
}

/// As long as an alert counts after it was delivered, and only where there is a gate.
#[test]
fn after_an_unknown_time_away_nothing_is_known_of_any_load_for_a_while() {
    let mut lab = Lab::new();
    lab.alert(1, "VcmFailed");
    lab.open(1);
    lab.show(1, Condition::Failed, None);
    lab.fleet.away_unknown_at = Some(lab.now);
    assert_eq!(lab.calls(), [], "what is not known sheds nothing");
    let untold = |lab: &Lab, seconds| {
        let now = lab.now.after(Duration::from_secs(seconds));
        Loads::of(
            lab.hosts.iter(),
            &lab.fleet,
            &lab.inventory,
            &lab.policy,
            now,
        )
        .untold_until
    };
    let told = lab.now.after(lab.policy.alert_ttl);
    assert_eq!(lab.policy.alert_ttl, Duration::from_secs(15 * MINUTE));
    assert_eq!(untold(&lab, 0), Some(told));
    assert_eq!(untold(&lab, 15 * MINUTE - 1), Some(told));
    assert_eq!(untold(&lab, 15 * MINUTE), None);
    lab.policy.load = None;
    assert_eq!(untold(&lab, 0), None);
}

/// The alert that says otherwise may not have been told again.
#[test]
fn after_an_unknown_time_away_a_low_figure_gives_no_load_back_for_a_while() {
    let mut lab = Lab::overloaded();
    assert_eq!(lab.calls(), [(LoadAction::Shed, 1)]);
    lab.reported(LoadAction::Shed, None);
    lab.load_alert_ends();
    lab.open(2);
    lab.now = lab.now.after(Duration::from_secs(11 * MINUTE));
    lab.show(2, Condition::Healthy, Some(LoadClass::Low));
    lab.fleet.away_unknown_at = Some(lab.now);
    assert_eq!(lab.calls(), []);
    lab.now = lab.now.after(lab.policy.alert_ttl);
    assert!(matches!(lab.calls()[..], [(LoadAction::Restore, _)]));
}

#[test]
fn a_load_alert_without_a_failed_module_sheds_nothing() {
    let mut lab = Lab::new();
    lab.alert(1, "HsmLoadHigh");
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.kinds(), [""; 0]);
    let view = lab.hosts[0].alert_view(&target(1), &lab.policy, lab.now);
    assert!(!view.permits && !view.fresh, "it opens no incident");
}

#[test]
fn an_order_is_repeated_with_the_same_number_after_a_failure_and_after_a_crash() {
    let mut lab = Lab::overloaded();
    let call = [(LoadAction::Shed, 1)];
    assert_eq!(lab.calls(), call);
    lab.restart();
    assert_eq!(lab.calls(), call, "a crash between order and report");
    lab.reported(LoadAction::Shed, Some("connection refused"));
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.pages(), [PageReason::LoadHook]);
    lab.pass(59);
    assert_eq!(lab.calls(), []);
    assert_eq!(
        lab.decide().next_wake,
        Some(lab.now.after(Duration::from_secs(1)))
    );
    lab.pass(1);
    lab.restart();
    assert_eq!(lab.calls(), call);
    lab.reported(LoadAction::Shed, None);
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.pages(), [], "the page is cleared when it works");
    assert_eq!(
        lab.kinds()
            .iter()
            .filter(|kind| **kind == "LoadShed")
            .count(),
        1
    );
}

#[test]
fn load_is_restored_when_the_incident_closes_however_it_closes() {
    let mut lab = Lab::shed();
    lab.closes(1);
    let order = u64::try_from(lab.events.len()).unwrap() + 1;
    assert_eq!(lab.calls(), [(LoadAction::Restore, order)]);
    assert_eq!(
        lab.why("LoadRestored"),
        ["no module of it is failed any more"]
    );
    lab.restart();
    assert_eq!(lab.calls(), [(LoadAction::Restore, order)], "after a crash");
    lab.reported(LoadAction::Restore, Some("timed out"));
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.pages(), [PageReason::LoadHook]);
    lab.pass(60);
    assert_eq!(lab.calls(), [(LoadAction::Restore, order)]);
    lab.reported(LoadAction::Restore, None);
    assert_eq!(lab.calls(), []);
    assert_eq!((lab.pages(), lab.fleet.sheds.len()), (vec![], 0));
}

#[test]
fn load_is_restored_when_it_has_been_low_for_long_enough() {
    let mut lab = Lab::shed();
    lab.load_alert_ends();
    lab.open(2);
    lab.show(2, Condition::Healthy, Some(LoadClass::Low));
    lab.pass(10 * MINUTE - 1);
    assert_eq!(lab.calls(), [], "not before it was held");
    lab.show(2, Condition::Healthy, Some(LoadClass::Middle));
    lab.pass(1);
    assert_eq!(lab.calls(), [], "not while it is in between");
    lab.show(2, Condition::Healthy, Some(LoadClass::Low));
    assert_eq!(lab.calls().len(), 1);
    assert_eq!(lab.why("LoadRestored"), ["its load is low again"]);
}

#[test]
fn load_is_restored_after_the_longest_time_and_not_shed_again_at_once() {
    let mut lab = Lab::shed();
    lab.pass(120 * MINUTE - 1);
    assert_eq!(lab.calls(), []);
    assert_eq!(
        lab.decide().next_wake,
        Some(lab.now.after(Duration::from_secs(1)))
    );
    lab.pass(1);
    assert_eq!(lab.calls().len(), 1);
    assert_eq!(
        lab.why("LoadRestored"),
        ["it was shed for 7200 s, the longest allowed"]
    );
    lab.reported(LoadAction::Restore, None);
    lab.restart();
    lab.pass(120 * MINUTE - 1);
    assert_eq!(lab.calls(), []);
    assert_eq!(
        lab.decide().next_wake,
        Some(lab.now.after(Duration::from_secs(1)))
    );
    lab.pass(1);
    assert_eq!(lab.calls().len(), 1);
    assert_eq!(lab.why("LoadShed").len(), 2);
}

#[test]
fn load_is_restored_when_the_gate_is_turned_off() {
    let mut lab = Lab::shed();
    lab.policy.load = None;
    assert_eq!(lab.calls().len(), 1);
    assert_eq!(lab.why("LoadRestored"), ["the load gate is off now"]);
    lab.reported(LoadAction::Restore, None);
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.fleet.sheds.len(), 0);
}

#[test]
fn without_a_hook_people_are_asked_until_the_load_may_return() {
    let mut lab = Lab::overloaded();
    lab.policy.load.as_mut().unwrap().hook = false;
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.kinds(), ["LoadShed", "PageRaised"]);
    let asked = lab
        .events
        .iter()
        .find_map(|event| match &event.entry.change {
            Change::PageRaised { reason, text, hsm } => Some((*reason, text.as_str(), hsm.clone())),
            _ => None,
        });
    let text = "HSM hsm-a is overloaded: ask its provider to reduce the load";
    assert_eq!(asked, Some((PageReason::LoadHigh, text, Some(hsm()))));
    lab.closes(1);
    assert_eq!(lab.calls(), []);
    assert_eq!((lab.pages(), lab.fleet.sheds.len()), (vec![], 0));
}

#[test]
fn nothing_is_shed_where_nothing_may_be_done() {
    type Forbids = fn(&mut Lab);
    let forbids: [(Forbids, &str); 7] = [
        (|lab| lab.policy.mode = Mode::Observe, "observe mode"),
        (
            |lab| {
                let entry = lab.inventory.hosts.get_mut(&host(1));
                entry.unwrap().mode = Some(Mode::Observe);
            },
            "observe mode of the host",
        ),
        (
            |lab| {
                lab.fleet.pause = Some(Pause {
                    until: None,
                    reason: "freeze".to_owned(),
                    by: "ada".parse().unwrap(),
                });
            },
            "pause",
        ),
        (
            |lab| {
                let hold = Hold {
                    until: None,
                    reason: "disk".to_owned(),
                    by: "ada".parse().unwrap(),
                };
                lab.change(1, &Change::Held(hold));
            },
            "hold",
        ),
        (
            |lab| {
                let reason = String::new();
                let latch = Latch::HandedOver;
                lab.change(1, &Change::IncidentLatched { latch, reason });
            },
            "latch",
        ),
        (
            |lab| {
                let rule = lab.policy.alerts.get_mut("VcmFailed").unwrap();
                rule.tier = Tier::Network;
            },
            "ceiling",
        ),
        (|lab| lab.policy.load = None, "the gate is off"),
    ];
    for (forbid, what) in forbids {
        let mut lab = Lab::overloaded();
        forbid(&mut lab);
        assert_eq!(lab.calls(), [], "{what}");
        assert_eq!(lab.kinds(), [""; 0], "{what}");
    }
}

#[test]
fn shed_load_is_restored_also_in_a_pause() {
    let mut lab = Lab::shed();
    lab.fleet.pause = Some(Pause {
        until: None,
        reason: "freeze".to_owned(),
        by: "ada".parse().unwrap(),
    });
    assert_eq!(lab.calls(), [], "a pause alone restores nothing");
    lab.closes(1);
    assert_eq!(lab.calls().len(), 1);
}

#[test]
fn mode_approve_asks_people_and_calls_no_hook() {
    let mut lab = Lab::overloaded();
    lab.policy.mode = Mode::Approve;
    assert_eq!(lab.calls(), []);
    assert_eq!(lab.pages(), [PageReason::LoadHigh]);
}

#[test]
fn a_failure_alert_whose_label_lowers_it_to_load_tells_of_no_load() {
    let mut lab = Lab::overloaded();
    lab.load_alert_ends();
    for fact in lab.hosts[0].facts.values_mut() {
        fact.lowered = Some(Tier::Load);
    }
    assert_eq!(lab.calls(), []);
    let view = lab.hosts[0].alert_view(&target(1), &lab.policy, lab.now);
    assert!(view.permits, "it still tells of a failure");
}

#[test]
fn a_late_report_of_another_action_changes_nothing() {
    let mut lab = Lab::shed();
    lab.closes(1);
    assert_eq!(lab.calls().len(), 1);
    lab.reported(LoadAction::Shed, Some("late"));
    assert_eq!(lab.fleet.sheds[&hsm()].failed_at, None);
    lab.reported(LoadAction::Restore, None);
    lab.reported(LoadAction::Restore, Some("later still"));
    assert_eq!(lab.fleet.sheds.len(), 0);
}
