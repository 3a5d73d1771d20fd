//! `kill -9` at the worst moments, and alerts that come again when everything has been tried.

use std::time::Duration;

use serde_json::json;
use vcm_lab::lab::{
    Lab, Setup,
    alerts::{Alert, body},
    remediator::{HOST, Permissions},
    wait,
};

use crate::must;

const WEBHOOK: &str = "/api/v1/alerts/webhook";
const PATIENCE: Duration = Duration::from_secs(120);

async fn lab(name: &'static str, modules: u32, knobs: &'static [&'static str], tier: &str) -> Lab {
    let permissions = Permissions {
        alerts: json!({"VcmFailed": {"tier": tier}}),
        ..Permissions::default()
    };
    let setup = Setup {
        modules,
        alerting: None,
        knobs,
        permissions,
        ..Setup::named(name)
    };
    must(Lab::start(&setup).await)
}

async fn report_failed(lab: &Lab) {
    let alert = Alert::firing("VcmFailed")
        .label("host", HOST)
        .label("module", "1");
    // Without it neither a restart nor a clear is begun.
    let alerting_works = Alert::firing("VcmRemediatorWatchdog");
    let body = body(&[alert, alerting_works]);
    assert_eq!(
        must(lab.remediator.client.post(WEBHOOK, body).await).status,
        200
    );
}

async fn ran(lab: &Lab, line: &str) {
    let what = format!("{line} to be run");
    must(
        wait::until(&what, PATIENCE, async || {
            Ok(lab.changes()?.iter().position(|call| call == line))
        })
        .await,
    );
}

async fn closed_as(lab: &Lab, ending: &str) {
    let what = format!("the incident to be closed as {ending}");
    let closed = lab.event(&what, PATIENCE, |event| event.body["ending"] == ending);
    must(closed.await);
}

/// Seconds from `-M` to the first `-c`.
fn waited(lab: &Lab) -> f64 {
    let calls = must(lab.estate.changes());
    let at = |flag: &str| {
        let call = calls.iter().find(|call| call.line().ends_with(flag));
        call.unwrap_or_else(|| panic!("no {flag} in {calls:?}"))
            .time_ms
    };
    Duration::from_millis(at("-c") - at("-M")).as_secs_f64()
}

#[tokio::test]
async fn killed_between_accepting_an_alert_and_acting_on_it_it_acts_once_after_its_restart() {
    let mut lab = lab("kill-accepted", 2, &["timing.retry=1s"], "retry").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-retry"])
            .await,
    );
    report_failed(&lab).await;
    lab.remediator.process.kill_9();
    assert_eq!(
        must(lab.changes()),
        Vec::<String>::new(),
        "it acted before it was killed"
    );
    must(lab.remediator.start_again(&mut lab.workspace).await);
    // Nobody delivers the alert again: what was accepted is not lost.
    closed_as(&lab, "recovered").await;
    assert_eq!(must(lab.changes()), ["nopclearfail -m1 -r"]);
}

#[tokio::test]
async fn remediator_and_runner_killed_between_both_commands_of_a_clear_the_clear_is_finished_once()
{
    let mut lab = lab("kill-clear", 3, &["timing.clear=2s"], "clear").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-clear"])
            .await,
    );
    report_failed(&lab).await;
    ran(&lab, "nopclearfail -m1 -M").await;
    lab.remediator.process.kill_9();
    assert!(lab.kill_host_runners() > 0, "no host runner was waiting");
    must(lab.remediator.start_again(&mut lab.workspace).await);
    ran(&lab, "nopclearfail -m1 -c").await;
    closed_as(&lab, "recovered").await;
    let expected = [
        "nopclearfail -m1 -r",
        "nopclearfail -m1 -M",
        "nopclearfail -m1 -c",
    ];
    assert_eq!(must(lab.changes()), expected);
    assert!(waited(&lab) >= 30.0, "waited {} s", waited(&lab));
}

#[tokio::test]
async fn a_clear_that_a_person_has_finished_meanwhile_gets_no_second_command() {
    let mut lab = lab("kill-human", 3, &["timing.clear=2s"], "clear").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-clear"])
            .await,
    );
    report_failed(&lab).await;
    ran(&lab, "nopclearfail -m1 -M").await;
    lab.remediator.process.kill_9();
    assert!(lab.kill_host_runners() > 0, "no host runner was waiting");
    must(lab.estate.ctl(&["heal", "1"]).await);
    must(lab.remediator.start_again(&mut lab.workspace).await);
    closed_as(&lab, "recovered").await;
    assert_eq!(
        must(lab.changes()),
        ["nopclearfail -m1 -r", "nopclearfail -m1 -M"]
    );
}

#[tokio::test]
async fn a_clear_goes_on_while_the_remediator_is_dead() {
    let mut lab = lab("kill-alone", 3, &["timing.clear=2s"], "clear").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-clear"])
            .await,
    );
    report_failed(&lab).await;
    ran(&lab, "nopclearfail -m1 -M").await;
    lab.remediator.process.kill_9();
    ran(&lab, "nopclearfail -m1 -c").await;
    must(lab.remediator.start_again(&mut lab.workspace).await);
    closed_as(&lab, "recovered").await;
    let expected = [
        "nopclearfail -m1 -r",
        "nopclearfail -m1 -M",
        "nopclearfail -m1 -c",
    ];
    assert_eq!(must(lab.changes()), expected);
    assert!(waited(&lab) >= 30.0, "waited {} s", waited(&lab));
}

#[tokio::test]
async fn a_retry_whose_runner_was_killed_is_unknown_and_is_not_run_again() {
    let knobs = &["timing.retry=1s", "lies.retry.delay=4s"];
    let mut lab = lab("kill-retry", 2, knobs, "retry").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-retry"])
            .await,
    );
    report_failed(&lab).await;
    ran(&lab, "nopclearfail -m1 -r").await;
    lab.remediator.process.kill_9();
    assert!(lab.kill_host_runners() > 0, "no host runner was waiting");
    must(lab.remediator.start_again(&mut lab.workspace).await);
    // The vendor's tool lives on and does its work: nobody may conclude from the dead runner that
    // it does not.
    let settled = lab.event("the retry to be settled", PATIENCE, |event| {
        event.kind == "AttemptReported" && event.body["report"] == "settled"
    });
    must(settled.await);
    closed_as(&lab, "recovered").await;
    assert_eq!(must(lab.changes()), ["nopclearfail -m1 -r"]);
}

#[tokio::test]
async fn the_alert_of_an_exhausted_incident_comes_again_and_starts_nothing() {
    let lab = lab("exhausted", 3, &["timing.clear=2s"], "clear").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "dead"])
            .await,
    );
    report_failed(&lab).await;
    let latched = lab.event("the incident to be exhausted", PATIENCE, |event| {
        event.kind == "IncidentLatched" && event.body["latch"] == "exhausted"
    });
    must(latched.await);
    let tried = must(lab.changes());
    assert_eq!(
        tried,
        [
            "nopclearfail -m1 -r",
            "nopclearfail -m1 -M",
            "nopclearfail -m1 -c"
        ]
    );
    for _ in 0..20 {
        report_failed(&lab).await;
    }
    must(
        wait::never(
            "a command for an exhausted incident",
            Duration::from_secs(15),
            async || {
                let changes = lab.changes()?;
                Ok((changes != tried).then_some(changes))
            },
        )
        .await,
    );
    let events = must(lab.remediator.events(0).await);
    let opened = events
        .iter()
        .filter(|event| event.kind == "IncidentOpened")
        .count();
    assert_eq!(opened, 1, "the alert opened another incident");
    let pages = must(
        lab.remediator
            .metric(r#"vcm_remediator_pages{reason="exhausted"}"#)
            .await,
    );
    assert_eq!(pages, Some(1.0));
}
