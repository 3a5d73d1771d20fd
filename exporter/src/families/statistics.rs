//! The modules, as `stattree` shows them. Every statistic is optional.

use std::fmt;

use super::module_label;
use crate::state::State;
use vcm_telemetry::families::{Families, Labels};

/// Counters per module: name, group, statistic, help.
const COUNTERS: [(&str, &str, &str, &str); 8] = [
    (
        "nshield_module_commands",
        "ModuleJobStats",
        "CmdCount",
        "Commands sent to the module",
    ),
    (
        "nshield_module_replies",
        "ModuleJobStats",
        "ReplyCount",
        "Replies of the module",
    ),
    (
        "nshield_module_command_bytes",
        "ModuleJobStats",
        "CmdBytes",
        "Bytes of commands sent",
    ),
    (
        "nshield_module_reply_bytes",
        "ModuleJobStats",
        "ReplyBytes",
        "Bytes of replies received",
    ),
    (
        "nshield_module_host_read_errors",
        "ModuleJobStats",
        "HostReadErrors",
        "Failed reads of the host interface",
    ),
    (
        "nshield_module_host_write_errors",
        "ModuleJobStats",
        "HostWriteErrors",
        "Failed writes of the host interface",
    ),
    (
        "nshield_module_objects_created",
        "ModuleObjStats",
        "ObjectsCreated",
        "Objects loaded",
    ),
    (
        "nshield_module_objects_destroyed",
        "ModuleObjStats",
        "ObjectsDestroyed",
        "Objects dropped",
    ),
];

/// Temperature sensors in `ModuleEnvStats`: statistic, label.
const SENSORS: [(&str, &str); 3] = [
    ("TempSP", "sp"),
    ("CurrentCPUTemp1", "cpu1"),
    ("CurrentCPUTemp2", "cpu2"),
];

/// Parts of allocated memory in `ModuleEnvStats`: statistic, label.
const MEMORY: [(&str, &str); 2] = [("MemAllocKernel", "kernel"), ("MemAllocUser", "user")];

/// Fans in `HostEnvStats`: statistic, label.
const FANS: [(&str, &str); 4] = [
    ("CurrentFanRPM", "1"),
    ("CurrentFan2RPM", "2"),
    ("CurrentFan3RPM", "3"),
    ("CurrentFan4RPM", "4"),
];

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let shown = state.module_statistics();
    families.gauge(
        "nshield_module_start_time_seconds",
        "Start of the HSM since 1970 (ModuleEnvStats.Uptime). A change is a reboot",
        shown.keys().filter_map(|number| {
            let start = state.module_start.get(number)?.get()?;
            Some((module_label(*number), start.0))
        }),
    )?;
    let modules = Statistics { state };
    families.gauge(
        "nshield_module_cpu_load_ratio",
        "Load of the HSM, 0 to 1 (ModuleJobStats.CPULoadPercent)",
        modules.numbers("ModuleJobStats", "CPULoadPercent", |percent| {
            percent / 100.0
        }),
    )?;
    families.gauge(
        "nshield_module_objects",
        "Objects loaded now (ModuleObjStats.ObjectCount)",
        modules.numbers("ModuleObjStats", "ObjectCount", |count| count),
    )?;
    for (name, group, id, help) in COUNTERS {
        families.counter(
            name,
            &format!("{help} ({group}.{id})"),
            modules.counters(group, id),
        )?;
    }
    write_environment(&modules, families)
}

fn write_environment(modules: &Statistics<'_>, families: &mut Families<'_>) -> fmt::Result {
    let read_at = modules
        .state
        .stattree()
        .map(|dated| dated.wall.0)
        .unwrap_or_default();
    families.gauge(
        "nshield_module_clock_offset_seconds",
        "Clock of the module minus clock of the host (ModuleEnvStats.CurrentTime)",
        modules.numbers("ModuleEnvStats", "CurrentTime", |time| {
            time - read_at.floor()
        }),
    )?;
    families.gauge(
        "nshield_module_temperature_celsius",
        "Temperatures (ModuleEnvStats.TempSP, CurrentCPUTemp1, CurrentCPUTemp2)",
        modules.parts("ModuleEnvStats", "sensor", &SENSORS),
    )?;
    families.gauge(
        "nshield_module_memory_size_bytes",
        "Memory of the module (ModuleEnvStats.MemTotal)",
        modules.numbers("ModuleEnvStats", "MemTotal", |bytes| bytes),
    )?;
    families.gauge(
        "nshield_module_memory_allocated_bytes",
        "Allocated memory (ModuleEnvStats.MemAllocKernel, MemAllocUser)",
        modules.parts("ModuleEnvStats", "owner", &MEMORY),
    )?;
    families.gauge(
        "nshield_chassis_psu_failed",
        "Whether a power supply of the chassis failed (HostEnvStats.PSUFailure)",
        modules.numbers("HostEnvStats", "PSUFailure", |failed| {
            f64::from(u8::from(failed != 0.0))
        }),
    )?;
    families.gauge(
        "nshield_chassis_fan_speed_rpm",
        "Speed of the fans of the chassis (HostEnvStats.CurrentFanRPM and following)",
        modules.parts("HostEnvStats", "fan", &FANS),
    )
}

struct Statistics<'a> {
    state: &'a State,
}

impl Statistics<'_> {
    fn numbers(&self, group: &str, id: &str, convert: impl Fn(f64) -> f64) -> Vec<(Labels, f64)> {
        let nodes = self.state.module_statistics();
        let value = |node: &nshield::stattree::NodeRef<'_>| node.descend(&[group])?.number(id);
        nodes
            .iter()
            .filter_map(|(number, node)| Some((module_label(*number), convert(value(node)?))))
            .collect()
    }

    fn counters(&self, group: &str, id: &str) -> Vec<(Labels, u64)> {
        let nodes = self.state.module_statistics();
        let value = |node: &nshield::stattree::NodeRef<'_>| node.descend(&[group])?.counter(id);
        nodes
            .iter()
            .filter_map(|(number, node)| Some((module_label(*number), value(node)?)))
            .collect()
    }

    /// One series per module and part that is there.
    fn parts(
        &self,
        group: &str,
        label: &'static str,
        parts: &[(&str, &'static str)],
    ) -> Vec<(Labels, f64)> {
        let mut rows = Vec::new();
        for (number, node) in self.state.module_statistics() {
            let Some(node) = node.descend(&[group]) else {
                continue;
            };
            for (id, part) in parts {
                let mut labels = module_label(number);
                labels.push((label, (*part).to_owned()));
                rows.extend(node.number(id).map(|value| (labels, value)));
            }
        }
        rows
    }
}
