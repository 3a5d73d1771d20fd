//! Processes: who survives whom, and who keeps the lock.

use std::fs;
use std::process::Child;
use std::time::Duration;

use rustix::process::Signal;

use crate::estate::{Estate, SOON, attempt, eventually, kill, lives, order};

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

#[test]
fn an_attempt_survives_the_death_of_its_caller() {
    let estate = Estate::new();
    let observation = estate.observe();
    // The look under the lock takes until the caller is dead.
    estate.tool(
        "bin/enquiry",
        "while ! [ -e go ]; do sleep 0.05; done; cat server.txt module.txt",
    );
    let words = order(&observation, &attempt(1), "retry", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut caller = estate.start(&words);
    let log = estate
        .path()
        .join(format!("state/attempts/{}.log", attempt(1)));
    eventually("the detached process looks", SOON, || {
        log.exists()
            && fs::read_to_string(estate.path().join("calls"))
                .unwrap()
                .lines()
                .count()
                >= 3
    });
    kill(pid(&caller), Signal::KILL);
    caller.wait().unwrap();
    fs::write(estate.path().join("go"), "").unwrap();
    estate.comes_to(&attempt(1), "ended", SOON);
    assert_eq!(estate.changes(), ["nopclearfail -m1 -r"]);
}

#[test]
fn a_tool_that_ignores_term_keeps_the_lock_until_it_is_gone() {
    let estate = Estate::new();
    estate.configure("deadlines: {step: 1s}");
    estate.tool(
        "bin/nopclearfail",
        "trap '' TERM; while :; do sleep 0.2; done",
    );
    assert_eq!(
        estate.run(&attempt(1), "retry", &[]).text("answer"),
        "accepted"
    );
    eventually("the tool runs", SOON, || !estate.calls().is_empty());
    let tool = estate.calls()[0].1;
    let said = estate.run(&attempt(2), "retry", &[]);
    // The tool is killed 3 s after its start: only an answer given before that says anything.
    if lives(tool) {
        assert_eq!(said.text("answer"), "refused");
        assert!(said.text("reason").contains("lock"), "{}", said.document);
        assert_eq!(estate.status(&attempt(2)), "not_found", "busy burns no id");
    }
    let result = estate.comes_to(&attempt(1), "ended", SOON);
    assert!(!lives(tool));
    assert_eq!(result["steps"][0]["exit"], "timed_out");
    assert_eq!(estate.calls().len(), 1);
}

#[test]
fn a_child_that_outlives_its_runner_keeps_everything_else_from_starting() {
    for recorded in [true, false] {
        let estate = Estate::new();
        let rest = "kill -9 $PPID; while ! [ -e go ]; do sleep 0.05; done";
        estate.tool("bin/nopclearfail", rest);
        let answer = estate.run(&attempt(1), "retry", &[]);
        assert_eq!(answer.text("answer"), "accepted");
        let runner = estate.runner(&attempt(1));
        eventually("the runner is dead", SOON, || !lives(runner));
        if !recorded {
            // As if it had died before it could write down the process.
            let text = fs::read_to_string(estate.journal(&attempt(1))).unwrap();
            let lines: Vec<&str> = text.split_inclusive('\n').take(2).collect();
            fs::write(estate.journal(&attempt(1)), lines.concat()).unwrap();
        }
        assert_eq!(
            estate.status(&attempt(1)),
            "still_running",
            "recorded: {recorded}"
        );
        let said = estate.run(&attempt(2), "retry", &[]);
        assert!(
            said.text("reason").contains("still runs"),
            "{}",
            said.document
        );
        fs::write(estate.path().join("go"), "").unwrap();
        let result = estate.comes_to(&attempt(1), "interrupted", SOON);
        assert_eq!(
            result["section_open"], false,
            "a retry has no section: {result}"
        );
        estate.tool("bin/nopclearfail", crate::estate::EFFECTS);
        assert_eq!(
            estate.run(&attempt(3), "retry", &[]).text("answer"),
            "accepted"
        );
        estate.comes_to(&attempt(3), "ended", SOON);
        assert_eq!(estate.changes().len(), 2, "{:?}", estate.changes());
    }
}

#[test]
fn a_tombstone_and_an_order_of_the_same_attempt_exclude_each_other() {
    let estate = Estate::new();
    let observation = estate.observe();
    estate.tool(
        "bin/enquiry",
        "while ! [ -e go ]; do sleep 0.05; done; cat server.txt module.txt",
    );
    let words = order(&observation, &attempt(1), "retry", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let caller = estate.start(&words);
    let log = estate
        .path()
        .join(format!("state/attempts/{}.log", attempt(1)));
    eventually("the order is under way", SOON, || log.exists());
    assert_eq!(estate.tombstone(&attempt(1)).text("status"), "tombstoned");
    fs::write(estate.path().join("go"), "").unwrap();
    let output = caller.wait_with_output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["answer"], "refused", "{said}");
    assert!(estate.changes().is_empty());
    assert_eq!(estate.status(&attempt(1)), "tombstoned");
    assert_eq!(estate.tombstone(&attempt(1)).text("status"), "tombstoned");
}

#[test]
fn a_stopped_hardserver_script_is_waited_for_and_never_cut_short() {
    let estate = Estate::new();
    estate.configure("deadlines: {step: 1s}");
    estate.tool(
        "sbin/init.d-ncipher",
        "trap 'echo signalled >>signals' TERM INT; n=0; while [ $n -lt 40 ]; do sleep 0.1; n=$((n+1)); done",
    );
    let said = estate.run(&attempt(1), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    eventually("the script runs", SOON, || !estate.calls().is_empty());
    let began = estate.calls()[0].0;
    kill(estate.runner(&attempt(1)), Signal::TERM);
    kill(estate.runner(&attempt(1)), Signal::INT);
    kill(estate.runner(&attempt(1)), Signal::HUP);
    let result = estate.comes_to(&attempt(1), "ended", Duration::from_secs(30));
    assert_eq!(result["steps"][0]["exit"]["code"], 0, "{result}");
    assert!(!estate.path().join("signals").exists());
    assert_eq!(estate.changes(), ["init.d-ncipher restart"]);
    assert!(began > 0);
}
