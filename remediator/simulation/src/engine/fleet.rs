//! The actor of the fleet: records what belongs to no host, wakes the hosts that wait for a budget,
//! takes and returns load.

use std::collections::BTreeSet;
use std::time::Duration;

use vcm_recovery::command::FleetOrder;
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::fleet::load::{self, LoadCall, LoadReport};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::HsmName;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::{Stop, recovery};
use crate::episode::{Episode, Happening};
use crate::store::StoreError;

/// How often the fleet is looked at when nothing wakes its actor: for what passes with time alone.
const TICK: Duration = Duration::from_secs(5);

/// What it has in memory.
#[derive(Debug, Default)]
pub(super) struct FleetActor {
    orders: Vec<FleetOrder>,
    /// A budget has become free since the hosts that wait for one were woken.
    freed: bool,
    /// The HSMs about which the hook has been called and has not yet answered.
    called: BTreeSet<HsmName>,
    /// When its next turn is planned.
    planned: Option<Time>,
}

impl Episode {
    /// A host has recorded something; `freed`: somebody may start now who could not before.
    pub(crate) fn wake_fleet(&mut self, freed: bool) {
        let now = self.time();
        if let Some(running) = &mut self.running {
            running.fleet.freed |= freed;
            self.plan_fleet(now);
        }
    }

    /// Everything is paused, or no longer. Without the program nobody hears it.
    pub(crate) fn order_fleet(&mut self, order: FleetOrder) {
        let now = self.time();
        if let Some(running) = &mut self.running {
            running.fleet.orders.push(order);
            self.plan_fleet(now);
        }
    }

    fn plan_fleet(&mut self, at: Time) {
        let run = self.store.epoch();
        let Some(running) = &mut self.running else {
            return;
        };
        if running.fleet.planned.is_none_or(|planned| at < planned) {
            running.fleet.planned = Some(at);
            let at = self.clock.truly(at);
            self.queue.at(at, Happening::Fleet { run });
        }
    }

    /// A turn of the actor: obey, wake who waits, decide.
    pub(crate) fn fleet_turn(&mut self) {
        let now = self.time();
        let Some(running) = &mut self.running else {
            return;
        };
        if running.fleet.planned.is_none_or(|planned| planned > now) {
            return;
        }
        running.fleet.planned = None;
        let orders = std::mem::take(&mut running.fleet.orders);
        for order in orders {
            let entries = self
                .running
                .as_ref()
                .map(|running| recovery::fleet_obeyed(&order, &running.around.fleet, now));
            if let Err(Stop::Died) = self.record_fleet(entries.unwrap_or_default()) {
                return self.crash("the program died in the middle of a transaction");
            }
        }
        if let Some(milliseconds) = self.clock.take_step() {
            let stepped = recovery::fleet_entry(Change::ClockStepped { milliseconds });
            if let Err(Stop::Died) = self.record_fleet(vec![stepped]) {
                return self.crash("the program died in the middle of a transaction");
            }
        }
        for host in self.waiting() {
            let woken = self
                .running
                .as_mut()
                .is_some_and(|running| running.actors[host].is_woken());
            if woken {
                self.nudge(host);
            }
        }
        match self.decide_fleet() {
            Ok(Some(wait)) => self.plan_fleet(now.after(wait)),
            Ok(None) => {}
            Err(Stop::Store) => self.plan_fleet(now.after(TICK)),
            Err(Stop::Died) => self.crash("the program died in the middle of a transaction"),
        }
    }

    /// The hosts that wait for a budget, when one has become free.
    fn waiting(&mut self) -> Vec<usize> {
        let Some(running) = &mut self.running else {
            return Vec::new();
        };
        if !std::mem::take(&mut running.fleet.freed) {
            return Vec::new();
        }
        let waits = |state: &HostState| {
            let mut guards = state.incidents.values().flat_map(|i| i.blocked.keys());
            guards.any(|guard| matches!(guard, Guard::BudgetHsm | Guard::BudgetFleet))
        };
        let hosts = running.states.iter().enumerate();
        hosts
            .filter(|(_, state)| waits(state))
            .map(|(host, _)| host)
            .collect()
    }

    /// Decides until nothing new is recorded, and gives the orders that are due. Nothing is planned
    /// for a fleet in which nothing about load can be decided.
    fn decide_fleet(&mut self) -> Result<Option<Duration>, Stop> {
        loop {
            let now = self.time();
            let Some(running) = &self.running else {
                return Err(Stop::Died);
            };
            let (fleet, site) = (&running.around.fleet, &self.site);
            if site.policy.load.is_none() && fleet.sheds.is_empty() && fleet.pages.is_empty() {
                return Ok(None);
            }
            let (inventory, policy) = (&site.inventory, &site.policy);
            let decision = load::decide(fleet, running.states.iter(), inventory, policy, now);
            if decision.changes.is_empty() {
                let open = running
                    .states
                    .iter()
                    .any(|state| !state.incidents.is_empty());
                let ticks = open || !fleet.sheds.is_empty();
                for call in decision.calls {
                    self.call(&call);
                }
                let wake = decision.next_wake.map(|at| at.since(now));
                let wait = wake.map_or(TICK, |wake| wake.clamp(Duration::from_millis(50), TICK));
                return Ok(ticks.then_some(wait));
            }
            self.record_fleet(decision.changes)?;
        }
    }

    /// Gives an order to the hook, unless one for the same HSM is under way.
    fn call(&mut self, call: &LoadCall) {
        let Some(running) = &mut self.running else {
            return;
        };
        if !running.fleet.called.insert(call.hsm.clone()) {
            return;
        }
        let (at, failure) = self.hook(call);
        let run = self.store.epoch();
        let report = LoadReport {
            hsm: call.hsm.clone(),
            action: call.action,
            failure,
        };
        self.queue.at(at, Happening::HookAnswered { run, report });
    }

    /// Records what came of an order. Not recorded, it is ordered again with the same key.
    pub(crate) fn hook_answered(&mut self, report: LoadReport) {
        if let Some(running) = &mut self.running {
            running.fleet.called.remove(&report.hsm);
        }
        let entry = recovery::fleet_entry(Change::LoadReported(report));
        match self.record_fleet(vec![entry]) {
            Ok(()) | Err(Stop::Store) => self.wake_fleet(false),
            Err(Stop::Died) => self.crash("the program died in the middle of a transaction"),
        }
    }

    /// Records what belongs to no host.
    pub(crate) fn record_fleet(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        if entries.is_empty() {
            return Ok(());
        }
        let now = self.time();
        let seq = self.store.events().len();
        let appended = self.store.append(entries, now);
        self.check_stored(seq);
        let events = appended.map_err(|error| match error {
            StoreError::Refused => Stop::Store,
            StoreError::DiedCommitted => Stop::Died,
        })?;
        if let Some(running) = &mut self.running {
            for event in &events {
                running.around.fleet.apply(event);
            }
        }
        self.may_crash()
    }
}
