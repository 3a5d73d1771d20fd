//! One incident of one host: the whole ladder, the remediator that dies anywhere, alerts that come
//! late, twice or in the wrong order, looks and orders that fail, and people.
//!
//! The remediator's turn is deterministic, as the program's is; what surrounds it is not. An estate
//! says what may go wrong in it (`Trouble`), what people may do (`Act`), and how often: any of it
//! may happen at any step, in any order, until nothing is left. Every state that can be reached within
//! the estate's number of ticks is visited; that is longer than every deadline of its policy.
//!
//! What decides is the program's own: `decide`, every guard, `verify`, `HostState::apply`,
//! `FleetView::new`, `command::of_host` and `of_fleet`, `budget::used_up`, the host's guards with
//! `decision_stale::between`, and the fence's rule. What is modelled is the shell around them.
//!
//! ```text
//! state        everything that is remembered anywhere
//! engine       the remediator's turn
//! runner       the host
//! alerts       Alertmanager
//! people       what people order
//! troubles     what goes wrong
//! ghost        what is known to have happened, beside the program
//! properties   what must hold in every state, and what must be possible
//! estates      which estates are checked
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stateright::{Model, Property};
use vcm_recovery::ids::Epoch;
use vcm_recovery::inventory::{HostEntry, Inventory, Target};
use vcm_recovery::policy::Policy;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;

use crate::Size;
use crate::check::{self, Outcome};
use crate::scene::{self, View};
use crate::ticks::Tick;
use alerts::Alert;
use people::Act;
use runner::Arrival;
use state::{Left, Pc, State, World};
use troubles::Trouble;

mod alerts;
mod engine;
mod estates;
mod ghost;
mod people;
mod properties;
mod runner;
mod state;
#[cfg(test)]
mod tests;
mod troubles;

/// For how many ticks without trouble, act or attempt a property may wait for something to be done.
const CALM_MAX: u8 = 7;

/// For how many ticks the remediator is down at most: longer than any time of the policy that an
/// attempt or a look depends on.
const DOWN_MAX: Tick = 4;

/// One host, and what may happen to it.
#[derive(Clone, Debug)]
struct Estate {
    /// Its inventory.
    entry: HostEntry,
    /// The same, as the fleet's.
    inventory: Inventory,
    /// The policy that decides.
    policy: Policy,
    /// The policy that the properties are about: the same, unless a test breaks it.
    rules: Policy,
    /// What can be seen at first, what brings the target back, and what takes module 2 away.
    begin: Vec<(View, Option<Rung>, Option<Rung>)>,
    /// What fires from the beginning.
    ringing: Vec<Alert>,
    /// How often anything may go wrong, and people may act.
    left: Left,
    /// What may go wrong.
    troubles: Vec<Trouble>,
    /// The last tick.
    horizon: Tick,
    /// What can be reached in it, by the names of the properties.
    possible: Vec<&'static str>,
    /// The rule that is broken, to see that a property notices.
    broken: Option<Broken>,
}

/// Rules that a test breaks.
#[cfg_attr(not(test), expect(dead_code, reason = "only the tests break anything"))]
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// The newest delivery of an alert replaces what was known of it.
    LastFactCounts,
    /// The host runs what it is told.
    HostDoesNotJudge,
    /// The host listens to every start of the remediator.
    FenceAdmitsAll,
    /// The host runs an attempt that it knows.
    KnownStartsAgain,
    /// A new start of the remediator orders once more what is open.
    StartOrdersAgain,
    /// The decision is not made again with the budget held.
    NotDecidedAgain,
    /// Neither the remediator nor the host minds other attempts.
    OthersInFlightAreIgnored,
    /// An intent is not stored.
    IntentIsLost,
    /// A refused attempt and one of unknown outcome count as failed.
    EverythingFailed,
    /// The order is about another module.
    OtherTarget,
    /// A pause does not reach the decision.
    PauseIsIgnored,
    /// Holds do not reach the decision.
    HoldIsIgnored,
    /// An answer is not used up.
    AnswerStays,
    /// Nobody is paged.
    NobodyIsPaged,
    /// Nobody resumes a section, and nobody is paged.
    SectionIsForgotten,
    /// Nothing is ever reserved.
    NothingIsReserved,
    /// The policy that decides is another one than the properties are about.
    Policy(fn(&mut Policy)),
}

/// Everything that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The remediator takes its turn.
    Turn,
    /// It decides again and orders the attempt.
    Order,
    /// The order arrives and is answered.
    Arrive,
    /// A late order arrives.
    ArriveLate,
    /// The remediator is started again.
    Start,
    /// A tick passes.
    Tick,
    /// Something goes wrong.
    Trouble(Trouble),
    /// A person acts.
    Act(Act),
}

impl Estate {
    fn breaks(&self, rule: Broken) -> bool {
        self.broken
            .is_some_and(|broken| std::mem::discriminant(&broken) == std::mem::discriminant(&rule))
    }

    /// Whether the incident is about the host itself.
    fn about_host(&self) -> bool {
        self.ringing.first() == Some(&Alert::HardserverDown)
    }

    fn target(&self) -> Target {
        let host = self.entry.name.clone();
        match self.about_host() {
            true => Target::host(host),
            false => Target::module(host, scene::number(1)),
        }
    }

    fn beginning(&self, (view, cure, harm): &(View, Option<Rung>, Option<Rung>)) -> State {
        let mut state = State {
            now: 0,
            host: Arc::new(HostState::new(self.entry.name.clone())),
            pause: None,
            epoch: Epoch(1),
            looks: Vec::new(),
            pc: Pc::Idle,
            late: None,
            world: World {
                view: view.clone(),
                cure: *cure,
                harm: *harm,
                fence: None,
                jobs: Vec::new(),
            },
            left: self.left,
            ringing: self.ringing.iter().map(|alert| (*alert, 0)).collect(),
            delivered: BTreeMap::new(),
            approved: None,
            calm: 0,
            notes: BTreeSet::new(),
            wrong: BTreeSet::new(),
        };
        alerts::ring(self, &mut state);
        state
    }
}

impl Model for Estate {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.begin
            .iter()
            .map(|begin| self.beginning(begin))
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(match state.pc {
            Pc::Idle => Some(Action::Turn),
            Pc::Reserved(_) => Some(Action::Order),
            Pc::Ordered(_) => Some(Action::Arrive),
            Pc::Down(_) => Some(Action::Start),
            Pc::Turned => None,
        });
        let waits = match state.pc {
            Pc::Turned => true,
            Pc::Down(since) => state.now - since < DOWN_MAX,
            Pc::Idle | Pc::Reserved(_) | Pc::Ordered(_) => false,
        };
        if waits && state.now < self.horizon {
            actions.push(Action::Tick);
        }
        if state.late.is_some() {
            actions.push(Action::ArriveLate);
        }
        if state.left.troubles > 0 {
            actions.extend(
                self.troubles
                    .iter()
                    .map(|trouble| Action::Trouble(*trouble)),
            );
        }
        if state.left.acts > 0 {
            actions.extend(people::acts(self, state).into_iter().map(Action::Act));
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
        Action::Turn => engine::turn(estate, state, None)?,
        Action::Order => {
            let Pc::Reserved(reserved) = state.pc.clone() else {
                return None;
            };
            engine::order(estate, state, &reserved);
        }
        Action::Arrive => {
            let Pc::Ordered(order) = std::mem::replace(&mut state.pc, Pc::Turned) else {
                return None;
            };
            runner::arrive(estate, state, &order, Arrival::Judged, true);
        }
        Action::ArriveLate => {
            let order = state.late.take()?;
            runner::arrive(estate, state, &order, Arrival::Judged, false);
        }
        Action::Start => {
            engine::start(estate, state);
            alerts::ring(estate, state);
            state.calm = 0;
        }
        Action::Tick => {
            tick(estate, state);
            if state.pc == Pc::Turned {
                state.pc = Pc::Idle;
                alerts::ring(estate, state);
                state.calm = (state.calm + 1).min(CALM_MAX);
            }
        }
        Action::Trouble(trouble) => {
            state.left.troubles = state.left.troubles.checked_sub(1)?;
            state.calm = 0;
            troubles::apply(estate, state, trouble)?;
        }
        Action::Act(act) => {
            state.left.acts = state.left.acts.checked_sub(1)?;
            state.calm = 0;
            people::apply(estate, state, act)?;
        }
    }
    Some(())
}

/// A tick passes, and the host does what it does meanwhile.
fn tick(estate: &Estate, state: &mut State) {
    state.now += 1;
    runner::advance(estate, state);
}

/// Checks the estates of a size.
#[must_use]
pub fn check(size: Size, threads: usize) -> Vec<Outcome> {
    let check = |(name, estate)| check::check(size, name, estate, threads);
    estates::of(size).into_iter().map(check).collect()
}
