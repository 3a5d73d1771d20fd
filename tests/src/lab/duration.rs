//! Durations as Prometheus and Alertmanager write them (`1h30m`, `35s`), and making them shorter.

use std::time::Duration;

/// How many times faster than shipped the lab's alerting runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(u32);

impl Speed {
    /// Every time divided by `factor`.
    ///
    /// # Panics
    /// If `factor` is 0.
    #[must_use]
    pub const fn times(factor: u32) -> Self {
        assert!(factor > 0, "a speed of 0 never ends");
        Self(factor)
    }

    /// `shipped` at this speed.
    #[must_use]
    pub fn of(self, shipped: Duration) -> Duration {
        shipped / self.0
    }

    /// The same for text; `None` if it is no duration.
    #[must_use]
    pub fn of_text(self, shipped: &str) -> Option<String> {
        parse(shipped).map(|duration| format!("{}ms", self.of(duration).as_millis()))
    }

    /// Shortens every range (`[35s]`) of a PromQL expression.
    #[must_use]
    pub fn of_ranges(self, expression: &str) -> String {
        let mut faster = String::with_capacity(expression.len());
        let mut rest = expression;
        while let Some((before, after)) = rest.split_once('[') {
            faster.push_str(before);
            faster.push('[');
            let (range, after) = after.split_once(']').unwrap_or((after, ""));
            faster.push_str(&self.of_text(range).unwrap_or_else(|| range.to_owned()));
            faster.push(']');
            rest = after;
        }
        faster.push_str(rest);
        faster
    }
}

/// Parses a duration as Prometheus writes it.
#[must_use]
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        total += unit_of(unit)? * number.parse().ok()?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn unit_of(unit: &str) -> Option<Duration> {
    Some(match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        "d" => Duration::from_secs(86_400),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_prometheus_writes_and_nothing_else() {
        for (text, seconds) in [("35s", 35), ("1h30m", 5_400), ("2m", 120), ("1d", 86_400)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "s", "5x", "-5s", "5 s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn shortens_ranges_and_leaves_selectors_alone() {
        assert_eq!(
            Speed::times(10).of_ranges(r#"max(a{b="[x]"}[35s]) > rate(c[1m])"#),
            r#"max(a{b="[x]"}[3500ms]) > rate(c[6000ms])"#
        );
    }
}
