//! The remediator while it runs: one actor per host, in the turn order of the real engine, with
//! virtual time in place of a runtime. What it forgets when it dies is exactly what is in here.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::command::HostOrder;
use vcm_recovery::decide::{Action, Decision};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::evidence::Evidence;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use crate::episode::{Episode, Happening};
use crate::recovery::{self, Around};
use crate::store::StoreError;

mod attempt;
mod fleet;
mod looking;
mod pace;

use fleet::FleetActor;
use pace::Pace;

/// How long to wait before the store is asked again after an error.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// How often the runner is asked about an attempt that runs, at first and at last.
const RUNNER_POLL: Duration = Duration::from_millis(500);
const RUNNER_POLL_MAX: Duration = Duration::from_secs(10);

/// A look this recent is not repeated for a new alert, nor before a rung starts.
const LOOK_IS_NEW: Duration = Duration::from_secs(5);

/// How often a critical section that could not be resumed is tried again.
const RESUME_RETRY: Duration = Duration::from_secs(5);

/// The program, from its start to its death.
#[derive(Debug)]
pub struct Running {
    /// The state of every host, as published on the board.
    pub states: Vec<HostState>,
    pub(crate) around: Around,
    fleet: FleetActor,
    actors: Vec<Actor>,
    looking: usize,
    waiting_to_look: VecDeque<usize>,
}

/// What one actor has in memory besides its host's state.
#[derive(Debug)]
struct Actor {
    evidence: Evidence,
    pace: Pace,
    facts: Vec<Fact>,
    events: Vec<Event>,
    orders: Vec<HostOrder>,
    look_wanted: bool,
    /// Attempts that the host runner has accepted although that could not be recorded.
    accepted: BTreeSet<AttemptId>,
    stage: Stage,
    /// Counts plans, so that a wake-up that was planned over is not heard.
    plan: u64,
    /// Something was delivered while it was busy.
    notified: bool,
}

/// What an actor is busy with.
#[derive(Debug)]
enum Stage {
    Waiting,
    /// What it does with the look when it is in.
    Looking(Then),
    Ordering {
        attempt: AttemptId,
        target: Target,
        decision: Box<Decision>,
    },
}

/// What follows a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It was too old to decide anything on: a decision, which may want another look.
    Decide,
    /// A decision that is carried out.
    Act,
}

/// Why a turn ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The store refused.
    Store,
    /// The program has died.
    Died,
}

impl Running {
    /// The program as it starts: everything folded, no evidence.
    #[must_use]
    pub(crate) fn start(
        states: Vec<HostState>,
        fleet: FleetState,
        tool_runs_per_minute: u32,
    ) -> Self {
        let actor = |_: &HostState| Actor {
            evidence: Evidence::default(),
            pace: Pace::new(tool_runs_per_minute),
            facts: Vec::new(),
            events: Vec::new(),
            orders: Vec::new(),
            look_wanted: false,
            accepted: BTreeSet::new(),
            stage: Stage::Waiting,
            plan: 0,
            notified: false,
        };
        Self {
            actors: states.iter().map(actor).collect(),
            states,
            around: Around::new(fleet),
            fleet: FleetActor::default(),
            looking: 0,
            waiting_to_look: VecDeque::new(),
        }
    }

    /// Delivers what the webhook has stored. Returns the hosts that wake up now.
    pub(crate) fn deliver(
        &mut self,
        facts: Vec<(usize, Fact)>,
        events: Vec<(usize, Event)>,
    ) -> Vec<usize> {
        let mut wakes: Vec<usize> = Vec::new();
        for (host, fact) in facts {
            self.actors[host].facts.push(fact);
            wakes.push(host);
        }
        for (host, event) in events {
            self.actors[host].events.push(event);
            wakes.push(host);
        }
        wakes.sort_unstable();
        wakes.dedup();
        wakes.retain(|&host| self.actors[host].is_woken());
        wakes
    }

    /// Puts a person's order in the mailbox of a host. Returns whether its actor wakes up now.
    pub(crate) fn order(&mut self, host: usize, order: HostOrder) -> bool {
        self.actors[host].orders.push(order);
        self.actors[host].is_woken()
    }

    /// The state of every host with what is stored and has not been taken in yet.
    fn with_mail(&self) -> Vec<Cow<'_, HostState>> {
        let mut states: Vec<_> = self.states.iter().map(Cow::Borrowed).collect();
        for (state, actor) in states.iter_mut().zip(&self.actors) {
            for fact in &actor.facts {
                state.to_mut().deliver(fact);
            }
            for event in &actor.events {
                state.to_mut().apply(event);
            }
        }
        states
    }

    /// Whether everything delivered has been taken in.
    pub(crate) fn absorbed(&self) -> bool {
        self.actors
            .iter()
            .all(|actor| actor.facts.is_empty() && actor.events.is_empty())
    }
}

impl Actor {
    /// Something was delivered: an actor that waits wakes up, another does so when it waits again.
    const fn is_woken(&mut self) -> bool {
        let waits = matches!(self.stage, Stage::Waiting);
        self.notified |= !waits;
        waits
    }
}

impl Episode {
    /// The actor of `host` wakes up, if this is the wake-up that it planned last.
    pub(crate) fn wake(&mut self, host: usize, plan: u64) {
        let Some(running) = &self.running else { return };
        let actor = &running.actors[host];
        if actor.plan == plan && matches!(actor.stage, Stage::Waiting) {
            let turn = self.turn(host);
            self.after_turn(host, turn);
        }
    }

    /// Something was delivered to an actor that waits.
    pub(crate) fn nudge(&mut self, host: usize) {
        let waits = |running: &Running| matches!(running.actors[host].stage, Stage::Waiting);
        if self.running.as_ref().is_some_and(waits) {
            let turn = self.turn(host);
            self.after_turn(host, turn);
        }
    }

    fn after_turn(&mut self, host: usize, turn: Result<(), Stop>) {
        match turn {
            Ok(()) => {}
            Err(Stop::Store) => {
                let at = self.time().after(STORE_RETRY);
                self.plan(host, Some(at));
            }
            Err(Stop::Died) => self.crash("the program died in the middle of a transaction"),
        }
    }

    fn actor(&mut self, host: usize) -> Result<&mut Actor, Stop> {
        self.running
            .as_mut()
            .map(|running| &mut running.actors[host])
            .ok_or(Stop::Died)
    }

    fn state(&self, host: usize) -> Result<&HostState, Stop> {
        self.running
            .as_ref()
            .map(|running| &running.states[host])
            .ok_or(Stop::Died)
    }

    /// One round: take in what came, ask about running attempts, look when it is time, decide.
    fn turn(&mut self, host: usize) -> Result<(), Stop> {
        self.absorb(host)?;
        self.poll_attempts(host)?;
        if self.looks_first(host)? && self.may_look(host)? {
            return self.queue_look(host, Then::Decide);
        }
        self.decide_and_look(host)
    }

    /// The decision, and the look that it may want.
    fn decide_and_look(&mut self, host: usize) -> Result<(), Stop> {
        let decision = self.decide_and_record(host)?;
        if self.look_is_due(host, &decision)? && self.may_look(host)? {
            return self.queue_look(host, Then::Act);
        }
        self.act(host, decision)
    }

    /// Takes in what the webhook has delivered, and obeys what people have ordered.
    fn absorb(&mut self, host: usize) -> Result<(), Stop> {
        self.take_in_facts(host)?;
        let orders = std::mem::take(&mut self.actor(host)?.orders);
        for order in orders {
            self.obey(host, &order)?;
        }
        Ok(())
    }

    /// Takes in what the webhook has delivered, and leaves the orders for the next turn.
    fn take_in_facts(&mut self, host: usize) -> Result<(), Stop> {
        let actor = self.actor(host)?;
        actor.notified = !actor.orders.is_empty();
        let facts = std::mem::take(&mut actor.facts);
        let events = std::mem::take(&mut actor.events);
        actor.look_wanted |= !events.is_empty();
        let Some(running) = &mut self.running else {
            return Err(Stop::Died);
        };
        for fact in &facts {
            running.states[host].deliver(fact);
        }
        for event in &events {
            running.states[host].apply(event);
        }
        Ok(())
    }

    /// What is refused, by the core or by the store, is told to whom ordered it: nothing happens.
    fn obey(&mut self, host: usize, order: &HostOrder) -> Result<(), Stop> {
        let now = self.time();
        let evidence = &self.actor(host)?.evidence.clone();
        let entries = recovery::obeyed(order, self.state(host)?, evidence, now);
        self.note(|| {
            format!(
                "people order of host {host}: {order:?}: {} entries",
                entries.len()
            )
        });
        match self.record(host, entries) {
            Ok(()) | Err(Stop::Store) => Ok(()),
            Err(Stop::Died) => Err(Stop::Died),
        }
    }

    fn decide_and_record(&mut self, host: usize) -> Result<Decision, Stop> {
        let decision = self.decide(host)?;
        self.record(host, decision.changes.clone())?;
        Ok(decision)
    }

    fn decide(&mut self, host: usize) -> Result<Decision, Stop> {
        let now = self.time();
        let Some(running) = &self.running else {
            return Err(Stop::Died);
        };
        let stored = || running.with_mail();
        let around = &running.around;
        let fleet = FleetView {
            wall_ahead: self.clock.wall_ahead(),
            ..around.view(&running.states, stored, &self.site, now)
        };
        let (state, evidence) = (&running.states[host], &running.actors[host].evidence);
        let site = (&self.site, host);
        Ok(recovery::decide(state, evidence, &fleet, site, now))
    }

    /// Stores entries and applies them.
    fn record(&mut self, host: usize, entries: Vec<Entry>) -> Result<(), Stop> {
        if entries.is_empty() {
            return Ok(());
        }
        let now = self.time();
        let seq = self.store.events().len();
        let appended = self.store.append(entries, now);
        self.check_stored(seq);
        let events = appended?;
        let Some(running) = &mut self.running else {
            return Err(Stop::Died);
        };
        for event in &events {
            running.states[host].apply(event);
        }
        let freed = events
            .iter()
            .any(|event| frees_a_budget(&event.entry.change));
        self.wake_fleet(freed);
        self.may_crash()
    }

    /// Now and then the program dies right after something was stored.
    fn may_crash(&mut self) -> Result<(), Stop> {
        if self.crashes_now() {
            Err(Stop::Died)
        } else {
            Ok(())
        }
    }

    /// Carries out what was decided.
    fn act(&mut self, host: usize, decision: Decision) -> Result<(), Stop> {
        for (_, action) in &decision.actions {
            if let Action::Resume(attempt) = action {
                self.resume(host, *attempt)?;
            }
        }
        match decision.proposal.clone() {
            Some(proposal) => self.attempt(host, &proposal, decision),
            None => self.plan_next(host, &decision),
        }
    }

    /// When the next round is due.
    fn plan_next(&mut self, host: usize, decision: &Decision) -> Result<(), Stop> {
        let now = self.time();
        let poll = self
            .state(host)?
            .unsettled()
            .filter(|attempt| attempt.running())
            .map(|attempt| {
                if attempt.interrupted {
                    RESUME_RETRY
                } else {
                    (now.since(attempt.reserved_at) / 10).clamp(RUNNER_POLL, RUNNER_POLL_MAX)
                }
            })
            .min();
        let actor = self.actor(host)?;
        let at = match poll {
            Some(poll) => Some(now.after(poll)),
            None => {
                let newest = actor.evidence.newest().map(|look| look.at);
                let repeat = newest.map_or(now, |at| at.after(LOOK_IS_NEW));
                let wanted = actor.look_wanted.then_some(repeat);
                let wanted = wanted.into_iter().chain(decision.next_wake).min();
                let allowed = actor.pace.allowed_at(now);
                wanted.map(|at| at.max(allowed))
            }
        };
        self.plan(host, at);
        Ok(())
    }

    /// Waits until it is `at` by its own time, or until something is delivered.
    pub(crate) fn plan(&mut self, host: usize, at: Option<Time>) {
        let run = self.store.epoch();
        let now = self.time();
        let Some(running) = &mut self.running else {
            return;
        };
        let actor = &mut running.actors[host];
        actor.plan += 1;
        actor.stage = Stage::Waiting;
        let at = if actor.notified { Some(now) } else { at };
        if let Some(at) = at {
            let plan = actor.plan;
            let at = self.clock.truly(at);
            self.queue.at(at, Happening::Wake { run, host, plan });
        }
    }

    /// A person orders something of a host. Without the program nobody hears it.
    pub(crate) fn order_host(&mut self, host: usize, order: HostOrder) {
        let woken = self
            .running
            .as_mut()
            .is_some_and(|running| running.order(host, order));
        if woken {
            self.nudge(host);
        }
    }

    /// The entries of a report.
    fn report(
        &mut self,
        host: usize,
        attempt: AttemptId,
        target: &Target,
        report: Report,
    ) -> Result<(), Stop> {
        let entry = recovery::report_entry(self.state(host)?, target, attempt, report);
        self.record(host, vec![entry])
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused => Self::Store,
            StoreError::DiedCommitted => Self::Died,
        }
    }
}

/// Whether somebody else may start now who could not before.
fn frees_a_budget(change: &Change) -> bool {
    let settled = |report: &Report| matches!(report, Report::Settled { outcome, .. } if *outcome != Outcome::Unknown);
    matches!(change, Change::AttemptReported { report, .. } if settled(report))
        || matches!(
            change,
            Change::HumanResolved(_) | Change::FleetShareReleased { .. }
        )
}
