//! The load gate: one HSM that is overloaded while a module of it is failed, a hook that takes load
//! and gives it back, fails, or acts and its answer is lost, and a program that dies at any point.
//!
//! What decides is the program's own: `fleet::load::decide`, `FleetState::apply`, `HostState::apply`.
//! What is modelled is the hook, who takes his turn when, and what becomes of the module and the load.
//!
//! ```text
//! state        the fleet, the host, the call under way, what the hook has truly done
//! properties   what must hold in every state, and what must be possible
//! ```

use stateright::{Model, Property};
use vcm_recovery::event::{Change, Entry, LoadClass};
use vcm_recovery::fleet::load::{self, FleetDecision};
use vcm_recovery::ids::HsmName;
use vcm_recovery::inventory::{HostEntry, Inventory, Target};
use vcm_recovery::policy::{AlertRule, LoadPolicy, Mode, Policy, Scope};
use vcm_recovery::tier::Tier;

use crate::Size;
use crate::check::{self, Outcome};
use crate::scene;
use crate::ticks::{Tick, at, ticks};
use state::{Came, State};

mod properties;
mod state;
#[cfg(test)]
mod tests;

/// The one alert.
const ALERT: &str = "VcmFailed";

/// The one device.
const HSM: &str = "hsm-a";

/// One HSM, and what may happen around it.
#[derive(Clone, Debug)]
struct Estate {
    inventory: Inventory,
    entry: HostEntry,
    policy: Policy,
    /// Troubles: changes of the module and its load, pauses, failures of the hook, crashes.
    left: u8,
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
    /// The end of the trouble, or of the longest time, gives nothing back.
    NothingReturns,
    /// Nobody is paged when the hook fails.
    NobodyIsPaged,
    /// A repetition has a key of its own.
    KeysAreNew,
    /// A pause does not reach the decision.
    PauseIsIgnored,
    /// The hook is called although the site has none.
    HookIsCalled,
}

/// Everything that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The actor of the fleet decides: it records, all or nothing, or calls the hook.
    Turn,
    /// The hook has come to something.
    Hook(Came),
    /// The program dies, and is started again; whether the call that was under way has acted.
    Crash(bool),
    /// The module fails.
    Fails,
    /// Its incident ends.
    Ends,
    /// A look shows another load of the HSM.
    Shows(LoadClass),
    /// An operator pauses everything, or ends that.
    Pauses(bool),
    /// A tick passes; the alert is delivered again while the module is failed.
    Tick,
}

impl Estate {
    fn breaks(&self, rule: Broken) -> bool {
        self.broken == Some(rule)
    }

    fn target(&self) -> Target {
        Target::module(self.entry.name.clone(), scene::number(1))
    }

    fn hsm() -> HsmName {
        HSM.parse()
            .unwrap_or_else(|_| unreachable!("{HSM} is a name"))
    }

    /// What the actor of the fleet decides now.
    fn decision(&self, state: &State) -> FleetDecision {
        let mut fleet = state.fleet.clone();
        if self.breaks(Broken::PauseIsIgnored) {
            fleet.pause = None;
        }
        let hosts = std::iter::once(&state.host);
        let mut decision =
            load::decide(&fleet, hosts, &self.inventory, &self.policy, at(state.tick));
        let dropped = |entry: &Entry| {
            let returns = matches!(entry.change, Change::LoadRestored(_));
            let pages = matches!(entry.change, Change::PageRaised { .. });
            (returns && self.breaks(Broken::NothingReturns))
                || (pages && self.breaks(Broken::NobodyIsPaged))
        };
        decision.changes.retain(|entry| !dropped(entry));
        if self.breaks(Broken::HookIsCalled) {
            for entry in &mut decision.changes {
                if let Change::LoadShed(order) = &mut entry.change {
                    order.hook = true;
                }
            }
        }
        decision
    }
}

impl Model for Estate {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::overloaded(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let decision = self.decision(state);
        let quiet =
            decision.changes.is_empty() && (decision.calls.is_empty() || state.call.is_some());
        if !quiet {
            actions.push(Action::Turn);
        }
        if state.call.is_some() {
            actions.push(Action::Hook(Came::Done));
        } else if quiet && state.tick < self.horizon {
            actions.push(Action::Tick);
        }
        if state.left == 0 {
            return;
        }
        if state.call.is_some() {
            let came = [Came::Failed, Came::DoneUnheard];
            actions.extend(came.map(Action::Hook));
            actions.extend([true, false].map(Action::Crash));
        }
        let (failed, shown) = (state.is_failed(self), state.shown(self));
        actions.push(if failed { Action::Ends } else { Action::Fails });
        let classes = [LoadClass::Low, LoadClass::Middle, LoadClass::High];
        let others = classes.into_iter().filter(|class| Some(*class) != shown);
        actions.extend(others.filter(|_| failed).map(Action::Shows));
        actions.push(Action::Pauses(state.fleet.pause.is_none()));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.act(self, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        check::properties(properties::ALWAYS, properties::SOMETIMES, &self.possible)
    }
}

/// Checks the load gate.
pub fn check(size: Size, threads: usize) -> Vec<Outcome> {
    let (left, horizon) = match size {
        Size::Quick => (4, 10),
        Size::Full => (6, 14),
    };
    let estates = [
        ("load: a hook", hook(left)),
        ("load: people are asked", people(left)),
    ];
    let check = |(name, estate)| check::check(size, name, Estate { horizon, ..estate }, threads);
    estates.map(check).into()
}

/// A hook takes load and gives it back.
fn hook(left: u8) -> Estate {
    Estate {
        possible: vec![
            "load is taken, and has returned",
            "it returns although the module is still failed: the longest time is over",
            "it returns although the module is still failed: the load is low",
            "a call that a crash cut short is made again and acts once",
            "a call whose answer was lost is made again and acts once",
            "the hook fails and people are paged",
            "the page ends when it has worked",
            "a pause keeps load from being taken",
        ],
        ..estate(left, true)
    }
}

/// There is no hook: people are asked.
fn people(left: u8) -> Estate {
    Estate {
        possible: vec!["people are asked to take load", "people are asked no more"],
        ..estate(left, false)
    }
}

fn estate(left: u8, hook: bool) -> Estate {
    let entry = scene::host("tenant-1", &[HSM]);
    let load = LoadPolicy {
        threshold_percent: 90,
        restore_below_percent: 70,
        hold: ticks(2),
        max_shed: ticks(4),
        hook,
    };
    let rule = AlertRule {
        tier: Tier::Retry,
        scope: Scope::Module,
    };
    Estate {
        inventory: Inventory {
            hosts: [(entry.name.clone(), entry.clone())].into(),
        },
        entry,
        policy: Policy {
            mode: Mode::Act,
            load: Some(load),
            alerts: [(ALERT.to_owned(), rule)].into(),
            ..Policy::default()
        },
        left,
        horizon: 10,
        possible: Vec::new(),
        broken: None,
    }
}
