//! How the newest reading of the configuration went.

use crate::clock::UnixTime;

/// Shown as metrics, so that a file that was refused is noticed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReloadRecord {
    /// Whether the newest reading was put in force.
    pub successful: bool,
    /// When a reading was last put in force.
    pub last_success: UnixTime,
}

impl ReloadRecord {
    /// The program has started, so that the configuration was read and put in force.
    #[must_use]
    pub fn started() -> Self {
        Self {
            successful: true,
            last_success: UnixTime::now(),
        }
    }

    /// Takes in how another reading went.
    pub fn ended(&mut self, successful: bool) {
        self.successful = successful;
        if successful {
            self.last_success = UnixTime::now();
        }
    }
}
