//! A base in which every guard passes, and how a test departs from it.

use std::collections::BTreeMap;
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};

use crate::alert::Fact;
use crate::attempt::{Attempt, Intent, Outcome};
use crate::evidence::{Evidence, Look};
use crate::fleet::FleetView;
use crate::guard::{Guard, Input};
use crate::ids::{AttemptId, Epoch, ObservationId};
use crate::incident::Incident;
use crate::inventory::{HostEntry, Kind, ModuleEntry, Target};
use crate::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use crate::policy::{Mode, Policy, Site};
use crate::state::HostState;
use crate::step::Platform;
use crate::tier::{Rung, Tier};
use crate::time::Time;
use crate::verdict::Verdict;

pub(super) const ESN: [&str; 3] = ["1A2B-05E0-D947", "2B3C-05E0-D947", "3C4D-05E0-D947"];
pub(super) const HOUR: i64 = 3_600_000;

pub(super) fn number(n: u16) -> ModuleNumber {
    ModuleNumber::try_from(n).unwrap()
}

pub(super) fn look_of(esn: &str, state: ModuleState) -> ModuleLook {
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
pub(super) fn seen() -> Observation {
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
pub(super) struct Base {
    pub(super) state: HostState,
    pub(super) incident: Incident,
    pub(super) evidence: Evidence,
    pub(super) fleet: FleetView,
    pub(super) host: HostEntry,
    pub(super) policy: Policy,
    pub(super) now: Time,
}

impl Base {
    /// An incident of module 1 that failed ten hours ago, with everything permitted.
    pub(super) fn new() -> Self {
        Self::about(Some(1), seen())
    }

    pub(super) fn about(module: Option<u16>, seen: Observation) -> Self {
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

    pub(super) fn verdict(&self, guard: Guard, rung: Rung) -> Verdict {
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

    /// What the guard says to retry, restart and clear.
    pub(super) fn says(&self, guard: Guard) -> [String; 3] {
        Rung::ALL.map(|rung| self.told(&self.verdict(guard, rung)))
    }

    /// A verdict in one line: its kind, in how many seconds it ends, and its reason.
    fn told(&self, verdict: &Verdict) -> String {
        let kind = verdict.as_str();
        match verdict {
            Verdict::Pass => kind.to_owned(),
            Verdict::NotApplicable(reason) => format!("n/a: {reason}"),
            Verdict::Skip(reason) | Verdict::Ask(reason) => format!("{kind}: {reason}"),
            Verdict::Refuse {
                reason,
                until: None,
            } => format!("{kind}: {reason}"),
            Verdict::Refuse {
                reason,
                until: Some(until),
            } => {
                let seconds = until.since(self.now).as_secs();
                format!("{kind} for {seconds} s: {reason}")
            }
        }
    }

    /// The look before the newest is forgotten.
    pub(super) fn seen_once(mut self) -> Self {
        let newest = self.evidence.newest().unwrap().clone();
        self.evidence = Evidence::default();
        self.evidence.push(newest);
        self
    }

    /// Nobody has looked at the host.
    pub(super) fn blind(mut self) -> Self {
        self.evidence = Evidence::default();
        self
    }

    pub(super) fn ago(&self, seconds: u64) -> Time {
        self.now.before(Duration::from_secs(seconds))
    }

    /// An attempt that was reserved, and settled, this many seconds ago.
    pub(super) fn attempt(
        &mut self,
        bits: u128,
        rung: Rung,
        seconds_ago: u64,
        outcome: Option<Outcome>,
    ) {
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
            asked: std::collections::BTreeSet::new(),
        };
        let at = self.ago(seconds_ago);
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

pub(super) fn with(change: impl FnOnce(&mut Observation)) -> Base {
    let mut observation = seen();
    change(&mut observation);
    Base::about(Some(1), observation)
}

pub(super) fn on_host_target(change: impl FnOnce(&mut Observation)) -> Base {
    let mut observation = seen();
    change(&mut observation);
    Base::about(None, observation)
}

pub(super) fn module(observation: &mut Observation, n: u16) -> &mut ModuleLook {
    observation.modules.get_mut(&number(n)).unwrap()
}

/// The same cell for retry, restart and clear.
pub(super) const fn every(cell: &str) -> [&str; 3] {
    [cell; 3]
}

pub(super) const PASS: [&str; 3] = every("pass");

/// Compares one row of a guard's table.
#[track_caller]
pub(super) fn row(base: &Base, guard: Guard, cells: [&str; 3]) {
    assert_eq!(base.says(guard), cells, "{guard}");
}
