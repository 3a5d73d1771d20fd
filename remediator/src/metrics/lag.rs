//! How long a target waits from its first durable firing to the first decision on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vcm_recovery::event::{Change, Event};
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

/// Firings on which nothing has been decided yet. Bounded by the inventory.
#[derive(Debug, Default)]
pub(super) struct Lag {
    waiting: Mutex<BTreeMap<Target, Time>>,
}

impl Lag {
    /// The time from firing to decision, when this event is the decision.
    ///
    /// Only firings of a target without an incident count: a further alert of an open incident
    /// may well change nothing, and then no decision is recorded.
    pub(super) fn observe(&self, event: &Event, before: &HostState) -> Option<Duration> {
        let target = event.entry.target.as_ref()?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.entry.change {
            Change::FactChanged(fact) => {
                if fact.firing && !before.incidents.contains_key(target) {
                    waiting.entry(target.clone()).or_insert(event.time);
                } else {
                    waiting.remove(target);
                }
                None
            }
            Change::Decided(_) => waiting.remove(target).map(|fired| event.time.since(fired)),
            Change::IncidentClosed(_) => {
                waiting.remove(target);
                None
            }
            Change::Observed(_)
            | Change::IncidentOpened
            | Change::IncidentLatched { .. }
            | Change::IntentReserved(_)
            | Change::AttemptReported { .. }
            | Change::PageRaised { .. }
            | Change::PageCleared { .. } => None,
        }
    }
}
