//! What is exposed of the statistics: whose they are, those that a tenant does not see, odd values,
//! and what goes back.

use std::sync::Arc;

use vcm_exporter::collect::Shared;
use vcm_telemetry::exposition::Format;

use crate::golden::Exposed;
use crate::host::{FIXTURES, Host, exposition, look};

const ONE: &str = "stattree-one-module.txt";
const THREE: &str = "enquiry-one-of-three-failed.txt";

async fn exposed(host: &Host) -> Exposed {
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter).await
}

/// Removes a group of one module's statistics, with everything below it.
fn without(group: &str) -> String {
    format!("awk '/^      \\+/ {{ on = /\\+{group}:/ }} /^ ? ? ?\\+/ {{ on = 0 }} !on'")
}

/// Each group that a tenant may not see is missing once; what does not need it is still there.
#[tokio::test]
async fn every_group_is_optional() {
    let statistics = |group: &str| match group {
        "ModuleObjStats" => "nshield_module_objects{",
        "ModuleEnvStats" => "nshield_module_temperature_celsius{",
        "ModuleJobStats" => "nshield_module_cpu_load_ratio{",
        "HostEnvStats" => "nshield_chassis_fan_speed_rpm{",
        _ => unreachable!("{group}"),
    };
    const GROUPS: [&str; 4] = [
        "ModuleObjStats",
        "ModuleEnvStats",
        "ModuleJobStats",
        "HostEnvStats",
    ];
    let host = Host::healthy("enquiry-healthy.txt");
    for missing in GROUPS {
        host.prints_through("stattree", ONE, &without(missing));
        let exposed = exposed(&host).await.hides(&[statistics(missing)]);
        for group in GROUPS.into_iter().filter(|group| *group != missing) {
            assert!(
                exposed.text.contains(statistics(group)),
                "{group} without {missing}"
            );
        }
    }
}

#[tokio::test]
async fn a_tenant_that_sees_only_the_hardservers_totals() {
    let host = Host::healthy("enquiry-healthy.txt");
    host.prints_through("stattree", ONE, "sed '/^+Connections/,$d'");
    exposed(&host)
        .await
        .equals("statistics-of-the-hardserver-alone")
        .shows(&[
            "nshield_hardserver_clients 9",
            "nshield_scrape_collector_success{collector=\"stattree\"} 1",
            "nshield_module_state{module=\"1\",state=\"operational\"} 1",
        ])
        .hides(&["cpu_load", "nshield_module_commands", "celsius"]);
}

/// Without a serial number they go by the number.
#[tokio::test]
async fn a_tenant_that_sees_nothing_of_the_environment() {
    let host = Host::healthy("enquiry-healthy.txt");
    let filter = format!(
        "{} <{FIXTURES}/{ONE} | {}",
        without("ModuleEnvStats"),
        without("HostEnvStats")
    );
    host.tool("stattree", &filter);
    exposed(&host)
        .await
        .equals("statistics-without-environment")
        .shows(&["nshield_module_cpu_load_ratio{module=\"1\"} 0.43"])
        .hides(&[
            "celsius",
            "nshield_module_start_time_seconds",
            "chassis",
            "clock_offset",
        ]);
}

/// A hardserver that shows no totals cannot be told from output that lost them.
#[tokio::test]
async fn statistics_that_are_not_there_at_all() {
    let host = Host::healthy("enquiry-healthy.txt");
    for script in ["printf ''", "echo", "echo +PerModule:"] {
        host.tool("stattree", script);
        exposed(&host)
            .await
            .equals("statistics-missing")
            .shows(&["nshield_scrape_collector_success{collector=\"stattree\"} 0"])
            .hides(&["cpu_load", "nshield_hardserver_clients"]);
    }
}

/// `stattree` numbers the two modules that it shows 1 and 2, `enquiry` 2 and 3.
#[tokio::test]
async fn numbers_that_differ_from_those_of_enquiry() {
    let host = Host::printing(THREE, "stattree-numbered-differently.txt");
    exposed(&host)
        .await
        .equals("statistics-numbered-differently")
        .shows(&[
            "nshield_module_cpu_load_ratio{module=\"2\"} 0.2",
            "nshield_module_cpu_load_ratio{module=\"3\"} 0.3",
        ])
        .hides(&["nshield_module_cpu_load_ratio{module=\"1\"}"]);
}

/// What is no number, or none that a counter can hold, is left out and hides nothing else.
#[tokio::test]
async fn odd_values() {
    let host = Host::printing("enquiry-healthy.txt", "stattree-odd-values.txt");
    exposed(&host)
        .await
        .equals("odd-values")
        .shows(&[
            "nshield_hardserver_commands_total 18446744073709551615",
            "nshield_hardserver_replies_total 9007199254740993",
            "nshield_module_temperature_celsius{module=\"1\",sensor=\"sp\"} -12.5",
            "nshield_module_host_read_errors_total{module=\"1\"} 4294967296",
            "nshield_unknown_statistics_total 1",
        ])
        .hides(&[
            "nshield_hardserver_command_bytes",
            "nshield_hardserver_reply_bytes",
            "nshield_hardserver_clients",
            "nshield_hardserver_device_failures",
            "nshield_hardserver_device_restarts",
            "nshield_hardserver_audit_db_free_bytes",
            "nshield_module_objects_created",
            "nshield_module_objects_destroyed",
            "clock_offset",
            "cpu1",
            "cpu2",
            "nshield_module_command_bytes",
            "nshield_module_reply_bytes",
        ]);
}

/// A clear resets a module's counters: they are exported as they are, and the fall is a reset for
/// Prometheus.
#[tokio::test]
async fn counters_that_fall_are_exported_raw() {
    let host = Host::healthy("enquiry-healthy.txt");
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .shows(&["nshield_module_commands_total{module=\"1\"} 169780"]);
    host.prints_through(
        "stattree",
        ONE,
        "sed -e 's/ 169780$/ 3/' -e 's/ObjectCount          7/ObjectCount          0/'",
    );
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .equals("counters-fell")
        .shows(&[
            "nshield_module_commands_total{module=\"1\"} 3",
            "nshield_module_objects{module=\"1\"} 0",
            "nshield_hardserver_commands_total 1240357",
        ]);
}

/// Start times of the hardserver and of module 1.
fn starts(exporter: &Arc<Shared>) -> [f64; 2] {
    let text = exposition(exporter, Format::Text);
    [
        "nshield_hardserver_start_time_seconds ",
        "nshield_module_start_time_seconds{module=\"1\"} ",
    ]
    .map(|series| {
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value.unwrap().parse().unwrap()
    })
}

/// Uptimes of the hardserver and of module 1, and which of the two start times moves.
#[tokio::test]
async fn start_times_move_with_a_restart_and_not_with_jitter() {
    let host = Host::healthy("enquiry-healthy.txt");
    let exporter = host.exporter();
    look(&exporter).await;
    let mut before = starts(&exporter);
    for (server, module, moves) in [
        (17_578, 11_263, [false, false]),
        (17_607, 11_292, [false, false]),
        (17_600, 11_292, [true, false]),
        (17_600, 5, [false, true]),
        (2, 6, [true, false]),
    ] {
        let uptimes = format!("sed -e 's/ 17577$/ {server}/' -e 's/ 11262$/ {module}/'");
        host.prints_through("stattree", ONE, &uptimes);
        look(&exporter).await;
        let now = starts(&exporter);
        let moved = [now[0] != before[0], now[1] != before[1]];
        assert_eq!(moved, moves, "uptimes {server} and {module}");
        before = now;
    }
}
