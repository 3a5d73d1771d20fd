//! The exporter itself: its collectors and its runs of tools.

use std::fmt;

use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Counter, Described, Gauge, Histogram};

use crate::state::{CollectorRecord, State};

const SUCCESS: Gauge<1> = Gauge::new(
    "nshield_scrape_collector_success",
    &["collector"],
    "Whether the newest run of the collector gave everything it is there for",
);
const DURATION: Gauge<1> = Gauge::new(
    "nshield_scrape_collector_duration_seconds",
    &["collector"],
    "How long the newest run of the collector took",
);
const LAST_SUCCESS: Gauge<1> = Gauge::new(
    "nshield_collector_last_success_timestamp_seconds",
    &["collector"],
    "When the collector last succeeded, since 1970; 0 is never. What it showed is dropped when no \
     run has ended in time",
);
const COMMAND_DURATION: Histogram<1> = Histogram::new(
    "nshield_command_duration_seconds",
    &["command"],
    "How long runs of the vendor's tools took. Each run leaves a line in hardserver.log, hence 15 s \
     from run to run unless configured otherwise. A failing module can hold enquiry for 35 s, hence \
     its deadline of 50 s and enquiry_server (enquiry -m0, 5 s) beside it; stattree has 20 s",
);
const COMMAND_RUNNING: Gauge<1> = Gauge::new(
    "nshield_command_running",
    &["command"],
    "Runs of the tool alive now, also one that outlives its kill",
);
const COMMAND_FAILURES: Counter<2> = Counter::new(
    "nshield_command_failures_total",
    &["command", "reason"],
    "Runs that gave no usable output",
);
const RELOAD_SUCCESSFUL: Gauge<0> = Gauge::new(
    "nshield_exporter_config_last_reload_successful",
    &[],
    "Whether the newest reading of the configuration was put in force",
);
const RELOAD_SUCCESS: Gauge<0> = Gauge::new(
    "nshield_exporter_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration in force was read, since 1970",
);
const UNKNOWN_STATISTICS: Counter<0> = Counter::new(
    "nshield_unknown_statistics_total",
    &[],
    "Distinct labels and statistics of the vendor's tools that are not known here",
);
const UNKNOWN_STATES: Counter<0> = Counter::new(
    "nshield_unknown_states_total",
    &[],
    "Distinct combinations of reply flags and mode that are not known here",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &SUCCESS,
    &DURATION,
    &LAST_SUCCESS,
    &COMMAND_DURATION,
    &COMMAND_RUNNING,
    &COMMAND_FAILURES,
    &UNKNOWN_STATISTICS,
    &UNKNOWN_STATES,
    &RELOAD_SUCCESSFUL,
    &RELOAD_SUCCESS,
];

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    write_collectors(state, families)?;
    write_commands(state, families)?;
    families.counter(
        &UNKNOWN_STATISTICS,
        [([], state.unknown_statistics.count())],
    )?;
    families.counter(&UNKNOWN_STATES, [([], state.unknown_states.count())])?;
    let reload = state.configuration();
    let successful = f64::from(u8::from(reload.successful));
    families.gauge(&RELOAD_SUCCESSFUL, [([], successful)])?;
    families.gauge(&RELOAD_SUCCESS, [([], reload.last_success.0)])
}

fn write_collectors(state: &State, families: &mut Families<'_>) -> fmt::Result {
    families.gauge(
        &SUCCESS,
        collectors(state, |record| {
            record.success.map(|success| f64::from(u8::from(success)))
        }),
    )?;
    families.gauge(
        &DURATION,
        collectors(state, |record| {
            record.success.map(|_| record.duration.as_secs_f64())
        }),
    )?;
    families.gauge(
        &LAST_SUCCESS,
        collectors(state, |record| {
            Some(record.last_success.map_or(0.0, |at| at.0))
        }),
    )
}

fn collectors(
    state: &State,
    value: impl Fn(&CollectorRecord) -> Option<f64>,
) -> impl Iterator<Item = ([Value<'_>; 1], f64)> {
    state
        .collectors
        .iter()
        .filter_map(move |(name, record)| Some(([name.as_str().into()], value(record)?)))
}

fn write_commands(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let commands = || state.commands.iter();
    families.histogram(
        &COMMAND_DURATION,
        commands().map(|(name, record)| ([name.as_str().into()], &record.duration)),
    )?;
    families.gauge(
        &COMMAND_RUNNING,
        commands().map(|(name, record)| ([name.as_str().into()], record.running as f64)),
    )?;
    families.counter(
        &COMMAND_FAILURES,
        commands().flat_map(|(name, record)| {
            let failures = record.failures.iter();
            failures
                .map(|(reason, count)| ([name.as_str(), reason.as_str()].map(Value::from), *count))
        }),
    )
}
