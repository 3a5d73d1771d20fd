//! The actor of the fleet: the sole writer of what belongs to no host, once the start is recorded. It
//! records pauses and another policy, and takes and returns load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use vcm_recovery::command::{self, FleetOrder};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::fleet::load::{self, LoadCall, LoadReport};
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::HsmName;
use vcm_recovery::state::HostState;
use vcm_telemetry::logging::chain;

use super::log::log;
use super::orders::{Answer, Ordered};
use super::{EngineParts, OrderFailure};
use crate::load::{IdempotencyKey, LoadHook, LoadRequest};
use crate::store::StoreError;

/// How often the fleet is looked at when nothing wakes its actor: for what passes with time alone.
const TICK: Duration = Duration::from_secs(5);

/// What waits for the actor of the fleet.
#[derive(Default)]
pub(super) struct FleetMailbox {
    orders: Mutex<Vec<Ordered<FleetOrder>>>,
    wake: Notify,
    /// A budget has become free since the hosts that wait for one were woken.
    freed: AtomicBool,
}

impl FleetMailbox {
    pub(super) fn order(&self, order: Ordered<FleetOrder>) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push(order);
        self.wake.notify_one();
    }

    /// A host has recorded something.
    pub(super) fn host_changed(&self) {
        self.wake.notify_one();
    }

    /// Somebody may start now who could not before.
    pub(super) fn budget_freed(&self) {
        self.freed.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    fn take(&self) -> Vec<Ordered<FleetOrder>> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *orders)
    }
}

/// The actor of the fleet.
pub(super) struct FleetActor {
    parts: Arc<EngineParts>,
    mailbox: Arc<FleetMailbox>,
    state: FleetState,
    /// The orders that were given to the hook, by HSM.
    calls: JoinSet<LoadReport>,
    called: Vec<HsmName>,
}

/// The actor, which has recorded what the start itself shows.
pub(super) async fn actor(
    parts: Arc<EngineParts>,
    state: FleetState,
) -> Result<(Arc<FleetMailbox>, FleetActor), StoreError> {
    let mailbox = Arc::new(FleetMailbox::default());
    let mut actor = FleetActor {
        parts,
        mailbox: Arc::clone(&mailbox),
        state,
        calls: JoinSet::new(),
        called: Vec::new(),
    };
    actor.start().await?;
    Ok((mailbox, actor))
}

impl FleetActor {
    /// Records another policy, before anything is decided.
    async fn start(&mut self) -> Result<(), StoreError> {
        if self.state.policy.as_deref() != Some(&*self.parts.policy) {
            let policy = Box::new((*self.parts.policy).clone());
            let loaded = vec![entry(Change::PolicyLoaded(policy))];
            self.record(loaded).await.map(drop)?;
        }
        self.publish();
        Ok(())
    }

    /// Never ends.
    pub(super) async fn run(mut self) {
        loop {
            self.obey().await;
            self.wake_waiting();
            let wait = match self.decide().await {
                Ok(wait) => wait,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the store failed; the fleet is looked at again soon");
                    TICK
                }
            };
            tokio::select! {
                () = self.mailbox.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
                Some(called) = self.calls.join_next(), if !self.calls.is_empty() => {
                    self.called(called).await;
                }
            }
        }
    }

    /// Wakes the hosts that wait for a budget, when one has become free: else the place would stay
    /// empty until the next of them looks by itself.
    fn wake_waiting(&self) {
        if !self.mailbox.freed.swap(false, Ordering::Relaxed) {
            return;
        }
        let hosts = self.parts.surroundings.mailboxes();
        let waits = |state: &HostState| {
            let mut guards = state.incidents.values().flat_map(|i| i.blocked.keys());
            guards.any(|guard| matches!(guard, Guard::BudgetHsm | Guard::BudgetFleet))
        };
        for state in self.parts.board.all().iter().filter(|state| waits(state)) {
            if let Some(mailbox) = hosts.get(&state.host) {
                mailbox.wake.notify_one();
            }
        }
    }

    /// Records what operators ordered, and answers them.
    async fn obey(&mut self) {
        for Ordered {
            order,
            giver,
            answer,
        } in self.mailbox.take()
        {
            let obeyed: Answer = self.obey_one(&order, &giver).await;
            // Who asked may have gone away; the order stands all the same.
            let _gone = answer.send(obeyed);
        }
    }

    async fn obey_one(&mut self, order: &FleetOrder, giver: &command::Giver) -> Answer {
        let now = self.parts.clock.now();
        let entries = command::of_fleet(order, giver, &self.state, now)?;
        self.record(entries).await.map_err(OrderFailure::Store)
    }

    /// Decides until nothing new is recorded, and gives the orders that are due.
    async fn decide(&mut self) -> Result<Duration, StoreError> {
        self.watch_clock().await?;
        loop {
            let now = self.parts.clock.now();
            let hosts = self.parts.board.all();
            let hosts = hosts.iter().map(AsRef::as_ref);
            let (inventory, policy) = (&self.parts.inventory, &self.parts.policy);
            let decision = load::decide(&self.state, hosts, inventory, policy, now);
            if decision.changes.is_empty() {
                for call in decision.calls {
                    self.call(call);
                }
                let wake = decision.next_wake.map(|at| at.since(now));
                return Ok(wake.map_or(TICK, |wake| wake.clamp(Duration::from_millis(50), TICK)));
            }
            self.record(decision.changes).await?;
        }
    }

    async fn watch_clock(&mut self) -> Result<(), StoreError> {
        match self.parts.clock.take_step() {
            Some(milliseconds) => {
                let change = Change::ClockStepped { milliseconds };
                self.record(vec![entry(change)]).await.map(drop)
            }
            None => Ok(()),
        }
    }

    /// Gives an order to the hook, unless one for the same HSM is under way.
    fn call(&mut self, call: LoadCall) {
        if self.called.contains(&call.hsm) {
            return;
        }
        self.called.push(call.hsm.clone());
        let hook = self.parts.load_hook.clone();
        let request = LoadRequest {
            action: call.action,
            hsm: call.hsm,
            key: IdempotencyKey::of_event(self.parts.store.identity().store_id, call.order),
            since: call.since,
            incidents: Vec::new(),
        };
        self.calls.spawn(async move {
            let failure = ask(hook, &request).await.err();
            LoadReport {
                hsm: request.hsm,
                action: request.action,
                failure,
            }
        });
    }

    /// Records what came of an order.
    async fn called(&mut self, called: Result<LoadReport, tokio::task::JoinError>) {
        let report = match called {
            Ok(report) => report,
            Err(error) => {
                tracing::error!(%error, "a call of the load hook has ended unexpectedly");
                self.called.clear();
                return;
            }
        };
        self.called.retain(|hsm| *hsm != report.hsm);
        let change = Change::LoadReported(report);
        if let Err(error) = self.record(vec![entry(change)]).await {
            // Not recorded, it is ordered again with the same key.
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "what the load hook did could not be recorded");
        }
    }

    async fn record(&mut self, entries: Vec<Entry>) -> Result<Vec<Event>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let events = self.parts.store.append(entries).await?;
        for event in &events {
            log(event);
            (self.parts.on_event)(event, None);
            self.state.apply(event);
        }
        self.publish();
        Ok(events)
    }

    fn publish(&self) {
        self.parts.board.publish_fleet(Arc::new(self.state.clone()));
    }
}

async fn ask(hook: Option<Arc<dyn LoadHook>>, request: &LoadRequest) -> Result<(), String> {
    let Some(hook) = hook else {
        return Err("no load hook is configured".to_owned());
    };
    hook.call(request).await.map_err(|error| chain(&error))
}

const fn entry(change: Change) -> Entry {
    Entry {
        host: None,
        target: None,
        incident: None,
        change,
    }
}
