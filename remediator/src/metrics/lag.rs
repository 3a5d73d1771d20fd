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
        if let Change::FactChanged(fact) = &event.entry.change {
            if fact.firing && !before.incidents.contains_key(target) {
                waiting.entry(target.clone()).or_insert(event.time);
            } else {
                waiting.remove(target);
            }
            return None;
        }
        let ends = matches!(
            event.entry.change,
            Change::Decided(_) | Change::IncidentClosed(_)
        );
        let fired = ends.then(|| waiting.remove(target)).flatten()?;
        let decided = matches!(event.entry.change, Change::Decided(_));
        decided.then(|| event.time.since(fired))
    }
}
