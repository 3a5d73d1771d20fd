//! A start time computed from an uptime, without the jitter of computing it.

use crate::clock::UnixTime;

/// How far the computed start time may move before it is believed, in seconds.
///
/// Uptimes come in whole seconds and tools take their time: without this every scrape would show
/// another start time and look like a reboot.
const TOLERANCE_SECONDS: f64 = 60.0;

/// Since when something runs. Fixed when first seen; moves only when the uptime went back or the
/// difference exceeds the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StartTime {
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    start: UnixTime,
    uptime: u64,
}

impl StartTime {
    /// Takes in an uptime in seconds, read at a time of the wall clock. One that began before 1970
    /// is damage and no uptime.
    pub fn observe(&mut self, uptime: u64, at: UnixTime) {
        let computed = at.minus_seconds(uptime as f64);
        if computed.0 < 0.0 {
            return;
        }
        let start = match self.seen {
            Some(seen) if uptime >= seen.uptime && near(seen.start, computed) => seen.start,
            Some(_) | None => computed,
        };
        self.seen = Some(Seen { start, uptime });
    }

    /// Returns the start time; `None` before the first uptime.
    #[must_use]
    pub fn get(&self) -> Option<UnixTime> {
        self.seen.map(|seen| seen.start)
    }
}

fn near(one: UnixTime, other: UnixTime) -> bool {
    (one.0 - other.0).abs() <= TOLERANCE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_uptime_went_back_or_the_difference_is_large() {
        let mut start = StartTime::default();
        assert_eq!(start.get(), None);
        for (uptime, now, expected) in [
            (100, 1_000.9, 900.9),
            (115, 1_015.2, 900.9),
            (130, 1_080.0, 900.9),
            (10, 1_090.0, 1_080.0),
            (11, 1_200.0, 1_189.0),
            (12, 1_100.0, 1_088.0),
        ] {
            start.observe(uptime, UnixTime(now));
            assert_eq!(
                start.get(),
                Some(UnixTime(expected)),
                "uptime {uptime} at {now}"
            );
        }
    }

    /// The start times computed from these readings of uptime and clock, one after the other.
    fn starts(readings: &[(u64, f64)]) -> Vec<f64> {
        let mut start = StartTime::default();
        let mut after = |(uptime, now): &(u64, f64)| {
            start.observe(*uptime, UnixTime(*now));
            start.get().unwrap().0
        };
        readings.iter().map(&mut after).collect()
    }

    #[test]
    fn a_step_of_the_clock_within_the_tolerance_moves_nothing() {
        let stepped = [(100, 1_000.0), (115, 1_075.0), (130, 970.0), (145, 1_045.0)];
        assert_eq!(starts(&stepped), [900.0; 4]);
    }

    /// Which of the two clocks was wrong cannot be told; the newer one is believed, once.
    #[test]
    fn a_large_step_of_the_clock_moves_it_once_each_way() {
        let stepped = [
            (100, 10_000.0),
            (115, 13_615.0),
            (130, 13_630.9),
            (145, 10_045.0),
            (160, 10_060.0),
        ];
        assert_eq!(
            starts(&stepped),
            [9_900.0, 13_500.0, 13_500.0, 9_900.0, 9_900.0]
        );
    }

    /// A clock that runs slow by a second in a hundred is followed in steps of the tolerance.
    #[test]
    fn drift_moves_it_only_when_it_adds_up_to_the_tolerance() {
        let readings: Vec<_> = (0..1_000_u64)
            .map(|turn| (turn * 15, 100_000.0 + turn as f64 * 15.0 * 1.01))
            .collect();
        let mut starts = starts(&readings);
        starts.dedup();
        assert_eq!(starts.len(), 3, "{starts:?}");
    }

    #[test]
    fn an_uptime_that_began_before_1970_is_none() {
        let mut start = StartTime::default();
        start.observe(u64::MAX, UnixTime(1_700_000_000.0));
        assert_eq!(start.get(), None);
        start.observe(100, UnixTime(1_000.0));
        start.observe(1_001, UnixTime(1_000.0));
        assert_eq!(start.get(), Some(UnixTime(900.0)));
    }
}
