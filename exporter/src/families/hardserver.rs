//! The hardserver.

use std::fmt;

use nshield::hardserver::HardserverState;

use crate::state::State;
use vcm_telemetry::families::{Families, Labels};

/// Counters of `ServerGlobals`: name, statistic.
const COUNTERS: [(&str, &str, &str); 6] = [
    (
        "nshield_hardserver_commands",
        "CmdCount",
        "Commands the hardserver received",
    ),
    (
        "nshield_hardserver_replies",
        "ReplyCount",
        "Replies the hardserver sent",
    ),
    (
        "nshield_hardserver_command_bytes",
        "CmdBytes",
        "Bytes of commands received",
    ),
    (
        "nshield_hardserver_reply_bytes",
        "ReplyBytes",
        "Bytes of replies sent",
    ),
    (
        "nshield_hardserver_device_failures",
        "DeviceFails",
        "Module failures the hardserver saw",
    ),
    (
        "nshield_hardserver_device_restarts",
        "DeviceRestarts",
        "Module restarts the hardserver saw",
    ),
];

const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    families.states(
        "nshield_hardserver_state",
        "Whether the hardserver answers. Down takes two looks ten seconds apart, each with a \
         failed enquiry and a dead socket",
        &HardserverState::ALL,
        HardserverState::as_str,
        [(Labels::new(), state.hardserver_state())],
    )?;
    let version = state
        .enquiry()
        .and_then(|dated| dated.value.server.as_ref()?.get("version"));
    families.info(
        "nshield_hardserver",
        "Version of the hardserver (enquiry, Server, version)",
        version.map(|version| vec![("version", version.to_owned())]),
    )?;
    families.gauge(
        "nshield_hardserver_start_time_seconds",
        "Start of the hardserver since 1970 (ServerGlobals.Uptime)",
        state
            .hardserver_start
            .get()
            .map(|start| (Labels::new(), start.0)),
    )?;
    write_statistics(state, families)
}

fn write_statistics(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let server = state.stattree().and_then(|dated| dated.value.server());
    let number = |id| server.and_then(|server| server.number(id));
    families.gauge(
        "nshield_hardserver_clients",
        "Client connections now (ServerGlobals.ClientCount)",
        number("ClientCount").map(|clients| (Labels::new(), clients)),
    )?;
    families.gauge(
        "nshield_hardserver_audit_db_free_bytes",
        "Free space of the audit log database (ServerGlobals.AuditDBFreeSpaceMB)",
        number("AuditDBFreeSpaceMB").map(|free| (Labels::new(), free * BYTES_PER_MEGABYTE)),
    )?;
    for (name, id, help) in COUNTERS {
        let value = server.and_then(|server| server.counter(id));
        let help = format!("{help} (ServerGlobals.{id})");
        families.counter(name, &help, value.map(|value| (Labels::new(), value)))?;
    }
    Ok(())
}
