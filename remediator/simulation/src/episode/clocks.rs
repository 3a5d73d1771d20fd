//! What the wall clock does in an episode, and what people make of it.

use std::time::Duration;

use vcm_recovery::command::FleetOrder;
use vcm_recovery::time::Time;

use super::{BEGINNING, Episode, Happening, Outside};
use crate::knobs::{People, WallClock};

/// How wrong it is, in seconds: more than the hour above which a time without the program is told of.
const WRONG: std::ops::RangeInclusive<u64> = 7_200..=28_800;

/// For how long, in seconds.
const FOR: std::ops::RangeInclusive<u64> = 3_600..=14_400;

/// From a step to the start of the program that takes it for the time, in seconds.
const STARTED_AFTER: std::ops::RangeInclusive<u64> = 30..=1_800;

/// Nothing happens to the clock so close to the beginning, and to the end.
const MARGIN: Duration = Duration::from_secs(600);

impl Episode {
    /// Before the program first starts.
    pub(super) fn begin_clock(&mut self) {
        if self.knobs.clock == WallClock::WrongAtStart {
            let wrong = self.wrong();
            let ahead = self.clock_dice.per_cent(50);
            self.clock.set_wall(if ahead { wrong } else { -wrong });
        }
    }

    /// Draws when the clock steps, and when the program starts anew by what it shows.
    pub(super) fn plan_clock(&mut self, end: Time) {
        let wrong = self.wrong();
        let first = BEGINNING.after(MARGIN);
        let room = end.before(MARGIN).since(first).as_secs();
        let at = first.after(self.clock_dice.seconds(0..=room));
        match self.knobs.clock {
            WallClock::Right => return,
            WallClock::StepsForward => self.plan_step(at, wrong),
            WallClock::StepsBack => self.plan_step(at, -wrong),
            WallClock::WrongAtStart => {}
        }
        let right = at.after(self.clock_dice.seconds(FOR));
        self.plan_step(right, 0);
    }

    fn plan_step(&mut self, at: Time, ahead: i64) {
        let outside = Happening::Outside(Outside::WallClock(ahead));
        self.queue.at(at, outside);
        let dies = at.after(self.clock_dice.seconds(STARTED_AFTER));
        if self.clock_dice.per_cent(70) {
            self.queue.at(dies, Happening::Outside(Outside::Dies));
        }
    }

    fn wrong(&mut self) -> i64 {
        let span = self.clock_dice.seconds(WRONG);
        i64::try_from(span.as_millis()).unwrap_or(0)
    }

    /// The wall clock is set; the program notices at its next turn.
    pub(super) fn set_wall(&mut self, ahead: i64) {
        self.clock.set_wall(ahead);
        self.wake_fleet(false);
    }

    /// A long time without the program was found, and counts for nothing until a person confirms it.
    pub(super) fn people_see_a_gap(&mut self) {
        if self.knobs.people != People::Absent {
            let at = self.clock_dice.seconds(300..=3_600);
            self.queue
                .after(at, Happening::Outside(Outside::ConfirmGap));
        }
    }

    /// Whoever looks sees a clock that was wrong, and does not confirm that.
    pub(super) fn confirm_gap(&mut self) {
        if !self.clock.jumped() {
            self.order_fleet(FleetOrder::ConfirmGap);
        }
    }
}
