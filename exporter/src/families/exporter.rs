//! The exporter itself: its collectors and its runs of tools.

use std::fmt;

use crate::state::{CollectorName, CollectorRecord, State};
use vcm_telemetry::families::{Families, Labels};

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
