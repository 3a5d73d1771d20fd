//! The one place that reads clocks.
//!
//! The program's time is monotonic within the process and resumes at the later of the last stored
//! instant and the wall clock, so that it never goes back, whatever happens to the wall clock.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use vcm_recovery::time::Time;

/// A difference between wall clock and program time that has changed by more than this is a step:
/// it is logged once and otherwise ignored. Smaller ones are what NTP slews.
pub const WALL_STEP_MIN: Duration = Duration::from_secs(60);

/// Where the program gets its time from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now. Never earlier than any instant given before.
    fn now(&self) -> Time;

    /// By how many milliseconds the wall clock is ahead of the program's time; negative when behind.
    fn wall_ahead(&self) -> i64 {
        0
    }

    /// How far the wall clock was behind the newest record when the program started.
    fn behind_at_start(&self) -> Duration {
        Duration::ZERO
    }

    /// By how many milliseconds the wall clock has stepped since this was asked last, if it has.
    /// The program's time goes on unchanged.
    fn take_step(&self) -> Option<i64> {
        None
    }
}

/// The clock of a running program.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
    resumed_at: Time,
    behind_at_start: Duration,
    /// Wall clock minus program time in milliseconds, as last recorded.
    wall_offset: AtomicI64,
    /// The sum of the steps that nobody has asked for yet.
    steps: AtomicI64,
}

impl SystemClock {
    /// A clock that goes on at the later of `last_stored` and the wall clock.
    #[must_use]
    pub fn resume(last_stored: Option<Time>) -> Self {
        let wall = wall();
        let resumed_at = last_stored.map_or(wall, |stored| stored.max(wall));
        let behind = resumed_at.since(wall);
        if behind > WALL_STEP_MIN {
            tracing::warn!(
                behind_seconds = behind.as_secs(),
                "the wall clock is behind the last stored instant; time goes on from the latter"
            );
        }
        let wall_offset = AtomicI64::new(wall.as_millis() - resumed_at.as_millis());
        Self {
            origin: Instant::now(),
            resumed_at,
            behind_at_start: behind,
            wall_offset,
            steps: AtomicI64::new(0),
        }
    }

    /// Records a step of the wall clock; it changes nothing here.
    fn watch_wall(&self, now: Time) {
        let offset = wall().as_millis() - now.as_millis();
        let before = self.wall_offset.load(Ordering::Relaxed);
        if offset.abs_diff(before) <= as_millis(WALL_STEP_MIN) {
            return;
        }
        let swap =
            self.wall_offset
                .compare_exchange(before, offset, Ordering::Relaxed, Ordering::Relaxed);
        if swap.is_ok() {
            self.steps.fetch_add(offset - before, Ordering::Relaxed);
            tracing::warn!(
                step_milliseconds = offset - before,
                "the wall clock stepped; the program's time goes on unchanged"
            );
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let now = self.resumed_at.after(self.origin.elapsed());
        self.watch_wall(now);
        now
    }

    fn wall_ahead(&self) -> i64 {
        wall().as_millis() - self.now().as_millis()
    }

    fn behind_at_start(&self) -> Duration {
        self.behind_at_start
    }

    fn take_step(&self) -> Option<i64> {
        Some(self.steps.swap(0, Ordering::Relaxed)).filter(|step| *step != 0)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the one home of clocks"
)]
fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time::from_millis(0).after(since_epoch.unwrap_or_default())
}

fn as_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that stands still until it is told to go on. For tests and replay.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn at(now: Time) -> Self {
        Self {
            now: AtomicI64::new(now.as_millis()),
        }
    }

    /// Goes on by `span`.
    pub fn advance(&self, span: Duration) {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.now.fetch_add(span, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time::from_millis(self.now.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resumes_at_the_last_stored_instant_when_the_wall_clock_is_behind_it() {
        let stored = wall().after(Duration::from_secs(3600));
        let clock = SystemClock::resume(Some(stored));
        assert!(clock.now() >= stored);
        assert!(clock.now().since(stored) < Duration::from_secs(60));
    }

    #[test]
    fn starts_at_the_wall_clock_when_the_store_is_older() {
        let before = wall();
        assert!(SystemClock::resume(Some(Time::from_millis(1))).now() >= before);
        assert!(SystemClock::resume(None).now() >= before);
    }

    #[test]
    fn tells_how_far_the_wall_clock_is_from_the_time_it_goes_by() {
        assert!(SystemClock::resume(None).wall_ahead().abs() < 60_000);
        let stored = wall().after(Duration::from_secs(3600));
        let clock = SystemClock::resume(Some(stored));
        let behind = -clock.wall_ahead();
        assert!((3_540_000..=3_600_000).contains(&behind), "{behind}");
        let seconds = clock.behind_at_start().as_secs();
        assert!((3_540..=3_600).contains(&seconds), "{seconds}");
        let ahead = SystemClock::resume(Some(wall().before(Duration::from_secs(60))));
        assert_eq!(ahead.behind_at_start(), Duration::ZERO);
    }

    #[test]
    fn records_a_wall_step_once_and_keeps_going() {
        let clock = SystemClock::resume(None);
        let stepped_back = clock.wall_offset.load(Ordering::Relaxed) - 3_600_000;
        clock.wall_offset.store(stepped_back, Ordering::Relaxed);
        let first = clock.now();
        let recorded = clock.wall_offset.load(Ordering::Relaxed);
        assert!(recorded.abs_diff(stepped_back) > 3_000_000);
        assert!(clock.now() >= first);
        assert!(clock.wall_offset.load(Ordering::Relaxed).abs_diff(recorded) < 60_000);
    }
}
