//! The nodes and statistics that are known, from the vendor's documentation and captures.

/// The nodes at the top of the tree.
const TOP: [&str; 5] = [
    "ServerGlobals",
    "Connections",
    "PerModule",
    "RemoteServers",
    "PerDevice",
];

/// What each node below an instance, and `ServerGlobals`, is known to hold. An id that ends in
/// `*` stands for every number in that place.
const STATISTICS: [(&str, &[&str]); 9] = [
    (
        "ServerGlobals",
        &[
            "Uptime",
            "CmdCount",
            "CmdBytes",
            "CmdMarshalErrors",
            "ReplyCount",
            "ReplyBytes",
            "ReplyMarshalErrors",
            "ClientCount",
            "MaxClients",
            "DeviceFails",
            "DeviceRestarts",
            "CryptoClientCount",
            "MaxCryptoClients",
            "AuditDBFreeSpaceMB",
            "AuditDBUsedSpaceMB",
        ],
    ),
    (
        "ModuleObjStats",
        &["ObjectCount", "ObjectsCreated", "ObjectsDestroyed"],
    ),
    (
        "ModuleCacheStats",
        &[
            "CacheEntryCount",
            "CacheEntriesInserted",
            "CacheEntriesRemoved",
        ],
    ),
    (
        "ModuleEnvStats",
        &[
            "SerialNumber",
            "Uptime",
            "CurrentTime",
            "MemTotal",
            "MemAllocKernel",
            "MemAllocUser",
            "TempSP",
            "CurrentCPUTemp*",
            "CPUVoltage*",
            "MaxTempC",
            "MinTempC",
        ],
    ),
    (
        "ModuleJobStats",
        &[
            "CmdCount",
            "ReplyCount",
            "CmdBytes",
            "ReplyBytes",
            "HostWriteCount",
            "HostWriteErrors",
            "HostReadCount",
            "HostReadErrors",
            "HostReadEmpty",
            "HostReadDeferred",
            "HostReadTerminated",
            "PFNIssued",
            "PFNRejected",
            "PFNCompleted",
            "ANIssued",
            "CPULoadPercent",
        ],
    ),
    (
        "ModuleSerialStats",
        &[
            "HostWriteCount",
            "HostWriteErrors",
            "HostReadCount",
            "HostReadErrors",
            "HostReadEmpty",
            "HostReadDeferred",
            "HostReadTerminated",
        ],
    ),
    (
        "HostEnvStats",
        &[
            "CurrentTempC",
            "CurrentTemp2C",
            "CurrentFanRPM",
            "CurrentFan2RPM",
            "CurrentFan3RPM",
            "CurrentFan4RPM",
            "CurrentFanSpeed",
            "CurrentFanDuty",
            "PSUFailure",
        ],
    ),
    ("ModuleDriverStats", &["DriverIRQs"]),
    ("ModuleServerStats", &["JobsOutstanding"]),
];

/// Returns whether a node stands at the top of the tree.
pub(super) fn is_top(name: &str) -> bool {
    TOP.contains(&name)
}

/// Returns whether this node is known to hold this statistic.
pub(super) fn is_statistic(node: &str, id: &str) -> bool {
    STATISTICS
        .iter()
        .any(|(name, ids)| *name == node && ids.iter().any(|known| matches(known, id)))
}

fn matches(known: &str, id: &str) -> bool {
    match known.strip_suffix('*') {
        None => known == id,
        Some(stem) => id.strip_prefix(stem).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_statistics_are_known_with_every_number() {
        assert!(is_statistic("ModuleEnvStats", "CPUVoltage10"));
        assert!(!is_statistic("ModuleEnvStats", "CPUVoltage"));
        assert!(!is_statistic("ModuleEnvStats", "CPUVoltageX"));
        assert!(!is_statistic("ModuleJobStats", "CPUVoltage1"));
    }
}
