//! The newest events, for the page. Seeded from the store at the start, then fed by the engine.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use vcm_recovery::event::Event;

/// Events shown: the last hour or so of a host in trouble.
pub const RECENT_MAX: u32 = 100;

/// The newest events, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    events: Mutex<VecDeque<Event>>,
}

impl Recent {
    /// Adds an event, unless it is known already.
    pub fn push(&self, event: &Event) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let place = events.partition_point(|known| known.seq < event.seq);
        if events
            .get(place)
            .is_some_and(|known| known.seq == event.seq)
        {
            return;
        }
        events.insert(place, event.clone());
        if events.len() > RECENT_MAX as usize {
            events.pop_front();
        }
    }

    /// The events, newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().rev().cloned().collect()
    }
}
