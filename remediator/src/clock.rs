//! The one place that reads clocks.
//!
//! The program's time goes by the boot time clock of the machine. It resumes at the newest of the last
//! stored instant, the wall clock and, where the machine has not been booted since the last start, the
//! time that it has come to by itself since, so that it never goes back, whatever happens to the wall clock.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use vcm_recovery::start::{Boot, Start};
use vcm_recovery::time::Time;

use crate::host::kernel;

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

    /// The start of the program, as it is to be recorded.
    fn start(&self) -> Start {
        Start::FIRST
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
    /// The program's time when the boot time clock stood at zero.
    began: Time,
    start: Start,
    /// Wall clock minus program time in milliseconds, as last recorded.
    wall_offset: AtomicI64,
    /// The sum of the steps that nobody has asked for yet.
    steps: AtomicI64,
}

impl SystemClock {
    /// A clock that goes on at the newest of the `last_stored` instant, the wall clock and, in the
    /// boot of the machine that the last start was in, what `last_boot` comes to now.
    #[must_use]
    pub fn resume(last_stored: Option<Time>, last_boot: Option<&Boot>) -> Self {
        let (wall, boottime) = (wall(), boottime());
        // Where it is masked, as in some containers, every boot would be the same.
        let boot_id = kernel::boot_id().ok().filter(|id| !id.is_empty());
        let same_boot = last_boot.filter(|last| Some(&last.id) == boot_id.as_ref());
        let went_on = same_boot.map(|last| last.began.after(boottime));
        // What is stored is of this clock, so that it cannot be ahead of it in one and the same boot.
        let went_on = went_on.filter(|at| last_stored.is_none_or(|stored| stored <= *at));
        let resumed_at = wall.max(last_stored.max(went_on).unwrap_or(wall));
        let behind = resumed_at.since(wall);
        if behind > WALL_STEP_MIN {
            tracing::warn!(
                behind_seconds = behind.as_secs(),
                "the wall clock is behind the program's time, which goes on by itself"
            );
        }
        let began = resumed_at.before(boottime);
        let boot = boot_id.map(|id| Boot { id, began });
        let away_known = last_stored.is_none() || went_on.is_some();
        let wall_offset = AtomicI64::new(wall.as_millis() - resumed_at.as_millis());
        Self {
            began,
            start: Start {
                boot,
                away_known,
                last: last_stored,
            },
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
        let now = self.began.after(boottime());
        self.watch_wall(now);
        now
    }

    fn wall_ahead(&self) -> i64 {
        wall().as_millis() - self.now().as_millis()
    }

    fn start(&self) -> Start {
        self.start.clone()
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

/// How long this machine has run, the time included for which it was suspended.
fn boottime() -> Duration {
    Duration::from_millis(kernel::boottime_ms())
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

    const HOUR: Duration = Duration::from_secs(3_600);
    const SOON: Duration = Duration::from_secs(60);

    /// What the last start recorded, when the program's time was so far ahead of the wall clock.
    fn last_boot(ahead: Duration) -> Boot {
        let id = kernel::boot_id().unwrap();
        let began = wall().after(ahead).before(boottime());
        Boot { id, began }
    }

    #[test]
    fn resumes_at_the_last_stored_instant_when_the_wall_clock_is_behind_it() {
        let stored = wall().after(HOUR);
        let clock = SystemClock::resume(Some(stored), None);
        assert!(clock.now() >= stored);
        assert!(clock.now().since(stored) < SOON);
    }

    #[test]
    fn starts_at_the_wall_clock_when_the_store_is_older() {
        let before = wall();
        let stored = Some(Time::from_millis(1));
        assert!(SystemClock::resume(stored, None).now() >= before);
        assert!(SystemClock::resume(None, None).now() >= before);
    }

    /// The program was away for an hour of the two that its time is ahead.
    #[test]
    fn goes_on_by_the_boot_time_clock_while_it_is_away() {
        let stored = wall().after(HOUR);
        let clock = SystemClock::resume(Some(stored), Some(&last_boot(2 * HOUR)));
        let gone_on = clock.now().since(stored);
        assert!(gone_on >= HOUR && gone_on < HOUR + SOON, "{gone_on:?}");
        let start = clock.start();
        assert!(start.away_known);
        assert_eq!(start.last, Some(stored));
        // The next start makes the same of it: nothing adds up.
        let again = SystemClock::resume(Some(clock.now()), start.boot.as_ref());
        assert_eq!(again.start().boot, start.boot);
    }

    #[test]
    fn knows_how_long_it_was_away_in_one_boot_of_the_machine_only() {
        let known = |stored: Option<Time>, boot: Option<&Boot>| {
            SystemClock::resume(stored, boot).start().away_known
        };
        let stored = Some(wall().before(HOUR));
        let this = last_boot(Duration::ZERO);
        let other = Boot {
            id: "another".to_owned(),
            ..this.clone()
        };
        assert!(known(None, None), "nothing was before");
        assert!(known(stored, Some(&this)));
        assert!(!known(stored, Some(&other)));
        assert!(!known(stored, None));
        let ahead = Some(wall().after(HOUR));
        assert!(!known(ahead, Some(&this)), "ahead of the clock it is of");
    }

    #[test]
    fn tells_how_far_the_wall_clock_is_from_the_time_it_goes_by() {
        let apart = SystemClock::resume(None, None).wall_ahead();
        assert!(apart.abs() < 60_000);
        let clock = SystemClock::resume(Some(wall().after(HOUR)), None);
        let behind = -clock.wall_ahead();
        assert!((3_540_000..=3_600_000).contains(&behind), "{behind}");
    }

    #[test]
    fn records_a_wall_step_once_and_keeps_going() {
        let clock = SystemClock::resume(None, None);
        let stepped_back = clock.wall_offset.load(Ordering::Relaxed) - 3_600_000;
        clock.wall_offset.store(stepped_back, Ordering::Relaxed);
        let first = clock.now();
        let recorded = clock.wall_offset.load(Ordering::Relaxed);
        assert!(recorded.abs_diff(stepped_back) > 3_000_000);
        assert!(clock.now() >= first);
        assert!(clock.wall_offset.load(Ordering::Relaxed).abs_diff(recorded) < 60_000);
    }
}
