//! What the models of the remediator have in common: hosts and their modules, what can be seen of
//! them, and the events that a remediator stores.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::decide::Proposal;
use vcm_recovery::event::{EVENT_SCHEMA, Entry, Event};
use vcm_recovery::ids::{Epoch, HostName, ObservationId};
use vcm_recovery::inventory::{HostEntry, Kind, ModuleEntry};
use vcm_recovery::observation::{
    ECHOES, HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::policy::{
    Budgets, Cap, Flapping, Mode, OthersHealthy, PageAfter, Policy, RungPolicy, StormPolicy,
};
use vcm_recovery::state::HostState;
use vcm_recovery::step::{CLEAR_WAIT_MIN, Platform};
use vcm_recovery::tier::Tier;

use crate::ticks::{Tick, at, boottime, ticks};

/// The state of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Module {
    /// It works.
    Operational,
    /// It is failed.
    Failed,
    /// It is in maintenance mode.
    Maintenance,
    /// It reboots.
    Offline,
}

/// Whether a module answers the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ping {
    /// Every echo is answered.
    Good,
    /// None is.
    Bad,
    /// It cannot be tried.
    Unknown,
}

/// The hardserver of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Hardserver {
    /// It answers.
    Up,
    /// It does not run.
    Down,
    /// It does not answer in time.
    Hangs,
}

/// What can be seen of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct View {
    /// Its modules, from number 1.
    pub modules: Vec<Module>,
    /// Whether module 1 answers; the others do.
    pub ping: Ping,
    /// The serial numbers of modules 1 and 2 have changed places.
    pub renumbered: bool,
    /// The hardserver.
    pub hardserver: Hardserver,
    /// Somebody stopped the hardserver on purpose.
    pub on_purpose: bool,
    /// The host's own hold file is there.
    pub hold_file: bool,
}

/// A [`Proposal`], which is no key of a set by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HashedProposal(pub(crate) Box<Proposal>);

impl Hash for HashedProposal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let proposal = &self.0;
        (&proposal.incident, &proposal.target, proposal.rung).hash(state);
        (proposal.ceiling, proposal.observation, &proposal.steps).hash(state);
        (&proposal.healthy_before, proposal.approval, &proposal.asked).hash(state);
    }
}

/// The name of a host.
pub(crate) fn name(text: &str) -> HostName {
    text.parse()
        .unwrap_or_else(|_| unreachable!("{text} is a name"))
}

/// A module number; zero is none.
pub(crate) fn number(n: u16) -> ModuleNumber {
    ModuleNumber::try_from(n).unwrap_or_else(|_| unreachable!("{n} is a module number"))
}

fn esn(host: &HostName, n: u16) -> Option<nshield::Esn> {
    let last = host.as_str().bytes().last().unwrap_or(b'0');
    format!("1A2B-05E{}-D94{n}", char::from(last)).parse().ok()
}

/// A host whose modules are VCMs of these HSMs.
pub(crate) fn host(text: &str, hsms: &[&str]) -> HostEntry {
    let name = name(text);
    let module = |(n, hsm): (u16, &&str)| {
        let entry = ModuleEntry {
            esn: esn(&name, n),
            kind: Kind::Vcm,
            hsm: hsm.parse().ok(),
            name: None,
        };
        (number(n), entry)
    };
    let modules = (1..).zip(hsms).map(module).collect();
    HostEntry {
        name,
        instance: None,
        platform: Platform::Linux,
        mode: None,
        modules,
    }
}

/// A policy in which everything takes a tick or a few, in mode `act`.
pub(crate) fn policy() -> Policy {
    let rung = |not_before, attempts, window| RungPolicy {
        not_before: ticks(not_before),
        settle: Duration::ZERO,
        verify: ticks(1),
        caps: vec![Cap {
            attempts,
            window: ticks(window),
        }],
        attempts_per_incident: 1,
        approval: false,
        windows: Vec::new(),
    };
    Policy {
        mode: Mode::Act,
        alerts: BTreeMap::new(),
        watchdog_alert: None,
        alert_ttl: ticks(3),
        retry: rung(1, 2, 8),
        restart: rung(2, 1, 12),
        clear: rung(3, 1, 12),
        clear_wait: CLEAR_WAIT_MIN,
        hardserver_down_not_before: ticks(1),
        others_healthy: OthersHealthy::Skip,
        spacing: ticks(1),
        healthy_for: ticks(1),
        stale_alert_after: ticks(2),
        latch_release_after: ticks(2),
        network_settle: ticks(1),
        network_settle_restart: ticks(2),
        // The only time below a tick: what was seen at an earlier one is not acted on.
        evidence_max_age: Duration::from_secs(30),
        agreement_span: ticks(1),
        observe_interval: ticks(1),
        verify_poll: ticks(1),
        approval_ttl: ticks(3),
        watchdog_max_age: ticks(2),
        report_timeout: ticks(3),
        unknown_release: ticks(2),
        storm: StormPolicy {
            window: ticks(2),
            calm: ticks(1),
            hsm_hosts: 2,
            fleet_hosts_min: 3,
            fleet_share_percent: 20,
            stagger: Duration::ZERO,
        },
        // Off in the model of one incident; the model of storms sets it.
        boot_window: Duration::ZERO,
        flapping: Flapping {
            incidents: 3,
            window: ticks(20),
        },
        load: None,
        budgets: Budgets {
            host: 1,
            hsm_retry: 2,
            fleet_disruptive: 1,
        },
        page_after: PageAfter {
            unknown: ticks(1),
            network: ticks(2),
            unresponsive: ticks(1),
            stuck: ticks(4),
        },
        tool_runs_per_minute: 8,
    }
}

/// What a look at `view` prints. Looks that show the same have the same name: a name of its own for
/// each would tell states apart that behave alike, and nothing in the core compares them.
pub(crate) fn observation(entry: &HostEntry, view: &View, tick: Tick) -> Observation {
    let ok = SourceStatus::Ok;
    let up = view.hardserver == Hardserver::Up;
    let enquiry = match view.hardserver {
        Hardserver::Up => ok.clone(),
        Hardserver::Down => SourceStatus::Failed("exit status 1".to_owned()),
        Hardserver::Hangs => SourceStatus::TimedOut,
    };
    Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(code(view)),
        boot_id: "boot".to_owned(),
        started_boottime: boottime(tick),
        finished_boottime: boottime(tick),
        sources: Sources {
            enquiry,
            enquiry_server: SourceStatus::NotAsked,
            stattree: ok.clone(),
            socket: ok,
        },
        hardserver: match view.hardserver {
            Hardserver::Up => HardserverLook::Up,
            Hardserver::Down => HardserverLook::SuspectedDown,
            Hardserver::Hangs => HardserverLook::Unresponsive,
        },
        complete: up,
        modules: (1..)
            .zip(&view.modules)
            .map(|(n, module)| (number(n), look(entry, view, n, *module)))
            .collect(),
        clients: None,
        hardserver_uptime: None,
        stop: match view.on_purpose {
            true => StopSign::OnPurpose("unit".to_owned()),
            false => StopSign::None,
        },
        pause: None,
        hold: view.hold_file.then(|| "held".to_owned()),
        host_uptime: None,
        service_check: None,
        max_tier: Tier::Clear,
    }
}

fn look(entry: &HostEntry, view: &View, n: u16, module: Module) -> ModuleLook {
    let up = view.hardserver == Hardserver::Up;
    let printed_as = match n {
        1 if view.renumbered => 2,
        2 if view.renumbered => 1,
        n => n,
    };
    let replies = |replies| NetworkLook::Echo {
        sent: ECHOES,
        replies,
    };
    let state = match module {
        _ if !up => ModuleState::Unknown,
        Module::Operational => ModuleState::Operational,
        Module::Failed => ModuleState::Failed,
        Module::Maintenance => ModuleState::Maintenance,
        Module::Offline => ModuleState::Offline,
    };
    ModuleLook {
        state,
        printed: String::new(),
        esn: esn(&entry.name, printed_as).filter(|_| up),
        hardware_ok: None,
        connection_ok: None,
        kind: Some(Kind::Vcm),
        objects: None,
        uptime: None,
        load_percent: None,
        network: match view.ping {
            _ if n != 1 => replies(ECHOES),
            Ping::Good => replies(ECHOES),
            Ping::Bad => replies(0),
            Ping::Unknown => NetworkLook::Unknown("no permission".to_owned()),
        },
        hold: None,
        path: None,
    }
}

/// A number that differs when the views do.
fn code(view: &View) -> u128 {
    let modules = view
        .modules
        .iter()
        .fold(1, |code, module| code * 4 + *module as u128);
    let flags = [view.renumbered, view.on_purpose, view.hold_file];
    let flags = flags
        .into_iter()
        .fold(modules, |code, flag| code * 2 + u128::from(flag));
    (flags * 3 + view.ping as u128) * 3 + view.hardserver as u128
}

/// Stores what was decided, reported or ordered: the real fold applies it.
pub(crate) fn store(state: &mut Arc<HostState>, entries: &[Entry], epoch: Epoch, now: Tick) {
    if entries.is_empty() {
        return;
    }
    let state = Arc::make_mut(state);
    for entry in entries {
        state.apply(&Event {
            seq: 0,
            schema: EVENT_SCHEMA,
            time: at(now),
            epoch,
            entry: entry.clone(),
        });
    }
}
