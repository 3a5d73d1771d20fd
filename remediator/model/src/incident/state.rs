//! One host with its remediator as the model sees it: what is stored, what the remediator holds in
//! memory, what runs on the host, and what is known to have happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::control::Pause;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, RequestId};
use vcm_recovery::incident::{Actor, Ending, Latch};
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_remediator::host::fence::Fence;

use super::alerts::Key;
use crate::scene::{HashedProposal, Module, View};
use crate::ticks::Tick;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The tick.
    pub now: Tick,
    /// What is stored about the host. It outlives a crash.
    pub host: Arc<HostState>,
    /// The pause that is stored, if any.
    pub pause: Option<Pause>,
    /// The start of the remediator that lives, or lived last.
    pub epoch: Epoch,
    /// The looks that are still of interest, oldest first. They do not outlive a crash.
    pub looks: Vec<(Tick, Option<View>)>,
    /// What the remediator does next.
    pub pc: Pc,
    /// An order that is under way and may arrive at any time, or never.
    pub late: Option<Order>,
    /// The host, as it really is.
    pub world: World,
    /// What may still go wrong, and what people may still do.
    pub left: Left,
    /// The alerts that fire and are delivered at every tick, and since when they fire.
    pub ringing: BTreeMap<super::alerts::Alert, Tick>,
    /// Every fact that was delivered, with its newest delivery: not the remediator's knowledge, ours.
    pub delivered: BTreeMap<Key, Fact>,
    /// What a person has approved and no attempt was reserved for yet. Ours.
    pub approved: Option<Approved>,
    /// For how many ticks the remediator has run, nothing has gone wrong, nobody has done anything, and
    /// no attempt has come any further; counted up to [`super::CALM_MAX`].
    pub calm: u8,
    /// What happened in the last step, for the properties that ask whether it can happen at all.
    pub notes: BTreeSet<Note>,
    /// What must never happen and did.
    pub wrong: BTreeSet<Wrong>,
}

/// What the remediator does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pc {
    /// It does not run, since this tick.
    Down(Tick),
    /// Its turn of this tick is due.
    Idle,
    /// Budgets and intent are stored; it is about to decide again.
    Reserved(Reserved),
    /// The order is on its way to the host.
    Ordered(Order),
    /// Its turn of this tick is over.
    Turned,
}

/// A reservation that was not decided on again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reserved {
    /// The attempt.
    pub attempt: AttemptId,
    /// What was proposed. Only what the second decision proposes is compared with it.
    pub proposal: HashedProposal,
    /// The state without the intent, on which it decides again: the attempt must not stand in its own
    /// way.
    pub before: Arc<HostState>,
    /// Facts of the moment of the reservation.
    pub facts: AtReserve,
}

/// What was so when an attempt was reserved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AtReserve {
    /// The tick of the newest look.
    pub looked: Option<Tick>,
    /// What that look showed.
    pub view: Option<View>,
    /// A pause was stored, or a hold of the target or the host. Asked again when the order is given.
    pub stopped: bool,
    /// The highest tier that the delivered alerts permit, by their plain meaning.
    pub permitted: Option<vcm_recovery::tier::Tier>,
    /// Every lower rung had failed, or was left out with a reason on record.
    pub in_order: bool,
    /// What a person had approved.
    pub approved: Option<Approved>,
}

/// An order to the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    /// The attempt.
    pub attempt: AttemptId,
    /// The start of the remediator that gives it.
    pub epoch: Epoch,
    /// What it is about.
    pub target: Target,
    /// What is to be run.
    pub rung: Rung,
    /// The serial number that the inventory has.
    pub esn: Option<nshield::Esn>,
    /// The look it was decided on.
    pub observation: ObservationId,
    /// The request whose answer lets it start.
    pub approval: Option<RequestId>,
    /// The guards that the person was asked about.
    pub asked: BTreeSet<Guard>,
    /// Facts of the moment of its reservation.
    pub facts: AtReserve,
}

/// What a person approved, and what that was about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Approved {
    /// The request.
    pub request: RequestId,
    /// The rung.
    pub rung: Rung,
    /// From this tick on it is void.
    pub until: Tick,
    /// The modules beside the target that worked when it was asked for.
    pub others: Vec<Module>,
}

/// The host as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    /// What can be seen of it.
    pub view: View,
    /// The rung that brings the target back; none does if it is absent.
    pub cure: Option<Rung>,
    /// The rung that takes module 2 away.
    pub harm: Option<Rung>,
    /// The host runner's fence.
    pub fence: Option<Fence>,
    /// What the host runner knows of each attempt, by number; absent if it never heard of it.
    pub jobs: Vec<Option<Job>>,
}

/// An attempt on the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job {
    /// What is run.
    pub rung: Rung,
    /// The module.
    pub module: Option<u16>,
    /// How often its first step was started.
    pub starts: u8,
    /// When.
    pub began: Tick,
    /// How far it is.
    pub at: JobAt,
}

/// How far an attempt on the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum JobAt {
    /// It was refused.
    Refused,
    /// A tombstone: it never starts.
    Tombstoned,
    /// Its steps run until this tick.
    Runs(Tick),
    /// A clear was cut short between `-M` and the record of its `-c`, at this tick.
    Section(Tick),
    /// A resumed clear runs until this tick.
    Resumed(Tick),
    /// Its steps are over.
    Ended,
    /// It was cut short before its first step, or after it began.
    CutShort {
        /// A step was begun.
        begun: bool,
    },
    /// The host has lost its record.
    Lost,
}

/// How much may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    /// Troubles of any kind.
    pub troubles: u8,
    /// Acts of people.
    pub acts: u8,
}

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Note {
    /// An incident was closed: how, by whom, and by which rung.
    Closed(Ending, Actor, Option<Rung>),
    /// An incident was latched.
    Latched(Latch),
    /// An attempt came to this outcome; the second says whether it was unknown before.
    Settled(Outcome, bool),
    /// A person said what an attempt came to.
    Resolved,
    /// An approval let an attempt be reserved.
    ApprovalUsed,
    /// An approval was void because something had changed.
    ApprovalVoided,
    /// A request or approval was void because its time was over.
    ApprovalExpired,
    /// A person decided against a rung.
    Denied,
    /// Observe mode recorded what it would have run.
    Shadow,
    /// A clear was completed after it was cut short.
    ClearResumed,
    /// A pause or hold stopped an attempt between its reservation and its order.
    StoppedReady,
    /// The second decision did not stand for another reason.
    Cancelled,
    /// The host refused an order.
    Refused,
    /// The host refused an order of an older start of the remediator.
    Fenced,
    /// The host refused an order that it knows already.
    KnownAttempt,
    /// A closed incident of the target had been followed by another one.
    OpenedAgain,
    /// The fleet's share of an attempt of unknown outcome was released.
    ShareReleased,
    /// A latched incident began anew.
    Reopened,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wrong {
    /// A rung above what the delivered alerts permit started.
    AboveCeiling,
    /// A rung started on evidence older than 30 s.
    OldEvidence,
    /// A rung started on a target that did not look failed.
    NotFailed,
    /// The first step of an attempt started a second time.
    StartedTwice,
    /// An attempt started that was given up before.
    StartedThoughOver,
    /// More starts than a cap allows.
    AboveCap,
    /// A rung started while the outcome of another attempt on the host was not known.
    WhileUnknown,
    /// An order of an older start of the remediator than the host has heard of was admitted.
    BehindFence,
    /// Two attempts at a time on the host.
    TwoOnHost,
    /// A rung started although a lower one had neither failed nor was left out.
    OutOfOrder,
    /// An attempt was said to have failed that was not seen failed twice since its steps ended.
    FailedUnseen,
    /// A rung started on another module than that of the inventory.
    OtherModule,
    /// A rung started while its target did not answer the network.
    NetworkNotGood,
    /// A rung started without its intent on record.
    NoIntent,
    /// A rung started that was ordered when everything was paused, or the target held.
    ThoughStopped,
    /// A rung started without the approval that it needs, or with one for something else.
    NotApproved,
    /// A rung disrupted a healthy module, and neither a person nor the policy had allowed that.
    Harm,
}

impl State {
    /// Remembers what must never happen.
    pub(super) fn wrong(&mut self, wrong: Wrong) {
        self.wrong.insert(wrong);
    }

    /// The host runner's record of an attempt.
    pub(super) fn job(&self, attempt: AttemptId) -> Option<&Job> {
        self.world.jobs.get(index(attempt))?.as_ref()
    }

    /// The place for the host runner's record of an attempt.
    pub(super) fn job_mut(&mut self, attempt: AttemptId) -> &mut Option<Job> {
        &mut self.world.jobs[index(attempt)]
    }
}

/// The attempts are numbered from 1.
pub(super) fn index(attempt: AttemptId) -> usize {
    let digits = attempt.to_string();
    let last = digits.rsplit('-').next().unwrap_or_default();
    usize::from_str_radix(last, 16)
        .unwrap_or(0)
        .saturating_sub(1)
}

impl Job {
    /// Whether something of it lives, or its section is open.
    pub(super) fn open(&self) -> bool {
        matches!(
            self.at,
            JobAt::Runs(_) | JobAt::Section(_) | JobAt::Resumed(_)
        )
    }
}
