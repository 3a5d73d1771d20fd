//! The standard metrics about this process, from `/proc/self`.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads `/proc/self` at each scrape; leaves the metrics out where there is none.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(status) = Status::read() else {
            return Ok(());
        };
        let mut write = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let whole = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        write(
            "process_cpu_seconds",
            "User and system time of this process.",
            &ConstCounter::new(status.cpu_seconds),
        )?;
        write(
            "process_resident_memory_bytes",
            "Resident memory of this process.",
            &whole(status.resident_bytes),
        )?;
        write(
            "process_virtual_memory_bytes",
            "Virtual memory of this process.",
            &whole(status.virtual_bytes),
        )?;
        write(
            "process_open_fds",
            "Open file descriptors.",
            &whole(status.open_fds),
        )?;
        if let Some(limit) = status.max_fds {
            write(
                "process_max_fds",
                "The most file descriptors that may be open.",
                &whole(limit),
            )?;
        }
        write(
            "process_start_time_seconds",
            "When this process started, in seconds since 1970.",
            &ConstGauge::new(status.start_time_seconds),
        )
    }
}

/// What `/proc` says about this process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Status {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_fds: u64,
    max_fds: Option<u64>,
    start_time_seconds: f64,
}

impl Status {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds to the tick, for centuries"
    )]
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        // proc(5) numbers the fields from 1; the first one here is the third there.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = rustix::param::clock_ticks_per_second();
        let seconds = |passed: u64| passed as f64 / ticks as f64;
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

    #[test]
    fn reads_plausible_values() {
        let status = Status::read().unwrap();
        assert!(status.resident_bytes > 100_000);
        assert!(status.virtual_bytes >= status.resident_bytes);
        assert!(status.open_fds >= 3 && status.cpu_seconds >= 0.0);
        assert!(status.start_time_seconds > 1.6e9);
    }
}
