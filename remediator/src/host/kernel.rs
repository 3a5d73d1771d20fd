//! What the kernel says about time: the boot time clock, the wall clock and the boot id.
//!
//! Every record and every wait of the host runner is timed here. The boot time clock never goes
//! back and goes on while the machine is suspended; across boots it means nothing, so the boot id
//! stands beside it everywhere.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

/// Where the kernel names this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The longest single sleep: the clock that a sleep uses stands still while the machine is
/// suspended, so that a wait looks at the boot time clock at least this often.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// An instant, as it is journalled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since the Unix epoch, for people.
    pub wall_ms: i64,
    /// Milliseconds of the boot time clock.
    pub boottime_ms: u64,
    /// The boot that the boot time belongs to.
    pub boot_id: String,
}

impl Moment {
    /// Now.
    ///
    /// # Errors
    /// If the boot id cannot be read.
    pub fn now() -> io::Result<Self> {
        Ok(Self {
            wall_ms: i64::try_from(millis(read(ClockId::Realtime))).unwrap_or(i64::MAX),
            boottime_ms: boottime_ms(),
            boot_id: boot_id()?,
        })
    }

    /// By the wall clock, as files carry it.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        let since = Duration::from_millis(u64::try_from(self.wall_ms).unwrap_or(0));
        UNIX_EPOCH + since
    }

    /// Milliseconds from this instant to `later`; `None` across boots.
    #[must_use]
    pub fn until(&self, later: &Self) -> Option<u64> {
        let same_boot = self.boot_id == later.boot_id;
        same_boot.then(|| later.boottime_ms.saturating_sub(self.boottime_ms))
    }
}

/// Milliseconds since this machine was booted, suspended time included.
#[must_use]
pub fn boottime_ms() -> u64 {
    millis(read(ClockId::Boottime))
}

/// The kernel's name for this boot.
///
/// # Errors
/// If it cannot be read.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID)?.trim().to_owned())
}

/// Waits until the boot time clock shows `boottime`, in milliseconds; never returns before.
pub async fn sleep_until(boottime: u64) {
    loop {
        let left = boottime.saturating_sub(boottime_ms());
        if left == 0 {
            return;
        }
        sleep(Duration::from_millis(left).min(SLEEP_MAX)).await;
    }
}

fn read(clock: ClockId) -> Timespec {
    clock_gettime(clock)
}

fn millis(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(nanoseconds / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_wakes_before_the_boot_time_clock_is_there() {
        let until = boottime_ms() + 30;
        sleep_until(until).await;
        assert!(boottime_ms() >= until);
    }

    #[test]
    fn spans_across_boots_are_not_known() {
        let at = |boottime_ms, boot: &str| Moment {
            wall_ms: 0,
            boottime_ms,
            boot_id: boot.to_owned(),
        };
        assert_eq!(at(5, "a").until(&at(9, "a")), Some(4));
        assert_eq!(at(9, "a").until(&at(5, "a")), Some(0));
        assert_eq!(at(5, "a").until(&at(9, "b")), None);
    }
}
