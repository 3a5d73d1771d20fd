//! Moving the pin to another store, by hand.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::estate::{Estate, SOON, STORE, Said, attempt, eventually, kill, lives};
use crate::sudo::skipped;

const OTHER: &str = "01935bd4-0f3a-7c11-8000-0000000000ff";

/// An estate whose operator is root, as the command wants it.
fn estate() -> Option<Estate> {
    if !rustix::process::geteuid().is_root() {
        skipped("moving the pin, which takes root");
        return None;
    }
    Some(Estate::new())
}

fn pin(estate: &Estate, store: &str) -> Said {
    estate.host(&["pin", "--store", store, "--reason", "the disk died"])
}

fn refused_because(said: &Said, reason: &str) {
    assert_eq!(said.code, Some(1), "{}", said.document);
    let error = said.text("error");
    assert!(error.contains(reason), "{error}");
}

fn records(estate: &Estate) -> Vec<Value> {
    let text = fs::read_to_string(estate.path().join("state/pins.jsonl")).unwrap_or_default();
    let lines = text.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

/// Orders a retry for a store, and says what was answered and why.
fn order(estate: &Estate, number: u8, store: &str, epoch: &str) -> (String, String) {
    estate.set("failed");
    let id = attempt(number);
    let said = estate.run(&id, "retry", &["--store", store, "--epoch", epoch]);
    if said.text("answer") == "accepted" {
        estate.comes_to(&id, "ended", SOON);
        let runner = estate.runner(&id);
        eventually("its process has ended", SOON, || !lives(runner));
    }
    (
        said.text("answer").to_owned(),
        said.text("reason").to_owned(),
    )
}

#[test]
fn the_new_store_is_obeyed_and_the_old_one_refused_and_who_moved_it_is_written_down() {
    let Some(estate) = estate() else { return };
    assert_eq!(order(&estate, 1, STORE, "5").0, "accepted");
    let (answer, reason) = order(&estate, 2, OTHER, "1");
    assert_eq!(answer, "refused");
    assert!(reason.contains("pinned to store"), "{reason}");

    let said = pin(&estate, OTHER);
    assert_eq!(said.code, Some(0), "{}", said.document);
    let kept = records(&estate);
    assert_eq!(kept, [said.document["pinned"].clone()]);
    assert_eq!(kept[0]["before"], STORE);
    assert_eq!(kept[0]["epoch_before"], 5);
    assert_eq!(kept[0]["store"], OTHER);
    assert_eq!(kept[0]["reason"], "the disk died");
    assert!(!kept[0]["by"].as_str().unwrap().is_empty());

    assert_eq!(order(&estate, 3, OTHER, "1").0, "accepted");
    let (answer, reason) = order(&estate, 4, STORE, "9");
    assert_eq!(answer, "refused");
    assert!(reason.contains("pinned to store"), "{reason}");
    // What ran for the old store runs for no other one.
    let (_, reason) = order(&estate, 1, OTHER, "1");
    assert!(reason.contains("starts no second time"), "{reason}");
    refused_because(&pin(&estate, OTHER), "already");
    assert_eq!(records(&estate).len(), 1);
}

#[test]
fn a_store_that_is_pinned_again_is_not_heard_from_an_older_start() {
    let Some(estate) = estate() else { return };
    assert_eq!(order(&estate, 1, STORE, "5").0, "accepted");
    assert_eq!(pin(&estate, OTHER).code, Some(0));
    assert_eq!(order(&estate, 2, OTHER, "1").0, "accepted");
    assert_eq!(pin(&estate, STORE).code, Some(0));
    let (answer, reason) = order(&estate, 3, STORE, "4");
    assert_eq!(answer, "refused");
    assert!(reason.contains("epoch 4 is older than 5"), "{reason}");
    assert_eq!(order(&estate, 4, STORE, "5").0, "accepted");
}

#[test]
fn a_lost_fence_is_put_right_with_what_the_journals_say() {
    let Some(estate) = estate() else { return };
    assert_eq!(order(&estate, 1, STORE, "5").0, "accepted");
    let fence = estate.path().join("state/fence.json");
    for text in [None, Some("{}")] {
        fs::remove_file(&fence).unwrap();
        if let Some(text) = text {
            fs::write(&fence, text).unwrap();
        }
        assert_eq!(order(&estate, 2, STORE, "5").0, "refused");
        let said = pin(&estate, STORE);
        assert_eq!(said.document["pinned"]["epoch"], 5, "{}", said.document);
        assert_eq!(said.document["pinned"]["before"], Value::Null);
    }
    assert_eq!(order(&estate, 3, STORE, "4").0, "refused");
    assert_eq!(order(&estate, 4, STORE, "5").0, "accepted");
}

#[test]
fn nothing_is_moved_while_an_attempt_or_its_section_is_open() {
    let Some(estate) = estate() else { return };
    estate.tool(
        "bin/nopclearfail",
        "touch entered; while ! [ -e go ]; do sleep 0.05; done; cp maintenance.txt module.txt",
    );
    let said = estate.run(&attempt(1), "clear", &[]);
    assert_eq!(said.text("answer"), "accepted", "{}", said.document);
    eventually("-M runs", SOON, || estate.path().join("entered").exists());
    refused_because(&pin(&estate, OTHER), "while an attempt is under way");
    let runner = estate.runner(&attempt(1));
    kill(runner, Signal::KILL);
    eventually("the runner is gone", SOON, || !lives(runner));
    refused_because(&pin(&estate, OTHER), "still runs");
    fs::write(estate.path().join("go"), "").unwrap();
    let open = || estate.status(&attempt(1)) == "interrupted";
    eventually("-M has ended", SOON, open);
    refused_because(&pin(&estate, OTHER), "critical section");
    assert!(records(&estate).is_empty());
    let fence = fs::read_to_string(estate.path().join("state/fence.json")).unwrap();
    assert!(fence.contains(STORE), "{fence}");
}

#[test]
fn what_cannot_be_written_down_is_not_done() {
    let Some(estate) = estate() else { return };
    assert_eq!(order(&estate, 1, STORE, "5").0, "accepted");
    fs::create_dir(estate.path().join("state/pins.jsonl")).unwrap();
    refused_because(&pin(&estate, OTHER), "cannot keep the record");
    assert_eq!(order(&estate, 2, OTHER, "1").0, "refused");
    assert_eq!(order(&estate, 3, STORE, "5").0, "accepted");
}
