//! What `stattree` prints, written from the fact sheet's section 2 and sample 9.5.
//!
//! Nodes are `+Name:`, leaves are `-Name` in 21 columns and a value; each level is indented by
//! three more spaces.

use super::{
    clock,
    knobs::FailedModuleStatistics,
    world::{Link, Module, Run, Shown, World},
};

mod tree;

use tree::Node;

/// The tree below the nodes that `path` names (`PerModule 1 ModuleEnvStats`), or the whole of it;
/// none if there is no such node.
#[must_use]
pub fn text(world: &World, path: &[String]) -> Option<String> {
    let mut tree = whole(world);
    tree.remove(&world.knobs.text.missing_statistics);
    let mut node = &tree;
    for name in path {
        node = node.child(name)?;
    }
    Some(node.print(path.is_empty()))
}

fn whole(world: &World) -> Node {
    let mut root = Node::new("");
    root.add(server_globals(world));
    root.add(connections(world));
    root.add(per_module(world));
    root.add(Node::new("RemoteServers"));
    root.add(per_device(world));
    root
}

fn server_globals(world: &World) -> Node {
    let uptime = match &world.hardserver.run {
        Run::Up(instance) => world.now.since(instance.since).as_secs(),
        Run::Down(_) => 0,
    };
    let commands: u64 = world.modules.iter().map(commands_of).sum();
    // The tool's own connection counts too.
    let clients = u64::from(world.connected_clients()) + 1;
    let mut node = Node::new("ServerGlobals");
    node.count("Uptime", uptime);
    node.count("CmdCount", commands + world.hardserver.tool_connections);
    node.count("CmdBytes", commands * 62);
    node.count("CmdMarshalErrors", 0);
    node.count("ReplyCount", commands + world.hardserver.tool_connections);
    node.count("ReplyBytes", commands * 180);
    node.count("ReplyMarshalErrors", 0);
    node.count("ClientCount", clients);
    node.count("MaxClients", clients + 1);
    node.count("DeviceFails", world.hardserver.device_fails);
    node.count("DeviceRestarts", world.hardserver.device_restarts);
    node.count("CryptoClientCount", 0);
    node.count("MaxCryptoClients", 0);
    node.count("AuditDBFreeSpaceMB", 486_429);
    node.count("AuditDBUsedSpaceMB", 0);
    strange(world, &mut node);
    node
}

fn connections(world: &World) -> Node {
    let mut node = Node::new("Connections");
    let Run::Up(instance) = &world.hardserver.run else {
        return node;
    };
    let connected = if world.connected_clients() > 0 {
        world.clients.as_slice()
    } else {
        &[]
    };
    let processes = connected
        .iter()
        .flat_map(|clients| std::iter::repeat_n(clients.process.as_str(), clients.count as usize));
    for (index, process) in processes.chain(["/opt/nfast/bin/stattree"]).enumerate() {
        let mut connection = Node::instance(index + 1);
        connection.count(
            "Uptime",
            world.now.since(instance.clients_back_at).as_secs(),
        );
        connection.count("CmdCount", 0);
        connection.leaf("ClientProcessName", process.to_owned());
        node.add(connection);
    }
    node
}

fn per_module(world: &World) -> Node {
    let mut node = Node::new("PerModule");
    for module in &world.modules {
        let failed = world.shown(module) == Shown::Failed;
        match (failed, world.knobs.text.failed_statistics) {
            (false, _) | (true, FailedModuleStatistics::All) => {
                node.add(statistics(world, module, true));
            }
            (true, FailedModuleStatistics::Few) => node.add(statistics(world, module, false)),
            (true, FailedModuleStatistics::Missing) => {}
        }
    }
    node
}

fn statistics(world: &World, module: &Module, all: bool) -> Node {
    let number = module.number + world.knobs.text.statistics_numbered_from;
    let mut node = Node::instance(number as usize);
    node.add(object_statistics(module));
    if all {
        node.add(cache_statistics());
        node.add(environment_statistics(world, module));
        node.add(job_statistics(module));
        node.add(host_statistics());
        strange(world, &mut node);
    }
    node
}

fn object_statistics(module: &Module) -> Node {
    let counters = &module.counters;
    let mut node = Node::new("ModuleObjStats");
    node.count("ObjectCount", counters.objects);
    node.count("ObjectsCreated", counters.objects_created);
    node.count(
        "ObjectsDestroyed",
        counters.objects_created.saturating_sub(counters.objects),
    );
    node
}

fn cache_statistics() -> Node {
    let mut node = Node::new("ModuleCacheStats");
    node.count("CacheEntryCount", 0);
    node.count("CacheEntriesInserted", 0);
    node.count("CacheEntriesRemoved", 0);
    node
}

fn environment_statistics(world: &World, module: &Module) -> Node {
    let host_s = clock::unix_ms_at(world.now) / 1_000;
    let module_s = host_s.saturating_add_signed(world.knobs.text.module_clock_offset_s);
    let mut node = Node::new("ModuleEnvStats");
    node.leaf("SerialNumber", module.esn.clone());
    node.count("Uptime", world.now.since(module.device.up_since).as_secs());
    node.count("CurrentTime", module_s);
    node.count("MemTotal", 2_030_891_008);
    node.count("MemAllocKernel", 470_183_936);
    node.count("MemAllocUser", 0);
    node.leaf("TempSP", format!("{}.00", 39 + module.device.load / 10));
    node.leaf(
        "CurrentCPUTemp1",
        format!("{}.00", 53 + module.device.load / 10),
    );
    node.leaf("CurrentCPUTemp2", "45.00".to_owned());
    node.leaf("CPUVoltage1", "1.00".to_owned());
    node.leaf("CPUVoltage10", "3.16".to_owned());
    node
}

fn job_statistics(module: &Module) -> Node {
    let commands = commands_of(module);
    let in_flight = outstanding(module);
    let mut node = Node::new("ModuleJobStats");
    node.count("CmdCount", commands + in_flight);
    node.count("ReplyCount", commands);
    node.count("CmdBytes", commands * 21);
    node.count("ReplyBytes", commands * 26);
    node.count("HostWriteCount", commands);
    node.count("HostWriteErrors", 0);
    node.count("HostReadCount", commands * 2);
    node.count("HostReadErrors", 0);
    node.count("HostReadEmpty", commands / 2);
    node.count("HostReadDeferred", commands);
    node.count("HostReadTerminated", 0);
    node.count("PFNIssued", commands / 2);
    node.count("PFNRejected", 1);
    node.count("PFNCompleted", commands / 2);
    node.count("ANIssued", 1);
    node.count("CPULoadPercent", u64::from(module.device.load));
    node
}

fn host_statistics() -> Node {
    let mut node = Node::new("HostEnvStats");
    node.leaf("CurrentTempC", "28.00".to_owned());
    node.leaf("CurrentTemp2C", "30.00".to_owned());
    node.count("CurrentFanRPM", 5_100);
    node.count("PSUFailure", 0);
    node
}

fn per_device(world: &World) -> Node {
    let mut node = Node::new("PerDevice");
    for module in &world.modules {
        let mut device = Node::instance(module.number as usize);
        let mut driver = Node::new("ModuleDriverStats");
        driver.count("DriverIRQs", 0);
        let mut server = Node::new("ModuleServerStats");
        server.count("JobsOutstanding", outstanding(module));
        device.add(driver);
        device.add(server);
        node.add(device);
    }
    node
}

fn strange(world: &World, node: &mut Node) {
    if world.knobs.text.unknown_statistics {
        node.leaf("QuantumFluxDeviationAverage", "-7".to_owned());
        node.leaf("Blank", String::new());
    }
}

fn commands_of(module: &Module) -> u64 {
    module.counters.millicommands / 1_000
}

/// Commands that wait for an answer: some pile up when a module falls silent.
fn outstanding(module: &Module) -> u64 {
    match module.link {
        Link::Silent { .. } => u64::from(module.device.load),
        Link::None | Link::Connecting { .. } | Link::Up | Link::Failed { .. } => 0,
    }
}

#[cfg(test)]
mod tests;
