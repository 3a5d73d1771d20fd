//! How long an answer may take: Prometheus says with each scrape when it gives up.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::Instant;

/// Seconds, as a decimal number.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// The time in which an answer is written and travels, as in blackbox_exporter.
const OFFSET: Duration = Duration::from_millis(500);

/// For whoever does not say: Prometheus' own default.
const DEFAULT: Duration = Duration::from_secs(10);

/// No scrape waits longer, whatever it says: a listener gives up an answer after 30 s, of which
/// checking a password may have taken some.
const LONGEST: Duration = Duration::from_secs(25);

/// Returns the time that is left to collect before an answer must be written.
pub(super) fn time_left(headers: &HeaderMap) -> Duration {
    let said = headers
        .get(SCRAPE_TIMEOUT)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero());
    said.unwrap_or(DEFAULT).min(LONGEST).saturating_sub(OFFSET)
}

/// Returns when an answer must be written.
pub(super) fn deadline(headers: &HeaderMap) -> Instant {
    Instant::now() + time_left(headers)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn leaves_time_to_answer_before_prometheus_gives_up() {
        for (said, milliseconds) in [
            (None, 9_500),
            (Some("10"), 9_500),
            (Some("2.5"), 2_000),
            (Some("0.2"), 0),
            (Some("1e9"), 24_500),
            (Some("0"), 9_500),
            (Some("-1"), 9_500),
            (Some("NaN"), 9_500),
            (Some("inf"), 9_500),
            (Some("10s"), 9_500),
            (Some("\u{fe}"), 9_500),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                let value = HeaderValue::from_bytes(said.as_bytes()).unwrap();
                headers.insert(SCRAPE_TIMEOUT, value);
            }
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(time_left(&headers), expected, "{said:?}");
        }
    }
}
