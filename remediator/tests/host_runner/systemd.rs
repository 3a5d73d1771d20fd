//! The launcher that has a service manager start the detached process: with a stand-in for
//! systemd-run everywhere, and with the real one where systemd runs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::estate::{Estate, SOON, attempt, eventually, kill, lives, order};
use crate::sudo::skipped;

/// Starts what stands behind `--` in a session of its own, with the output that the properties say,
/// and does not wait for it: what the service manager does.
const SYSTEMD_RUN: &str = "log=/dev/null\n\
    while [ \"$1\" != -- ]; do\n\
    case \"$1\" in --property=StandardError=append:*) log=${1#--property=StandardError=append:};; esac\n\
    case \"$1\" in --unit=*) echo \"${1#--unit=}\" >>units;; esac\n\
    shift; done; shift\n\
    cd /; setsid \"$@\" </dev/null >/dev/null 2>>\"$log\" &\n\
    while kill -0 $! && [ \"$(cut -d' ' -f6 </proc/$!/stat)\" != $! ]; do :; done";

fn configure(estate: &Estate, systemd_run: &str) {
    let systemctl = Path::new(systemd_run).with_file_name("systemctl");
    let systemctl = systemctl.display();
    estate.configure(&format!(
        "launcher: systemd\ntools: {{systemd_run: {systemd_run}, systemctl: {systemctl}}}"
    ));
}

/// With the stand-in, which does `script`.
fn stand_in(script: &str) -> Estate {
    let estate = Estate::new();
    estate.tool("systemd-run", script);
    estate.tool("systemctl", "echo active");
    configure(&estate, &format!("{}/systemd-run", estate.path().display()));
    estate
}

fn commands(estate: &Estate) -> Vec<String> {
    let calls = estate.changes().into_iter();
    calls.filter(|call| !call.starts_with("system")).collect()
}

#[test]
fn the_answer_of_a_unit_reaches_the_caller() {
    let estate = stand_in(SYSTEMD_RUN);
    let said = estate.run(&attempt(1), "retry", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(commands(&estate), ["nopclearfail -m1 -r"]);
    let said = estate.run(&attempt(1), "retry", &[]);
    assert_eq!(said.text("answer"), "refused", "{}", said.document);
    let said = estate.resume(&attempt(1));
    assert_eq!(said.text("answer"), "refused", "{}", said.document);
    let units = fs::read_to_string(estate.path().join("units")).unwrap();
    let units: Vec<&str> = units.lines().collect();
    assert_eq!(units[0], format!("vcm-attempt-{}", attempt(1)));
    assert_eq!(units[1], units[0]);
    assert!(units[2].starts_with(&format!("vcm-resume-{}-", attempt(1))));
    let sockets = fs::read_dir(estate.path().join("state/answers")).unwrap();
    assert_eq!(sockets.count(), 0, "no socket is left behind");
}

#[test]
fn a_caller_that_goes_away_does_not_matter() {
    let estate = stand_in(SYSTEMD_RUN);
    let observation = estate.observe();
    estate.tool(
        "bin/enquiry",
        "echo >looks; while ! [ -e go ]; do sleep 0.05; done; cat server.txt module.txt",
    );
    let words = order(&observation, &attempt(1), "retry", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut caller = estate.start(&words);
    eventually("the unit looks", SOON, || {
        estate.path().join("looks").exists()
    });
    kill(
        i32::try_from(caller.id()).unwrap(),
        rustix::process::Signal::KILL,
    );
    caller.wait().unwrap();
    fs::write(estate.path().join("go"), "").unwrap();
    estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(commands(&estate), ["nopclearfail -m1 -r"]);
}

/// As if the process had died before it could say anything: the deadline of its answer is 70 s.
#[test]
fn a_unit_that_is_gone_before_it_answers_is_not_waited_for() {
    let estate = stand_in("exit 0");
    estate.tool("systemctl", "echo inactive; exit 3");
    let slow = estate.config();
    let text = fs::read_to_string(&slow).unwrap();
    fs::write(&slow, text.replace("enquiry: 5s", "enquiry: 50s")).unwrap();
    let observation = estate.observe();
    let begun = Instant::now();
    let said = estate.run_on(&observation, &attempt(1), "retry", &[]);
    assert!(begun.elapsed() < Duration::from_secs(50), "{begun:?}");
    assert_eq!(said.code, Some(1), "{}", said.document);
    let error = said.text("error");
    assert!(error.contains("gave no answer"), "{error}");
    let asked = format!("systemctl is-active vcm-attempt-{}", attempt(1));
    assert!(estate.changes().contains(&asked), "{:?}", estate.changes());
    // What became of it is the journal's to say: nothing was begun, and now nothing will be.
    assert_eq!(estate.status(&attempt(1)), "not_found");
    let ruled_out = estate.tombstone(&attempt(1));
    assert_eq!(ruled_out.text("status"), "tombstoned");
    assert!(commands(&estate).is_empty());
}

#[test]
fn what_the_service_manager_does_not_start_never_starts() {
    let estate = stand_in("echo 'Failed to start transient service unit: no' >&2; exit 1");
    let said = estate.run(&attempt(1), "retry", &[]);
    assert_eq!(said.code, Some(1));
    let error = said.text("error");
    assert!(
        error.contains("has not started it") && error.contains("unit: no"),
        "{error}"
    );
    assert_eq!(estate.status(&attempt(1)), "not_found");
    assert!(commands(&estate).is_empty());
}

#[test]
fn under_systemd_an_attempt_and_the_hardserver_it_starts_live_in_a_unit_of_their_own() {
    if !Path::new("/run/systemd/system").is_dir() || !rustix::process::geteuid().is_root() {
        return skipped("an attempt under a real systemd, which does not run here");
    }
    let estate = Estate::new();
    configure(&estate, "/usr/bin/systemd-run");
    // The vendor's script starts the hardserver itself, and leaves it behind.
    estate.tool(
        "sbin/init.d-ncipher",
        "cat /proc/self/cgroup >cgroup; grep NoNewPrivs /proc/self/status >privileges\n\
         setsid sleep 300 </dev/null >/dev/null 2>&1 &\necho $! >hardserver",
    );
    let said = estate.run(&attempt(1), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    estate.comes_to(&attempt(1), "ended", SOON);
    let runner = estate.runner(&attempt(1));
    eventually("the runner has ended", SOON, || !lives(runner));
    let read = |name: &str| fs::read_to_string(estate.path().join(name)).unwrap();
    let unit = format!("/system.slice/vcm-attempt-{}.service", attempt(1));
    assert!(read("cgroup").contains(&unit), "{}", read("cgroup"));
    assert_eq!(read("privileges").split_whitespace().last(), Some("0"));
    let hardserver: i32 = read("hardserver").trim().parse().unwrap();
    assert!(lives(hardserver), "it outlives the unit's main process");
    let there = fs::read_to_string(format!("/proc/{hardserver}/cgroup")).unwrap();
    assert!(there.contains(&unit), "{there}");
    // The name of a unit in which something lives is taken: an attempt starts once.
    kill(hardserver, rustix::process::Signal::KILL);
    let log = estate.journal(&attempt(1)).with_extension("log");
    assert!(fs::read_to_string(log).unwrap().contains("step ended"));
}
