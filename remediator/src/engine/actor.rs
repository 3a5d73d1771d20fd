//! The actor of one host: absorb, look, decide, record, act, wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::Instrument;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::command::{self, Giver, HostOrder};
use vcm_recovery::decide::{self, Action, Decision};
use vcm_recovery::diagnosis::{Case, Diagnosis};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::ids::AttemptId;
use vcm_recovery::inventory::{HostEntry, Target};
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;
use vcm_telemetry::logging::chain;

use super::fleet::FleetMailbox;
use super::log::{log, span};
use super::orders::{Answer, Ordered};
use super::pace::Pace;
use super::{EngineParts, Mailbox, OrderFailure};
use crate::host_client::HostRunner;
use crate::store::StoreError;

/// How long to wait before the store is asked again after an error.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// How often the host runner is asked about an attempt that has just begun to run. The longer it
/// runs the more rarely, up to [`RUNNER_POLL_MAX`].
const RUNNER_POLL: Duration = Duration::from_millis(500);

/// The longest time between two questions about an attempt that runs.
const RUNNER_POLL_MAX: Duration = Duration::from_secs(10);

/// A look this recent is not repeated for a new alert, nor before a rung starts.
const LOOK_IS_NEW: Duration = Duration::from_secs(5);

/// How often a critical section that could not be resumed is tried again.
const RESUME_RETRY: Duration = Duration::from_secs(5);

/// A host as its actor knows it.
pub(super) struct Host {
    pub(super) entry: HostEntry,
    pub(super) runner: Arc<dyn HostRunner>,
    pub(super) looks: Arc<Semaphore>,
}

/// The actor of one host.
pub(super) struct Actor {
    pub(super) parts: Arc<EngineParts>,
    pub(super) host: Host,
    mailbox: Arc<Mailbox>,
    fleet: Arc<FleetMailbox>,
    /// The one copy of it, which the board shows; changed by [`crate::board::Board::change`].
    pub(super) state: Arc<HostState>,
    pub(super) evidence: Evidence,
    pace: Pace,
    /// When to look and decide again, unless something is delivered before.
    next_wake: Option<Time>,
    /// A look is wanted because something new was delivered.
    look_wanted: bool,
    /// Attempts that the host runner has accepted although that could not be recorded: what it has
    /// lost since is unknown, and not never started.
    pub(super) accepted: BTreeSet<AttemptId>,
}

impl Actor {
    pub(super) fn new(
        parts: Arc<EngineParts>,
        host: Host,
        mailbox: Arc<Mailbox>,
        fleet: Arc<FleetMailbox>,
        state: Arc<HostState>,
    ) -> Self {
        let pace = Pace::new(parts.policy.tool_runs_per_minute);
        let next_wake = Some(parts.clock.now());
        let evidence = Evidence::default();
        Self {
            parts,
            host,
            mailbox,
            fleet,
            state,
            evidence,
            pace,
            next_wake,
            look_wanted: false,
            accepted: BTreeSet::new(),
        }
    }

    /// Never ends.
    pub(super) async fn run(mut self) {
        let span = span(&self.host.entry.name);
        async {
            loop {
                if let Err(error) = self.turn().await {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the store failed; nothing is started until it works again"
                    );
                    self.next_wake = Some(self.now().after(STORE_RETRY));
                }
                self.wait().await;
            }
        }
        .instrument(span)
        .await;
    }

    pub(super) fn now(&self) -> Time {
        self.parts.clock.now()
    }

    /// One round: take in what came, ask about running attempts, look when it is time, decide.
    async fn turn(&mut self) -> Result<(), StoreError> {
        self.absorb().await;
        self.poll_attempts().await?;
        // On what is too old nothing can be decided: after a start, and after a standstill.
        if self.has_work() && !self.looked_lately() && !self.steps_run() && self.look().await {
            self.absorb().await;
        }
        let mut decision = self.decide_and_record().await?;
        if self.look_is_due(&decision) && self.look().await {
            // A look takes its time: what was delivered meanwhile counts for what is decided on it.
            self.absorb().await;
            decision = self.decide_and_record().await?;
        }
        self.act(&decision).await?;
        self.plan_next(&decision);
        Ok(())
    }

    fn has_work(&self) -> bool {
        self.look_wanted || !self.state.incidents.is_empty()
    }

    fn looked_lately(&self) -> bool {
        let limit = self.parts.policy.evidence_max_age;
        let newest = self.evidence.newest();
        newest.is_some_and(|look| self.now().since(look.at) <= limit)
    }

    fn steps_run(&self) -> bool {
        self.state.unsettled().any(|attempt| attempt.running())
    }

    /// Whether to look now: it is time, something new was delivered, or a rung is about to start on
    /// a look that is not quite new. Never while steps run: they look for themselves.
    fn look_is_due(&self, decision: &Decision) -> bool {
        let now = self.now();
        let due = decision.next_wake.is_some_and(|at| at <= now);
        let newest = self.evidence.newest().map(|look| look.at);
        let is_new = newest.is_some_and(|at| now.since(at) < LOOK_IS_NEW);
        let wanted = self.look_wanted || decision.proposal.is_some();
        !self.steps_run() && (due || (wanted && !is_new))
    }

    /// Takes in what the webhook has delivered, and obeys what operators have ordered.
    async fn absorb(&mut self) {
        let orders = self.take_in();
        for Ordered {
            order,
            giver,
            answer,
        } in orders
        {
            let obeyed = self.obey(&order, &giver).await;
            // Who asked may have gone away; the order stands all the same.
            let _gone = answer.send(obeyed);
        }
    }

    /// Takes in what the webhook has delivered; it is on disk already. Returns the orders.
    fn take_in(&mut self) -> Vec<Ordered<HostOrder>> {
        let delivered = self.mailbox.take();
        self.look_wanted |= delivered.news;
        if !delivered.known.is_empty() {
            self.parts.board.change(&mut self.state, |state| {
                for (fingerprint, record) in &delivered.known {
                    state.learn(*fingerprint, record);
                }
            });
        }
        for event in &delivered.untold {
            self.parts.tell(event, &self.state);
        }
        self.forget_outlived();
        delivered.orders
    }

    /// Forgets the alerts that nothing depends on any more. A host without work has no turns, and
    /// gets no new alerts either: what it remembers is bounded by its places in the store.
    fn forget_outlived(&mut self) {
        let now = self.now();
        let silences = || (self.parts.surroundings.silences)(now);
        let outlived = self.state.outlived_facts(&self.parts.policy, silences, now);
        if !outlived.is_empty() {
            self.parts
                .board
                .change(&mut self.state, |state| state.forget_facts(&outlived));
        }
    }

    /// Takes in what was delivered, and leaves the orders for the next turn: nothing of them is
    /// recorded, so that nothing has begun to count.
    pub(super) fn take_in_facts(&mut self) {
        let orders = self.take_in();
        if !orders.is_empty() {
            self.mailbox.put(|delivered| {
                let later = std::mem::replace(&mut delivered.orders, orders);
                delivered.orders.extend(later);
            });
        }
    }

    async fn obey(&mut self, order: &HostOrder, giver: &Giver) -> Answer {
        let knows = |target: &Target| {
            target.host == self.host.entry.name
                && (target.module.is_none() || self.host.entry.module_of(target).is_some())
        };
        let now = self.now();
        let entries = command::of_host(order, giver, &self.state, &self.evidence, knows, now)?;
        self.record(entries).await.map_err(OrderFailure::Store)
    }

    /// Looks at the host, unless it was looked at too often lately.
    async fn look(&mut self) -> bool {
        let now = self.now();
        if self.pace.allowed_at(now) > now {
            return false;
        }
        let Ok(_permit) = self.host.looks.acquire().await else {
            return false;
        };
        let seen = self.host.runner.observe().await;
        let at = self.now();
        self.pace.looked(at);
        if let Err(error) = &seen {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the host could not be observed"
            );
        }
        self.look_wanted = false;
        self.evidence.push(Look {
            at,
            seen: seen.map_err(|error| chain(&error)),
        });
        true
    }

    /// Decides, and records what was decided. What cannot be recorded did not happen.
    async fn decide_and_record(&mut self) -> Result<Decision, StoreError> {
        let fleet = self.fleet();
        let mut decision = self.decide(&fleet);
        // Moved, not copied: many hosts may wait for the store with what they have decided.
        self.record(std::mem::take(&mut decision.changes)).await?;
        self.diagnose(&fleet);
        Ok(decision)
    }

    /// Shows what the newest look means for each open incident.
    fn diagnose(&self, fleet: &FleetView) {
        let diagnosis = |incident| {
            Diagnosis::of(&Case {
                incident,
                evidence: &self.evidence,
                fleet,
                site: self.site(),
                now: self.now(),
            })
        };
        let open = self.state.incidents.iter();
        let open = open.map(|(target, incident)| (target.clone(), diagnosis(incident)));
        self.parts.board.diagnosed(&self.host.entry.name, open);
    }

    pub(super) fn decide(&self, fleet: &FleetView) -> Decision {
        decide::decide(&self.state, &self.evidence, fleet, self.site(), self.now())
    }

    fn site(&self) -> Site<'_> {
        Site {
            host: &self.host.entry,
            policy: &self.parts.policy,
        }
    }

    /// The newest known state of the whole fleet.
    pub(super) fn fleet(&self) -> FleetView {
        self.parts.fleet_view(self.now())
    }

    /// Stores entries and applies them.
    pub(super) async fn record(&mut self, entries: Vec<Entry>) -> Result<Vec<Event>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        if entries
            .iter()
            .any(|entry| matches!(entry.change, Change::Observed(_)))
            && let Some(seen) = self.evidence.observation()
        {
            self.parts
                .store
                .keep_observation(&self.host.entry.name, seen)
                .await?;
        }
        let events = self.parts.store.append(entries).await?;
        for event in &events {
            self.apply(event);
        }
        self.fleet.host_changed();
        Ok(events)
    }

    /// Applies one stored event; whoever looks sees it from now on.
    pub(super) fn apply(&mut self, event: &Event) {
        log(event);
        (self.parts.on_event)(event, Some(&self.state));
        self.parts
            .board
            .change(&mut self.state, |state| state.apply(event));
        if frees_a_budget(&event.entry.change) {
            self.fleet.budget_freed();
        }
    }

    /// Carries out what was decided.
    async fn act(&mut self, decision: &Decision) -> Result<(), StoreError> {
        for (_, action) in &decision.actions {
            if let Action::Resume(attempt) = action {
                self.resume(*attempt).await?;
            }
        }
        match &decision.proposal {
            Some(proposal) => self.attempt(proposal).await,
            None => Ok(()),
        }
    }

    /// When the next round is due.
    fn plan_next(&mut self, decision: &Decision) {
        let now = self.now();
        let mut running = self
            .state
            .unsettled()
            .filter(|attempt| attempt.running())
            .peekable();
        if running.peek().is_none() {
            let newest = self.evidence.newest().map(|look| look.at);
            let repeat = newest.map_or(now, |at| at.after(LOOK_IS_NEW));
            let wanted = self.look_wanted.then_some(repeat);
            let wanted = wanted.into_iter().chain(decision.next_wake).min();
            self.next_wake = wanted.map(|at| at.max(self.pace.allowed_at(now)));
            return;
        }
        let poll = running.map(|attempt| match attempt.interrupted {
            true => RESUME_RETRY,
            false => (now.since(attempt.reserved_at) / 10).clamp(RUNNER_POLL, RUNNER_POLL_MAX),
        });
        self.next_wake = poll.min().map(|poll| now.after(poll));
    }

    /// Waits until the next round is due or something is delivered.
    async fn wait(&self) {
        let woken = self.mailbox.wake.notified();
        match self.next_wake {
            Some(at) => {
                let _woken_or_due = tokio::time::timeout(at.since(self.now()), woken).await;
            }
            None => woken.await,
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
