//! `rate_limit`: a token bucket for all requests.

use std::time::Duration;

use vcm_yaml::{Scalar, Section, integer};

use crate::request::RateLimit;

/// Longest time between two requests: a program that answers once an hour is not scraped.
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// Most requests at once; more is no limit.
const BURST_MAX: u32 = 1_000_000;

/// Units of a duration, as Go writes them, in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Reads the section; nothing when its interval is 0 or missing.
pub(super) fn read(section: &mut Section<'_>) -> Option<RateLimit> {
    let interval = section.optional("interval", interval);
    let burst = section.optional("burst", integer(0..=BURST_MAX));
    let interval = interval.filter(|interval| !interval.is_zero())?;
    match burst {
        Some(burst @ 1..) => Some(RateLimit::new(interval, burst)),
        // One that is unusable has its problem already.
        None if section.contains("burst") => None,
        Some(0) | None => {
            section.problem("burst", "is 0 or missing: every request would be refused");
            None
        }
    }
}

fn interval(scalar: &Scalar) -> Result<Duration, String> {
    let duration = match scalar {
        Scalar::Integer(0) => Some(Duration::ZERO),
        Scalar::Text(text) => go_duration(text),
        Scalar::Integer(_) | Scalar::Float(_) | Scalar::Boolean(_) => None,
    };
    let duration = duration.ok_or("is not a duration such as 100ms, 1s or 1m30s")?;
    if duration > INTERVAL_MAX {
        return Err("is longer than 1h".to_owned());
    }
    Ok(duration)
}

/// Reads a duration as Go's `time.ParseDuration` does: numbers with fractions, each with its unit.
fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit)?;
        nanoseconds += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    let seconds = nanoseconds / 1e9;
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_as_go_writes_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("100ms", 100),
            ("1s", 1_000),
            ("1.5s", 1_500),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("500us", 0),
        ] {
            let read = go_duration(text).map(|duration| duration.as_millis());
            assert_eq!(read, Some(milliseconds), "{text}");
        }
        for text in ["", "1", "s", "1 s", "-1s", "1d", "1.2.3s", "1e300h", ".s"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
