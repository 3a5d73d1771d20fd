//! The exporter itself: its collectors, its runs of tools, its build and its process.

use std::fmt;

use crate::exposition::{Families, Labels};
use crate::process::ProcessStatus;
use crate::state::{CollectorName, CollectorRecord, State};

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    families.gauge(
        "nshield_scrape_collector_success",
        "Whether the newest run of the collector gave everything it is there for",
        collectors(state, |record| {
            record.success.map(|success| f64::from(u8::from(success)))
        }),
    )?;
    families.gauge(
        "nshield_scrape_collector_duration_seconds",
        "How long the newest run of the collector took",
        collectors(state, |record| {
            record.success.map(|_| record.duration.as_secs_f64())
        }),
    )?;
    families.gauge(
        "nshield_collector_last_success_timestamp_seconds",
        "When the collector last succeeded, since 1970; 0 is never",
        collectors(state, |record| {
            Some(record.last_success.map_or(0.0, |at| at.0))
        }),
    )?;
    write_commands(state, families)?;
    families.counter(
        "nshield_unknown_statistics",
        "Distinct labels and statistics of the vendor's tools that are not known here",
        [(Labels::new(), state.unknown_statistics.count())],
    )?;
    families.counter(
        "nshield_unknown_states",
        "Distinct combinations of reply flags and mode that are not known here",
        [(Labels::new(), state.unknown_states.count())],
    )
}

fn collectors(
    state: &State,
    value: impl Fn(&CollectorRecord) -> Option<f64>,
) -> impl Iterator<Item = (Labels, f64)> {
    state.collectors.iter().filter_map(move |(name, record)| {
        let name: &CollectorName = name;
        Some((
            vec![("collector", name.as_str().to_owned())],
            value(record)?,
        ))
    })
}

fn write_commands(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let label = |command: &str| vec![("command", command.to_owned())];
    families.histogram(
        "nshield_command_duration_seconds",
        "How long runs of the vendor's tools took",
        state
            .commands
            .iter()
            .map(|(name, record)| (label(name.as_str()), &record.duration)),
    )?;
    families.gauge(
        "nshield_command_running",
        "Runs of the tool alive now, also one that outlives its kill",
        state
            .commands
            .iter()
            .map(|(name, record)| (label(name.as_str()), record.running as f64)),
    )?;
    families.counter(
        "nshield_command_failures",
        "Runs that gave no usable output",
        state.commands.iter().flat_map(|(name, record)| {
            record.failures.iter().map(move |(reason, count)| {
                let mut labels = label(name.as_str());
                labels.push(("reason", reason.as_str().to_owned()));
                (labels, *count)
            })
        }),
    )
}

pub(super) fn write_build(families: &mut Families<'_>) -> fmt::Result {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", env!("VCM_REVISION")),
        ("rustc", env!("VCM_RUSTC")),
    ];
    families.info(
        "nshield_exporter_build",
        "With what the exporter was built",
        [labels
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec()],
    )
}

pub(super) fn write_process(
    process: Option<&ProcessStatus>,
    families: &mut Families<'_>,
) -> fmt::Result {
    let Some(process) = process else {
        return Ok(());
    };
    families.seconds_counter(
        "process_cpu_seconds",
        "Total user and system CPU time spent in seconds.",
        process.cpu_seconds,
    )?;
    let max_fds = process.max_fds.map(|max| max as f64);
    for (name, help, value) in [
        (
            "process_open_fds",
            "Number of open file descriptors.",
            Some(process.open_fds as f64),
        ),
        (
            "process_max_fds",
            "Maximum number of open file descriptors.",
            max_fds,
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            Some(process.virtual_bytes as f64),
        ),
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            Some(process.resident_bytes as f64),
        ),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            Some(process.start_time_seconds),
        ),
    ] {
        families.gauge(name, help, value.map(|value| (Labels::new(), value)))?;
    }
    Ok(())
}
