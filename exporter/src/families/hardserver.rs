//! The hardserver.

use std::fmt;

use nshield::hardserver::HardserverState;
use vcm_telemetry::families::Families;
use vcm_telemetry::metric::{Counter, Described, Gauge, Info, States};

use crate::state::{CollectorName, State};

const STATE: States<HardserverState, 0> = States::new(
    "nshield_hardserver_state",
    &[],
    &HardserverState::ALL,
    HardserverState::as_str,
    "Whether the hardserver answers. Down takes two looks ten seconds apart, each with a failed \
     enquiry and a dead socket",
);
const INFO: Info<1> = Info::new(
    "nshield_hardserver_info",
    &["version"],
    "Version of the hardserver (enquiry, Server, version)",
);
const START_TIME: Gauge<0> = Gauge::new(
    "nshield_hardserver_start_time_seconds",
    &[],
    "Start of the hardserver since 1970 (ServerGlobals.Uptime)",
);
const CLIENTS: Gauge<0> = Gauge::new(
    "nshield_hardserver_clients",
    &[],
    "Client connections now (ServerGlobals.ClientCount)",
);
const AUDIT_DB_FREE: Gauge<0> = Gauge::new(
    "nshield_hardserver_audit_db_free_bytes",
    &[],
    "Free space of the audit log database (ServerGlobals.AuditDBFreeSpaceMB)",
);
const COMMANDS: Counter<0> = Counter::new(
    "nshield_hardserver_commands_total",
    &[],
    "Commands the hardserver received (ServerGlobals.CmdCount)",
);
const REPLIES: Counter<0> = Counter::new(
    "nshield_hardserver_replies_total",
    &[],
    "Replies the hardserver sent (ServerGlobals.ReplyCount)",
);
const COMMAND_BYTES: Counter<0> = Counter::new(
    "nshield_hardserver_command_bytes_total",
    &[],
    "Bytes of commands received (ServerGlobals.CmdBytes)",
);
const REPLY_BYTES: Counter<0> = Counter::new(
    "nshield_hardserver_reply_bytes_total",
    &[],
    "Bytes of replies sent (ServerGlobals.ReplyBytes)",
);
const DEVICE_FAILURES: Counter<0> = Counter::new(
    "nshield_hardserver_device_failures_total",
    &[],
    "Module failures the hardserver saw (ServerGlobals.DeviceFails)",
);
const DEVICE_RESTARTS: Counter<0> = Counter::new(
    "nshield_hardserver_device_restarts_total",
    &[],
    "Module restarts the hardserver saw (ServerGlobals.DeviceRestarts)",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &STATE,
    &INFO,
    &START_TIME,
    &CLIENTS,
    &AUDIT_DB_FREE,
    &COMMANDS,
    &REPLIES,
    &COMMAND_BYTES,
    &REPLY_BYTES,
    &DEVICE_FAILURES,
    &DEVICE_RESTARTS,
];

const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let looks = state.runs(CollectorName::Enquiry);
    families.states(&STATE, looks.then(|| ([], state.hardserver_state())))?;
    let version = state
        .enquiry()
        .and_then(|dated| dated.value.server.as_ref()?.get("version"));
    families.info(&INFO, version.map(|version| [version.into()]))?;
    let start = state
        .stattree()
        .and_then(|dated| dated.value.server())
        .filter(|server| server.counter("Uptime").is_some())
        .and_then(|_| state.hardserver_start.get());
    families.gauge(&START_TIME, start.map(|start| ([], start.0)))?;
    write_statistics(state, families)
}

fn write_statistics(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let server = state.stattree().and_then(|dated| dated.value.server());
    let number = |id| server.and_then(|server| server.number(id));
    families.gauge(&CLIENTS, number("ClientCount").map(|clients| ([], clients)))?;
    let free = number("AuditDBFreeSpaceMB").map(|free| free * BYTES_PER_MEGABYTE);
    families.gauge(&AUDIT_DB_FREE, free.map(|bytes| ([], bytes)))?;
    for (metric, id) in [
        (&COMMANDS, "CmdCount"),
        (&REPLIES, "ReplyCount"),
        (&COMMAND_BYTES, "CmdBytes"),
        (&REPLY_BYTES, "ReplyBytes"),
        (&DEVICE_FAILURES, "DeviceFails"),
        (&DEVICE_RESTARTS, "DeviceRestarts"),
    ] {
        let value = server.and_then(|server| server.counter(id));
        families.counter(metric, value.map(|value| ([], value)))?;
    }
    Ok(())
}
