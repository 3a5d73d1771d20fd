//! What people do: answer, pause, hold, resolve, reopen, close. The program's own functions check the
//! orders.

use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::command::{FleetOrder, Giver, HostOrder, of_fleet, of_host};
use vcm_recovery::event::Change;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::inventory::Target;
use vcm_recovery::tier::Rung;

use super::Estate;
use super::engine;
use super::state::{Pc, State};
use crate::ticks::{at, ticks};

/// An act of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    /// Approves a rung.
    Approve(Rung),
    /// Decides against what is asked.
    Deny,
    /// Everything pauses.
    Pause,
    /// The pause ends.
    Resume,
    /// The target is held, for two ticks or for good.
    Hold {
        /// For two ticks.
        short: bool,
    },
    /// The hold ends.
    Release,
    /// Says what the attempt of unknown outcome came to.
    Resolve(Outcome),
    /// Has a latched incident begin anew.
    Reopen,
    /// Closes the incident.
    Close,
}

/// Everything that people may want.
const ALL: [Act; 14] = [
    Act::Approve(Rung::Retry),
    Act::Approve(Rung::Restart),
    Act::Approve(Rung::Clear),
    Act::Deny,
    Act::Pause,
    Act::Resume,
    Act::Hold { short: true },
    Act::Hold { short: false },
    Act::Release,
    Act::Resolve(Outcome::Succeeded),
    Act::Resolve(Outcome::Failed),
    Act::Resolve(Outcome::Cancelled),
    Act::Reopen,
    Act::Close,
];

impl Act {
    /// Whether it is about everything, and not for the actor of the host.
    const fn of_fleet(self) -> bool {
        matches!(self, Self::Pause | Self::Resume)
    }
}

/// What people can do now. The actor of the host takes its orders before its turn; that of the fleet
/// at any time.
pub(super) fn acts(estate: &Estate, state: &State) -> Vec<Act> {
    let now = |act: &Act| match state.pc {
        Pc::Idle => true,
        Pc::Reserved(_) | Pc::Ordered(_) => act.of_fleet(),
        Pc::Down(_) | Pc::Turned => false,
    };
    let possible = |act: &Act| apply(estate, &mut state.clone(), *act).is_some();
    ALL.into_iter().filter(now).filter(possible).collect()
}

/// Has an act recorded; `None` if it is refused.
pub(super) fn apply(estate: &Estate, state: &mut State, act: Act) -> Option<()> {
    let giver = Giver {
        by: "ann".parse().ok()?,
        reason: "so".to_owned(),
    };
    let fleet = |state: &State, order: FleetOrder| {
        let fleet = FleetState {
            pause: state.pause.clone(),
            ..FleetState::default()
        };
        of_fleet(&order, &giver, &fleet, at(state.now)).ok()
    };
    match act {
        Act::Pause if state.pause.is_none() => {
            let entries = fleet(state, FleetOrder::Pause { until: None })?;
            state.pause = entries.iter().find_map(|entry| {
                if let Change::Paused(pause) = &entry.change {
                    Some(pause.clone())
                } else {
                    None
                }
            });
        }
        Act::Pause => return None,
        Act::Resume => {
            fleet(state, FleetOrder::Resume)?;
            state.pause = None;
        }
        Act::Approve(_)
        | Act::Deny
        | Act::Hold { .. }
        | Act::Release
        | Act::Resolve(_)
        | Act::Reopen
        | Act::Close => {
            let order = host_order(estate, state, act)?;
            let evidence = engine::evidence(estate, &state.looks);
            let knows = |target: &Target| target.host == estate.entry.name;
            let now = at(state.now);
            let entries = of_host(&order, &giver, &state.host, &evidence, knows, now).ok()?;
            engine::record(estate, state, entries);
        }
    }
    Some(())
}

fn host_order(estate: &Estate, state: &State, act: Act) -> Option<HostOrder> {
    let target = estate.target();
    let request = || {
        let mut incidents = state.host.incidents.values();
        incidents.find_map(|incident| incident.request.as_ref().map(|request| request.id))
    };
    Some(match act {
        Act::Approve(rung) => HostOrder::Answer {
            request: request()?,
            choice: Choice::Approve(rung),
        },
        Act::Deny => HostOrder::Answer {
            request: request()?,
            choice: Choice::Deny,
        },
        Act::Hold { .. } if !state.host.holds.is_empty() => return None,
        Act::Hold { short } => HostOrder::Hold {
            target,
            until: short.then(|| at(state.now).after(ticks(2))),
        },
        Act::Release => HostOrder::Release { target },
        Act::Resolve(outcome) => HostOrder::ResolveAttempt {
            attempt: state.host.unsettled().next()?.intent.attempt,
            outcome,
        },
        Act::Reopen => HostOrder::Reopen { target },
        Act::Close => HostOrder::Close { target },
        Act::Pause | Act::Resume => return None,
    })
}
