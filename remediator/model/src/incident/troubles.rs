//! What may go wrong, each once for every trouble that is left.

use super::Estate;
use super::alerts::{self, Alert, Delivery};
use super::engine::{self, Mishap};
use super::runner::{self, Arrival};
use super::state::{Order, Pc, State};
use crate::scene::{Hardserver, Module, Ping};
use crate::ticks::Tick;

/// How long slow steps take: longer than `report_timeout`.
const SLOW: Tick = 5;

/// A trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trouble {
    /// The remediator dies where it stands.
    Crash,
    /// It hangs for a tick with an intent stored or an order to give.
    Stalls,
    /// Something goes wrong in its turn.
    Turn(Mishap),
    /// An order or its answer.
    Order(OnTheWay),
    /// The steps of an attempt.
    Steps(Steps),
    /// The host.
    World(World),
    /// Nothing that fires is delivered any more.
    Silence,
    /// Alertmanager delivers something out of turn.
    Alert(Alert, Delivery),
}

/// What becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OnTheWay {
    /// It never arrives.
    Lost,
    /// It comes late, or never.
    Late,
    /// It arrives, and once more later.
    Twice,
    /// It arrives, its answer does not.
    AnswerLost,
    /// The host refuses it for reasons of its own.
    Refused,
    /// The host accepts it, and dies before its first step.
    NeverStarts,
}

/// What becomes of the steps that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Steps {
    /// They are killed before the last one.
    CutShort,
    /// They are killed behind the last one, before that is recorded.
    CutShortBehind,
    /// They take longer than anybody waits, and then end.
    Slow,
    /// They never end.
    Endless,
    /// They ended, and the host loses its record of them.
    RecordLost,
}

/// What changes on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum World {
    /// The target comes back by itself.
    Heals,
    /// It fails again.
    Fails,
    /// It reboots.
    Reboots,
    /// Somebody puts it in maintenance mode.
    InService,
    /// Module 2 fails.
    OtherFails,
    /// Module 2 works again.
    OtherHeals,
    /// The target does not answer the network any more, or it cannot be tried; or it answers again.
    Network(Ping),
    /// Modules 1 and 2 change numbers.
    Renumbered,
    /// The hardserver.
    Server(Hardserver),
    /// Somebody writes the host's hold file.
    HoldFile,
}

/// Applies a trouble; `None` if it changes nothing here and now.
pub(super) fn apply(estate: &Estate, state: &mut State, trouble: Trouble) -> Option<()> {
    match (trouble, &state.pc) {
        (Trouble::Crash, Pc::Idle | Pc::Reserved(_) | Pc::Ordered(_) | Pc::Turned) => {
            engine::crash(state);
            Some(())
        }
        (Trouble::Stalls, Pc::Reserved(_) | Pc::Ordered(_)) => {
            super::tick(estate, state);
            Some(())
        }
        (Trouble::Turn(mishap), Pc::Idle) => engine::turn(estate, state, Some(mishap)),
        (Trouble::Order(trouble), Pc::Ordered(order)) => {
            let order = order.clone();
            on_the_way(estate, state, order, trouble);
            Some(())
        }
        (Trouble::Steps(trouble), _) => steps(estate, state, trouble),
        // Behind its turn the remediator sees the same as before the next one.
        (Trouble::World(trouble), Pc::Down(_) | Pc::Idle | Pc::Reserved(_) | Pc::Ordered(_)) => {
            world(state, trouble)
        }
        (Trouble::Silence, _) => (!state.ringing.is_empty()).then(|| state.ringing.clear()),
        (Trouble::Alert(alert, delivery), Pc::Idle | Pc::Down(_)) => {
            alerts::out_of_turn(estate, state, alert, delivery)
        }
        _ => None,
    }
}

fn on_the_way(estate: &Estate, state: &mut State, order: Order, trouble: OnTheWay) {
    state.pc = Pc::Turned;
    let mut arrive = |arrival, answered| {
        runner::arrive(estate, state, &order, arrival, answered);
    };
    match trouble {
        OnTheWay::Lost => {}
        OnTheWay::AnswerLost => arrive(Arrival::Judged, false),
        OnTheWay::Refused => arrive(Arrival::Refused, true),
        OnTheWay::NeverStarts => arrive(Arrival::Dies, true),
        OnTheWay::Twice => {
            arrive(Arrival::Judged, true);
            state.late = Some(order);
        }
        OnTheWay::Late => state.late = Some(order),
    }
}

fn steps(estate: &Estate, state: &mut State, trouble: Steps) -> Option<()> {
    match trouble {
        Steps::CutShort => runner::cut_short(estate, state, false),
        Steps::CutShortBehind => runner::cut_short(estate, state, true),
        Steps::Slow => runner::hang(state, state.now + SLOW),
        Steps::Endless => runner::hang(state, Tick::MAX),
        Steps::RecordLost => runner::lose(state),
    }
}

fn world(state: &mut State, trouble: World) -> Option<()> {
    let before = state.world.view.clone();
    let view = &mut state.world.view;
    let target = view.modules.first().copied();
    match trouble {
        World::Heals => set(view.modules.first_mut()?, Module::Operational),
        World::Fails => set(view.modules.first_mut()?, Module::Failed),
        World::Reboots if target == Some(Module::Failed) => {
            set(view.modules.first_mut()?, Module::Offline);
        }
        World::Reboots => {}
        World::InService => set(view.modules.first_mut()?, Module::Maintenance),
        World::OtherFails => set(view.modules.get_mut(1)?, Module::Failed),
        World::OtherHeals => set(view.modules.get_mut(1)?, Module::Operational),
        World::Network(ping) => view.ping = ping,
        World::Renumbered => view.renumbered = true,
        World::Server(hardserver) => view.hardserver = hardserver,
        World::HoldFile => view.hold_file = true,
    }
    (state.world.view != before).then_some(())
}

fn set(module: &mut Module, to: Module) {
    *module = to;
}
