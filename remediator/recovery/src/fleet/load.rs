//! The load gate: an HSM that is overloaded while a module of it is failed.
//!
//! Nothing is run against it. Load is taken from the HSM through the site's hook, or the provider is
//! asked through a page; it is remembered, and restored when the trouble is over, however it ended,
//! or after a maximum time. Each order is recorded before it is given, with a key that stays the same
//! over repetitions, so that a crash in between repeats and never forgets it.
//!
//! | the failed module's incident | load is shed | it is restored |
//! |---|---|---|
//! | mode observe; everything paused; target held; latched; no alert permits `load` | no | as below |
//! | mode approve | people are asked | as below |
//! | mode act | by the hook, where there is one | as below |
//! | none open, held and low by all that is told, the longest time is over, the gate is off | no | always |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{Change, Entry, LoadClass};
use crate::ids::HsmName;
use crate::incident::Incident;
use crate::inventory::{Inventory, Target};
use crate::page::PageReason;
use crate::policy::{LoadPolicy, Mode, Policy};
use crate::state::HostState;
use crate::tier::Tier;
use crate::time::Time;

use super::state::FleetState;

/// How long after a failed order it is given again. It is paged the first time.
pub const RETRY_AFTER: Duration = Duration::from_secs(60);

/// What is asked of the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadAction {
    /// Take load from the HSM.
    Shed,
    /// Give it back.
    Restore,
}

impl LoadAction {
    /// The word used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shed => "shed",
            Self::Restore => "restore",
        }
    }
}

/// An order to the hook, or a request to the provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LoadOrder {
    /// The device.
    pub hsm: HsmName,
    /// Why, as an operator reads it.
    pub why: String,
    /// Whether a hook is called; without one people are asked.
    pub hook: bool,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LoadReport {
    /// The device.
    pub hsm: HsmName,
    /// What was asked for.
    pub action: LoadAction,
    /// Why it failed; `None` when it was done.
    pub failure: Option<String>,
}

/// Load that is taken from an HSM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shed {
    /// Since when.
    pub since: Time,
    /// What is asked for now.
    pub action: LoadAction,
    /// The event that asks for it: the key of every repetition is made of it.
    pub order: u64,
    /// Whether a hook is called.
    pub hook: bool,
    /// Whether the hook has done it.
    pub done: bool,
    /// When the hook failed last, if it did for this order.
    pub failed_at: Option<Time>,
}

/// The load of the HSMs as the guard reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Loads {
    /// The HSMs with a figure or an alert.
    pub hsms: BTreeMap<HsmName, Load>,
    /// Until then there may be an alert about any HSM that was not delivered again yet: the program
    /// was started without knowing how long it had been away.
    pub untold_until: Option<Time>,
}

/// What is known of the load of one HSM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Load {
    /// The highest class that any of its modules shows or any alert tells.
    pub class: LoadClass,
    /// Where that was seen, as an operator reads it.
    pub seen: String,
    /// Since when load is shed.
    pub shed_since: Option<Time>,
}

impl Loads {
    /// The load of every HSM that anything is known about. Empty while the gate is off.
    #[must_use]
    pub fn of<'a>(
        hosts: impl Iterator<Item = &'a HostState>,
        fleet: &FleetState,
        inventory: &Inventory,
        policy: &Policy,
        now: Time,
    ) -> Self {
        let mut loads = Self::default();
        if policy.load.is_none() {
            return loads;
        }
        let untold_until = fleet.away_unknown_at.map(|at| at.after(policy.alert_ttl));
        loads.untold_until = untold_until.filter(|until| *until > now);
        for state in hosts {
            // Without an incident nobody looks, and what was seen last says nothing of now.
            let looked_at = state.last_summary.iter();
            let looked_at = looked_at.filter(|_| !state.incidents.is_empty());
            let summaries = looked_at.flat_map(|last| &last.modules);
            let shown = summaries.filter_map(|seen| Some((seen.module, seen.load?)));
            for (module, class) in shown {
                let target = Target::module(state.host.clone(), module);
                loads.add(inventory, fleet, &target, class, "shows it");
            }
            let alerts = state
                .facts
                .values()
                .filter(|fact| fact.valid(policy.alert_ttl, now) && fact.about_load(policy));
            for fact in alerts {
                let told = format!("alert {} tells of it", fact.name);
                loads.add(inventory, fleet, &fact.target, LoadClass::High, &told);
            }
        }
        loads
    }

    fn add(
        &mut self,
        inventory: &Inventory,
        fleet: &FleetState,
        target: &Target,
        class: LoadClass,
        how: &str,
    ) {
        let Some(hsm) = hsm_of(inventory, target) else {
            return;
        };
        let load = Load {
            class,
            seen: format!("{target} {how}"),
            shed_since: fleet.sheds.get(hsm).map(|shed| shed.since),
        };
        let known = self.hsms.entry(hsm.clone()).or_insert_with(|| load.clone());
        if known.class < class {
            *known = load;
        }
    }
}

fn hsm_of<'a>(inventory: &'a Inventory, target: &Target) -> Option<&'a HsmName> {
    let host = inventory.hosts.get(&target.host)?;
    host.module_of(target)?.hsm.as_ref()
}

/// What the fleet's own part of the remediator records and does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetDecision {
    /// What to record, in order.
    pub changes: Vec<Entry>,
    /// The orders that are to be given to the hook now.
    pub calls: Vec<LoadCall>,
    /// When to decide again at the latest.
    pub next_wake: Option<Time>,
}

/// An order that is to be given to the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadCall {
    /// The device.
    pub hsm: HsmName,
    /// What is asked for.
    pub action: LoadAction,
    /// The event that asks for it; the same however often the order is given.
    pub order: u64,
    /// Since when load is shed.
    pub since: Time,
}

/// Decides about shed load. Called again after every recorded change.
#[must_use]
pub fn decide<'a>(
    fleet: &FleetState,
    hosts: impl Iterator<Item = &'a HostState> + Clone,
    inventory: &Inventory,
    policy: &Policy,
    now: Time,
) -> FleetDecision {
    let loads = Loads::of(hosts.clone(), fleet, inventory, policy, now);
    let failed = failed_hsms(hosts.clone(), inventory);
    let wanting = wanting_hsms(fleet, hosts, inventory, policy, now);
    let mut decision = FleetDecision::default();
    let known: BTreeSet<&HsmName> = loads.hsms.keys().chain(fleet.sheds.keys()).collect();
    for hsm in known {
        let at = Hsm {
            hsm,
            load: loads.hsms.get(hsm),
            failed: failed.contains(hsm),
            wanting: wanting.get(hsm),
            restored: fleet.restored.get(hsm).copied(),
            untold: loads.untold_until.is_some(),
            policy: policy.load.as_ref(),
            now,
        };
        let wake = match fleet.sheds.get(hsm) {
            None => at.shed(&mut decision),
            Some(shed) => at.shed_already(shed, &mut decision),
        };
        decision.next_wake = [decision.next_wake, wake].into_iter().flatten().min();
    }
    pages(fleet, &mut decision);
    decision
}

/// The HSMs with a failed module in an open incident.
fn failed_hsms<'a>(
    hosts: impl Iterator<Item = &'a HostState>,
    inventory: &Inventory,
) -> BTreeSet<HsmName> {
    let incidents = hosts.flat_map(|state| state.incidents.values());
    let failed = incidents.filter(|incident| incident.first_failed_at.is_some());
    failed
        .filter_map(|incident| hsm_of(inventory, &incident.target).cloned())
        .collect()
}

/// The HSMs with a failed module for which something may be done now, and which module that is. One
/// for which the hook may be called comes before one for which only people may be asked.
fn wanting_hsms<'a>(
    fleet: &FleetState,
    hosts: impl Iterator<Item = &'a HostState>,
    inventory: &Inventory,
    policy: &Policy,
    now: Time,
) -> BTreeMap<HsmName, (Mode, Target)> {
    let mut wanting: BTreeMap<HsmName, (Mode, Target)> = BTreeMap::new();
    if fleet.pause.as_ref().is_some_and(|pause| pause.active(now)) {
        return wanting;
    }
    for state in hosts {
        let entry = inventory.hosts.get(&state.host);
        let mode = policy.mode_of(entry.and_then(|host| host.mode));
        let wants = |incident: &&Incident| {
            incident.first_failed_at.is_some()
                && incident.latch.is_none()
                && state.hold_of(&incident.target, now).is_none()
                && state.alert_view(&incident.target, policy, now).ceiling >= Some(Tier::Load)
        };
        let observing = mode == Mode::Observe;
        for incident in state
            .incidents
            .values()
            .filter(|_| !observing)
            .filter(wants)
        {
            let Some(hsm) = hsm_of(inventory, &incident.target) else {
                continue;
            };
            let first = wanting.get(hsm).is_none_or(|(known, _)| *known < mode);
            if first {
                wanting.insert(hsm.clone(), (mode, incident.target.clone()));
            }
        }
    }
    wanting
}

/// One HSM at one moment.
struct Hsm<'a> {
    hsm: &'a HsmName,
    load: Option<&'a Load>,
    failed: bool,
    wanting: Option<&'a (Mode, Target)>,
    restored: Option<Time>,
    /// Whether an alert about it may not have been told again yet.
    untold: bool,
    policy: Option<&'a LoadPolicy>,
    now: Time,
}

impl Hsm<'_> {
    /// Sheds load when it is high while a module is failed.
    fn shed(&self, decision: &mut FleetDecision) -> Option<Time> {
        let policy = self.policy?;
        let load = self.load.filter(|load| load.class == LoadClass::High)?;
        let (mode, failed) = self.wanting?;
        // Users who lost their share for the longest time allowed do not lose it again at once.
        if let Some(restored) = self.restored
            && self.now.since(restored) < policy.max_shed
        {
            return Some(restored.after(policy.max_shed));
        }
        let order = LoadOrder {
            hsm: self.hsm.clone(),
            why: format!("{failed} has failed and {}", load.seen),
            // In mode approve nothing is done without a person's word: people are asked.
            hook: policy.hook && *mode == Mode::Act,
        };
        decision.record(Change::LoadShed(order));
        None
    }

    /// Restores what is shed when the trouble or its time is over, and repeats what failed.
    fn shed_already(&self, shed: &Shed, decision: &mut FleetDecision) -> Option<Time> {
        if shed.action == LoadAction::Shed
            && let Some(why) = self.over(shed)
        {
            decision.record(Change::LoadRestored(LoadOrder {
                hsm: self.hsm.clone(),
                why,
                hook: shed.hook,
            }));
            return None;
        }
        let limit = self.policy.map(|policy| shed.since.after(policy.max_shed));
        if shed.done || !shed.hook {
            return limit;
        }
        let due = shed.failed_at.map_or(self.now, |at| at.after(RETRY_AFTER));
        if due > self.now {
            return limit.into_iter().chain([due]).min();
        }
        decision.calls.push(LoadCall {
            hsm: self.hsm.clone(),
            action: shed.action,
            order: shed.order,
            since: shed.since,
        });
        limit
    }

    /// Why shed load is to be restored.
    fn over(&self, shed: &Shed) -> Option<String> {
        let Some(policy) = self.policy else {
            return Some("the load gate is off now".to_owned());
        };
        if !self.failed {
            return Some("no module of it is failed any more".to_owned());
        }
        if self.now.since(shed.since) >= policy.max_shed {
            let seconds = policy.max_shed.as_secs();
            return Some(format!("it was shed for {seconds} s, the longest allowed"));
        }
        let held = self.now.since(shed.since) >= policy.hold;
        let low = self.load.is_some_and(|load| load.class == LoadClass::Low);
        (held && low && !self.untold).then(|| "its load is low again".to_owned())
    }
}

impl FleetDecision {
    fn record(&mut self, change: Change) {
        self.changes.push(Entry {
            host: None,
            target: None,
            incident: None,
            change,
        });
    }
}

/// Raises and clears the pages about load.
fn pages(fleet: &FleetState, decision: &mut FleetDecision) {
    let mut wanted: BTreeMap<(Option<HsmName>, PageReason), String> = BTreeMap::new();
    for (hsm, shed) in &fleet.sheds {
        let asked = !shed.hook && shed.action == LoadAction::Shed;
        if asked {
            let text = format!("HSM {hsm} is overloaded: ask its provider to reduce the load");
            wanted.insert((Some(hsm.clone()), PageReason::LoadHigh), text);
        }
        if shed.failed_at.is_some() {
            let text = format!("load of HSM {hsm}: {} has failed", shed.action.as_str());
            wanted.insert((Some(hsm.clone()), PageReason::LoadHook), text);
        }
    }
    for (hsm, reason) in fleet.pages.keys() {
        if !wanted.contains_key(&(hsm.clone(), *reason)) {
            let (hsm, reason) = (hsm.clone(), *reason);
            decision.record(Change::PageCleared { reason, hsm });
        }
    }
    for ((hsm, reason), text) in wanted {
        if !fleet.pages.contains_key(&(hsm.clone(), reason)) {
            decision.record(Change::PageRaised { reason, text, hsm });
        }
    }
}

/// Applies an order to shed.
pub(super) fn shed(sheds: &mut BTreeMap<HsmName, Shed>, order: &LoadOrder, at: (Time, u64)) {
    sheds.insert(
        order.hsm.clone(),
        Shed {
            since: at.0,
            action: LoadAction::Shed,
            order: at.1,
            hook: order.hook,
            done: false,
            failed_at: None,
        },
    );
}

/// Applies an order to restore. Where people were asked to shed, nothing is left to be done.
pub(super) fn restored(sheds: &mut BTreeMap<HsmName, Shed>, order: &LoadOrder, seq: u64) {
    if !order.hook {
        sheds.remove(&order.hsm);
        return;
    }
    if let Some(shed) = sheds.get_mut(&order.hsm) {
        shed.action = LoadAction::Restore;
        shed.order = seq;
        shed.done = false;
        shed.failed_at = None;
    }
}

/// Applies what came of an order.
pub(super) fn reported(sheds: &mut BTreeMap<HsmName, Shed>, report: &LoadReport, time: Time) {
    let current = sheds
        .get_mut(&report.hsm)
        .filter(|shed| shed.action == report.action);
    let Some(shed) = current else {
        return;
    };
    match (&report.failure, report.action) {
        (Some(_), _) => shed.failed_at = Some(time),
        (None, LoadAction::Shed) => (shed.done, shed.failed_at) = (true, None),
        (None, LoadAction::Restore) => {
            sheds.remove(&report.hsm);
        }
    }
}

#[cfg(test)]
mod tests;
