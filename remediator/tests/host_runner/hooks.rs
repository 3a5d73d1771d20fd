//! What the site runs behind a rung: once, and only behind one that worked.

use std::fs;

use crate::estate::{Estate, SOON, attempt, eventually, lives};

fn hooked(estate: &Estate, script: &str) {
    estate.tool("after-restart", script);
    let root = estate.path().display();
    estate.configure(&format!("hooks: {{after_restart: [{root}/after-restart]}}"));
}

fn restarted(estate: &Estate, number: u8) -> String {
    let said = estate.run(&attempt(number), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let result = estate.comes_to(&attempt(number), "ended", SOON);
    result["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_hook_runs_behind_a_restart_that_worked_and_its_failure_changes_nothing() {
    let estate = Estate::new();
    for (number, script, says) in [
        (
            1,
            "echo \"$VCM_ATTEMPT ${VCM_MODULE-none}\" >hooked",
            "after_restart succeeded",
        ),
        (
            2,
            "echo no token; exit 3",
            "after_restart failed: exit status 3",
        ),
        (3, "kill -9 $$", "after_restart failed: ended by signal 9"),
    ] {
        hooked(&estate, script);
        let detail = restarted(&estate, number);
        assert!(detail.contains("answers"), "{detail}");
        assert!(detail.ends_with(says), "{detail}");
    }
    let hooked = fs::read_to_string(estate.path().join("hooked")).unwrap();
    assert_eq!(hooked.trim(), format!("{} none", attempt(1)));
    let expected = ["init.d-ncipher restart", "after-restart"];
    assert_eq!(estate.changes(), expected.repeat(3));
    let records = estate.records(&attempt(2));
    assert_eq!(
        records[4..],
        ["hook_started", "process", "hook_finished", "ended"]
    );
    let journal = fs::read_to_string(estate.journal(&attempt(2))).unwrap();
    assert!(journal.contains("no token"), "{journal}");
}

#[test]
fn a_hook_is_ended_at_its_deadline() {
    let estate = Estate::new();
    estate.tool("after-restart", "exec sleep 60");
    let root = estate.path().display();
    estate.configure(&format!(
        "hooks: {{after_restart: [{root}/after-restart]}}\n\
         deadlines: {{enquiry: 5s, step: 20s, ping: 1s, hook: 1s}}"
    ));
    let detail = restarted(&estate, 1);
    assert!(
        detail.ends_with("failed: ended at its deadline"),
        "{detail}"
    );
}

#[test]
fn no_hook_runs_behind_a_restart_that_left_the_hardserver_down() {
    let mut estate = Estate::new();
    estate.stop_hardserver();
    fs::remove_file(estate.path().join("down")).unwrap();
    estate.start_hardserver();
    hooked(&estate, "true");
    estate.tool("sbin/init.d-ncipher", "touch down; rm -f sockets/nserver");
    let detail = restarted(&estate, 1);
    assert!(detail.ends_with("after_restart was not run"), "{detail}");
    assert!(!estate.changes().contains(&"after-restart".to_owned()));
}

#[test]
fn a_hook_whose_runner_died_is_waited_for_and_not_repeated() {
    let estate = Estate::new();
    hooked(
        &estate,
        "kill -9 $PPID; while ! [ -e go ]; do sleep 0.05; done",
    );
    let said = estate.run(&attempt(1), "restart", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    let runner = estate.runner(&attempt(1));
    eventually("the runner is dead", SOON, || !lives(runner));
    assert_eq!(estate.status(&attempt(1)), "still_running");
    let early = estate.resume(&attempt(1));
    assert_eq!(early.text("answer"), "refused", "{}", early.document);
    fs::write(estate.path().join("go"), "").unwrap();
    estate.comes_to(&attempt(1), "interrupted", SOON);
    assert_eq!(estate.resume(&attempt(1)).text("answer"), "accepted");
    let result = estate.comes_to(&attempt(1), "ended", SOON);
    let detail = result["detail"].as_str().unwrap();
    assert!(detail.ends_with("is not repeated"), "{detail}");
    assert_eq!(
        estate.changes(),
        ["init.d-ncipher restart", "after-restart"]
    );
}
