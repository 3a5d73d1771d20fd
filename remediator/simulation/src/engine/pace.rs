//! How often a host may be looked at.

use std::collections::VecDeque;
use std::time::Duration;

use vcm_recovery::time::Time;

/// Tool runs of one look: `enquiry` and `stattree`.
const RUNS_PER_LOOK: u32 = 2;

const MINUTE: Duration = Duration::from_secs(60);

/// The looks of the last minute.
#[derive(Debug)]
pub(super) struct Pace {
    looks_per_minute: usize,
    looks: VecDeque<Time>,
}

impl Pace {
    /// A pace of at most this many tool runs a minute; one look is always allowed.
    pub(super) fn new(tool_runs_per_minute: u32) -> Self {
        let looks = usize::try_from(tool_runs_per_minute / RUNS_PER_LOOK).unwrap_or(usize::MAX);
        Self {
            looks_per_minute: looks.max(1),
            looks: VecDeque::new(),
        }
    }

    /// When the next look is allowed.
    pub(super) fn allowed_at(&mut self, now: Time) -> Time {
        while self
            .looks
            .front()
            .is_some_and(|&at| now.since(at) >= MINUTE)
        {
            self.looks.pop_front();
        }
        let in_the_way = self.looks.len().checked_sub(self.looks_per_minute);
        in_the_way
            .and_then(|index| self.looks.get(index))
            .map_or(now, |at| at.after(MINUTE))
    }

    /// Counts a look.
    pub(super) fn looked(&mut self, at: Time) {
        self.looks.push_back(at);
    }
}
