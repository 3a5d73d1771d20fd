//! The hardserver's life and death, and what the tools see of it.

use std::{io, os::unix::net::UnixStream, process::Stdio, time::Duration};

use vcm_lab::sim::{clock, process};

use crate::harness::{Host, Run, until};

fn connect(host: &Host) -> Result<(), io::ErrorKind> {
    let socket = host.root().join("sockets/nserver");
    UnixStream::connect(socket)
        .map(drop)
        .map_err(|error| error.kind())
}

fn unit_state(host: &Host) -> String {
    host.run("sbin/unit-state", &[]).out.trim().to_owned()
}

#[test]
fn a_crash_leaves_a_stale_socket_and_a_stop_leaves_none() {
    let host = Host::new();
    assert_eq!(
        (connect(&host), unit_state(&host).as_str()),
        (Ok(()), "active")
    );
    host.ctl("kill-hardserver");
    assert_eq!(connect(&host), Err(io::ErrorKind::ConnectionRefused));
    let run = host.enquiry();
    assert!(
        run.code != Some(0) && run.out.is_empty() && run.err.contains("ECONNREFUSED"),
        "{run:?}"
    );
    assert_eq!(unit_state(&host), "failed");
    assert_eq!(host.init_script("start").code, Some(0));
    assert_eq!(host.enquiry().code, Some(0));
    host.ctl("stop-hardserver");
    assert_eq!(connect(&host), Err(io::ErrorKind::NotFound));
    assert!(host.enquiry().err.contains("ENOENT"));
    assert_eq!(unit_state(&host), "inactive-clean");
}

#[test]
fn which_socket_is_left_is_a_knob() {
    let knobs = [
        "hardserver.crash_removes_socket=true",
        "hardserver.stop_leaves_socket=true",
    ];
    let host = Host::with(&knobs);
    host.ctl("kill-hardserver");
    assert_eq!(connect(&host), Err(io::ErrorKind::NotFound));
    host.init_script("start");
    host.init_script("stop");
    assert_eq!(connect(&host), Err(io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_kill_from_outside_counts_as_a_crash_and_loses_no_fault() {
    let host = Host::new();
    host.ctl("fail-module 2 --reason needs-clear");
    let pid = host.hardserver_pid();
    process::kill_and_wait(pid, process::start_of(pid).unwrap()).unwrap();
    assert_eq!(unit_state(&host), "failed");
    host.init_script("restart");
    until("module 1 is connected again", || {
        host.shown(1) == "operational"
    });
    assert_eq!(host.shown(2), "failed");
    assert_eq!(host.status()["modules"][0]["objects"], 0);
}

#[test]
fn says_whether_it_was_stopped_on_purpose() {
    let host = Host::new();
    let asked = || host.run("sbin/unit-state", &["--stopped-on-purpose"]).code;
    assert_eq!(asked(), Some(1));
    host.ctl("kill-hardserver");
    assert_eq!(asked(), Some(1));
    host.ctl("stop-hardserver");
    assert_eq!(asked(), Some(0));
}

#[test]
fn a_hung_hardserver_accepts_and_never_answers_until_it_is_restarted() {
    let host = Host::new();
    host.ctl("hang-hardserver");
    assert_eq!(connect(&host), Ok(()));
    for line in [&[][..], &["-m0"]] {
        let mut tool = host
            .tool("bin/enquiry", line)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        clock::pass(Duration::from_millis(400));
        assert!(tool.try_wait().unwrap().is_none(), "{line:?} answered");
        tool.kill().unwrap();
        assert_eq!(Run::of(tool.wait_with_output().unwrap()).out, "");
    }
    assert_eq!(host.init_script("restart").code, Some(0));
    assert_eq!(host.enquiry().code, Some(0));
}

#[test]
fn a_start_of_a_running_hardserver_disturbs_nobody() {
    let host = Host::new();
    let pid = host.hardserver_pid();
    assert_eq!(host.init_script("start").code, Some(0));
    assert_eq!(host.hardserver_pid(), pid);
    assert_eq!(host.events(&["--damage"]), Vec::<serde_json::Value>::new());
}

#[test]
fn restarts_at_the_same_time_leave_one_hardserver() {
    let host = Host::new();
    let scripts: Vec<_> = (0..4)
        .map(|_| {
            host.tool("sbin/init.d-ncipher", &["restart"])
                .stdout(Stdio::null())
                .spawn()
        })
        .collect();
    for script in scripts {
        assert!(script.unwrap().wait().unwrap().success());
    }
    assert_eq!(host.enquiry().code, Some(0));
    let events = host.events(&[]);
    let count = |word: &str| events.iter().filter(|event| event["event"] == word).count();
    assert_eq!(count("hardserver_started"), count("hardserver_ended") + 1);
}

#[test]
fn the_script_does_not_keep_its_caller_waiting_for_the_daemon() {
    let host = Host::new();
    host.ctl("stop-hardserver");
    // Waits for end of file on both pipes: a daemon that held them would hang this test.
    let run = host.init_script("start");
    assert_eq!((run.code, run.out.contains("OK")), (Some(0), true));
}

#[test]
fn a_restart_can_be_cut_between_stop_and_start() {
    let host = Host::with(&["hardserver.cut_restarts=1"]);
    assert_eq!(host.init_script("restart").code, None);
    assert_ne!(host.enquiry().code, Some(0));
    assert_eq!(unit_state(&host), "inactive-clean");
    assert_eq!(host.init_script("start").code, Some(0));
    assert_eq!(host.enquiry().code, Some(0));
}

#[test]
fn a_start_can_fail_k_times_and_may_hide_it() {
    for (hides, code) in [("false", 1), ("true", 0)] {
        let hides = format!("hardserver.failing_start_exits_zero={hides}");
        let host = Host::with(&[&hides]);
        host.ctl("set hardserver.failing_starts=2");
        for word in ["restart", "start"] {
            assert_eq!(host.init_script(word).code, Some(code), "{word}");
            assert_ne!(host.enquiry().code, Some(0));
            assert_eq!(unit_state(&host), "failed");
        }
        assert_eq!(host.init_script("start").code, Some(0));
        assert_eq!(host.enquiry().code, Some(0));
    }
}

#[test]
fn refused_permission_is_told_from_a_hardserver_that_is_down() {
    let host = Host::with(&["hardserver.refuses_permission=true"]);
    let run = host.enquiry();
    assert!(
        run.code != Some(0) && run.out.is_empty() && run.err.contains("EACCES"),
        "{run:?}"
    );
    host.ctl("set hardserver.refuses_permission=false");
    assert_eq!(host.enquiry().code, Some(0));
}

#[test]
fn windows_service_commands_stop_and_start_it() {
    let host = Host::new();
    let net = |words: &[&str]| host.run("bin/net", words);
    let stopped = net(&["stop", "nfast server"]);
    assert!(stopped.code == Some(0) && stopped.out.contains("was stopped successfully.\r\n"));
    assert_eq!(unit_state(&host), "inactive-clean");
    assert_eq!(net(&["stop", "nfast server"]).code, Some(2));
    assert_eq!(net(&["start", "nfast server"]).code, Some(0));
    assert_eq!(net(&["start", "nfast server"]).code, Some(2));
    assert_eq!(net(&["stop", "another service"]).code, Some(2));
    host.ctl("set hardserver.windows_dependant=true");
    assert_eq!(net(&["stop", "nfast server"]).code, Some(2));
    assert_eq!(unit_state(&host), "active");
    assert_eq!(net(&["stop", "nfast server", "/y"]).code, Some(0));
}
