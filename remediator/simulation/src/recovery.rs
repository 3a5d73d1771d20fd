//! The one place where the recovery core is called and where its records are made.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use vcm_recovery::alert::Fact;
use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::{Intent, Report};
use vcm_recovery::command::{self, FleetOrder, Giver, HostOrder};
use vcm_recovery::decide::{self, Decision, Proposal};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::evidence::Evidence;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::{AttemptId, Epoch, HostName, RequestId};
use vcm_recovery::inventory::Target;
use vcm_recovery::policy::{self, Policy};
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use crate::site::Site;

/// Storms and loads are put together anew at most this often, as in the program.
const VIEW_FRESH: Duration = Duration::from_millis(500);

/// What is known beyond one host.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// What belongs to no host, folded.
    pub(crate) fleet: FleetState,
    /// When the watchdog was last heard of since the start.
    pub(crate) watchdog: Option<Time>,
    newest: RefCell<Option<(Time, FleetView)>>,
}

impl Around {
    pub(crate) const fn new(fleet: FleetState) -> Self {
        Self {
            fleet,
            watchdog: None,
            newest: RefCell::new(None),
        }
    }

    /// The view of the fleet: what is in flight and a pause are the newest; storms and loads may be a
    /// moment old, and are of the states with all that is `stored`.
    pub(crate) fn view<'a>(
        &self,
        states: &[HostState],
        stored: impl FnOnce() -> Vec<Cow<'a, HostState>>,
        site: &Site,
        now: Time,
    ) -> FleetView {
        let mut newest = self.newest.borrow_mut();
        let fresh = newest
            .as_ref()
            .is_some_and(|(at, _)| now.since(*at) < VIEW_FRESH);
        if !fresh {
            let stored = stored();
            let stored = stored.iter().map(AsRef::as_ref);
            let (inventory, policy) = (&site.inventory, &site.policy);
            let view = FleetView::new(stored, &self.fleet, inventory, policy, now);
            *newest = Some((now, view));
        }
        let slow = newest
            .as_ref()
            .map(|(_, view)| view.clone())
            .unwrap_or_default();
        FleetView {
            pause: self.fleet.open_pause(now),
            unconfirmed_gap: self.fleet.unconfirmed_gap,
            unconfirmed_since: self.fleet.unconfirmed_since,
            unconfirmed_until: self.fleet.unconfirmed_until,
            storms: slow.storms,
            loads: slow.loads,
            watchdog: self.watchdog,
            ..FleetView::of(states.iter())
        }
    }
}

/// Decides about one host of the site.
pub(crate) fn decide(
    state: &HostState,
    evidence: &Evidence,
    fleet: &FleetView,
    (site, host): (&Site, usize),
    now: Time,
) -> Decision {
    let of_host = policy::Site {
        host: site.entry(host),
        policy: &site.policy,
    };
    decide::decide(state, evidence, fleet, of_host, now)
}

/// Every host's state and the fleet's, from nothing.
pub(crate) fn fold(names: &[HostName], events: &[Event]) -> (Vec<HostState>, FleetState) {
    let mut states: Vec<HostState> = names.iter().cloned().map(HostState::new).collect();
    let mut fleet = FleetState::default();
    for event in events {
        match host_of(event).map(|host| names.binary_search(host)) {
            Some(Ok(index)) => states[index].apply(event),
            Some(Err(_)) => {}
            None => fleet.apply(event),
        }
    }
    (states, fleet)
}

/// What a start records once everything is folded: another policy.
pub(crate) fn policy_entries(fleet: &FleetState, policy: &Policy) -> Vec<Entry> {
    let other = fleet.policy.as_deref() != Some(policy);
    let policy = other.then(|| Change::PolicyLoaded(Box::new(policy.clone())));
    policy.map(fleet_entry).into_iter().collect()
}

/// The entry of a change that belongs to no host.
pub(crate) const fn fleet_entry(change: Change) -> Entry {
    Entry {
        host: None,
        target: None,
        incident: None,
        change,
    }
}

/// The answer to an open request of an incident: its first alternative is approved, or it is denied.
pub(crate) fn answer(state: &HostState, request: RequestId, approves: bool) -> HostOrder {
    let asked = state
        .incidents
        .values()
        .filter_map(|incident| incident.request.as_ref())
        .find(|open| open.id == request);
    let first = asked.and_then(|asked| asked.alternatives.first());
    let choice = match first.filter(|_| approves) {
        Some(alternative) => Choice::Approve(alternative.scope.rung),
        None => Choice::Deny,
    };
    HostOrder::Answer { request, choice }
}

/// What a person's order about a host comes to; nothing when it is refused.
pub(crate) fn obeyed(
    order: &HostOrder,
    state: &HostState,
    evidence: &Evidence,
    now: Time,
) -> Vec<Entry> {
    giver()
        .and_then(|giver| command::of_host(order, &giver, state, evidence, |_| true, now).ok())
        .unwrap_or_default()
}

/// What a person's order about everything comes to; nothing when it is refused.
pub(crate) fn fleet_obeyed(order: &FleetOrder, fleet: &FleetState, now: Time) -> Vec<Entry> {
    giver()
        .and_then(|giver| command::of_fleet(order, &giver, fleet, now).ok())
        .unwrap_or_default()
}

fn giver() -> Option<Giver> {
    Some(Giver {
        by: "operator".parse().ok()?,
        reason: "as simulated".to_owned(),
    })
}

/// The host that an event is about.
pub(crate) const fn host_of(event: &Event) -> Option<&HostName> {
    event.entry.host.as_ref()
}

/// The entry of a fact that began or ended to fire.
pub(crate) fn fact_entry(fact: &Fact) -> Entry {
    Entry {
        host: Some(fact.target.host.clone()),
        target: Some(fact.target.clone()),
        incident: None,
        change: Change::FactChanged(fact.clone()),
    }
}

/// The entry of a change about a target.
pub(crate) fn entry(state: &HostState, target: &Target, change: Change) -> Entry {
    Entry {
        host: Some(state.host.clone()),
        target: Some(target.clone()),
        incident: state
            .incidents
            .get(target)
            .map(|incident| incident.id.clone()),
        change,
    }
}

/// The entry of a report about an attempt.
pub(crate) fn report_entry(
    state: &HostState,
    target: &Target,
    attempt: AttemptId,
    report: Report,
) -> Entry {
    entry(state, target, Change::AttemptReported { attempt, report })
}

/// The intent of a proposal.
pub(crate) fn intent(attempt: AttemptId, epoch: Epoch, proposal: &Proposal) -> Intent {
    Intent {
        attempt,
        incident: proposal.incident.clone(),
        target: proposal.target.clone(),
        rung: proposal.rung,
        epoch,
        observation: proposal.observation,
        ceiling: proposal.ceiling,
        esn: proposal.esn.clone(),
        hsms: proposal.hsms.clone(),
        steps: proposal.steps.clone(),
        healthy_before: proposal.healthy_before.clone(),
        approval: proposal.approval,
        asked: proposal.asked.clone(),
    }
}
