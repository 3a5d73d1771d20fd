//! The clocks around the program: the true one, by which everything happens, the wall clock of its
//! machine, and the time that it goes by, made from that as `remediator/src/clock.rs` makes it.

use std::time::Duration;

use vcm_recovery::start::{Boot, Start};
use vcm_recovery::time::Time;

/// What the wall clock and the program's time may drift apart before it is a step, in milliseconds.
const STEP_MIN: u64 = 60_000;

/// How far each clock is ahead of the truth, in milliseconds; negative when it is behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    wall: i64,
    program: i64,
    /// By how much the wall clock was ahead of the program's time when that was recorded last.
    recorded: i64,
    /// How often the machine was booted since the beginning.
    boots: u32,
    /// Whether a start of the program took the time to be later than it was by its own clock before.
    jumped: bool,
}

impl Clock {
    /// The wall clock is set so far ahead of the truth; the program's time goes on.
    pub(crate) const fn set_wall(&mut self, ahead: i64) {
        self.wall = ahead;
    }

    /// The program's machine is booted.
    pub(crate) const fn boot(&mut self) {
        self.boots += 1;
    }

    /// The program starts: its time resumes at the newest of the last stored instant, the wall clock and,
    /// in the boot that the last recorded start was in, what its own time has come to since.
    pub(crate) fn resume(
        &mut self,
        last: Option<Time>,
        last_boot: Option<&Boot>,
        now: Time,
    ) -> Start {
        // The true time counts as the boot time clock: it never stands still either.
        let boottime = Duration::from_millis(now.as_millis().unsigned_abs());
        let id = self.boots.to_string();
        let same_boot = last_boot.filter(|boot| boot.id == id);
        let went_on = same_boot.map(|boot| boot.began.after(boottime));
        let wall = self.wall(now);
        let went_on = went_on.filter(|at| last.is_none_or(|last| last <= *at));
        let resumed = wall.max(last.max(went_on).unwrap_or(wall));
        let ahead = resumed.as_millis() - now.as_millis();
        let step = i64::try_from(STEP_MIN).unwrap_or(i64::MAX);
        self.jumped |= last.is_some() && ahead - self.program > step;
        self.program = ahead;
        self.recorded = self.wall_ahead();
        let began = resumed.before(boottime);
        Start {
            boot: Some(Boot { id, began }),
            away_known: last.is_none() || went_on.is_some(),
            last,
        }
    }

    /// The time that the program goes by.
    pub(crate) const fn time(&self, now: Time) -> Time {
        Time::from_millis(now.as_millis().saturating_add(self.program))
    }

    /// When it is truly that time of the program's.
    pub(crate) const fn truly(&self, time: Time) -> Time {
        Time::from_millis(time.as_millis().saturating_sub(self.program))
    }

    /// What the wall clock shows.
    pub(crate) const fn wall(&self, now: Time) -> Time {
        Time::from_millis(now.as_millis().saturating_add(self.wall))
    }

    /// By how many milliseconds the wall clock is ahead of the program's time.
    pub(crate) const fn wall_ahead(&self) -> i64 {
        self.wall - self.program
    }

    /// By how many milliseconds the wall clock has stepped since this was asked last, if it has.
    pub(crate) const fn take_step(&mut self) -> Option<i64> {
        let step = self.wall_ahead() - self.recorded;
        if step.unsigned_abs() <= STEP_MIN {
            return None;
        }
        self.recorded = self.wall_ahead();
        Some(step)
    }

    /// Whether people know better than to confirm that a time without the program was one.
    pub(crate) const fn jumped(&self) -> bool {
        self.jumped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000_000_000);
    const HOUR: i64 = 3_600_000;

    #[test]
    fn running_program_goes_by_its_own_time_whatever_the_wall_clock_does() {
        let mut clock = Clock::default();
        clock.resume(None, None, NOW);
        clock.set_wall(5 * HOUR);
        assert_eq!(clock.time(NOW), NOW);
        assert_eq!(clock.wall_ahead(), 5 * HOUR);
        assert_eq!(clock.take_step(), Some(5 * HOUR));
        assert_eq!(clock.take_step(), None);
    }

    #[test]
    fn start_takes_a_wall_clock_that_is_ahead_and_never_goes_back() {
        let mut clock = Clock::default();
        clock.resume(None, None, NOW);
        clock.set_wall(5 * HOUR);
        clock.resume(Some(NOW), None, NOW);
        let ahead = Time::from_millis(NOW.as_millis() + 5 * HOUR);
        assert_eq!(clock.time(NOW), ahead);
        assert_eq!(clock.truly(ahead), NOW);
        assert!(clock.jumped());
        clock.set_wall(0);
        clock.resume(Some(ahead), None, NOW);
        assert_eq!(clock.time(NOW), ahead);
        assert_eq!(clock.wall_ahead(), -5 * HOUR);
    }

    #[test]
    fn knows_how_long_the_program_was_away_in_one_boot_only() {
        let mut clock = Clock::default();
        let first = clock.resume(None, None, NOW);
        clock.set_wall(-5 * HOUR);
        let later = NOW.after(Duration::from_secs(600));
        let second = clock.resume(Some(NOW), first.boot.as_ref(), later);
        assert!(first.away_known && second.away_known);
        assert_eq!(clock.time(later), later);
        clock.boot();
        let third = clock.resume(Some(NOW), second.boot.as_ref(), later);
        assert!(!third.away_known);
        assert_eq!(clock.time(later), NOW);
    }
}
