//! What there is, and what happens to it.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use vcm_recovery::alert::Fact;
use vcm_recovery::control::{Pause, Release};
use vcm_recovery::event::{
    Change, Closing, EVENT_SCHEMA, Entry, Event, LoadClass, ModuleSummary, Summary,
};
use vcm_recovery::fleet::load::{LoadAction, LoadCall, LoadReport};
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::{Epoch, IncidentId, Person};
use vcm_recovery::incident::{Actor, Ending};
use vcm_recovery::observation::{Condition, HardserverLook, Network};
use vcm_recovery::page::PageReason;
use vcm_recovery::state::HostState;

use super::{ALERT, Action, Broken, Estate};
use crate::scene;
use crate::ticks::{Tick, at};

/// The fingerprint of the one alert.
const ONE: &str = "0000000000000001";

/// What the hook has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Came {
    Done,
    Failed,
    /// It has acted, and the program hears that it failed.
    DoneUnheard,
}

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wrong {
    /// Load was to be taken, and nobody may want that.
    Unwanted,
    /// One order has acted twice.
    ActedTwice,
    /// A hook was called that the site does not have.
    NoHook,
}

/// What was seen to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub(super) taken: bool,
    pub(super) crashed: bool,
    pub(super) unheard: bool,
    pub(super) paged: bool,
    /// It was asked again for what it had done, after a crash or a lost answer.
    pub(super) again: bool,
}

/// One HSM and everything around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) fleet: FleetState,
    pub(super) host: HostState,
    pub(super) tick: Tick,
    pub(super) left: u8,
    /// Events so far.
    seq: u64,
    /// The call under way.
    pub(super) call: Option<LoadCall>,
    /// The keys that the hook has acted on, and the order of each.
    acted: BTreeMap<u64, u64>,
    /// Whether load is truly taken.
    pub(super) taken: bool,
    /// For how many ticks it should have returned.
    pub(super) overdue: u8,
    pub(super) wrong: Option<Wrong>,
    pub(super) seen: Seen,
}

/// The fleet's state has no hash of its own: what differs in this model is hashed.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let fleet = &self.fleet;
        (
            &fleet.sheds,
            &fleet.restored,
            &fleet.pages,
            fleet.pause.is_some(),
        )
            .hash(hasher);
        self.host.hash(hasher);
        (self.tick, self.left, self.seq).hash(hasher);
        let call = self.call.as_ref().map(|call| (call.order, call.action));
        (call, &self.acted, self.taken, self.overdue).hash(hasher);
        (self.wrong, self.seen).hash(hasher);
    }
}

impl State {
    /// The module has failed, and its HSM is overloaded.
    pub(super) fn overloaded(estate: &Estate) -> Self {
        let mut state = Self {
            fleet: FleetState::default(),
            host: HostState::new(estate.entry.name.clone()),
            tick: 0,
            left: estate.left,
            seq: 0,
            call: None,
            acted: BTreeMap::new(),
            taken: false,
            overdue: 0,
            wrong: None,
            seen: Seen::default(),
        };
        state.fails(estate);
        state.shows(estate, LoadClass::High);
        state
    }

    pub(super) fn is_failed(&self, estate: &Estate) -> bool {
        self.host.incidents.contains_key(&estate.target())
    }

    /// The load that the last look showed.
    pub(super) fn shown(&self, estate: &Estate) -> Option<LoadClass> {
        let last = self
            .host
            .last_summary
            .as_ref()
            .filter(|_| self.is_failed(estate));
        last?.modules.first()?.load
    }

    pub(super) fn act(&mut self, estate: &Estate, action: Action) {
        let costs = !matches!(
            action,
            Action::Turn | Action::Hook(Came::Done) | Action::Tick
        );
        self.left -= u8::from(costs);
        match action {
            Action::Turn => self.turn(estate),
            Action::Hook(came) => self.answered(estate, came),
            Action::Crash(acted) => {
                if let Some(call) = self.call.take().filter(|_| acted) {
                    self.hook_acts(estate, &call);
                }
                self.seen.crashed = true;
            }
            Action::Fails => self.fails(estate),
            Action::Ends => self.ends(estate),
            Action::Shows(class) => self.shows(estate, class),
            Action::Pauses(begins) => self.pauses(begins),
            Action::Tick => self.tick(estate),
        }
        self.seen.paged |= self.is_paged();
    }

    pub(super) fn is_paged(&self) -> bool {
        self.fleet
            .pages
            .contains_key(&(Some(Estate::hsm()), PageReason::LoadHook))
    }

    fn turn(&mut self, estate: &Estate) {
        let decision = estate.decision(self);
        if decision.changes.is_empty() {
            self.call = decision.calls.into_iter().next();
            let hook = estate.policy.load.as_ref().is_some_and(|load| load.hook);
            if self.call.is_some() && !hook {
                self.wrong = Some(Wrong::NoHook);
            }
            return;
        }
        for entry in decision.changes {
            if let Change::LoadShed(_) = entry.change
                && (!self.is_failed(estate) || self.fleet.pause.is_some())
            {
                self.wrong = Some(Wrong::Unwanted);
            }
            self.record(entry);
        }
    }

    fn answered(&mut self, estate: &Estate, came: Came) {
        let Some(call) = self.call.take() else {
            return;
        };
        if came != Came::Failed {
            self.hook_acts(estate, &call);
        }
        self.seen.unheard |= came == Came::DoneUnheard;
        let failed = came != Came::Done;
        let report = LoadReport {
            hsm: call.hsm,
            action: call.action,
            failure: failed.then(|| "no answer".to_owned()),
        };
        self.record(of_fleet(Change::LoadReported(report)));
    }

    /// A key that it knows is done: nothing happens.
    fn hook_acts(&mut self, estate: &Estate, call: &LoadCall) {
        let key = match estate.breaks(Broken::KeysAreNew) {
            true => 1_000 + u64::try_from(self.acted.len()).unwrap_or(u64::MAX),
            false => call.order,
        };
        if self.acted.contains_key(&key) {
            self.seen.again = true;
            return;
        }
        if self.acted.values().any(|order| *order == call.order) {
            self.wrong = Some(Wrong::ActedTwice);
        }
        self.acted.insert(key, call.order);
        self.taken = call.action == LoadAction::Shed;
        self.overdue = 0;
        self.seen.taken |= self.taken;
    }

    fn fails(&mut self, estate: &Estate) {
        self.delivered(estate);
        self.of_module(estate, Change::IncidentOpened(None));
        self.shows(estate, LoadClass::Middle);
    }

    fn ends(&mut self, estate: &Estate) {
        let closing = Closing {
            ending: Ending::Recovered,
            actor: Actor::None,
            rung: None,
            recovery_millis: None,
            reason: "healthy again".to_owned(),
            spent: BTreeMap::new(),
        };
        self.of_module(estate, Change::IncidentClosed(closing));
        self.host.facts.clear();
    }

    fn shows(&mut self, estate: &Estate, class: LoadClass) {
        let module = ModuleSummary {
            module: scene::number(1),
            condition: Condition::Failed,
            network: Network::Good,
            load: Some(class),
        };
        let summary = Summary {
            observation: None,
            problem: None,
            hardserver: HardserverLook::Up,
            host: Condition::Healthy,
            modules: vec![module],
        };
        let entry = Entry {
            host: Some(estate.entry.name.clone()),
            target: None,
            incident: None,
            change: Change::Observed(summary),
        };
        self.record(entry);
    }

    fn pauses(&mut self, begins: bool) {
        let by: Person = "operator"
            .parse()
            .unwrap_or_else(|_| unreachable!("it is a name"));
        let reason = String::new();
        let until = None;
        let change = match begins {
            true => Change::Paused(Pause { until, reason, by }),
            false => Change::Resumed(Release { by, reason }),
        };
        self.record(of_fleet(change));
    }

    fn tick(&mut self, estate: &Estate) {
        self.tick += 1;
        if self.is_failed(estate) {
            self.delivered(estate);
        }
        let longest = estate.policy.load.as_ref().map(|load| load.max_shed);
        let shed = self.fleet.sheds.get(&Estate::hsm());
        let too_long = shed.is_some_and(|shed| Some(at(self.tick).since(shed.since)) > longest);
        let due = self.taken && (!self.is_failed(estate) || too_long);
        self.overdue = if due { self.overdue + 1 } else { 0 };
    }

    /// The alert about the module is delivered, again and again while it fires.
    fn delivered(&mut self, estate: &Estate) {
        let fact = Fact {
            fingerprint: ONE.parse().unwrap_or_else(|_| unreachable!("{ONE} is one")),
            name: ALERT.to_owned(),
            target: estate.target(),
            tier: None,
            lowered: None,
            firing: true,
            starts_at: at(0),
            ends_at: None,
            delivered_at: at(self.tick),
        };
        self.host.deliver(&fact);
    }

    fn of_module(&mut self, estate: &Estate, change: Change) {
        let target = estate.target();
        let entry = Entry {
            host: Some(target.host.clone()),
            incident: Some(IncidentId::new(&target, at(self.tick))),
            target: Some(target),
            change,
        };
        self.record(entry);
    }

    fn record(&mut self, entry: Entry) {
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            schema: EVENT_SCHEMA,
            time: at(self.tick),
            epoch: Epoch(1),
            entry,
        };
        match event.entry.host {
            Some(_) => self.host.apply(&event),
            None => self.fleet.apply(&event),
        }
    }
}

const fn of_fleet(change: Change) -> Entry {
    Entry {
        host: None,
        target: None,
        incident: None,
        change,
    }
}
