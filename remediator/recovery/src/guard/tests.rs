//! The tables of the guards, cell by cell, on a base in which every guard passes.

use std::collections::BTreeMap;
use std::time::Duration;

use nshield::ModuleState;

use super::*;
use crate::alert::Fact;
use crate::attempt::{Attempt, Intent, Outcome};
use crate::evidence::Look;
use crate::ids::{AttemptId, Epoch, ObservationId};
use crate::inventory::{HostEntry, Kind, ModuleEntry, Target};
use crate::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, SourceStatus, Sources, StopSign,
};
use crate::policy::{Mode, OthersHealthy, Policy};
use crate::step::Platform;
use crate::tier::Tier;

const ESN: [&str; 3] = ["1A2B-05E0-D947", "2B3C-05E0-D947", "3C4D-05E0-D947"];
const HOUR: i64 = 3_600_000;

fn number(n: u16) -> ModuleNumber {
    ModuleNumber::try_from(n).unwrap()
}

fn look_of(esn: &str, state: ModuleState) -> ModuleLook {
    ModuleLook {
        state,
        printed: format!("{state:?}"),
        esn: esn.parse().ok(),
        hardware_ok: Some(true),
        connection_ok: None,
        kind: Some(Kind::Vcm),
        objects: None,
        uptime: None,
        load_percent: None,
        path: None,
        hold: None,
        network: NetworkLook::Echo {
            sent: 5,
            replies: 5,
        },
    }
}

/// Modules 1 to 3, all failed, everything else in order.
fn seen() -> Observation {
    let ok = SourceStatus::Ok;
    let look = |n: u16, esn: &str| (number(n), look_of(esn, ModuleState::Failed));
    Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(1),
        boot_id: "boot".to_owned(),
        started_boottime: 1_000,
        finished_boottime: 2_000,
        sources: Sources {
            enquiry: ok.clone(),
            enquiry_server: SourceStatus::NotAsked,
            stattree: ok.clone(),
            socket: ok,
        },
        hardserver: HardserverLook::Up,
        complete: true,
        modules: BTreeMap::from([look(1, ESN[0]), look(2, ESN[1]), look(3, ESN[2])]),
        clients: Some(3),
        hardserver_uptime: Some(100),
        stop: StopSign::None,
        hold: None,
        pause: None,
        host_uptime: None,
        service_check: None,
        max_tier: Tier::Clear,
    }
}

/// Everything an [`Input`] refers to.
struct Base {
    state: HostState,
    incident: Incident,
    evidence: Evidence,
    fleet: FleetView,
    host: HostEntry,
    policy: Policy,
    now: Time,
}

impl Base {
    /// An incident of module 1 that failed ten hours ago, with everything permitted.
    fn new() -> Self {
        Self::about(Some(1), seen())
    }

    fn about(module: Option<u16>, seen: Observation) -> Self {
        let name: crate::ids::HostName = "tenant-1".parse().unwrap();
        let target = Target {
            host: name.clone(),
            module: module.map(number),
        };
        let now = Time::from_millis(100 * HOUR);
        let mut policy = Policy {
            mode: Mode::Act,
            ..Policy::default()
        };
        policy.clear.approval = false;
        for rule in policy.alerts.values_mut() {
            rule.tier = Tier::Clear;
        }
        let entry = |esn: &str| ModuleEntry {
            esn: esn.parse().ok(),
            kind: Kind::Vcm,
            hsm: "hsm-a".parse().ok(),
            name: None,
        };
        let host = HostEntry {
            name: name.clone(),
            instance: None,
            platform: Platform::Linux,
            mode: None,
            modules: (1..=3)
                .zip(ESN)
                .map(|(n, esn)| (number(n), entry(esn)))
                .collect(),
        };
        let mut incident = Incident::open(target.clone(), Time::from_millis(90 * HOUR));
        incident.first_failed_at = Some(Time::from_millis(90 * HOUR));
        let mut evidence = Evidence::default();
        for at in [now.as_millis() - 15_000, now.as_millis()] {
            evidence.push(Look {
                at: Time::from_millis(at),
                seen: Ok(seen.clone()),
            });
        }
        let mut state = HostState::new(name);
        state.deliver(&Fact {
            fingerprint: "00000000000000aa".parse().unwrap(),
            name: if module.is_some() {
                "VcmFailed"
            } else {
                "HardserverDown"
            }
            .to_owned(),
            target,
            tier: Some(Tier::Clear),
            lowered: None,
            firing: true,
            starts_at: Time::from_millis(90 * HOUR),
            ends_at: None,
            delivered_at: now,
        });
        Self {
            state,
            incident,
            evidence,
            fleet: FleetView {
                watchdog: Some(now),
                ..FleetView::default()
            },
            host,
            policy,
            now,
        }
    }

    fn verdict(&self, guard: Guard, rung: Rung) -> Verdict {
        guard.verdict(&Input {
            rung,
            incident: &self.incident,
            state: &self.state,
            evidence: &self.evidence,
            fleet: &self.fleet,
            site: Site {
                host: &self.host,
                policy: &self.policy,
            },
            now: self.now,
        })
    }

    /// The kinds of verdict for retry, restart and clear.
    fn row(&self, guard: Guard) -> [&'static str; 3] {
        Rung::ALL.map(|rung| self.verdict(guard, rung).as_str())
    }

    fn attempt(&mut self, bits: u128, rung: Rung, at: i64, outcome: Option<Outcome>) {
        let intent = Intent {
            attempt: AttemptId::from_bits(bits),
            incident: self.incident.id.clone(),
            target: self.incident.target.clone(),
            rung,
            epoch: Epoch(1),
            observation: ObservationId::from_bits(1),
            ceiling: Tier::Clear,
            esn: ESN[0].parse().ok(),
            hsms: std::collections::BTreeSet::new(),
            steps: Vec::new(),
            healthy_before: std::collections::BTreeSet::new(),
            approval: None,
        };
        let at = Time::from_millis(at);
        let attempt = Attempt {
            intent,
            reserved_at: at,
            accepted: true,
            interrupted: false,
            ended_at: None,
            outcome: outcome.map(|outcome| (outcome, at)),
            reason: String::new(),
            resolved: false,
            released: false,
        };
        self.state
            .attempts
            .insert(AttemptId::from_bits(bits), attempt);
        self.incident.attempts.push(AttemptId::from_bits(bits));
    }
}

const PASS: [&str; 3] = ["pass"; 3];
const REFUSE: [&str; 3] = ["refuse"; 3];
const NOT_APPLICABLE: [&str; 3] = ["not_applicable"; 3];

fn with(change: impl FnOnce(&mut Observation)) -> Base {
    let mut observation = seen();
    change(&mut observation);
    Base::about(Some(1), observation)
}

fn on_host_target(change: impl FnOnce(&mut Observation)) -> Base {
    let mut observation = seen();
    change(&mut observation);
    Base::about(None, observation)
}

fn module(observation: &mut Observation, n: u16) -> &mut ModuleLook {
    observation.modules.get_mut(&number(n)).unwrap()
}

#[test]
fn every_guard_passes_or_does_not_apply_on_the_base() {
    let base = Base::new();
    for guard in Guard::ALL {
        for rung in Rung::ALL {
            let verdict = base.verdict(guard, rung);
            assert!(verdict.passes(), "{guard} {rung}: {verdict:?}");
        }
    }
}

#[test]
fn every_guard_that_looks_at_the_host_refuses_without_an_observation() {
    let mut base = Base::new();
    base.evidence = Evidence::default();
    for guard in Guard::ON_HOST
        .into_iter()
        .chain([Guard::DecisionStale, Guard::OthersHealthy])
    {
        assert_eq!(base.row(guard), REFUSE, "{guard}");
    }
}

#[test]
fn names_are_unique_and_read_back() {
    for guard in Guard::ALL {
        let text = serde_json::to_string(&guard).unwrap();
        assert_eq!(text, format!("\"{guard}\""));
        assert_eq!(serde_json::from_str::<Guard>(&text).unwrap(), guard);
    }
}

#[test]
fn observation_unknown() {
    let guard = Guard::ObservationUnknown;
    for look in [HardserverLook::PermissionDenied, HardserverLook::Unknown] {
        assert_eq!(
            with(|seen| seen.hardserver = look).row(guard),
            REFUSE,
            "{look:?}"
        );
        assert_eq!(
            on_host_target(|seen| seen.hardserver = look).row(guard),
            REFUSE,
            "{look:?}"
        );
    }
    let down = HardserverLook::SuspectedDown;
    assert_eq!(with(|seen| seen.hardserver = down).row(guard), REFUSE);
    let host = on_host_target(|seen| seen.hardserver = down);
    assert_eq!(host.row(guard), PASS);
    let unknown = with(|seen| module(seen, 1).state = ModuleState::Unknown);
    assert_eq!(unknown.row(guard), REFUSE);
    let missing = with(|seen| drop(seen.modules.remove(&number(1))));
    assert_eq!(missing.row(guard), REFUSE);
    let not_connected = with(|seen| {
        module(seen, 1).state = ModuleState::Operational;
        module(seen, 1).connection_ok = Some(false);
    });
    assert_eq!(not_connected.row(guard), REFUSE);
}

#[test]
fn observation_unknown_wants_a_second_look_for_restart_and_clear() {
    let mut base = Base::new();
    base.evidence = Evidence::default();
    base.evidence.push(Look {
        at: base.now,
        seen: Ok(seen()),
    });
    assert_eq!(
        base.row(Guard::ObservationUnknown),
        ["pass", "refuse", "refuse"]
    );
    let mut close = Base::new();
    close.evidence = Evidence::default();
    for at in [close.now.as_millis() - 9_999, close.now.as_millis()] {
        close.evidence.push(Look {
            at: Time::from_millis(at),
            seen: Ok(seen()),
        });
    }
    assert_eq!(
        close.row(Guard::ObservationUnknown),
        ["pass", "refuse", "refuse"]
    );
}

#[test]
fn observation_incomplete() {
    let guard = Guard::ObservationIncomplete;
    assert_eq!(with(|seen| seen.complete = false).row(guard), REFUSE);
    let down = on_host_target(|seen| {
        seen.hardserver = HardserverLook::SuspectedDown;
        seen.complete = false;
    });
    assert_eq!(down.row(guard), NOT_APPLICABLE);
}

#[test]
fn hardserver_unresponsive() {
    let base = with(|seen| seen.hardserver = HardserverLook::Unresponsive);
    assert_eq!(
        base.row(Guard::HardserverUnresponsive),
        ["refuse", "ask", "refuse"]
    );
}

#[test]
fn module_healthy() {
    let healthy = with(|seen| module(seen, 1).state = ModuleState::Operational);
    assert_eq!(healthy.row(Guard::ModuleHealthy), REFUSE);
    assert_eq!(on_host_target(|_| {}).row(Guard::ModuleHealthy), REFUSE);
    let other = with(|seen| module(seen, 2).state = ModuleState::Operational);
    assert_eq!(other.row(Guard::ModuleHealthy), PASS);
}

#[test]
fn module_in_service_mode() {
    let guard = Guard::ModuleInServiceMode;
    for state in [
        ModuleState::Maintenance,
        ModuleState::PreMaintenance,
        ModuleState::Initialization,
        ModuleState::PreInitialization,
        ModuleState::Uninitialized,
        ModuleState::Offline,
    ] {
        let own = with(|seen| module(seen, 1).state = state);
        assert_eq!(own.row(guard), REFUSE, "{state:?}");
        let other = with(|seen| module(seen, 2).state = state);
        assert_eq!(other.row(guard), ["pass", "refuse", "pass"], "{state:?}");
    }
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    assert_eq!(down.row(guard), NOT_APPLICABLE);
}

#[test]
fn hardware_fault() {
    let guard = Guard::HardwareFault;
    assert_eq!(
        with(|seen| module(seen, 1).hardware_ok = Some(false)).row(guard),
        REFUSE
    );
    assert_eq!(
        with(|seen| module(seen, 1).state = ModuleState::Error).row(guard),
        REFUSE
    );
    assert_eq!(
        with(|seen| module(seen, 1).hardware_ok = None).row(guard),
        PASS
    );
    assert_eq!(
        with(|seen| module(seen, 2).hardware_ok = Some(false)).row(guard),
        PASS
    );
}

#[test]
fn esn_mismatch() {
    let guard = Guard::EsnMismatch;
    let other = with(|seen| module(seen, 1).esn = "9999-05E0-D947".parse().ok());
    assert_eq!(other.row(guard), REFUSE);
    let moved = with(|seen| {
        module(seen, 1).esn = None;
        module(seen, 2).esn = ESN[0].parse().ok();
    });
    assert_eq!(moved.row(guard), REFUSE);
    let unconfirmed = with(|seen| module(seen, 1).esn = None);
    assert_eq!(unconfirmed.row(guard), ["pass", "pass", "ask"]);
    let mut not_listed = Base::new();
    not_listed.host.modules.get_mut(&number(1)).unwrap().esn = None;
    assert_eq!(not_listed.row(guard), ["pass", "pass", "ask"]);
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    assert_eq!(down.row(guard), NOT_APPLICABLE);
}

#[test]
fn kind() {
    let guard = Guard::Kind;
    for kind in [Kind::Nethsm, Kind::Pcie] {
        let base = with(|seen| module(seen, 1).kind = Some(kind));
        assert_eq!(base.row(guard), ["pass", "pass", "skip"], "{kind:?}");
    }
    assert_eq!(with(|seen| module(seen, 1).kind = None).row(guard), REFUSE);
    assert_eq!(on_host_target(|_| {}).row(guard), ["skip", "pass", "skip"]);
}

#[test]
fn host_policy() {
    let rows = [
        (Tier::Network, ["skip", "skip", "skip"]),
        (Tier::Load, ["skip", "skip", "skip"]),
        (Tier::Retry, ["pass", "skip", "skip"]),
        (Tier::Restart, ["pass", "pass", "skip"]),
        (Tier::Clear, PASS),
    ];
    for (max_tier, row) in rows {
        assert_eq!(
            with(|seen| seen.max_tier = max_tier).row(Guard::HostPolicy),
            row,
            "{max_tier}"
        );
    }
}

#[test]
fn network_unknown_and_bad() {
    let unknown = || NetworkLook::Unknown("no permission".to_owned());
    let echo = |sent, replies| NetworkLook::Echo { sent, replies };
    let none = ["not_applicable", "ask", "ask"];
    let table: [(NetworkLook, [&str; 3], [&str; 3]); 9] = [
        (echo(5, 5), PASS, PASS),
        (echo(5, 4), PASS, PASS),
        (echo(5, 3), PASS, ["pass", "refuse", "refuse"]),
        (echo(5, 1), PASS, ["pass", "refuse", "refuse"]),
        (echo(5, 0), PASS, REFUSE),
        (echo(3, 3), REFUSE, REFUSE),
        (unknown(), REFUSE, REFUSE),
        (NetworkLook::Tcp { connected: false }, PASS, REFUSE),
        (NetworkLook::NotApplicable, PASS, none),
    ];
    for (network, unknown_row, bad_row) in table {
        let base = with(|seen| module(seen, 1).network = network.clone());
        assert_eq!(base.row(Guard::NetworkUnknown), unknown_row, "{network:?}");
        assert_eq!(base.row(Guard::NetworkBad), bad_row, "{network:?}");
    }
    let other = with(|seen| module(seen, 2).network = echo(5, 0));
    assert_eq!(other.row(Guard::NetworkBad), PASS);
    assert_eq!(
        on_host_target(|_| {}).row(Guard::NetworkBad),
        NOT_APPLICABLE
    );
    assert_eq!(
        on_host_target(|_| {}).row(Guard::NetworkUnknown),
        NOT_APPLICABLE
    );
}

#[test]
fn network_bad_waits_after_the_network_is_back() {
    let rows = [
        (59, REFUSE),
        (60, ["pass", "refuse", "pass"]),
        (599, ["pass", "refuse", "pass"]),
        (600, PASS),
    ];
    for (seconds, row) in rows {
        let mut base = Base::new();
        base.incident.network_bad_since = Some(Time::from_millis(91 * HOUR));
        base.incident.network_back_at =
            Some(Time::from_millis(base.now.as_millis() - seconds * 1_000));
        assert_eq!(base.row(Guard::NetworkBad), row, "{seconds} s");
    }
}

#[test]
fn stopped_on_purpose() {
    let guard = Guard::StoppedOnPurpose;
    let down = |stop: StopSign| {
        on_host_target(|seen| {
            seen.hardserver = HardserverLook::SuspectedDown;
            seen.stop = stop;
        })
    };
    let row = |kind| ["not_applicable", kind, "not_applicable"];
    assert_eq!(down(StopSign::None).row(guard), row("pass"));
    assert_eq!(
        down(StopSign::OnPurpose("unit".to_owned())).row(guard),
        row("ask")
    );
    assert_eq!(
        down(StopSign::Unknown("no probe".to_owned())).row(guard),
        row("ask")
    );
    assert_eq!(on_host_target(|_| {}).row(guard), NOT_APPLICABLE);
    let mut once = down(StopSign::None);
    let newest = once.evidence.newest().unwrap().clone();
    once.evidence = Evidence::default();
    once.evidence.push(newest);
    assert_eq!(once.row(guard), row("refuse"));
}

#[test]
fn hold() {
    let base = with(|seen| seen.hold = Some("disk change, until 18:00".to_owned()));
    assert_eq!(base.row(Guard::Hold), REFUSE);
}

#[test]
fn others_healthy() {
    let guard = Guard::OthersHealthy;
    let na = |kind| ["not_applicable", kind, "not_applicable"];
    let rows = [
        (OthersHealthy::Skip, "skip"),
        (OthersHealthy::Ask, "ask"),
        (OthersHealthy::Allow, "pass"),
    ];
    for (policy, kind) in rows {
        let mut base = with(|seen| module(seen, 3).state = ModuleState::Operational);
        base.policy.others_healthy = policy;
        assert_eq!(base.row(guard), na(kind), "{policy:?}");
    }
    assert_eq!(Base::new().row(guard), na("pass"));
    let unknown = with(|seen| module(seen, 2).state = ModuleState::Unknown);
    assert_eq!(unknown.row(guard), na("refuse"));
    let faulty = with(|seen| {
        module(seen, 2).state = ModuleState::Operational;
        module(seen, 2).hardware_ok = Some(false);
    });
    assert_eq!(faulty.row(guard), na("skip"));
    assert_eq!(with(|seen| seen.complete = false).row(guard), na("refuse"));
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    assert_eq!(down.row(guard), NOT_APPLICABLE);
}

#[test]
fn above_ceiling() {
    let guard = Guard::AboveCeiling;
    let rows = [
        (Some(Tier::Network), REFUSE),
        (Some(Tier::Retry), ["pass", "refuse", "refuse"]),
        (Some(Tier::Restart), ["pass", "pass", "refuse"]),
        (Some(Tier::Clear), PASS),
        (None, REFUSE),
    ];
    for (tier, row) in rows {
        let mut base = Base::new();
        match tier {
            Some(tier) => base.policy.alerts.get_mut("VcmFailed").unwrap().tier = tier,
            None => drop(base.policy.alerts.remove("VcmFailed")),
        }
        assert_eq!(base.row(guard), row, "{tier:?}");
    }
    let mut never = Base::new();
    for rule in never.policy.alerts.values_mut() {
        rule.tier = Tier::Restart;
    }
    assert_eq!(never.row(guard), ["pass", "pass", "skip"]);
    let mut lowered = Base::new();
    lowered
        .state
        .facts
        .values_mut()
        .for_each(|fact| fact.lowered = Some(Tier::Retry));
    assert_eq!(lowered.row(guard), ["pass", "refuse", "refuse"]);
    let mut other_scope = Base::new();
    other_scope
        .policy
        .alerts
        .get_mut("VcmFailed")
        .unwrap()
        .scope = crate::policy::Scope::Host;
    assert_eq!(other_scope.row(guard), REFUSE);
    let mut expired = Base::new();
    expired.now = expired.now.after(Duration::from_secs(15 * 60 + 1));
    assert_eq!(expired.row(guard), REFUSE);
}

#[test]
fn not_before() {
    let rows = [
        (119, REFUSE),
        (120, ["pass", "refuse", "refuse"]),
        (600, ["pass", "pass", "refuse"]),
        (1_800, PASS),
    ];
    for (seconds, row) in rows {
        let mut base = Base::new();
        base.incident.first_failed_at =
            Some(Time::from_millis(base.now.as_millis() - seconds * 1_000));
        assert_eq!(base.row(Guard::NotBefore), row, "{seconds} s");
    }
    let mut never = Base::new();
    never.incident.first_failed_at = None;
    assert_eq!(never.row(Guard::NotBefore), REFUSE);
    let mut host = on_host_target(|_| {});
    host.incident.first_failed_at = Some(Time::from_millis(host.now.as_millis() - 120_000));
    assert_eq!(host.row(Guard::NotBefore), PASS);
}

#[test]
fn cap_slides_over_incidents() {
    let guard = Guard::Cap;
    let now = Base::new().now.as_millis();
    let minutes = |n: i64| now - n * 60_000;
    let mut base = Base::new();
    for (bits, ago) in [(1, 50), (2, 40)] {
        base.attempt(bits, Rung::Retry, minutes(ago), Some(Outcome::Failed));
    }
    assert_eq!(base.row(guard), PASS);
    base.attempt(3, Rung::Retry, minutes(30), Some(Outcome::Unknown));
    assert_eq!(base.row(guard), ["refuse", "pass", "pass"]);
    let Verdict::Refuse { until, .. } = base.verdict(guard, Rung::Retry) else {
        panic!()
    };
    assert_eq!(until, Some(Time::from_millis(minutes(50) + HOUR)));
    let mut not_counted = Base::new();
    for bits in 1..=9 {
        not_counted.attempt(bits, Rung::Retry, minutes(30), Some(Outcome::Refused));
        not_counted.attempt(
            bits + 20,
            Rung::Clear,
            minutes(30),
            Some(Outcome::Cancelled),
        );
    }
    assert_eq!(not_counted.row(guard), PASS);
    let mut disruptive = Base::new();
    disruptive.attempt(1, Rung::Restart, minutes(359), Some(Outcome::Succeeded));
    disruptive.attempt(2, Rung::Clear, minutes(1_439), Some(Outcome::Failed));
    assert_eq!(disruptive.row(guard), ["pass", "refuse", "refuse"]);
    let mut old = Base::new();
    old.attempt(1, Rung::Restart, minutes(361), Some(Outcome::Succeeded));
    old.attempt(2, Rung::Clear, minutes(1_441), Some(Outcome::Failed));
    assert_eq!(old.row(guard), PASS);
}

#[test]
fn spacing_grows_with_refusals() {
    let guard = Guard::Spacing;
    let mut base = Base::new();
    let at = |seconds: i64| Base::new().now.as_millis() - seconds * 1_000;
    base.attempt(1, Rung::Retry, at(59), Some(Outcome::Failed));
    assert_eq!(base.row(guard), REFUSE);
    let mut later = Base::new();
    later.attempt(1, Rung::Retry, at(60), Some(Outcome::Failed));
    assert_eq!(later.row(guard), PASS);
    later.attempt(2, Rung::Retry, at(100), Some(Outcome::Refused));
    assert_eq!(later.row(guard), REFUSE);
}

#[test]
fn budgets() {
    let mut base = Base::new();
    base.attempt(1, Rung::Retry, 0, Some(Outcome::Unknown));
    assert_eq!(base.row(Guard::BudgetHost), REFUSE);
    let mut settled = Base::new();
    settled.attempt(1, Rung::Retry, 0, Some(Outcome::Failed));
    assert_eq!(settled.row(Guard::BudgetHost), PASS);
    let hsm = "hsm-a".parse().ok();
    let mut two = Base::new();
    two.fleet.retries.insert(hsm.clone(), 2);
    assert_eq!(
        two.row(Guard::BudgetHsm),
        ["refuse", "not_applicable", "not_applicable"]
    );
    let mut one = Base::new();
    one.fleet.retries.insert(hsm, 1);
    one.fleet.retries.insert(None, 7);
    assert_eq!(
        one.row(Guard::BudgetHsm),
        ["pass", "not_applicable", "not_applicable"]
    );
    let mut busy = Base::new();
    busy.fleet.disruptive = 1;
    assert_eq!(
        busy.row(Guard::BudgetFleet),
        ["not_applicable", "refuse", "refuse"]
    );
}

#[test]
fn paused_observe_only_and_approval_required() {
    let mut base = Base::new();
    base.fleet.made_worse = true;
    assert_eq!(base.row(Guard::Paused), ["pass", "refuse", "refuse"]);
    base.policy.mode = Mode::Observe;
    assert_eq!(base.row(Guard::ObserveOnly), REFUSE);
    let mut host = Base::new();
    host.host.mode = Some(Mode::Observe);
    assert_eq!(host.row(Guard::ObserveOnly), REFUSE);
    let mut approval = Base::new();
    approval.policy.clear.approval = true;
    assert_eq!(
        approval.row(Guard::ApprovalRequired),
        ["pass", "pass", "ask"]
    );
}

#[test]
fn decision_stale_by_age() {
    let mut base = Base::new();
    base.now = base.now.after(Duration::from_secs(30));
    assert_eq!(base.row(Guard::DecisionStale), PASS);
    base.now = base.now.after(Duration::from_millis(1));
    assert_eq!(base.row(Guard::DecisionStale), REFUSE);
}

#[test]
fn decision_stale_between_two_looks() {
    type Change = fn(&mut Observation);
    let kinds = |change: Change| {
        let decided = seen();
        let mut fresh = Observation {
            started_boottime: 12_000,
            ..seen()
        };
        change(&mut fresh);
        Rung::ALL.map(|rung| {
            decision_stale::between(rung, Some(number(1)), &decided, &fresh, 30_000).as_str()
        })
    };
    assert_eq!(kinds(|_| {}), PASS);
    let refused: [Change; 6] = [
        |fresh| fresh.boot_id = "another".to_owned(),
        |fresh| fresh.started_boottime = 32_001,
        |fresh| fresh.started_boottime = 1_999,
        |fresh| fresh.hardserver = HardserverLook::Unresponsive,
        |fresh| module(fresh, 1).state = ModuleState::Operational,
        |fresh| module(fresh, 1).state = ModuleState::Maintenance,
    ];
    for change in refused {
        assert_eq!(kinds(change), REFUSE);
    }
    let other: Change = |fresh| module(fresh, 2).state = ModuleState::Operational;
    assert_eq!(kinds(other), ["pass", "refuse", "pass"]);
}
