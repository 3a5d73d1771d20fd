//! Each way of misbehaving, seen from outside.

use std::{
    io::Read,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use vcm_lab::sim::{clock, process};

use crate::harness::{Host, Run, timed, until};

/// Long enough for a tool that behaves, short for a test.
const SHORT: Duration = Duration::from_millis(400);

fn spawn(host: &Host, place: &str, arguments: &[&str]) -> Child {
    host.tool(place, arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn still_runs_after(child: &mut Child, span: Duration) -> bool {
    clock::pass(span);
    child.try_wait().unwrap().is_none()
}

fn ok(command: &str) -> String {
    format!("Module 1, command {command}: OK\n")
}

#[test]
fn prints_nothing_and_exits_0() {
    let host = Host::with(&["lies.enquiry.silent=true"]);
    let run = host.enquiry();
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (Some(0), "", "")
    );
    assert_ne!(host.run("bin/enquiry", &["-m0"]).out, "");
}

#[test]
fn prints_ok_and_changes_nothing() {
    let host = Host::with(&["lies.retry.no_effect=true"]);
    host.ctl("fail-module 1");
    let run = host.nopclearfail("-m1 -r");
    assert_eq!((run.code, run.out), (Some(0), ok("RetryFailedModule")));
    clock::pass(SHORT);
    assert_eq!(host.shown(1), "failed");
}

#[test]
fn prints_ok_and_exits_1() {
    let host = Host::with(&["lies.retry.exit_code=1"]);
    host.ctl("fail-module 1");
    let run = host.nopclearfail("-m1 -r");
    assert_eq!((run.code, run.out), (Some(1), ok("RetryFailedModule")));
    until("module 1 operational", || host.shown(1) == "operational");
}

#[test]
fn refuses_k_times_with_a_status_and_then_obeys() {
    let host = Host::with(&["lies.clear.status=InvalidState", "lies.clear.times=2"]);
    host.nopclearfail("-m1 -M");
    for _ in 0..2 {
        let run = host.nopclearfail("-m1 -c");
        assert_eq!(
            (run.code, run.out.as_str()),
            (Some(1), "Module 1, command ClearUnitEx: InvalidState\n")
        );
    }
    assert_eq!(host.nopclearfail("-m1 -c").out, ok("ClearUnitEx"));
}

#[test]
fn succeeds_a_while_after_it_printed_an_error() {
    let host = Host::with(&[
        "lies.retry.status=NetworkError",
        "lies.retry.effect_after=2s",
    ]);
    host.ctl("fail-module 1");
    assert_eq!(host.nopclearfail("-m1 -r").code, Some(1));
    assert_eq!(host.shown(1), "failed");
    until("module 1 operational", || host.shown(1) == "operational");
}

#[test]
fn works_after_its_caller_gave_up() {
    let host = Host::with(&[
        "lies.maintenance.hang_after=true",
        "lies.maintenance.effect_after=3s",
    ]);
    let mut tool = spawn(&host, "bin/nopclearfail", &["-m1", "-M"]);
    assert!(still_runs_after(&mut tool, SHORT));
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert_eq!(host.shown(1), "operational");
    until("module 1 in maintenance", || host.shown(1) == "maintenance");
}

#[test]
fn hangs_and_does_nothing() {
    let host = Host::with(&["lies.maintenance.hang=true"]);
    let mut tool = spawn(&host, "bin/nopclearfail", &["-m1", "-M"]);
    assert!(still_runs_after(&mut tool, SHORT));
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert_eq!(host.shown(1), "operational");
    assert_eq!(host.nopclearfail("-m1 -r").code, Some(1));
}

#[test]
fn takes_its_time() {
    let host = Host::with(&["lies.enquiry_server.delay=500ms"]);
    let (run, took) = timed(|| host.run("bin/enquiry", &["-m0"]));
    assert!(
        run.out.contains("Server:") && took >= Duration::from_millis(500),
        "{took:?}"
    );
}

#[test]
fn ignores_term_and_not_kill() {
    let host = Host::with(&["lies.enquiry.ignore_term=true", "lies.enquiry.hang=true"]);
    let mut tool = spawn(&host, "bin/enquiry", &[]);
    assert!(still_runs_after(&mut tool, SHORT));
    let pid = rustix::process::Pid::from_child(&tool);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(still_runs_after(&mut tool, SHORT), "TERM ended it");
    tool.kill().unwrap();
    assert_eq!(tool.wait().unwrap().code(), None);
}

#[test]
fn a_hanging_tool_without_that_lie_does_end_by_term() {
    let host = Host::with(&["lies.enquiry.hang=true"]);
    let mut tool = spawn(&host, "bin/enquiry", &[]);
    assert!(still_runs_after(&mut tool, SHORT));
    let pid = rustix::process::Pid::from_child(&tool);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(tool.wait().unwrap().code(), None);
}

#[test]
fn leaves_a_child_that_holds_the_pipe() {
    holds_the_pipe("false");
}

#[test]
fn leaves_a_child_out_of_reach_of_a_kill_of_the_group() {
    holds_the_pipe("true");
}

fn holds_the_pipe(escapes: &str) {
    let escapes = format!("lies.stattree.child_escapes={escapes}");
    let host = Host::with(&["lies.stattree.leave_child=3s", &escapes]);
    let begun = clock::now();
    let mut tool = spawn(&host, "bin/stattree", &["ServerGlobals"]);
    let mut pipe = tool.stdout.take().unwrap();
    let status = tool.wait().unwrap();
    let ended_after = clock::now().since(begun);
    let mut text = String::new();
    pipe.read_to_string(&mut text).unwrap();
    let closed_after = clock::now().since(begun);
    assert!(status.success() && text.contains("-Uptime"), "{text}");
    assert!(ended_after < closed_after && closed_after >= Duration::from_secs(3));
}

#[test]
fn is_killed_before_or_after_it_acted() {
    for (death, shown) in [("before", "operational"), ("after", "maintenance")] {
        let host = Host::with(&[&format!("lies.maintenance.die={death}")]);
        let run = host.nopclearfail("-m1 -M");
        assert_eq!((run.code, run.out.as_str()), (None, ""), "{death}");
        clock::pass(SHORT);
        assert_eq!(host.shown(1), shown, "{death}");
    }
}

#[test]
fn kills_its_caller_and_goes_on() {
    for death in ["before", "after"] {
        let host = Host::with(&[&format!("lies.maintenance.kill_caller={death}")]);
        let tool = host.root().join("bin/nopclearfail");
        let script = format!("{} -m1 -M; echo lives on", tool.display());
        let mut caller = process::command(Path::new("/bin/sh"));
        let run = Run::of(caller.args(["-c", &script]).output().unwrap());
        assert!(
            run.code.is_none() && !run.out.contains("lives on"),
            "{death}: {run:?}"
        );
        until("module 1 in maintenance", || host.shown(1) == "maintenance");
    }
}

#[test]
fn prints_a_hundred_megabytes() {
    let host = Host::with(&["lies.enquiry.flood_bytes=100000000"]);
    let mut tool = spawn(&host, "bin/enquiry", &[]);
    let mut pipe = tool.stdout.take().unwrap();
    let count = std::io::copy(&mut pipe, &mut std::io::sink()).unwrap();
    assert!(
        tool.wait().unwrap().success() && count > 100_000_000,
        "{count}"
    );
}

#[test]
fn cuts_its_output_at_any_byte() {
    let host = Host::new();
    let whole = host.run("bin/enquiry", &["-m1"]).out;
    for bytes in [0, 1, 21, 700] {
        host.ctl(&format!("set lies.enquiry.cut_at={bytes}"));
        let run = host.run("bin/enquiry", &["-m1"]);
        assert_eq!((run.code, run.out.as_str()), (Some(0), &whole[..bytes]));
    }
}

#[test]
fn a_start_script_prints_ok_and_starts_nothing() {
    let host = Host::new();
    host.ctl("stop-hardserver");
    host.ctl("set lies.start.no_effect=true");
    let run = host.init_script("start");
    assert!(run.code == Some(0) && run.out.contains("OK"), "{run:?}");
    assert_ne!(host.enquiry().code, Some(0));
}

#[test]
fn a_restart_is_killed_half_way_by_its_caller_s_patience() {
    let host = Host::with(&["lies.restart.delay=30s"]);
    let pid = host.hardserver_pid();
    let mut tool = spawn(&host, "sbin/init.d-ncipher", &["restart"]);
    assert!(still_runs_after(&mut tool, Duration::from_millis(200)));
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(process::start_of(pid).is_some());
}
