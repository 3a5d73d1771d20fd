//! Until when a pause or hold lasts: `for` a time from now, `until` an instant, or neither, and then
//! until a person ends it.

use std::time::Duration;

use jiff::Timestamp;
use vcm_recovery::time::Time;

/// The longest time that can be asked for. What is to last longer is meant to last until somebody
/// ends it, and is asked for without a time.
const LENGTH_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// A time that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpanError {
    /// Two ends.
    #[error("for and until exclude each other")]
    Both,
    /// Not a duration.
    #[error("{text:?} is no duration such as 30m or 2h")]
    Duration {
        /// What was given.
        text: String,
        /// Why it is none.
        #[source]
        source: humantime::DurationError,
    },
    /// Not an instant.
    #[error("{text:?} is no instant such as 2026-11-22T18:00:00Z")]
    Instant {
        /// What was given.
        text: String,
        /// Why it is none.
        #[source]
        source: jiff::Error,
    },
    /// No time at all, or more than a year.
    #[error(
        "it is to last longer than 0 s and at most {}",
        humantime::format_duration(LENGTH_MAX)
    )]
    Length,
}

/// When it ends by itself, by the program's time. An instant is what people read off a clock that is
/// right; the wall clock is the closest to it, and `wall_ahead` of the program's time by so many milliseconds.
pub(super) fn end(
    length: Option<&str>,
    until: Option<&str>,
    now: Time,
    wall_ahead: i64,
) -> Result<Option<Time>, SpanError> {
    match (length, until) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(SpanError::Both),
        (Some(text), None) => {
            let length = humantime::parse_duration(text).map_err(|source| SpanError::Duration {
                text: text.to_owned(),
                source,
            })?;
            if length.is_zero() {
                return Err(SpanError::Length);
            }
            within(now.after(length), now)
        }
        (None, Some(text)) => {
            let instant: Timestamp = text.parse().map_err(|source| SpanError::Instant {
                text: text.to_owned(),
                source,
            })?;
            let instant = instant.as_millisecond().saturating_sub(wall_ahead);
            within(Time::from_millis(instant), now)
        }
    }
}

/// One that lies in the past is refused where it is recorded, by the clock of that moment.
fn within(end: Time, now: Time) -> Result<Option<Time>, SpanError> {
    if end.since(now) > LENGTH_MAX {
        return Err(SpanError::Length);
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z
    const NOW: Time = Time::from_millis(1_700_000_000_000);

    #[test]
    fn ends_after_a_time_at_an_instant_or_never() {
        let later = |seconds| Some(NOW.after(Duration::from_secs(seconds)));
        for (length, until, expected) in [
            (None, None, None),
            (Some("2h"), None, later(7200)),
            (Some("1h 30m"), None, later(5400)),
            (Some("366days"), None, later(366 * 24 * 3600)),
            (None, Some("2023-11-14T22:14:20Z"), later(60)),
            (None, Some("2023-11-14T23:14:20+01:00"), later(60)),
        ] {
            assert_eq!(
                end(length, until, NOW, 0).unwrap(),
                expected,
                "{length:?} {until:?}"
            );
        }
    }

    /// The program's time is an hour ahead of the wall clock.
    #[test]
    fn an_instant_is_read_off_the_wall_clock() {
        let ends = |length, until| end(length, until, NOW, -3_600_000).unwrap();
        let in_two_hours = Some(NOW.after(Duration::from_secs(7200)));
        assert_eq!(ends(None, Some("2023-11-14T23:13:20Z")), in_two_hours);
        assert_eq!(ends(Some("2h"), None), in_two_hours);
    }

    #[test]
    fn refuses_what_is_no_time() {
        for (length, until) in [
            (Some("2h"), Some("2023-11-14T22:14:20Z")),
            (Some("2"), None),
            (Some("-2h"), None),
            (Some(""), None),
            (Some("0s"), None),
            (Some("367days"), None),
            (Some("99999999999999999999h"), None),
            (None, Some("tomorrow")),
            (None, Some("2023-11-14T22:14:20")),
            (None, Some("2099-01-01T00:00:00Z")),
        ] {
            assert!(end(length, until, NOW, 0).is_err(), "{length:?} {until:?}");
        }
    }
}
