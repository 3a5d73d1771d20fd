//! The simulator's only reader of clocks, and its only waiter for time.
//!
//! The model counts milliseconds of the boot clock, so that a step of the wall clock moves no
//! module; the wall clock is read only for the logs that people and tests read.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment of the model: milliseconds of the boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(pub u64);

impl At {
    /// The time since `earlier`; zero if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: At) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for At {
    type Output = At;

    fn add(self, span: Duration) -> At {
        At(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for At {
    type Output = At;

    fn sub(self, span: Duration) -> At {
        At(self.0.saturating_sub(millis(span)))
    }
}

/// The present moment of the boot clock.
#[must_use]
pub fn now() -> At {
    At(read(ClockId::Boottime))
}

/// Milliseconds since 1970 by the wall clock.
#[must_use]
pub fn unix_ms() -> u64 {
    read(ClockId::Realtime)
}

/// The wall clock's reading, in milliseconds, at the moment `at` of the model.
#[must_use]
pub fn unix_ms_at(at: At) -> u64 {
    (unix_ms() + at.0).saturating_sub(now().0)
}

/// Whole milliseconds of `span`, at most `u64::MAX`.
#[must_use]
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Lets `span` pass: a simulated tool or module takes that long.
#[expect(
    clippy::disallowed_methods,
    reason = "the passing of time is what is being simulated; every other wait is for a condition"
)]
pub fn pass(span: Duration) {
    std::thread::sleep(span);
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000 + nanoseconds / 1_000_000
}
