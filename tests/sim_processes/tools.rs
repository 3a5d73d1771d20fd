//! What the tools print and log when nobody lies.

use std::time::Duration;

use vcm_lab::sim::call_log::CallRecord;

use crate::harness::{Host, Run, simulator, timed};

#[test]
fn tools_find_their_root_without_any_environment() {
    let host = Host::new();
    let run = host.enquiry();
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(
        run.out.starts_with("Server:\n enquiry reply flags  none\n"),
        "{}",
        run.out
    );
    assert_eq!(run.out.matches("\nModule #").count(), 3);
    assert!(
        host.run("bin/stattree", &["PerModule", "2"])
            .out
            .starts_with("+#2:\n")
    );
    assert!(host.run("bin/nfkminfo", &[]).out.contains("0x2 Usable"));
}

#[test]
fn enquiry_prints_one_section_when_asked_for_one() {
    let host = Host::new();
    for line in [&["-m0"][..], &["-m", "0"], &["--module=0"]] {
        let out = host.run("bin/enquiry", line).out;
        assert!(
            out.contains(" kneti hash ") && !out.contains("Module #"),
            "{line:?}: {out}"
        );
    }
    let out = host.run("bin/enquiry", &["-m2"]).out;
    assert!(out.contains("Module #2:") && !out.contains("Server:") && !out.contains("#1:"));
    assert_ne!(host.run("bin/enquiry", &["-m9"]).code, Some(0));
}

#[test]
fn nfast_server_points_a_tool_at_another_hardserver() {
    let (here, there) = (Host::new(), Host::new());
    here.ctl("stop-hardserver");
    there.ctl("fail-module 1 --reason dead");
    let mut tool = here.tool("bin/enquiry", &["-m1"]);
    tool.env("NFAST_SERVER", there.root().join("sockets/nserver"));
    let run = Run::of(tool.output().unwrap());
    assert!(
        run.out.contains(" enquiry reply flags  Failed\n"),
        "{run:?}"
    );
}

#[test]
fn logs_each_call_with_its_arguments_its_process_and_its_end() {
    let host = Host::new();
    let before = host.calls().len();
    host.nopclearfail("-m 1 -r");
    let calls = host.calls();
    let [
        CallRecord::Start {
            call,
            argv,
            tool,
            pid,
            unix_ms,
            uid,
            ..
        },
        end,
    ] = &calls[before..]
    else {
        panic!("{calls:?}")
    };
    assert_eq!(
        (tool.as_str(), &argv[1..]),
        ("nopclearfail", &["-m", "1", "-r"].map(String::from)[..])
    );
    assert!(argv[0].ends_with("/bin/nopclearfail") && *unix_ms > 1_600_000_000_000);
    assert_eq!(*uid, rustix::process::geteuid().as_raw());
    let CallRecord::End {
        call: ended,
        exit_code,
        pid: end_pid,
        ..
    } = end
    else {
        panic!("{end:?}")
    };
    assert_eq!((ended, end_pid, *exit_code), (call, pid, 1));
}

#[test]
fn prints_the_log_for_people_and_for_programs() {
    let host = Host::new();
    host.nopclearfail("-m1 -r");
    let log = |options: &[&str]| {
        let mut command = simulator();
        command
            .args(["log", "--root"])
            .arg(host.root())
            .args(options);
        Run::of(command.output().unwrap()).out
    };
    assert!(
        log(&[]).contains("/bin/nopclearfail -m1 -r\n"),
        "{}",
        log(&[])
    );
    assert!(
        log(&["--json"])
            .lines()
            .all(|line| serde_json::from_str::<CallRecord>(line).is_ok())
    );
}

#[test]
fn a_call_that_is_killed_has_a_beginning_and_no_end_in_the_log() {
    let host = Host::with(&["lies.retry.die=\"before\""]);
    assert_eq!(host.nopclearfail("-m1 -r").code, None);
    let last = host.calls().pop().unwrap();
    assert!(
        matches!(&last, CallRecord::Start { tool, .. } if tool == "nopclearfail"),
        "{last:?}"
    );
}

#[test]
fn a_host_of_two_hundred_modules_with_gaps_answers_quickly() {
    let host = Host::of_estate("generate: {count: 200, gap_every: 7}");
    let (run, took) = timed(|| host.enquiry());
    assert_eq!(run.out.matches("\nModule #").count(), 200);
    assert!(
        !run.out.contains("Module #7:") && run.out.contains("Module #233:"),
        "gaps"
    );
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(run.out.len() > 250_000);
}

#[test]
fn shows_two_thousand_connections_and_cuts_them_with_the_hardserver() {
    let host = Host::of_estate(
        "generate: {count: 1}\nclients: [{process: /opt/app/bin/signer, count: 2000}]",
    );
    let globals = host.run("bin/stattree", &["ServerGlobals"]).out;
    assert!(
        globals.contains("   -ClientCount          2001\n"),
        "{globals}"
    );
    host.init_script("restart");
    let harm = host.events(&["--damage"]);
    assert_eq!(
        (&harm[0]["damage"], harm[0]["count"].as_u64()),
        (&"clients_cut".into(), Some(2_000))
    );
}

#[test]
fn ends_lines_as_windows_does_when_told_so() {
    let host = Host::with(&["text.crlf=true"]);
    let out = host.enquiry().out;
    assert_eq!(out.matches('\n').count(), out.matches("\r\n").count());
}

#[test]
fn writes_a_configuration_file_with_every_import() {
    let host = Host::new();
    let text = std::fs::read_to_string(host.root().join("kmdata/config/config")).unwrap();
    assert!(text.starts_with("syntax-version=1\n"));
    assert_eq!(text.matches("remote_esn=").count(), 3);
    assert_eq!(text.matches("\n-----\n").count(), 2);
}

#[test]
fn counters_advance_with_time_and_begin_again_with_the_hardserver() {
    let host = Host::new();
    let value = |path: &[&str], id: &str| -> u64 {
        let out = host.run("bin/stattree", path).out;
        let line = out
            .lines()
            .find(|line| line.trim_start().starts_with(id))
            .unwrap()
            .to_owned();
        line.split_whitespace().last().unwrap().parse().unwrap()
    };
    let jobs = ["PerModule", "1", "ModuleJobStats"];
    let first = value(&jobs, "-CmdCount");
    crate::harness::until("commands", || value(&jobs, "-CmdCount") > first);
    crate::harness::until("uptime", || value(&["ServerGlobals"], "-Uptime") >= 1);
    host.ctl("fail-module 2 --reason dead");
    assert_eq!(value(&["ServerGlobals"], "-DeviceFails"), 1);
    host.init_script("restart");
    assert_eq!(value(&["ServerGlobals"], "-Uptime"), 0);
    crate::harness::until("module 1 is connected again", || {
        host.shown(1) == "operational"
    });
    host.ctl("load 1 95");
    assert_eq!(value(&jobs, "-CPULoadPercent"), 95);
}

#[test]
fn an_operational_module_may_still_not_be_usable() {
    let host = Host::new();
    assert_eq!(host.try_ctl("service-check 1").code, Some(0));
    host.ctl("usable 1 false");
    assert_eq!(host.shown(1), "operational");
    assert!(host.run("bin/nfkminfo", &[]).out.contains("Foreign"));
    assert_eq!(
        host.nopclearfail("-m1 -n").out,
        "Module 1, command NoOp: HardwareFailed\n"
    );
    assert_eq!(host.try_ctl("service-check 1").code, Some(1));
}

#[test]
fn refuses_knobs_that_it_does_not_have() {
    let host = Host::new();
    for (knob, word) in [
        ("set lies.enquiry.hangs=true", "no knob"),
        ("set icmp_loss=0.3", "not simulated"),
        ("set lies.enquiry.no_effect=true", "cannot play"),
        ("heal 9", "no module 9"),
    ] {
        let run = host.try_ctl(knob);
        assert!(
            run.code == Some(1) && run.err.contains(word),
            "{knob}: {run:?}"
        );
    }
}
