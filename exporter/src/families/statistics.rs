//! The modules, as `stattree` shows them. Every statistic is optional.

use std::collections::BTreeMap;
use std::fmt;

use nshield::ModuleNumber;
use nshield::stattree::NodeRef;
use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Counter, Described, Gauge};

use super::module_value;
use crate::state::State;

const JOBS_OUTSTANDING: Gauge<1> = Gauge::new(
    "nshield_module_jobs_outstanding",
    &["module"],
    "Jobs queued in the hardserver for the module (ModuleServerStats.JobsOutstanding); left out \
     where devices are not numbered as modules are",
);
const START_TIME: Gauge<1> = Gauge::new(
    "nshield_module_start_time_seconds",
    &["module"],
    "Start of the HSM since 1970 (ModuleEnvStats.Uptime). A change is a reboot",
);
const CPU_LOAD: Gauge<1> = Gauge::new(
    "nshield_module_cpu_load_ratio",
    &["module"],
    "Load of the HSM, 0 to 1 (ModuleJobStats.CPULoadPercent)",
);
const OBJECTS: Gauge<1> = Gauge::new(
    "nshield_module_objects",
    &["module"],
    "Objects loaded now (ModuleObjStats.ObjectCount)",
);
const COMMANDS: Counter<1> = Counter::new(
    "nshield_module_commands_total",
    &["module"],
    "Commands sent to the module (ModuleJobStats.CmdCount)",
);
const REPLIES: Counter<1> = Counter::new(
    "nshield_module_replies_total",
    &["module"],
    "Replies of the module (ModuleJobStats.ReplyCount)",
);
const COMMAND_BYTES: Counter<1> = Counter::new(
    "nshield_module_command_bytes_total",
    &["module"],
    "Bytes of commands sent (ModuleJobStats.CmdBytes)",
);
const REPLY_BYTES: Counter<1> = Counter::new(
    "nshield_module_reply_bytes_total",
    &["module"],
    "Bytes of replies received (ModuleJobStats.ReplyBytes)",
);
const HOST_READ_ERRORS: Counter<1> = Counter::new(
    "nshield_module_host_read_errors_total",
    &["module"],
    "Failed reads of the host interface (ModuleJobStats.HostReadErrors)",
);
const HOST_WRITE_ERRORS: Counter<1> = Counter::new(
    "nshield_module_host_write_errors_total",
    &["module"],
    "Failed writes of the host interface (ModuleJobStats.HostWriteErrors)",
);
const OBJECTS_CREATED: Counter<1> = Counter::new(
    "nshield_module_objects_created_total",
    &["module"],
    "Objects loaded (ModuleObjStats.ObjectsCreated)",
);
const OBJECTS_DESTROYED: Counter<1> = Counter::new(
    "nshield_module_objects_destroyed_total",
    &["module"],
    "Objects dropped (ModuleObjStats.ObjectsDestroyed)",
);
const CLOCK_OFFSET: Gauge<1> = Gauge::new(
    "nshield_module_clock_offset_seconds",
    &["module"],
    "Clock of the module minus clock of the host (ModuleEnvStats.CurrentTime)",
);
const TEMPERATURE: Gauge<2> = Gauge::new(
    "nshield_module_temperature_celsius",
    &["module", "sensor"],
    "Temperatures (ModuleEnvStats.TempSP, CurrentCPUTemp1, CurrentCPUTemp2)",
);
const MEMORY_SIZE: Gauge<1> = Gauge::new(
    "nshield_module_memory_size_bytes",
    &["module"],
    "Memory of the module (ModuleEnvStats.MemTotal)",
);
const MEMORY_ALLOCATED: Gauge<2> = Gauge::new(
    "nshield_module_memory_allocated_bytes",
    &["module", "owner"],
    "Allocated memory (ModuleEnvStats.MemAllocKernel, MemAllocUser)",
);
const PSU_FAILED: Gauge<1> = Gauge::new(
    "nshield_chassis_psu_failed",
    &["module"],
    "Whether a power supply of the chassis failed (HostEnvStats.PSUFailure)",
);
const FAN_SPEED: Gauge<2> = Gauge::new(
    "nshield_chassis_fan_speed_rpm",
    &["module", "fan"],
    "Speed of the fans of the chassis (HostEnvStats.CurrentFanRPM and following)",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &JOBS_OUTSTANDING,
    &START_TIME,
    &CPU_LOAD,
    &OBJECTS,
    &COMMANDS,
    &REPLIES,
    &COMMAND_BYTES,
    &REPLY_BYTES,
    &HOST_READ_ERRORS,
    &HOST_WRITE_ERRORS,
    &OBJECTS_CREATED,
    &OBJECTS_DESTROYED,
    &CLOCK_OFFSET,
    &TEMPERATURE,
    &MEMORY_SIZE,
    &MEMORY_ALLOCATED,
    &PSU_FAILED,
    &FAN_SPEED,
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
    let modules = state.module_statistics();
    let devices = Group::of(&devices(state, &modules), "ModuleServerStats");
    let jobs = devices.numbers("JobsOutstanding", |jobs| jobs);
    families.gauge(&JOBS_OUTSTANDING, jobs)?;
    families.gauge(
        &START_TIME,
        modules.keys().filter_map(|number| {
            let start = state.module_start.get(number)?.get()?;
            Some(([module_value(*number)], start.0))
        }),
    )?;
    let group = |name| Group::of(&modules, name);
    write_jobs(&group("ModuleJobStats"), families)?;
    write_objects(&group("ModuleObjStats"), families)?;
    let read_at = state.stattree().map(|dated| dated.wall.0);
    write_environment(
        &group("ModuleEnvStats"),
        read_at.unwrap_or_default(),
        families,
    )?;
    write_chassis(&group("HostEnvStats"), families)
}

fn write_jobs(jobs: &Group<'_>, families: &mut Families<'_>) -> fmt::Result {
    let load = jobs.numbers("CPULoadPercent", |percent| percent / 100.0);
    families.gauge(&CPU_LOAD, load)?;
    for (metric, id) in [
        (&COMMANDS, "CmdCount"),
        (&REPLIES, "ReplyCount"),
        (&COMMAND_BYTES, "CmdBytes"),
        (&REPLY_BYTES, "ReplyBytes"),
        (&HOST_READ_ERRORS, "HostReadErrors"),
        (&HOST_WRITE_ERRORS, "HostWriteErrors"),
    ] {
        families.counter(metric, jobs.counters(id))?;
    }
    Ok(())
}

fn write_objects(objects: &Group<'_>, families: &mut Families<'_>) -> fmt::Result {
    families.gauge(&OBJECTS, objects.numbers("ObjectCount", |count| count))?;
    families.counter(&OBJECTS_CREATED, objects.counters("ObjectsCreated"))?;
    families.counter(&OBJECTS_DESTROYED, objects.counters("ObjectsDestroyed"))
}

fn write_environment(env: &Group<'_>, read_at: f64, families: &mut Families<'_>) -> fmt::Result {
    let offset = env.numbers("CurrentTime", |time| time - read_at.floor());
    families.gauge(&CLOCK_OFFSET, offset)?;
    families.gauge(&TEMPERATURE, env.parts(&SENSORS))?;
    families.gauge(&MEMORY_SIZE, env.numbers("MemTotal", |bytes| bytes))?;
    families.gauge(&MEMORY_ALLOCATED, env.parts(&MEMORY))
}

fn write_chassis(chassis: &Group<'_>, families: &mut Families<'_>) -> fmt::Result {
    let failed = chassis.numbers("PSUFailure", |failed| f64::from(u8::from(failed != 0.0)));
    families.gauge(&PSU_FAILED, failed)?;
    families.gauge(&FAN_SPEED, chassis.parts(&FANS))
}

/// The devices of the modules. Nothing in a device says which module it is, so that its number has
/// to: it is believed only where every module printed has a device of its own number.
fn devices<'a>(
    state: &'a State,
    modules: &BTreeMap<ModuleNumber, NodeRef<'a>>,
) -> BTreeMap<ModuleNumber, NodeRef<'a>> {
    let tree = state.stattree().map(|dated| &dated.value);
    let part = |name| tree.and_then(|tree| tree.node(&[name]));
    let (Some(printed), Some(devices)) = (part("PerModule"), part("PerDevice")) else {
        return BTreeMap::new();
    };
    let device = |module: NodeRef<'_>| devices.descend(&[module.name()]);
    if printed.nodes().any(|module| device(module).is_none()) {
        return BTreeMap::new();
    }
    modules
        .iter()
        .filter_map(|(number, module)| Some((*number, device(*module)?)))
        .collect()
}

/// One group of statistics of every module that has it.
struct Group<'a>(Vec<(ModuleNumber, NodeRef<'a>)>);

impl<'a> Group<'a> {
    fn of(modules: &BTreeMap<ModuleNumber, NodeRef<'a>>, name: &str) -> Self {
        let nodes = modules
            .iter()
            .filter_map(|(number, node)| Some((*number, node.descend(&[name])?)));
        Self(nodes.collect())
    }

    fn numbers(
        &self,
        id: &str,
        convert: impl Fn(f64) -> f64,
    ) -> impl Iterator<Item = ([Value<'a>; 1], f64)> {
        self.0.iter().filter_map(move |(number, node)| {
            Some(([module_value(*number)], convert(node.number(id)?)))
        })
    }

    fn counters(&self, id: &str) -> impl Iterator<Item = ([Value<'a>; 1], u64)> {
        self.0
            .iter()
            .filter_map(move |(number, node)| Some(([module_value(*number)], node.counter(id)?)))
    }

    /// One series per module and part that is there.
    fn parts(&self, parts: &'static [(&str, &str)]) -> impl Iterator<Item = ([Value<'a>; 2], f64)> {
        self.0.iter().flat_map(move |(number, node)| {
            parts.iter().filter_map(move |(id, part)| {
                Some(([module_value(*number), (*part).into()], node.number(id)?))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nshield::stattree::StatTree;

    use super::*;

    #[test]
    fn a_device_is_a_modules_only_where_both_are_numbered_alike() {
        for (modules, devices, mapped) in [
            (&[1, 2][..], &[1, 2][..], &[1, 2][..]),
            (&[1, 3], &[1, 2, 3], &[1, 3]),
            (&[1, 2], &[0, 1], &[]),
            (&[1, 2], &[1], &[]),
            (&[1], &[], &[]),
            (&[], &[1], &[]),
        ] {
            let node = |name: &str, numbers: &[u16]| {
                let below = numbers.iter().map(|n| format!("   +#{n}:\n      +X:\n"));
                format!("+{name}:\n{}", below.collect::<String>())
            };
            let text = node("PerModule", modules) + &node("PerDevice", devices);
            let mut state = State::new(Duration::from_secs(15));
            state.stattree_ended(Some(StatTree::parse(text.as_bytes())));
            let statistics = state.module_statistics();
            assert_eq!(statistics.len(), modules.len(), "{text}");
            let devices = super::devices(&state, &statistics);
            let found: Vec<_> = devices.keys().map(|number| number.get()).collect();
            assert_eq!(found, mapped, "{text}");
        }
    }
}
