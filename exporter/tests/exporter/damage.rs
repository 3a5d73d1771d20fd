//! Tools that print damage, too much or nothing, fail with good output, or are not there.

use std::fs;

use crate::golden::Exposed;
use crate::host::{FIXTURES, Host, look};

const THREE: &str = "enquiry-one-of-three-failed.txt";

async fn exposed(host: &Host) -> Exposed {
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter).await
}

fn failure(command: &str, reason: &str) -> String {
    format!("nshield_command_failures_total{{command=\"{command}\",reason=\"{reason}\"}} 1")
}

/// Cut in the middle of module 2: it is shown and is no success.
#[tokio::test]
async fn output_cut_short() {
    let host = Host::healthy("enquiry-healthy.txt");
    host.prints_through("enquiry", THREE, "head -c 1300");
    exposed(&host)
        .await
        .equals("cut-short")
        .shows(&[
            "nshield_module_state{module=\"1\",state=\"failed\"} 1",
            "nshield_scrape_collector_success{collector=\"enquiry\"} 0",
            &failure("enquiry", "parse"),
        ])
        .hides(&["module=\"3\""]);
}

/// Whatever byte it is cut at, no module is operational that is not, and no identity is learnt from
/// a line without its end.
#[tokio::test]
async fn a_last_line_without_its_end_is_not_believed() {
    let host = Host::healthy("enquiry-healthy.txt");
    let text = fs::read_to_string(format!("{FIXTURES}/{THREE}")).unwrap();
    let cut = text.find(" product name         nC3025E/nC4035E").unwrap() + 28;
    host.prints_through("enquiry", THREE, &format!("head -c {cut}"));
    exposed(&host)
        .await
        .hides(&["product=\"nC3025\""])
        .shows(&["nshield_module_info{module=\"2\",esn=\"2B3C-05E0-D947\"} 1"]);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8() {
    let host = Host::healthy("enquiry-healthy.txt");
    host.prints_through(
        "enquiry",
        "enquiry-healthy.txt",
        "sed -e 's|nC3025E.*|nC\\xff\\xfe\"\\\\\\r3025E|' -e 's/ 15843$/ \\xc3/'",
    );
    host.prints_through(
        "stattree",
        "stattree-one-module.txt",
        "sed 's/ 43$/ 4\\xff/'",
    );
    exposed(&host)
        .await
        .equals("not-utf-8")
        .shows(&["nshield_module_state{module=\"1\",state=\"operational\"} 1"])
        .hides(&["cpu_load"]);
}

#[tokio::test]
async fn nothing_at_all_and_success() {
    let host = Host::healthy("enquiry-healthy.txt");
    host.tool("enquiry", "exit 0");
    host.tool("stattree", "exit 0");
    exposed(&host).await.equals("nothing-printed").shows(&[
        "nshield_hardserver_state{state=\"unknown\"} 1",
        &failure("enquiry", "parse"),
        &failure("stattree", "parse"),
    ]);
}

/// A printed answer proves that the hardserver is up; the exit status is counted and is nobody's
/// health.
#[tokio::test]
async fn good_output_and_a_bad_exit_status() {
    let host = Host::healthy("enquiry-healthy.txt");
    for (tool, fixture) in [
        ("enquiry", "enquiry-healthy.txt"),
        ("stattree", "stattree-one-module.txt"),
    ] {
        host.tool(tool, &format!("cat {FIXTURES}/{fixture}; exit 3"));
    }
    exposed(&host)
        .await
        .equals("good-output-bad-exit-status")
        .shows(&[
            "nshield_hardserver_state{state=\"up\"} 1",
            "nshield_module_state{module=\"1\",state=\"operational\"} 1",
            &failure("enquiry", "exit_status"),
            &failure("stattree", "exit_status"),
        ]);
}

#[tokio::test]
async fn no_vendor_directory() {
    let host = Host::healthy("enquiry-healthy.txt");
    fs::remove_dir_all(host.root().join("bin")).unwrap();
    fs::remove_dir_all(host.root().join("sockets")).unwrap();
    exposed(&host).await.equals("no-vendor-directory").shows(&[
        "nshield_hardserver_state{state=\"unknown\"} 1",
        &failure("enquiry", "spawn"),
        &failure("stattree", "spawn"),
    ]);
}

/// The system answers with the same error as for a file that may not be executed, and that is no
/// matter of permission.
#[tokio::test]
async fn a_directory_in_the_place_of_a_tool() {
    let host = Host::healthy("enquiry-healthy.txt");
    for tool in ["enquiry", "stattree"] {
        let path = host.root().join("bin").join(tool);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
    exposed(&host)
        .await
        .equals("directory-in-place-of-a-tool")
        .shows(&[
            "nshield_hardserver_state{state=\"unknown\"} 1",
            &failure("enquiry", "spawn"),
        ]);
}

/// A hundred megabytes of lines that look like an answer: read up to the limit and no further.
#[tokio::test]
async fn endless_output_is_cut_at_the_limit() {
    let host = Host::healthy("enquiry-healthy.txt");
    let endless = |first: &str, line: &str| format!("{first}; yes '{line}' | head -c 104857600");
    let server = format!("head -n 27 {FIXTURES}/enquiry-healthy.txt");
    host.tool(
        "enquiry",
        &endless(&server, " mode                 operational"),
    );
    host.tool(
        "stattree",
        &endless("echo +ServerGlobals:", "   -Uptime               5"),
    );
    let before = resident_bytes();
    exposed(&host)
        .await
        .equals("endless-output")
        .shows(&[
            "nshield_hardserver_state{state=\"up\"} 1",
            &failure("enquiry", "output_limit"),
            &failure("stattree", "output_limit"),
        ])
        .hides(&["nshield_hardserver_start_time_seconds"]);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 100 * 1024 * 1024, "{grown} bytes more are resident");
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}
