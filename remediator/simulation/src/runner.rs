//! The host runner of one host: its fence, lock and journal, and how it fares. The steps themselves
//! are in `steps`.
//!
//! It is the executor of the simulation: the guards that it asks are the real ones, everything else
//! is told here a second time, from design section 8.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nshield::{Esn, ModuleNumber};
use vcm_recovery::guard::{Guard, HostView, decision_stale};
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId};
use vcm_recovery::observation::{HardserverLook, Observation};
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use crate::dice::Dice;
use crate::knobs::Runner as Knob;
use crate::look;
use crate::world::World;

mod steps;

/// After this time the remediator gives up waiting for the answer to an order.
pub(crate) const ORDER_DEADLINE: Duration = Duration::from_secs(90);

/// A host that cannot be reached is noticed after this time.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// From the answer to the first step.
const BEGINS: Duration = Duration::from_millis(50);

/// An attempt as it is ordered.
#[derive(Clone, Debug)]
pub struct Order {
    /// The attempt.
    pub attempt: AttemptId,
    /// The start of the remediator that orders it.
    pub epoch: Epoch,
    /// What to run.
    pub rung: Rung,
    /// The module, unless it is about the host.
    pub module: Option<ModuleNumber>,
    /// Its serial number by the inventory.
    pub esn: Option<Esn>,
    /// The look it was decided on, as the host kept it.
    pub decided: Observation,
    /// How old that may be.
    pub max_age: Duration,
    /// The guards that a person was asked about and answered.
    pub answered: BTreeSet<Guard>,
}

/// The answer to an order. Without one nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is journalled and goes on alone.
    Accepted,
    /// Nothing was done.
    Refused(String),
}

/// What the journal tells of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was never heard of.
    NotFound,
    /// Nothing was done.
    Refused(String),
    /// It never started and never will.
    Tombstoned,
    /// A process of it lives.
    Running,
    /// Its steps are over.
    Ended(String),
    /// Nothing of it lives and it is not over.
    Interrupted {
        /// A critical section is to be finished.
        section_open: bool,
        /// Steps that may have begun.
        steps_started: u32,
    },
}

/// The next thing that a process of the runner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has looked for itself and judges the order.
    Judge,
    /// It begins with the steps.
    Begin,
    /// The one command of a retry is over.
    RetryOver,
    /// The second half of a restart.
    StartHalf,
    /// `-M` takes effect late.
    EnterLate,
    /// It proves that the hardserver is up, after so many additional starts.
    Prove(u32),
    /// It starts the hardserver once more.
    StartMore(u32),
    /// It looks at the module of an open section; with or without having waited.
    SectionLook(bool),
}

/// What a turn of the runner brings about.
#[derive(Clone, Debug)]
pub enum Output {
    /// The remediator is answered at this time; `None` when it never is and gives up.
    Answer(Time, Option<Answer>),
    /// The next phase of this attempt.
    Next(Time, Phase),
    /// A vendor's command was started.
    Effect(Step, Option<ModuleNumber>),
    /// The host accepted on this look.
    AcceptedOn(Box<Observation>),
}

/// How an order fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    AnswerLost,
    NeverStarts,
    DiesBefore(u32),
    Forgets,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Working,
    Dead,
    Refused(String),
    Tombstoned,
    Ended(String),
}

/// What the runner has written down of an attempt.
#[derive(Clone, Debug)]
struct Journal {
    rung: Rung,
    module: Option<ModuleNumber>,
    esn: Option<Esn>,
    stage: Stage,
    steps_started: u32,
    /// A section is open: from `-M` to the end, or from stop to start.
    section_open: bool,
    /// When the last command of the section was issued.
    last_command: Time,
    clears: u32,
    fate: Fate,
    /// Whether the hardserver ran when it began.
    restarts: bool,
    /// What its process does next; anything else is of a process that has died.
    next: Option<(Time, Phase)>,
}

/// The runner of one host.
#[derive(Debug)]
pub struct Runner {
    host: usize,
    knob: Knob,
    dice: Dice,
    journals: BTreeMap<AttemptId, Journal>,
    /// The looks that the remediator may decide on.
    looks: BTreeSet<ObservationId>,
    highest_epoch: Epoch,
    lock: Option<AttemptId>,
    judging: Option<(Order, Time, Fate)>,
    pub(crate) unreachable_until: Option<Time>,
}

/// What the runner works on.
pub struct Bench<'a> {
    /// The estate.
    pub world: &'a mut World,
    /// Now.
    pub now: Time,
    /// Whether its tools may not be used now.
    pub denied: bool,
    /// The wait between `-M` and `-c`.
    pub clear_wait: Duration,
}

impl Runner {
    /// The runner of a host, with an empty journal.
    #[must_use]
    pub const fn new(host: usize, knob: Knob, dice: Dice) -> Self {
        Self {
            host,
            knob,
            dice,
            journals: BTreeMap::new(),
            looks: BTreeSet::new(),
            highest_epoch: Epoch(0),
            lock: None,
            judging: None,
            unreachable_until: None,
        }
    }

    /// Whether it can be called at all.
    #[must_use]
    pub fn reachable(&self, world: &World, now: Time) -> bool {
        world.hosts[self.host].up && self.unreachable_until.is_none_or(|until| now >= until)
    }

    /// Keeps the look that the remediator has asked for.
    pub(crate) fn keep(&mut self, look: ObservationId) {
        self.looks.insert(look);
    }

    /// Its state directory is lost: it is as on the first day.
    fn forget(&mut self) {
        self.journals.clear();
        self.looks.clear();
        self.highest_epoch = Epoch(0);
    }

    /// Takes an order in.
    pub(crate) fn run(&mut self, order: Order, bench: &Bench<'_>) -> Vec<Output> {
        let now = bench.now;
        let never = |after| vec![Output::Answer(now.after(after), None)];
        if !self.reachable(bench.world, now) {
            return never(CONNECT_DEADLINE);
        }
        let fate = self.fate(&order);
        if fate == Fate::NeverStarts {
            return never(ORDER_DEADLINE);
        }
        if self.lock.is_some() {
            let refused = Answer::Refused("another process is at work on this host".to_owned());
            return vec![Output::Answer(now.after(BEGINS), Some(refused))];
        }
        self.lock = Some(order.attempt);
        let takes = look::duration(bench.world, self.host, &mut self.dice);
        self.judging = Some((order, now, fate));
        vec![Output::Next(now.after(takes), Phase::Judge)]
    }

    fn fate(&mut self, order: &Order) -> Fate {
        let strikes = self.dice.per_cent(40);
        match self.knob {
            _ if !strikes => Fate::Well,
            Knob::Answers | Knob::Unreachable => Fate::Well,
            Knob::AnswerLost => Fate::AnswerLost,
            Knob::NeverStarts => Fate::NeverStarts,
            Knob::Forgets => Fate::Forgets,
            Knob::Dies if order.rung == Rung::Retry => Fate::DiesBefore(0),
            Knob::Dies => Fate::DiesBefore(u32::from(self.dice.per_cent(70))),
        }
    }

    /// Lets a process go on.
    pub(crate) fn turn(
        &mut self,
        attempt: AttemptId,
        phase: Phase,
        bench: &mut Bench<'_>,
    ) -> Vec<Output> {
        if phase == Phase::Judge {
            return self.judge(attempt, bench);
        }
        let due = Some((bench.now, phase));
        let works = |journal: &Journal| journal.stage == Stage::Working && journal.next == due;
        if !self.journals.get(&attempt).is_some_and(works) {
            return Vec::new();
        }
        self.step(attempt, phase, bench)
    }

    /// Everything between an order and its first step.
    fn judge(&mut self, attempt: AttemptId, bench: &Bench<'_>) -> Vec<Output> {
        let now = bench.now;
        let Some((order, began, fate)) =
            self.judging.take_if(|(order, ..)| order.attempt == attempt)
        else {
            return Vec::new();
        };
        let seen = look::observe(
            bench.world,
            self.host,
            &mut self.dice,
            (began, now),
            bench.denied,
        );
        let refuse = |runner: &mut Self, kept: bool, reason: String| {
            runner.lock = None;
            if kept {
                let mut journal = Journal::of(&order, fate, now);
                journal.stage = Stage::Refused(reason.clone());
                runner.journals.insert(order.attempt, journal);
            }
            vec![Output::Answer(now, Some(Answer::Refused(reason)))]
        };
        if order.epoch < self.highest_epoch {
            return refuse(
                self,
                false,
                "a newer start of the remediator has been heard of".to_owned(),
            );
        }
        self.highest_epoch = order.epoch;
        if self.journals.contains_key(&attempt) {
            return refuse(self, false, "this attempt is known here".to_owned());
        }
        if self.journals.values().any(|journal| journal.section_open) {
            return refuse(self, false, "a critical section is not finished".to_owned());
        }
        let fresh = match seen {
            Ok(fresh) => fresh,
            Err(why) => return refuse(self, true, why),
        };
        if let Some(reason) = hindrance(&order, &fresh) {
            return refuse(self, true, reason);
        }
        let mut journal = Journal::of(&order, fate, now);
        if fate == Fate::DiesBefore(0) {
            journal.stage = Stage::Dead;
            self.lock = None;
        }
        let begins = now.after(BEGINS);
        journal.next = Some((begins, Phase::Begin));
        self.journals.insert(attempt, journal);
        let answer = match fate {
            Fate::AnswerLost => Output::Answer(now.after(ORDER_DEADLINE), None),
            Fate::Well | Fate::NeverStarts | Fate::DiesBefore(_) | Fate::Forgets => {
                Output::Answer(now, Some(Answer::Accepted))
            }
        };
        vec![
            Output::AcceptedOn(Box::new(fresh)),
            answer,
            Output::Next(begins, Phase::Begin),
        ]
    }

    /// What became of an attempt.
    #[must_use]
    pub fn result(&self, attempt: AttemptId) -> Status {
        let Some(journal) = self.journals.get(&attempt) else {
            return Status::NotFound;
        };
        match &journal.stage {
            Stage::Working => Status::Running,
            Stage::Dead => Status::Interrupted {
                section_open: journal.section_open,
                steps_started: journal.steps_started,
            },
            Stage::Refused(reason) => Status::Refused(reason.clone()),
            Stage::Tombstoned => Status::Tombstoned,
            Stage::Ended(detail) => Status::Ended(detail.clone()),
        }
    }

    /// Makes sure that an attempt never starts, unless it has; or neither it nor the look it was
    /// decided on is known.
    pub(crate) fn tombstone(
        &mut self,
        attempt: AttemptId,
        decided_on: ObservationId,
        epoch: Epoch,
    ) -> Option<Status> {
        if epoch < self.highest_epoch {
            return None;
        }
        self.highest_epoch = epoch;
        if self.looks.contains(&decided_on) {
            self.journals
                .entry(attempt)
                .or_insert_with(Journal::tombstone);
        }
        Some(self.result(attempt))
    }

    /// Finishes an open section for the remediator, or the host itself.
    pub(crate) fn resume(
        &mut self,
        attempt: AttemptId,
        epoch: Option<Epoch>,
        bench: &Bench<'_>,
    ) -> (Answer, Vec<Output>) {
        let refuse = |reason: &str| (Answer::Refused(reason.to_owned()), Vec::new());
        if epoch.is_some_and(|epoch| epoch < self.highest_epoch) {
            return refuse("a newer start of the remediator has been heard of");
        }
        self.highest_epoch = self.highest_epoch.max(epoch.unwrap_or_default());
        if self.lock.is_some() {
            return refuse("another process is at work on this host");
        }
        let Some(journal) = self.journals.get_mut(&attempt) else {
            return refuse("this attempt is not known here");
        };
        if journal.stage != Stage::Dead || !journal.section_open {
            return refuse("it has no critical section to finish");
        }
        journal.stage = Stage::Working;
        self.lock = Some(attempt);
        let begins = bench.now.after(BEGINS);
        let (at, phase) = match journal.rung {
            Rung::Clear => {
                let waited = journal.last_command.after(bench.clear_wait);
                (waited.max(begins), Phase::SectionLook(true))
            }
            Rung::Retry | Rung::Restart => (begins, Phase::Prove(0)),
        };
        journal.next = Some((at, phase));
        (Answer::Accepted, vec![Output::Next(at, phase)])
    }

    /// The host goes down: every process dies.
    pub(crate) fn host_down(&mut self) {
        self.lock = None;
        self.judging = None;
        for journal in self.journals.values_mut() {
            if journal.stage == Stage::Working {
                journal.stage = Stage::Dead;
            }
        }
    }

    /// The attempts whose section is open and that nothing works on.
    #[must_use]
    pub fn left_open(&self) -> Vec<AttemptId> {
        let open = |journal: &Journal| journal.section_open && journal.stage == Stage::Dead;
        let left = self.journals.iter().filter(|(_, journal)| open(journal));
        left.map(|(attempt, _)| *attempt).collect()
    }
}

impl Journal {
    fn of(order: &Order, fate: Fate, now: Time) -> Self {
        Self {
            rung: order.rung,
            module: order.module,
            esn: order.esn.clone(),
            stage: Stage::Working,
            steps_started: 0,
            section_open: false,
            last_command: now,
            clears: 0,
            fate,
            restarts: true,
            next: None,
        }
    }

    const fn tombstone() -> Self {
        Self {
            rung: Rung::Retry,
            module: None,
            esn: None,
            stage: Stage::Tombstoned,
            steps_started: 0,
            section_open: false,
            last_command: Time::from_millis(0),
            clears: 0,
            fate: Fate::Well,
            restarts: false,
            next: None,
        }
    }
}

/// The first guard of the host that does not pass.
fn hindrance(order: &Order, fresh: &Observation) -> Option<String> {
    let max_age = u64::try_from(order.max_age.as_millis()).unwrap_or(u64::MAX);
    let stale = decision_stale::between(order.rung, order.module, &order.decided, fresh, max_age);
    if !stale.passes() {
        return Some(format!("{}: {}", Guard::DecisionStale, stale.reason()));
    }
    let view = HostView {
        rung: order.rung,
        module: order.module,
        expected_esn: order.esn.as_ref(),
        seen: fresh,
    };
    for guard in Guard::ON_HOST {
        match guard.on_host(&view) {
            Some(verdict) if verdict.passes() => {}
            Some(Verdict::Ask(_)) if order.answered.contains(&guard) => {}
            Some(verdict) => return Some(format!("{guard}: {}", verdict.reason())),
            None => return Some(format!("{guard}: it cannot be asked on the host")),
        }
    }
    let plain = match fresh.hardserver {
        HardserverLook::Up | HardserverLook::SuspectedDown => true,
        HardserverLook::Unresponsive => {
            order.rung == Rung::Restart && order.answered.contains(&Guard::HardserverUnresponsive)
        }
        HardserverLook::PermissionDenied | HardserverLook::Unknown => false,
    };
    (!plain).then(|| "the hardserver is neither up nor down".to_owned())
}
