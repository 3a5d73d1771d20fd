//! The standard metrics about this process, from `/proc/self`.

use std::fs;

/// What `/proc` says about this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessStatus {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// The most that may be open.
    pub max_fds: Option<u64>,
    /// When the process started, in seconds since 1970.
    pub start_time_seconds: f64,
}

impl ProcessStatus {
    /// Reads it now; `None` where there is no `/proc`.
    #[must_use]
    pub fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        // proc(5) numbers the fields from 1; the first one here is the third there.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = rustix::param::clock_ticks_per_second();
        let seconds = |ticks_passed: u64| ticks_passed as f64 / ticks as f64;
        let page = rustix::param::page_size() as u64;
        Some(Self {
            cpu_seconds: seconds(field(14)? + field(15)?),
            resident_bytes: field(24)? * page,
            virtual_bytes: field(23)?,
            open_fds: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
            max_fds: max_fds(),
            start_time_seconds: boot_time()? + seconds(field(22)?),
        })
    }
}

fn max_fds() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;

    #[test]
    fn reads_plausible_values() {
        let status = ProcessStatus::read().unwrap();
        assert!(status.resident_bytes > 100_000 && status.virtual_bytes >= status.resident_bytes);
        assert!(status.open_fds >= 3 && status.cpu_seconds >= 0.0);
        assert!(status.start_time_seconds <= UnixTime::now().0 + 1.0);
        assert!(status.start_time_seconds > UnixTime::now().0 - 86_400.0);
    }
}
