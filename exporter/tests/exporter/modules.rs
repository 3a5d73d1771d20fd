//! What is exposed of the modules in every shape and state that `enquiry` prints.

use crate::golden::Exposed;
use crate::host::{Host, look};

const THREE: &str = "enquiry-one-of-three-failed.txt";

async fn exposed(host: &Host) -> Exposed {
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter).await
}

#[tokio::test]
async fn healthy() {
    let host = Host::healthy("enquiry-healthy.txt");
    exposed(&host).await.equals("healthy").shows(&[
        "nshield_module_state{module=\"1\",state=\"operational\"} 1",
        "nshield_module_cpu_load_ratio{module=\"1\"} 0.43",
        "nshield_unknown_statistics_total 0",
        "nshield_unknown_states_total 0",
    ]);
}

/// Line ends, lost columns, lost indentation and lost blank lines change nothing.
#[tokio::test]
async fn the_same_output_in_another_form_gives_the_same_exposition() {
    for (enquiry, stattree) in [
        ("sed 's/$/\\r/'", "sed 's/$/\\r/'"),
        ("sed '/^$/d'", "sed 's/^ *//'"),
        ("sed 's/^$/   /'", "sed '/^ *-CacheEntr/d'"),
    ] {
        let host = Host::healthy("enquiry-healthy.txt");
        host.prints_through("enquiry", "enquiry-healthy.txt", enquiry);
        host.prints_through("stattree", "stattree-one-module.txt", stattree);
        exposed(&host).await.equals("healthy");
    }
}

/// Labels of 12.x, of a local PCIe module: what belongs to network modules is left out.
#[tokio::test]
async fn labels_of_12_60_and_a_local_module() {
    let host = Host::healthy("enquiry-12.60-local.txt");
    host.prints_through(
        "stattree",
        "stattree-one-module.txt",
        "sed s/1A2B-03E0-D947/4D5E-03E0-D947/",
    );
    exposed(&host)
        .await
        .equals("local-module-12.60")
        .shows(&[
            "nshield_hardserver_info{version=\"12.60.11\"} 1",
            "nshield_module_info{module=\"1\",esn=\"4D5E-03E0-D947\",product=\"nC1003P/nC3023P/nC3033P\"} 1",
            "nshield_module_recommended_queue_length_max{module=\"1\"} 50",
            "nshield_unknown_statistics_total 0",
        ])
        .hides(&["connection_ok", "hardware_ok", "address="]);
}

#[tokio::test]
async fn one_of_three_failed() {
    let host = Host::printing(THREE, "stattree-one-of-three-failed.txt");
    exposed(&host)
        .await
        .equals("one-of-three-failed")
        .shows(&[
            "nshield_module_state{module=\"1\",state=\"failed\"} 1",
            "nshield_module_state{module=\"1\",state=\"operational\"} 0",
            "nshield_module_connection_ok{module=\"1\"} 0",
            "nshield_module_cpu_load_ratio{module=\"2\"} 0.2",
        ])
        .hides(&[
            "nshield_module_cpu_load_ratio{module=\"1\"}",
            "nshield_module_recommended_queue_length_min{module=\"1\"}",
            "nshield_module_firmware_info{module=\"1\"",
        ]);
}

/// Every variant of flags, mode and hardware status that the fact sheet names. The words of modules
/// 13 and 14 are not known: they are counted and are no label value.
#[tokio::test]
async fn every_state() {
    let host = Host::printing(
        "enquiry-every-state.txt",
        "stattree-one-of-three-failed.txt",
    );
    let states = [
        "failed",
        "failed",
        "offline",
        "operational",
        "operational",
        "maintenance",
        "pre_maintenance",
        "initialization",
        "pre_initialization",
        "uninitialized",
        "error",
        "operational",
        "unknown",
        "unknown",
        "unknown",
        "maintenance",
        "offline",
    ];
    let samples: Vec<String> = (1..)
        .zip(states)
        .map(|(n, state)| format!("nshield_module_state{{module=\"{n}\",state=\"{state}\"}} 1"))
        .collect();
    let samples: Vec<&str> = samples.iter().map(String::as_str).collect();
    exposed(&host)
        .await
        .equals("every-state")
        .shows(&samples)
        .shows(&[
            "nshield_module_hardware_ok{module=\"11\"} 0",
            "nshield_module_hardware_ok{module=\"12\"} 0",
            "nshield_unknown_states_total 3",
        ])
        .hides(&[
            "bewitched",
            "Haunted",
            "nshield_module_hardware_ok{module=\"2\"}",
        ]);
}

/// A module that fails prints neither its serial number nor its product nor its firmware.
#[tokio::test]
async fn a_failing_module_keeps_its_identity() {
    let host = Host::printing(THREE, "stattree-one-of-three-failed.txt");
    let healthy = "sed -e 's/ Failed$/ none/' -e 's/ unknown$/ 1A2B-05E0-D947/' \
                   -e 's/ 0\\.0\\.0$/ 13.4.5/' -e 's/product name         none/product name         nC3025E/'";
    host.prints_through("enquiry", THREE, healthy);
    let exporter = host.exporter();
    look(&exporter).await;
    let identity = [
        "nshield_module_info{module=\"1\",esn=\"1A2B-05E0-D947\",product=\"nC3025E\",address=\"192.0.2.11\"} 1",
        "nshield_module_firmware_info{module=\"1\",version=\"13.4.5\"} 1",
    ];
    Exposed::by(&exporter)
        .await
        .shows(&identity)
        .shows(&["nshield_module_state{module=\"1\",state=\"operational\"} 1"]);
    host.prints_through("enquiry", THREE, "sed '/^ connection info.*1A2B/d'");
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .equals("failed-without-serial-number")
        .shows(&identity)
        .shows(&["nshield_module_state{module=\"1\",state=\"failed\"} 1"]);
}

/// A hardserver that is restarted may number its modules anew.
#[tokio::test]
async fn renumbered_modules_take_their_identities_with_them() {
    let host = Host::printing(THREE, "stattree-one-of-three-failed.txt");
    let exporter = host.exporter();
    look(&exporter).await;
    let rotate = "sed -e 's/^Module #1:/Module #9:/' -e 's/^Module #2:/Module #1:/' \
                  -e 's/^Module #9:/Module #2:/' -e '/connection info.*1A2B/d'";
    host.prints_through("enquiry", THREE, rotate);
    look(&exporter).await;
    Exposed::by(&exporter)
        .await
        .equals("renumbered")
        .shows(&[
            "nshield_module_info{module=\"1\",esn=\"2B3C-05E0-D947\",product=\"nC3025E/nC4035E/nC4335N\",address=\"192.0.2.12\"} 1",
            "nshield_module_state{module=\"1\",state=\"operational\"} 1",
            "nshield_module_state{module=\"2\",state=\"failed\"} 1",
        ])
        .hides(&["nshield_module_info{module=\"2\",esn=\"2B3C-05E0-D947\""]);
}

/// Re-enrolment can leave two modules with one serial number.
#[tokio::test]
async fn two_modules_of_one_serial_number_are_two_modules() {
    let host = Host::printing(THREE, "stattree-one-of-three-failed.txt");
    host.prints_through("enquiry", THREE, "sed s/3C4D-05E0-D947/2B3C-05E0-D947/");
    exposed(&host)
        .await
        .equals("one-serial-number-twice")
        .shows(&[
            "nshield_module_state{module=\"2\",state=\"operational\"} 1",
            "nshield_module_state{module=\"3\",state=\"operational\"} 1",
        ]);
}
