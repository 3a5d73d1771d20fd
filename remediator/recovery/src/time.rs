//! Time as the core sees it: one integer, passed in, never going back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since the Unix epoch, as kept by the program's own clock.
///
/// The program guarantees that it never goes back: it runs on the boot time clock of its machine, and
/// resumes no earlier than the last stored instant and the wall clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// The instant `milliseconds` after the Unix epoch.
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `span` later; saturates at the end of the representable range.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let milliseconds = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the days")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// Every day, from Monday.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

const DAY_MILLIS: i64 = 24 * 3600 * 1000;

impl Time {
    /// The UTC day of the week, and the milliseconds since that day began.
    #[must_use]
    pub fn of_week(self) -> (Weekday, i64) {
        // The epoch was a Thursday.
        let days = self.0.div_euclid(DAY_MILLIS) + 3;
        let day = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
        (Weekday::ALL[day], self.0.rem_euclid(DAY_MILLIS))
    }

    /// The instant at which the UTC day began.
    #[must_use]
    pub const fn day_began(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MILLIS))
    }

    /// The instant `span` earlier; saturates at the end of the representable range.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_week_follow_the_calendar() {
        // 2026-11-22 was a Sunday.
        let noon = Time::from_millis(1_795_348_800_000);
        assert_eq!(noon.of_week(), (Weekday::Sunday, 12 * 3_600_000));
        assert_eq!(Time::from_millis(0).of_week(), (Weekday::Thursday, 0));
        assert_eq!(
            Time::from_millis(-1).of_week(),
            (Weekday::Wednesday, DAY_MILLIS - 1)
        );
        assert_eq!(
            noon.day_began(),
            noon.before(Duration::from_secs(12 * 3600))
        );
    }
}
