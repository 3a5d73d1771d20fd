//! `report`: what observe mode would have run, and what came of what was run.

use crate::record::{Record, said};

#[tokio::test]
async fn report_tells_what_would_have_run_and_what_healed_by_itself() {
    let mut record = Record::new("mode: observe\n").await;
    record.looks(9, 20).await;
    record.heals();
    record.looks(24, 20).await;
    let human = said(&record.report(&["--since", "1d"]));
    for line in [
        "incidents opened: 1\n",
        "closed as recovered: 1\n",
        "retry: run 0 times, succeeded 0; would have been run 1 times, unnecessary 1, healed by itself 1\n",
        "share of unnecessary acts: 100.0 %\n",
        "tenant-1/1: retry would have run; healed by itself ",
    ] {
        assert!(human.contains(line), "{line}\n{human}");
    }
    let json = said(&record.report(&["--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rungs"]["retry"]["unnecessary"], 1);
    assert_eq!(json["unnecessary_share"], 1.0);
}

#[tokio::test]
async fn report_counts_what_was_run() {
    let record = Record::recovered().await;
    let human = said(&record.report(&[]));
    let line = "retry: run 1 times, succeeded 1; would have been run 0 times";
    assert!(human.contains(line), "{human}");
    assert!(!human.contains("unnecessary acts"), "{human}");
}
