//! The one place of this crate that reads the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the time since 1970 (UTC); a clock before that reads as 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's clock module"
)]
pub(crate) fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}
