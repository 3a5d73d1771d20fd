//! Loss of network as the tools feel it, and real ping made to follow it.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::Duration,
};

use crate::harness::{Host, timed, until};

#[test]
fn a_silent_module_holds_the_full_enquiry_and_not_the_server_s() {
    // 3 s here; connect_broken lies behind it.
    let host = Host::with(&[
        "timing.connect_command_block=105s",
        "timing.connect_broken=35000s",
    ]);
    host.ctl("network-loss 2");
    let (run, took) = timed(|| host.enquiry());
    assert_eq!(run.code, Some(0));
    assert!(took >= Duration::from_millis(2_950), "{took:?}");
    for section in ["-m0", "-m1"] {
        let (_, took) = timed(|| host.run("bin/enquiry", &[section]));
        assert!(took < Duration::from_secs(2), "{section} {took:?}");
    }
}

#[test]
fn a_held_enquiry_has_printed_what_it_knew() {
    let host = Host::with(&[
        "timing.connect_command_block=35000s",
        "timing.connect_broken=35000s",
    ]);
    host.ctl("network-loss 2");
    let mut tool = host
        .tool("bin/enquiry", &[])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tool.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "Server:");
    assert!(lines.by_ref().any(|line| line == "Module #1:"));
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(!lines.any(|line| line == "Module #2:"));
}

#[test]
fn a_module_fails_after_connect_broken_and_comes_back_with_the_network() {
    let host = Host::new();
    host.ctl("network-loss 1");
    assert_eq!(host.shown(1), "operational");
    until("module 1 failed", || host.shown(1) == "failed");
    assert_eq!(
        host.nopclearfail("-m1 -r").out,
        "Module 1, command RetryFailedModule: NetworkError\n"
    );
    host.ctl("network-restore 1");
    until("module 1 operational", || host.shown(1) == "operational");
    assert_eq!(host.status()["modules"][0]["objects"], 7);
}

#[test]
fn a_loss_for_a_time_ends_by_itself_even_without_a_hardserver() {
    let directory = tempfile::tempdir().unwrap();
    let (hook, journal) = (
        directory.path().join("hook"),
        directory.path().join("journal"),
    );
    fs::write(
        &hook,
        format!("#!/bin/sh\necho \"$@\" >> {}\n", journal.display()),
    )
    .unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let host = Host::of_estate(&format!(
        "vcms: [{{name: a, esn: 1A2B-03E0-D947, address: 127.0.1.1, hsm: h, \
         network_hook: [{}, eth9]}}]",
        hook.display()
    ));
    host.ctl("stop-hardserver");
    host.ctl("network-loss 1 --for 2s");
    assert_eq!(fs::read_to_string(&journal).unwrap(), "eth9 down\n");
    until("the hook hears of the end", || {
        fs::read_to_string(&journal).unwrap() == "eth9 down\neth9 up\n"
    });
    assert_eq!(host.status()["modules"][0]["network_up"], true);
}

#[test]
fn follows_the_file_in_which_the_lab_says_whether_packets_get_through() {
    let host = Host::new();
    let file = host.root().join("sim/net/vcm3");
    fs::write(&file, "down\n").unwrap();
    until("the loss is noticed", || {
        host.events(&[])
            .iter()
            .any(|event| event["event"] == "network_lost")
    });
    until("module 3 failed", || host.shown(3) == "failed");
    fs::write(&file, "up\n").unwrap();
    until("module 3 operational", || host.shown(3) == "operational");
    assert_eq!(host.shown(1), "operational");
}

#[test]
fn a_rebooting_hsm_comes_back_and_needs_a_retry() {
    let host = Host::with(&["timing.hsm_boot=60s", "timing.vcm_boot=20s"]);
    host.ctl("hsm-reboot 1");
    assert_eq!(host.status()["modules"][0]["answers_ping"], false);
    until("ping answers again", || {
        host.status()["modules"][0]["answers_ping"] == true
    });
    until("module 1 failed", || host.shown(1) == "failed");
    assert_eq!(host.nopclearfail("-m1 -r").code, Some(0));
    until("module 1 operational", || host.shown(1) == "operational");
    assert_eq!(host.status()["modules"][0]["objects"], 0);
}

#[test]
fn events_come_in_the_order_of_their_times_without_anybody_asking() {
    let host = Host::new();
    host.ctl("network-loss 1 --for 3500ms");
    let kinds = || -> Vec<String> {
        let of_module_1 = host
            .events(&[])
            .into_iter()
            .filter(|event| event["module"] == 1);
        of_module_1
            .map(|event| event["event"].as_str().unwrap().to_owned())
            .collect()
    };
    until("module 1 is back", || kinds().len() == 5);
    let story = [
        "module_operational",
        "network_lost",
        "module_failed",
        "network_restored",
        "module_operational",
    ];
    assert_eq!(kinds(), story);
    let times: Vec<_> = host
        .events(&[])
        .iter()
        .map(|event| event["boot_ms"].as_u64())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}
