//! The one place that reads the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time of the wall clock, in seconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct UnixTime(pub f64);

impl UnixTime {
    /// Reads the wall clock; a clock before 1970 reads as 1970.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the program's clock module"
    )]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self(since.as_secs_f64())
    }

    /// Returns the time so many seconds before.
    #[must_use]
    pub fn minus_seconds(self, seconds: f64) -> Self {
        Self(self.0 - seconds)
    }
}
