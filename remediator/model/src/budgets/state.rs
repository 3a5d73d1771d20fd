//! Two hosts with their actors as the model sees them.

use std::collections::BTreeSet;
use std::sync::Arc;

use vcm_recovery::guard::Guard;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;

use crate::scene::{HashedProposal, View};
use crate::ticks::Tick;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The tick.
    pub now: Tick,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// Troubles and acts of people that may still happen.
    pub left: u8,
    /// For how many ticks nothing has gone wrong, nobody has done anything, and no attempt has come
    /// any further; counted up to [`super::CALM_MAX`].
    pub calm: u8,
    /// What happened in the last step.
    pub notes: BTreeSet<Note>,
    /// What must never happen and did.
    pub wrong: BTreeSet<Wrong>,
}

/// A host and its actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    /// What is stored about it.
    pub state: Arc<HostState>,
    /// What its actor does next.
    pub pc: Pc,
    /// The looks that are still of interest.
    pub looks: Vec<(Tick, View)>,
    /// What can be seen of it.
    pub view: View,
    /// The attempts on it, by number.
    pub jobs: Vec<Job>,
    /// Its newest reservation was refused.
    pub refused: bool,
}

/// What an actor does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pc {
    /// Its turn of this tick is due.
    Idle,
    /// It has decided, and is about to reserve. What it has seen of the other host may be old by then.
    Proposed(HashedProposal),
    /// Its turn of this tick is over.
    Turned,
}

/// An attempt on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job {
    /// What is run.
    pub rung: Rung,
    /// On which module; a restart is about all.
    pub module: u16,
    /// It brings its target back.
    pub cures: bool,
    /// It takes the other module away.
    pub harms: bool,
    /// Its steps run until then.
    pub until: Option<Tick>,
}

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Note {
    /// The reservation was refused by this budget, though the decision had seen room.
    Refused(Guard),
    /// An attempt was reserved on a host whose last reservation was refused.
    GrantedAfterAll,
    /// An attempt was made worse.
    MadeWorse,
    /// A budget was refused that an attempt of unknown outcome holds.
    HeldByUnknown,
    /// A restart or clear began while another one, of unknown outcome, has lost its share.
    BesideReleased,
    /// A person's word ended an unknown outcome.
    Resolved,
    /// A report ended an unknown outcome.
    LateReport,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wrong {
    /// A restart or clear started while something was made worse and nobody had dealt with it.
    DespiteHarm,
    /// A restart or clear started while its HSM was failing on both hosts.
    InStorm,
    /// A restart or clear started when its HSM had just begun to fail.
    InBootWindow,
    /// A retry started in a storm before the boot window was over.
    RetryInBootWindow,
}
