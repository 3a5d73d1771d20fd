//! Two hosts on two HSMs: a module of each HSM on each host. Actors that decide on what they have seen
//! of each other and then reserve, unknown outcomes that keep their budgets, storms, and harm on one
//! host that pauses the other.
//!
//! The ladder is cut down to what the budgets are about: retries alone, or restarts and clears alone.
//! Alerts, approvals, the host runner's refusals and crashes are the business of the model of one
//! [incident](crate::incident).
//!
//! What decides is the program's own: `decide`, every guard, `verify`, `HostState::apply`,
//! `FleetView::new` with the storms, `command::of_host` and `budget::used_up`, which a test holds the
//! store's transaction to. What is modelled is who takes his turn when, and what the steps come to.
//!
//! ```text
//! state        both hosts
//! engine       turns, the reserving transaction, what runs
//! ghost        what is known to have happened, beside the program
//! properties   what must hold in every state, and what must be possible
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use stateright::{Model, Property};
use vcm_recovery::attempt::Outcome as AttemptOutcome;
use vcm_recovery::inventory::{HostEntry, Inventory};
use vcm_recovery::policy::{AlertRule, Policy, Scope};
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Tier;

use crate::Size;
use crate::check::{self, Outcome};
use crate::scene::{self, Hardserver, Module, Ping, View};
use crate::ticks::{Tick, ticks};
use state::{Host, Pc, State};

mod engine;
mod ghost;
mod properties;
mod state;
#[cfg(test)]
mod tests;

/// The one alert.
const ALERT: &str = "VcmFailedLong";

/// For how many ticks without trouble, act or attempt a property may wait for something to be done.
const CALM_MAX: u8 = 6;

/// How long slow steps take: longer than `report_timeout`.
const SLOW: Tick = 5;

/// Two hosts, and what may happen to them.
#[derive(Clone, Debug)]
struct Estate {
    inventory: Inventory,
    entries: Vec<HostEntry>,
    /// The policy that decides.
    policy: Policy,
    /// The policy that the properties are about.
    rules: Policy,
    /// Which modules are failed at first, host by host.
    begin: Vec<[[bool; 2]; 2]>,
    /// An attempt may take the other module of its host away.
    harms: bool,
    /// Troubles and acts.
    left: u8,
    /// Nothing goes wrong but that steps never end, and people say what came of them.
    unknown_alone: bool,
    /// The last tick.
    horizon: Tick,
    /// What can be reached in it, by the names of the properties.
    possible: Vec<&'static str>,
    /// The rule that is broken, to see that a property notices.
    broken: Option<Broken>,
}

/// Rules that a test breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// Nobody counts what is open on a host.
    HostIsNotCounted,
    /// The reservation does not count the retries of an HSM.
    HsmIsNotCounted,
    /// The reservation does not count the restarts and clears of the fleet.
    FleetIsNotCounted,
    /// An attempt of unknown outcome holds nothing.
    UnknownHoldsNothing,
    /// What was made worse does not reach the decision.
    HarmIsIgnored,
    /// Storms do not reach the decision.
    StormIsIgnored,
    /// First failures do not reach the decision.
    BootIsIgnored,
    /// The fleet's share is kept for ever.
    ShareIsKept,
    /// Nobody is paged.
    NobodyIsPaged,
    /// Nothing is ever reserved.
    NothingIsReserved,
}

/// Everything that can happen next. The number is the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// An actor takes its turn: it reports, looks and decides.
    Turn(usize),
    /// It reserves, decides again and orders; whether the rung will bring its target back, and whether
    /// it will take the other module away.
    Reserve(usize, bool, bool),
    /// A tick passes.
    Tick,
    /// A module fails.
    Fails(usize, usize),
    /// A module comes back by itself.
    Heals(usize, usize),
    /// The steps that run there take longer than anybody waits; or they never end.
    Slow(usize, bool),
    /// The remediator is started anew: looks and decisions are lost.
    Restarted,
    /// A person says what the attempt of unknown outcome came to.
    Resolve(usize, AttemptOutcome),
}

impl Estate {
    fn breaks(&self, rule: Broken) -> bool {
        self.broken == Some(rule)
    }

    /// Whether the reservation does not count. The second decision would hide that: it counts, too.
    fn reservation_is_broken(&self) -> bool {
        [
            Broken::HsmIsNotCounted,
            Broken::FleetIsNotCounted,
            Broken::UnknownHoldsNothing,
        ]
        .into_iter()
        .any(|rule| self.breaks(rule))
    }

    fn entry(&self, host: usize) -> &HostEntry {
        &self.entries[host]
    }

    fn beginning(&self, failed: [[bool; 2]; 2]) -> State {
        let host = |(entry, failed): (&HostEntry, [bool; 2])| Host {
            state: Arc::new(HostState::new(entry.name.clone())),
            pc: Pc::Idle,
            looks: Vec::new(),
            view: view(failed),
            jobs: Vec::new(),
            refused: false,
        };
        let mut state = State {
            now: 0,
            hosts: self.entries.iter().zip(failed).map(host).collect(),
            left: self.left,
            calm: 0,
            notes: BTreeSet::new(),
            wrong: BTreeSet::new(),
        };
        engine::ring(self, &mut state);
        state
    }

    /// What may go wrong, and what people may do.
    fn troubles(&self, state: &State) -> Vec<Action> {
        let mut troubles = vec![Action::Restarted];
        for (number, host) in state.hosts.iter().enumerate() {
            // Behind its turn an actor sees the same as before the next one.
            if host.pc == Pc::Turned {
                continue;
            }
            for (module, so) in host.view.modules.iter().enumerate() {
                troubles.push(match so {
                    Module::Operational => Action::Fails(number, module),
                    Module::Failed | Module::Maintenance | Module::Offline => {
                        Action::Heals(number, module)
                    }
                });
            }
            troubles.extend(
                [AttemptOutcome::Failed, AttemptOutcome::Cancelled]
                    .map(|outcome| Action::Resolve(number, outcome)),
            );
        }
        for (number, host) in state.hosts.iter().enumerate() {
            if host.jobs.iter().any(|job| job.until == Some(state.now + 1)) {
                troubles.extend([Action::Slow(number, false), Action::Slow(number, true)]);
            }
        }
        troubles.retain(|trouble| {
            let unknown = matches!(trouble, Action::Slow(_, true) | Action::Resolve(..));
            unknown || !self.unknown_alone
        });
        troubles
    }
}

fn view(failed: [bool; 2]) -> View {
    View {
        modules: failed
            .map(|failed| {
                if failed {
                    Module::Failed
                } else {
                    Module::Operational
                }
            })
            .to_vec(),
        ping: Ping::Good,
        renumbered: false,
        hardserver: Hardserver::Up,
        on_purpose: false,
        hold_file: false,
    }
}

impl Model for Estate {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.begin
            .iter()
            .map(|failed| self.beginning(*failed))
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, host) in state.hosts.iter().enumerate() {
            match host.pc {
                Pc::Idle => actions.push(Action::Turn(number)),
                Pc::Proposed(_) => {
                    let ends = [(true, false), (false, false), (false, self.harms)];
                    let ends = ends.iter().take(if self.harms { 3 } else { 2 });
                    actions
                        .extend(ends.map(|(cures, harms)| Action::Reserve(number, *cures, *harms)));
                }
                Pc::Turned => {}
            }
        }
        let over = state.hosts.iter().all(|host| host.pc == Pc::Turned);
        if over && state.now < self.horizon {
            actions.push(Action::Tick);
        }
        if state.left > 0 {
            actions.extend(self.troubles(state));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        next.notes.clear();
        apply(self, &mut next, action)?;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties(self)
    }
}

fn apply(estate: &Estate, state: &mut State, action: Action) -> Option<()> {
    match action {
        Action::Turn(host) => engine::turn(estate, state, host),
        Action::Reserve(host, cures, harms) => {
            let Pc::Proposed(proposal) = state.hosts[host].pc.clone() else {
                return None;
            };
            if estate.breaks(Broken::NothingIsReserved) {
                state.hosts[host].pc = Pc::Turned;
            } else {
                engine::reserve(estate, state, host, &proposal.0, (cures, harms));
            }
        }
        Action::Tick => {
            engine::tick(estate, state);
            state.calm = (state.calm + 1).min(CALM_MAX);
        }
        Action::Fails(..)
        | Action::Heals(..)
        | Action::Slow(..)
        | Action::Restarted
        | Action::Resolve(..) => {
            state.left = state.left.checked_sub(1)?;
            state.calm = 0;
            trouble(estate, state, action)?;
        }
    }
    Some(())
}

fn trouble(estate: &Estate, state: &mut State, action: Action) -> Option<()> {
    let now = state.now;
    match action {
        Action::Fails(host, module) => state.hosts[host].view.modules[module] = Module::Failed,
        Action::Heals(host, module) => {
            state.hosts[host].view.modules[module] = Module::Operational;
        }
        Action::Slow(host, endless) => {
            let mut jobs = state.hosts[host].jobs.iter_mut();
            let job = jobs.find(|job| job.until == Some(now + 1))?;
            job.until = Some(if endless { Tick::MAX } else { now + SLOW });
        }
        Action::Restarted => {
            for host in &mut state.hosts {
                host.looks.clear();
                if matches!(host.pc, Pc::Proposed(_)) {
                    host.pc = Pc::Turned;
                }
            }
        }
        Action::Resolve(host, outcome) => engine::resolve(estate, state, host, outcome)?,
        Action::Turn(_) | Action::Reserve(..) | Action::Tick => return None,
    }
    Some(())
}

/// Checks the estates of a size.
#[must_use]
pub fn check(size: Size, threads: usize) -> Vec<Outcome> {
    let check = |(name, estate)| check::check(size, name, estate, threads);
    estates(size).into_iter().map(check).collect()
}

fn estates(size: Size) -> Vec<(&'static str, Estate)> {
    let (left, horizon) = match size {
        Size::Quick => (1, 8),
        Size::Full => (2, 10),
    };
    let within = |estate| Estate { horizon, ..estate };
    vec![
        ("budgets: retries alone", within(retries(left))),
        (
            "budgets: restarts and clears alone",
            within(disruptive(left)),
        ),
        (
            "budgets: outcomes that stay unknown",
            within(unknown(left + 1)),
        ),
    ]
}

/// Retries alone: one at a time on an HSM.
fn retries(left: u8) -> Estate {
    let mut estate = estate(left, Tier::Retry);
    estate.rules.retry.attempts_per_incident = 2;
    estate.policy = estate.rules.clone();
    Estate {
        possible: vec![
            "two hosts have decided for the same budget",
            "an HSM's budget refuses what was decided on an old view",
            "a budget is granted after it was refused",
            "a budget is held by an attempt of unknown outcome",
            "a late report frees a budget",
            "a storm",
            "a storm that is over, with what it was about still failed",
        ],
        ..estate
    }
}

/// Restarts and clears alone: one at a time in the fleet.
fn disruptive(left: u8) -> Estate {
    let mut estate = estate(left, Tier::Clear);
    estate.rules.retry.attempts_per_incident = 0;
    estate.rules.restart.not_before = ticks(1);
    estate.rules.clear.not_before = ticks(1);
    estate.policy = estate.rules.clone();
    Estate {
        harms: true,
        possible: vec![
            "two hosts have decided for the same budget",
            "the fleet's budget refuses what was decided on an old view",
            "a budget is granted after it was refused",
            "a budget is held by an attempt of unknown outcome",
            "a late report frees a budget",
            "a storm",
            "a module is made worse",
            "harm on one host pauses another",
        ],
        ..estate
    }
}

/// Restarts and clears whose steps never end, with one failed module on each host.
fn unknown(left: u8) -> Estate {
    let mut estate = disruptive(left);
    estate.begin = vec![[[true, false], [false, true]]];
    Estate {
        unknown_alone: true,
        harms: false,
        possible: vec![
            "a budget is held by an attempt of unknown outcome",
            "a person's word frees a budget",
            "another restart or clear begins behind a share that was released",
        ],
        ..estate
    }
}

fn estate(left: u8, tier: Tier) -> Estate {
    let entries: Vec<HostEntry> = ["tenant-1", "tenant-2"]
        .map(|name| scene::host(name, &["hsm-1", "hsm-2"]))
        .to_vec();
    let mut rules = scene::policy();
    let rule = AlertRule {
        tier,
        scope: Scope::Module,
    };
    rules.alerts = [(ALERT.to_owned(), rule)].into();
    rules.budgets.hsm_retry = 1;
    rules.boot_window = ticks(2);
    // Longer than the boot window, which would hide it.
    rules.storm.window = ticks(3);
    rules.report_timeout = ticks(2);
    let hosts = entries
        .iter()
        .map(|entry| (entry.name.clone(), entry.clone()));
    Estate {
        inventory: Inventory {
            hosts: hosts.collect(),
        },
        policy: rules.clone(),
        rules,
        entries,
        begin: vec![
            [[true, true], [true, true]],
            [[true, false], [true, false]],
            [[true, false], [false, true]],
        ],
        harms: false,
        left,
        unknown_alone: false,
        horizon: 8,
        possible: Vec::new(),
        broken: None,
    }
}
