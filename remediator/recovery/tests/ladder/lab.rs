//! A scripted host and the remediator's memory of it, in virtual time.

use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::alert::Fact;
use vcm_recovery::approval::{Choice, Request};
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::command::{self, FleetOrder, Giver, HostOrder, OrderError};
use vcm_recovery::decide::{Decision, Proposal, decide};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::fleet::{FleetView, Ownership, Silences};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, HostName, ObservationId};
use vcm_recovery::incident::{Actor, Ending, Incident, IncidentState};
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry, Target};
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{Mode, Policy, Site};
use vcm_recovery::state::HostState;
use vcm_recovery::step::{Platform, Step};
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;

pub(crate) const START: i64 = 1_000_000_000;

/// The lab's ticks do not fall on whole seconds, as no timer does.
pub(crate) const TICK: Duration = Duration::from_millis(1_003);

/// What brings a failed module back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    Rung(Rung),
    Nothing,
}

/// The simulated host and the remediator's memory of it.
pub(crate) struct Lab {
    pub(crate) host: HostEntry,
    pub(crate) policy: Policy,
    /// The fleet's own state, and the states of its other hosts.
    pub(crate) fleet: FleetState,
    pub(crate) others: Vec<(HostEntry, HostState)>,
    pub(crate) silences: Silences,
    pub(crate) ownership: Ownership,
    /// Whether the watchdog is heard of all the time.
    pub(crate) watchdog: bool,
    pub(crate) state: HostState,
    pub(crate) evidence: Evidence,
    pub(crate) now: Time,
    pub(crate) seq: u64,
    pub(crate) seen: Observation,
    pub(crate) cures: BTreeMap<u16, Cure>,
    /// What breaks when this rung is run.
    pub(crate) harm: Option<(Rung, u16)>,
    /// `None` makes the look itself fail.
    pub(crate) visible: bool,
    /// Whether the alerts are delivered again every minute.
    pub(crate) alerts: BTreeMap<&'static str, (Option<u16>, Tier)>,
    pub(crate) delivered_at: Option<Time>,
    /// Rungs as they were run, with the seconds since the start.
    pub(crate) log: Vec<(u64, Rung, Vec<Step>)>,
    pub(crate) running: Option<(AttemptId, Target, Rung, Time)>,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn number(n: u16) -> ModuleNumber {
    ModuleNumber::try_from(n).unwrap()
}

pub(crate) const fn bad_network() -> NetworkLook {
    NetworkLook::Echo {
        sent: 5,
        replies: 0,
    }
}

pub(crate) const fn good_network() -> NetworkLook {
    NetworkLook::Echo {
        sent: 5,
        replies: 5,
    }
}

pub(crate) fn giver() -> Giver {
    Giver {
        by: "ada".parse().unwrap(),
        reason: "seen to".to_owned(),
    }
}

pub(crate) fn esn(n: u16) -> String {
    format!("1A2B-05E0-D94{n}")
}

impl Lab {
    pub(crate) fn new(modules: u16) -> Self {
        let name: HostName = "tenant-1".parse().unwrap();
        let entry = |n: u16| ModuleEntry {
            esn: esn(n).parse().ok(),
            kind: Kind::Vcm,
            hsm: format!("hsm-{n}").parse().ok(),
            name: None,
        };
        let look = |n: u16| ModuleLook {
            state: ModuleState::Operational,
            printed: "none, operational".to_owned(),
            esn: esn(n).parse().ok(),
            hardware_ok: Some(true),
            connection_ok: Some(true),
            kind: Some(Kind::Vcm),
            objects: Some(7),
            uptime: Some(1_000),
            load_percent: Some(10),
            path: None,
            hold: None,
            network: NetworkLook::Echo {
                sent: 5,
                replies: 5,
            },
        };
        let ok = SourceStatus::Ok;
        Self {
            host: HostEntry {
                name: name.clone(),
                instance: None,
                platform: Platform::Linux,
                mode: None,
                modules: (1..=modules).map(|n| (number(n), entry(n))).collect(),
            },
            policy: Policy {
                mode: Mode::Act,
                ..Policy::default()
            },
            fleet: FleetState::default(),
            others: Vec::new(),
            silences: Silences::NotAsked,
            ownership: Ownership::Ours,
            watchdog: true,
            state: HostState::new(name),
            evidence: Evidence::default(),
            now: Time::from_millis(START),
            seq: 0,
            seen: Observation {
                schema: OBSERVATION_SCHEMA,
                observation_id: ObservationId::from_bits(0),
                boot_id: "boot".to_owned(),
                started_boottime: 0,
                finished_boottime: 0,
                sources: Sources {
                    enquiry: ok.clone(),
                    enquiry_server: SourceStatus::NotAsked,
                    stattree: ok.clone(),
                    socket: ok,
                },
                hardserver: HardserverLook::Up,
                complete: true,
                modules: (1..=modules).map(|n| (number(n), look(n))).collect(),
                clients: Some(3),
                hardserver_uptime: Some(1_000),
                stop: StopSign::None,
                hold: None,
                pause: None,
                host_uptime: None,
                service_check: None,
                max_tier: Tier::Clear,
            },
            cures: BTreeMap::new(),
            harm: None,
            visible: true,
            alerts: BTreeMap::new(),
            delivered_at: None,
            log: Vec::new(),
            running: None,
            events: Vec::new(),
        }
    }

    /// A host whose module `n` fails now, with the alerts of the shipped rules.
    pub(crate) fn failed(modules: u16, n: u16, cure: Cure) -> Self {
        let mut lab = Self::new(modules);
        lab.fail(n, cure);
        lab.alerts.insert("VcmFailed", (Some(n), Tier::Retry));
        lab
    }

    pub(crate) fn fail(&mut self, n: u16, cure: Cure) {
        self.module(n).state = ModuleState::Failed;
        self.cures.insert(n, cure);
    }

    pub(crate) fn module(&mut self, n: u16) -> &mut ModuleLook {
        self.seen.modules.get_mut(&number(n)).unwrap()
    }

    pub(crate) fn permit_clear(&mut self) {
        self.policy.clear.approval = false;
        for rule in self.policy.alerts.values_mut() {
            rule.tier = Tier::Clear;
        }
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.now.since(Time::from_millis(START)).as_secs()
    }

    pub(crate) fn store(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.seq += 1;
            let event = Event {
                seq: self.seq,
                schema: 1,
                time: self.now,
                epoch: Epoch(1),
                entry,
            };
            self.state.apply(&event);
            self.fleet.apply(&event);
            self.events.push(event);
        }
    }

    pub(crate) fn deliver(&mut self) {
        let due = self
            .delivered_at
            .is_none_or(|at| self.now.since(at).as_secs() >= 60);
        if !due {
            return;
        }
        self.delivered_at = Some(self.now);
        for (label, (module, tier)) in self.alerts.clone() {
            self.state.deliver(&self.fact(label, module, tier));
        }
    }

    /// An alert that fires since the start, lowered to `tier`. A label that the policy does not
    /// list stands for a further alert of the kind that permits most.
    pub(crate) fn fact(&self, label: &str, module: Option<u16>, tier: Tier) -> Fact {
        let kind = if module.is_some() {
            "VcmFailedLong"
        } else {
            "HardserverDown"
        };
        let name = if self.policy.alerts.contains_key(label) {
            label
        } else {
            kind
        };
        let mut hash = std::hash::DefaultHasher::new();
        (label, module).hash(&mut hash);
        Fact {
            fingerprint: format!("{:016x}", hash.finish()).parse().unwrap(),
            name: name.to_owned(),
            target: Target {
                host: self.host.name.clone(),
                module: module.map(number),
            },
            tier: Some(tier),
            lowered: Some(tier),
            firing: true,
            starts_at: Time::from_millis(START),
            ends_at: None,
            delivered_at: self.now,
        }
    }

    pub(crate) fn look(&mut self) {
        self.seen.observation_id = ObservationId::from_bits(u128::from(self.seq) + 1);
        let seen = if self.visible {
            Ok(self.seen.clone())
        } else {
            Err("no answer".to_owned())
        };
        self.evidence.push(Look { at: self.now, seen });
    }

    pub(crate) fn decide(&mut self) -> Decision {
        let site = Site {
            host: &self.host,
            policy: &self.policy,
        };
        let fleet = self.fleet_view();
        let decision = decide(&self.state, &self.evidence, &fleet, site, self.now);
        self.store(decision.changes.clone());
        decision
    }

    fn fleet_view(&self) -> FleetView {
        let hosts = std::iter::once((&self.host, &self.state));
        let hosts = hosts.chain(self.others.iter().map(|(entry, state)| (entry, state)));
        let inventory = Inventory {
            hosts: hosts
                .clone()
                .map(|(entry, _)| (entry.name.clone(), entry.clone()))
                .collect(),
        };
        let states = hosts.map(|(_, state)| state);
        FleetView {
            watchdog: self.watchdog.then_some(self.now),
            silences: self.silences.clone(),
            ownership: self.ownership.clone(),
            ..FleetView::new(states, &self.fleet, &inventory, &self.policy, self.now)
        }
    }

    /// Carries out what a person orders about this host.
    pub(crate) fn order(&mut self, order: &HostOrder) -> Result<(), OrderError> {
        let host = &self.host;
        let knows = |target: &Target| target.module.is_none() || host.module_of(target).is_some();
        let entries = command::of_host(
            order,
            &giver(),
            &self.state,
            &self.evidence,
            knows,
            self.now,
        )?;
        self.store(entries);
        Ok(())
    }

    /// Carries out what a person orders about everything.
    pub(crate) fn order_all(&mut self, order: &FleetOrder) -> Result<(), OrderError> {
        let entries = command::of_fleet(order, &giver(), &self.fleet, self.now)?;
        self.store(entries);
        Ok(())
    }

    /// Answers the open request.
    pub(crate) fn answer(&mut self, choice: Choice) {
        let request = self.request().unwrap().id;
        self.order(&HostOrder::Answer { request, choice }).unwrap();
    }

    /// The open request for approval.
    pub(crate) fn request(&self) -> Option<&Request> {
        let mut incidents = self.state.incidents.values();
        incidents.find_map(|incident| incident.request.as_ref())
    }

    /// Ends the remediator and starts it anew: what it knows is folded from the stored events, and
    /// what it has seen is gone.
    pub(crate) fn restart_remediator(&mut self) {
        let (state, fleet) = self.folded();
        assert_eq!(state, self.state);
        assert_eq!(fleet, self.fleet);
        (self.state, self.fleet) = (state, fleet);
        self.evidence = Evidence::default();
    }

    /// The states as the stored events tell them, each event read back from its text. Delivered
    /// facts are rows of their own and no events.
    pub(crate) fn folded(&self) -> (HostState, FleetState) {
        let mut state = HostState::new(self.host.name.clone());
        let mut fleet = FleetState::default();
        state.facts = self.state.facts.clone();
        for event in &self.events {
            let text = serde_json::to_string(event).unwrap();
            let read: Event = serde_json::from_str(&text).unwrap();
            assert_eq!(read, *event);
            state.apply(&read);
            fleet.apply(&read);
        }
        (state, fleet)
    }

    /// Lets time pass until something is so; a minute-long test hangs otherwise.
    pub(crate) fn run_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..40_000 {
            if holds(self) {
                return;
            }
            self.run(1);
        }
        panic!("{what} did not come about: {:?}", self.state.incidents);
    }

    /// How often each kind of event was recorded.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let kinds = self.events.iter().map(|event| event.entry.change.kind());
        kinds.filter(|found| *found == kind).count()
    }

    pub(crate) fn incident(&self, n: Option<u16>) -> &Incident {
        let target = self.target(n);
        &self.state.incidents[&target]
    }

    pub(crate) fn target(&self, n: Option<u16>) -> Target {
        Target {
            host: self.host.name.clone(),
            module: n.map(number),
        }
    }

    /// What the rung does to the simulated host.
    pub(crate) fn effect(&mut self, rung: Rung) {
        let cured: Vec<u16> = self
            .cures
            .iter()
            .filter(|&(_, &cure)| cure == Cure::Rung(rung))
            .map(|(&n, _)| n)
            .collect();
        for n in cured {
            self.module(n).state = ModuleState::Operational;
            self.cures.remove(&n);
        }
        if rung == Rung::Restart {
            self.seen.hardserver = HardserverLook::Up;
        }
        if let Some((_, broken)) = self.harm.filter(|(harmful, _)| *harmful == rung) {
            self.module(broken).state = ModuleState::Failed;
        }
    }

    pub(crate) fn start(&mut self, proposal: &Proposal) {
        let attempt = AttemptId::from_bits(u128::from(self.seq) + 1_000);
        let target = proposal.target.clone();
        let intent = Intent {
            attempt,
            incident: proposal.incident.clone(),
            target: target.clone(),
            rung: proposal.rung,
            epoch: Epoch(1),
            observation: proposal.observation,
            ceiling: proposal.ceiling,
            esn: proposal.esn.clone(),
            hsms: proposal.hsms.clone(),
            steps: proposal.steps.clone(),
            healthy_before: proposal.healthy_before.clone(),
            approval: proposal.approval,
            asked: proposal.asked.clone(),
        };
        self.record(&target, Change::IntentReserved(intent));
        if let Some(request) = proposal.approval {
            self.record(&target, Change::ApprovalUsed { request, attempt });
        }
        self.report(attempt, &target, Report::Accepted);
        self.log
            .push((self.seconds(), proposal.rung, proposal.steps.clone()));
        let takes = if proposal.rung == Rung::Clear { 31 } else { 2 };
        self.running = Some((
            attempt,
            target,
            proposal.rung,
            self.now.after(Duration::from_secs(takes)),
        ));
    }

    pub(crate) fn record(&mut self, target: &Target, change: Change) {
        let incident = self
            .state
            .incidents
            .get(target)
            .map(|incident| incident.id.clone());
        let host = Some(self.host.name.clone());
        self.store(vec![Entry {
            host,
            target: Some(target.clone()),
            incident,
            change,
        }]);
    }

    pub(crate) fn report(&mut self, attempt: AttemptId, target: &Target, report: Report) {
        self.record(target, Change::AttemptReported { attempt, report });
    }

    /// One round of the engine.
    pub(crate) fn turn(&mut self) -> Decision {
        self.deliver();
        if let Some((attempt, target, rung, end)) = self.running.clone()
            && self.now >= end
        {
            self.running = None;
            self.effect(rung);
            self.report(
                attempt,
                &target,
                Report::Ended {
                    detail: String::new(),
                },
            );
        }
        let mut decision = self.decide();
        if self.running.is_none() && decision.next_wake.is_some_and(|at| at <= self.now) {
            self.look();
            decision = self.decide();
        }
        if let Some(proposal) = &decision.proposal {
            assert!(self.running.is_none(), "two attempts at once");
            self.start(&proposal.clone());
        }
        decision
    }

    /// Lets `seconds` pass, one at a time.
    pub(crate) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.turn();
            self.now = self.now.after(TICK);
        }
    }

    pub(crate) fn rungs(&self) -> Vec<Rung> {
        self.log.iter().map(|(_, rung, _)| *rung).collect()
    }

    pub(crate) fn closings(&self) -> Vec<(Ending, Actor)> {
        let closing = |event: &Event| match &event.entry.change {
            Change::IncidentClosed(closing) => Some((closing.ending, closing.actor)),
            _ => None,
        };
        self.events.iter().filter_map(closing).collect()
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        let outcome = |event: &Event| match &event.entry.change {
            Change::AttemptReported {
                report: Report::Settled { outcome, .. },
                ..
            } => Some(*outcome),
            _ => None,
        };
        self.events.iter().filter_map(outcome).collect()
    }

    pub(crate) fn pages(&self) -> Vec<PageReason> {
        self.state.pages.keys().map(|(_, reason)| *reason).collect()
    }

    pub(crate) fn incident_state(&self) -> Option<IncidentState> {
        let incident = self.state.incidents.values().next()?;
        Some(self.state.incident_state(incident))
    }

    /// Whether a verdict of this kind was ever recorded.
    pub(crate) fn recorded(&self, rung: Rung, guard: Guard, kind: &str) -> bool {
        self.events.iter().any(|event| match &event.entry.change {
            Change::Decided(ruling) => ruling.verdicts.iter().any(|given| {
                given.rung == rung && given.guard == guard && given.verdict.as_str() == kind
            }),
            _ => false,
        })
    }
}

/// Another host with a module on the HSM of module 1 fails, now.
pub(crate) fn begin_storm(lab: &mut Lab) {
    let n = lab.others.len() + 2;
    let name: HostName = format!("tenant-{n}").parse().unwrap();
    let entry = HostEntry {
        name: name.clone(),
        ..lab.host.clone()
    };
    let mut state = HostState::new(name.clone());
    let (own, now) = (lab.target(Some(1)), lab.now);
    // The own failure may be an hour old: what counts is that both are new.
    lab.state.failures.entry(own).or_default().push(now);
    let target = Target::module(name, number(1));
    state.failures.insert(target, vec![now]);
    lab.others.push((entry, state));
}

/// A change of the fleet's own state.
pub(crate) fn of_fleet(change: Change) -> Entry {
    Entry {
        host: None,
        target: None,
        incident: None,
        change,
    }
}
