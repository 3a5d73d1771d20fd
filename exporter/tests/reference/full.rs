//! A host on which everything is seen that can be.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use nshield::enquiry::Enquiry;
use nshield::hardserver::LookResult;
use nshield::icmp::SocketKind;
use nshield::stattree::StatTree;
use nshield::tools::Installation;
use vcm_exporter::clock::UnixTime;
use vcm_exporter::collect::{Schedule, Shared};
use vcm_exporter::config::Config;
use vcm_exporter::icmp::{Address, EchoEnd, Place, TargetRecord};
use vcm_exporter::state::CollectorName;

const STATISTICS: [(&str, &[(&str, u64)]); 5] = [
    (
        "ModuleObjStats",
        &[
            ("ObjectCount", 7),
            ("ObjectsCreated", 9),
            ("ObjectsDestroyed", 2),
        ],
    ),
    (
        "ModuleEnvStats",
        &[
            ("Uptime", 1000),
            ("CurrentTime", 1_700_000_000),
            ("TempSP", 40),
            ("CurrentCPUTemp1", 41),
            ("CurrentCPUTemp2", 42),
            ("MemTotal", 1000),
            ("MemAllocKernel", 100),
            ("MemAllocUser", 200),
        ],
    ),
    (
        "ModuleJobStats",
        &[
            ("CPULoadPercent", 43),
            ("CmdCount", 1),
            ("ReplyCount", 2),
            ("CmdBytes", 3),
            ("ReplyBytes", 4),
            ("HostReadErrors", 5),
            ("HostWriteErrors", 6),
        ],
    ),
    (
        "HostEnvStats",
        &[
            ("PSUFailure", 0),
            ("CurrentFanRPM", 1),
            ("CurrentFan2RPM", 2),
            ("CurrentFan3RPM", 3),
            ("CurrentFan4RPM", 4),
        ],
    ),
    ("ModuleServerStats", &[("JobsOutstanding", 3)]),
];

/// Echoes of each target, over all buckets of the histogram.
const ECHOES: u64 = 300;

const SERVER: [&str; 9] = [
    "Uptime",
    "CmdCount",
    "ReplyCount",
    "CmdBytes",
    "ReplyBytes",
    "ClientCount",
    "DeviceFails",
    "DeviceRestarts",
    "AuditDBFreeSpaceMB",
];

/// What is known of a host with so many modules.
pub(crate) fn shared(modules: u16) -> Arc<Shared> {
    let schedule = Schedule::Every(Duration::from_secs(15));
    let shared = Arc::new(Shared::new(
        Installation::default(),
        Config::default(),
        schedule,
    ));
    let mut guard = shared.state();
    let state = &mut *guard;
    state.enquiry_ended(Enquiry::parse(enquiry(modules).as_bytes()));
    state.hardserver_looked(LookResult::Up);
    state.stattree_ended(Some(StatTree::parse(stattree(modules).as_bytes())));
    let records = state.modules.iter().map(|(number, identity)| {
        let record = TargetRecord::new((format!("module{number}"), Some(number)));
        record.set_place(Place {
            address: identity.address.map(Address::from),
            socket: Some(SocketKind::Datagram),
        });
        Arc::new(record)
    });
    shared.icmp.show(records.collect());
    for record in shared.icmp.records().iter() {
        for number in 0..ECHOES {
            record.started();
            let reply = EchoEnd::Reply(Duration::from_micros(40 * number * number));
            record.finished(number, reply, UnixTime(1_700_000_000.123));
        }
    }
    for name in CollectorName::ALL {
        state.collector_ended(name, None, Duration::from_millis(20));
    }
    drop(guard);
    shared
}

fn enquiry(modules: u16) -> String {
    let mut text = "Server:\n enquiry reply flags  none\n version              13.6.3\n".to_owned();
    for number in 1..=modules {
        let _ = write!(
            text,
            "\nModule #{number}:\n enquiry reply flags  none\n serial number        \
             {number:04X}-05E0-D947\n mode                 operational\n version              \
             13.4.5\n product name         nC3025E\n connection status    OK\n connection info      \
             addr = INET/192.0.2.{number}/9004\n rec. queue           34..152\n hardware status      OK\n",
        );
    }
    text
}

fn stattree(modules: u16) -> String {
    let mut text = "+ServerGlobals:\n".to_owned();
    for id in SERVER {
        let _ = writeln!(text, "   -{id:<20} 5");
    }
    for (top, in_device) in [("PerModule", false), ("PerDevice", true)] {
        let _ = writeln!(text, "+{top}:");
        for number in 1..=modules {
            let _ = writeln!(text, "   +#{number}:");
            let groups = STATISTICS.iter();
            let groups = groups.filter(|(name, _)| (*name == "ModuleServerStats") == in_device);
            for (name, statistics) in groups {
                let _ = writeln!(text, "      +{name}:");
                for (id, value) in *statistics {
                    // Counters of a busy host have many digits.
                    let value = if *value < 10 {
                        value * u64::from(number) * 7_919_131
                    } else {
                        *value
                    };
                    let _ = writeln!(text, "         -{id:<20} {value}");
                }
            }
        }
    }
    text
}
