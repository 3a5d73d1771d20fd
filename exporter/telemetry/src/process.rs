//! The standard metrics about this process, from `/proc/self`.

use std::{fmt, fs};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::families::Families;
use crate::metric::{Counter, Described, Gauge};

// Names and help as Prometheus' client libraries have them.
const CPU: Counter<0> = Counter::new(
    "process_cpu_seconds_total",
    &[],
    "Total user and system CPU time spent in seconds.",
);
const OPEN_FDS: Gauge<0> = Gauge::new("process_open_fds", &[], "Number of open file descriptors.");
const MAX_FDS: Gauge<0> = Gauge::new(
    "process_max_fds",
    &[],
    "Maximum number of open file descriptors.",
);
const VIRTUAL_MEMORY: Gauge<0> = Gauge::new(
    "process_virtual_memory_bytes",
    &[],
    "Virtual memory size in bytes.",
);
const RESIDENT_MEMORY: Gauge<0> = Gauge::new(
    "process_resident_memory_bytes",
    &[],
    "Resident memory size in bytes.",
);
const START_TIME: Gauge<0> = Gauge::new(
    "process_start_time_seconds",
    &[],
    "Start time of the process since unix epoch in seconds.",
);

/// Every metric here, in the order written.
pub const METRICS: &[&dyn Described] = &[
    &CPU,
    &OPEN_FDS,
    &MAX_FDS,
    &VIRTUAL_MEMORY,
    &RESIDENT_MEMORY,
    &START_TIME,
];

/// Reads `/proc/self` at each scrape; leaves the metrics out where there is none.
#[derive(Debug)]
pub struct Process;

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        Status::read().map_or(Ok(()), |status| status.write(&mut Families::new(encoder)))
    }
}

/// What `/proc` says about this process, in seconds and bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Status {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_fds: u64,
    max_fds: Option<u64>,
    /// Since 1970.
    start_time_seconds: f64,
}

impl Status {
    fn write(&self, families: &mut Families<'_>) -> fmt::Result {
        families.counter(&CPU, [([], self.cpu_seconds)])?;
        families.gauge(&OPEN_FDS, [([], self.open_fds as f64)])?;
        families.gauge(&MAX_FDS, self.max_fds.map(|max| ([], max as f64)))?;
        families.gauge(&VIRTUAL_MEMORY, [([], self.virtual_bytes as f64)])?;
        families.gauge(&RESIDENT_MEMORY, [([], self.resident_bytes as f64)])?;
        families.gauge(&START_TIME, [([], self.start_time_seconds)])
    }

    /// Reads it now; `None` where there is no `/proc`.
    fn read() -> Option<Self> {
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
    use std::time::{SystemTime, UNIX_EPOCH};

    use prometheus_client::registry::Registry;

    use super::*;
    use crate::exposition::{Format, render};

    #[test]
    fn reads_plausible_values() {
        #[expect(
            clippy::disallowed_methods,
            reason = "the process has started by the wall clock"
        )]
        let now = SystemTime::now();
        let now = now.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let status = Status::read().unwrap();
        assert!(status.resident_bytes > 100_000 && status.virtual_bytes >= status.resident_bytes);
        assert!(status.open_fds >= 3 && status.cpu_seconds >= 0.0);
        assert!(status.start_time_seconds <= now + 1.0);
        assert!(status.start_time_seconds > now - 86_400.0);
    }

    #[test]
    fn every_metric_is_described_and_has_one_series_without_labels() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let text = render(&registry, Format::Text).unwrap();
        for name in [
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_max_fds",
            "process_virtual_memory_bytes",
            "process_resident_memory_bytes",
            "process_start_time_seconds",
        ] {
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}:\n{text}");
            let series = text
                .lines()
                .filter(|line| line.starts_with(&format!("{name} ")));
            assert_eq!(series.count(), 1, "{name}:\n{text}");
        }
    }
}
