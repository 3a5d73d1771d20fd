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
    /// Takes in an uptime in seconds, read at a time of the wall clock.
    pub fn observe(&mut self, uptime: u64, at: UnixTime) {
        let computed = at.minus_seconds(uptime as f64);
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
}
