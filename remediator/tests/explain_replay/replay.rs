//! `replay` on records that do not come as evenly as it asks: what is a difference, what cannot be told,
//! and what is said of a record that is not to be trusted.

use std::time::Duration;

use crate::record::{HOST, Record, SHIPPED, complaint, said};

/// Starts a retry a minute after the first observed failure.
const ACT: &str = "mode: act\npolicy: {retry: {not_before: 1m}}\n";

const NO_DIFFERENCE: &str = " times, 0 differences from the record\n";

#[tokio::test]
async fn replay_of_the_same_policy_finds_no_difference() {
    let record = Record::recovered().await;
    let said = record.replayed(SHIPPED);
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

#[tokio::test]
async fn replay_names_what_another_policy_would_not_have_started() {
    let record = Record::recovered().await;
    let observing = record.replayed("mode: observe\n");
    let line = "tenant-1/1: retry was started, and would not have been: observe_only refuses: ";
    assert!(observing.contains(line), "{observing}");
    let patient = record.replayed("mode: act\npolicy: {retry: {not_before: 30m}}\n");
    let line = "retry was started, and would not have been: not_before refuses: ";
    assert!(patient.contains(line), "{patient}");
}

#[tokio::test]
async fn replay_names_what_another_policy_would_have_started() {
    let mut record = Record::new("mode: observe\n").await;
    assert!(record.looks(30, 20).await.is_empty());
    let said = record.replayed("mode: act\npolicy: {retry: {not_before: 1m}}\n");
    let line = "tenant-1/1: retry would have been started; recorded was: retry has to wait";
    assert!(said.contains(line), "{said}");
    assert!(
        said.contains(" 1 differences"),
        "each rung is said once: {said}"
    );
}

#[track_caller]
fn tells_one_retry_too_many(said: &str) {
    let line = "tenant-1/1: retry would have been started; recorded was: retry has to wait";
    assert!(said.contains(line), "{said}");
    assert!(
        said.ends_with(" times, 1 differences from the record\n"),
        "{said}"
    );
}

/// A retry was due 60 s after the first look and starts at the look 76 s after it, which takes 2 s.
async fn started_a_look_late() -> Record {
    let mut record = Record::new(ACT).await;
    record.look = Duration::from_secs(2);
    assert_eq!(record.looks(5, 19).await, [4]);
    record.heals();
    record.looks(10, 19).await;
    record
}

#[tokio::test]
async fn a_start_that_comes_a_look_later_is_no_difference() {
    let record = started_a_look_late().await;
    let said = record.replayed(ACT);
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
    let tolerance = "starts up to 30s apart are the same";
    assert!(said.contains(tolerance), "{said}");
}

#[tokio::test]
async fn a_start_that_comes_later_than_a_look_is_told() {
    let mut record = Record::new(ACT).await;
    record.looks(3, 20).await;
    // Due at 60 s, and nobody looks until 91 s.
    record.passes(31);
    assert_eq!(record.looks(1, 20).await, [0]);
    tells_one_retry_too_many(&record.replayed(ACT));
}

#[tokio::test]
async fn a_start_that_never_comes_is_told() {
    let mut record = Record::new("mode: observe\npolicy: {retry: {not_before: 3m}}\n").await;
    assert!(record.looks(20, 20).await.is_empty());
    tells_one_retry_too_many(&record.replayed(ACT));
}

#[tokio::test]
async fn a_start_that_comes_a_look_earlier_is_no_difference() {
    let record = started_a_look_late().await;
    // The record starts at 78 s.
    let patient = record.replayed("mode: act\npolicy: {retry: {not_before: 95s}}\n");
    assert!(patient.ends_with(NO_DIFFERENCE), "{patient}");
    let too_patient = record.replayed("mode: act\npolicy: {retry: {not_before: 2m}}\n");
    let line = "retry was started, and would not have been: not_before refuses: ";
    assert!(too_patient.contains(line), "{too_patient}");
}

#[tokio::test]
async fn what_would_start_just_before_the_record_sees_health_is_no_difference() {
    let mut record = Record::new(ACT).await;
    record.looks(4, 19).await;
    // Due at 60 s; the look at 76 s shows that there is nothing to be done any more.
    record.heals();
    assert!(record.looks(10, 19).await.is_empty());
    let said = record.replayed(ACT);
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

#[tokio::test]
async fn what_is_due_while_the_program_does_not_run_is_no_difference() {
    let mut record = Record::new(ACT).await;
    record.looks(2, 20).await;
    record.passes(600);
    record.starts();
    assert!(!record.looks(2, 20).await.is_empty());
    record.heals();
    record.looks(10, 20).await;
    let said = record.replayed(ACT);
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

#[tokio::test]
async fn what_is_due_while_everything_is_paused_waits_for_the_end_of_the_pause() {
    let mut record = Record::new(ACT).await;
    record.looks(2, 20).await;
    record.pauses().await;
    assert!(record.looks(15, 20).await.is_empty());
    record.resumes().await;
    assert_eq!(record.looks(1, 20).await, [0]);
    let said = record.replayed(ACT);
    assert!(!said.contains("no difference: "), "{said}");
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

#[tokio::test]
async fn what_would_start_as_the_record_ends_is_not_known() {
    let mut record = Record::new("mode: observe\npolicy: {retry: {not_before: 58s}}\n").await;
    record.looks(4, 20).await;
    let said = record.replayed("mode: act\npolicy: {retry: {not_before: 45s}}\n");
    let line = "not known: 1 start that would have come less than 30s before ";
    assert!(said.contains(line), "{said}");
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

/// Starts a restart when the retry has failed, if the watchdog is heard of.
const RESTART: &str = "mode: act
alerts: {VcmFailed: {tier: restart, scope: module}}
policy: {retry: {not_before: 1m, attempts_per_incident: 1}, restart: {not_before: 6m}}
";

#[tokio::test]
async fn what_the_record_refused_only_for_what_is_not_recorded_is_told_apart() {
    let mut record = Record::new(RESTART).await;
    record.watchdog = false;
    assert_eq!(record.looks(45, 20).await, [3], "only a retry");
    let said = record.replayed(RESTART);
    let apart = "no difference: 1 start that the record refused only for watchdog_silent, ";
    assert!(said.contains(apart), "{said}");
    assert!(
        said.contains("taken for granted: the watchdog was heard of, "),
        "{said}"
    );
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

#[tokio::test]
async fn what_the_record_refused_for_the_policy_too_is_a_difference() {
    let mut record = Record::new(&RESTART.replace("6m", "12m")).await;
    record.watchdog = false;
    record.looks(45, 20).await;
    let said = record.replayed(RESTART);
    let line = "restart would have been started; recorded was: restart has to wait";
    assert!(said.contains(line), "{said}");
}

#[tokio::test]
async fn a_policy_for_other_hosts_can_not_be_asked() {
    let record = started_a_look_late().await;
    let output = record.replay(&["tenant-9"], ACT);
    assert_eq!(output.status.code(), Some(1));
    let (said, complaint) = (said(&output), complaint(&output));
    assert!(
        complaint.contains("tenant-1 is recorded, and "),
        "{complaint}"
    );
    assert!(
        complaint.contains("nothing could be asked: "),
        "{complaint}"
    );
    assert!(
        said.contains("tenant-1: not in the other inventory"),
        "{said}"
    );
    assert!(!said.contains("0 differences"), "{said}");
}

#[tokio::test]
async fn a_host_that_the_policy_file_lacks_is_named() {
    let mut record = started_a_look_late().await;
    record.sees_other("tenant-2").await;
    let output = record.replay(&[HOST], ACT);
    assert_eq!(output.status.code(), Some(0));
    let (said, complaint) = (said(&output), complaint(&output));
    assert!(
        complaint.contains("tenant-2 is recorded, and "),
        "{complaint}"
    );
    assert!(
        said.contains("tenant-2: not in the other inventory"),
        "{said}"
    );
    assert!(said.ends_with(NO_DIFFERENCE), "{said}");
}

#[tokio::test]
async fn a_record_without_hosts_says_nothing_about_a_policy() {
    let record = Record::new(ACT).await;
    let output = record.replay(&[HOST], ACT);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    let line = "nothing could be asked: no look and no decision is recorded since ";
    assert!(complaint.contains(line), "{complaint}");
}

#[tokio::test]
async fn a_broken_chain_is_said_and_the_answer_given() {
    let mut record = started_a_look_late().await;
    let whole = [record.replay(&[HOST], ACT), record.report(&[])];
    for output in &whole {
        assert_eq!(complaint(output), "");
    }
    let seq = record.tampered();
    let broken = [record.replay(&[HOST], ACT), record.report(&[])];
    for (output, whole) in broken.iter().zip(&whole) {
        assert_eq!(output.status.code(), Some(0));
        let complaint = complaint(output);
        let line = format!("the chain is broken at record {seq}: its hash ");
        assert!(complaint.contains(&line), "{complaint}");
        let line = "what follows rests on records that may have been changed";
        assert!(complaint.contains(line), "{complaint}");
        assert_eq!(said(output), said(whole));
    }
    let json: serde_json::Value = serde_json::from_str(&said(&record.report(&["--json"]))).unwrap();
    assert_eq!(json["broken_at"], seq);
}
