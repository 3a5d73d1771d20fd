//! When the watchdog was last heard: the proof that the way from Prometheus to here works.
//!
//! The webhook fills it, the engine reads it before anything disruptive.

use std::sync::atomic::{AtomicI64, Ordering};

use vcm_recovery::time::Time;

/// Stands for "never": no clock of the program says so.
const NEVER: i64 = i64::MIN;

/// The last time that the watchdog came, firing, by the program's clock. Kept in memory only: what
/// came before a restart proves nothing about the way as it is now.
#[derive(Debug)]
pub struct Watchdog {
    last: AtomicI64,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            last: AtomicI64::new(NEVER),
        }
    }
}

impl Watchdog {
    /// It came at `at`. Two deliveries may be recorded in any order: the later one counts.
    pub fn seen(&self, at: Time) {
        self.last.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// When it last came; `None` if it has not since the program started.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        let last = self.last.load(Ordering::Relaxed);
        (last != NEVER).then(|| Time::from_millis(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_delivery_counts_whatever_order_they_come_in() {
        let watchdog = Watchdog::default();
        assert_eq!(watchdog.last(), None);
        for (at, last) in [(0, 0), (5_000, 5_000), (3_000, 5_000)] {
            watchdog.seen(Time::from_millis(at));
            assert_eq!(watchdog.last(), Some(Time::from_millis(last)));
        }
    }
}
