//! Bad input: a clear answer, nothing lost, and nothing of it in any argument vector.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vcm_lab::lab::{
    Lab, Setup,
    alerts::{Alert, body},
    remediator::HOST,
    wait,
};

use crate::must;

const WEBHOOK: &str = "/api/v1/alerts/webhook";
const PATIENCE: Duration = Duration::from_secs(60);

async fn lab(name: &'static str) -> Lab {
    let setup = Setup {
        modules: 2,
        alerting: None,
        knobs: &["timing.retry=1s"],
        ..Setup::named(name)
    };
    must(Lab::start(&setup).await)
}

async fn post(lab: &Lab, body: impl Into<String>) -> u16 {
    must(lab.remediator.client.post(WEBHOOK, body).await).status
}

fn failed(module: &str) -> Alert {
    Alert::firing("VcmFailed")
        .label("host", HOST)
        .label("module", module)
}

#[tokio::test]
async fn a_body_that_can_never_work_is_refused_with_a_reason_and_counted() {
    let lab = lab("refused").await;
    let too_large = format!(r#"{{"version":"4","x":"{}"}}"#, "a".repeat(20 << 20));
    let version = {
        let mut body: Value = serde_json::from_str(&body(&[failed("1")])).unwrap();
        body["version"] = json!("3");
        body.to_string()
    };
    let bad = [
        (
            "malformed JSON",
            "{\"version\": \"4\", \"alerts\": [".to_owned(),
        ),
        ("no JSON", "VcmFailed on tenant-1".to_owned()),
        ("an empty body", String::new()),
        ("an unknown version", version),
        (
            "a custom payload",
            r#"{"text":"VcmFailed","host":"tenant-1","module":"1"}"#.to_owned(),
        ),
        ("a list", "[]".to_owned()),
        ("20 MB", too_large),
    ];
    for (count, (what, body)) in bad.into_iter().enumerate() {
        let answer = must(lab.remediator.client.post(WEBHOOK, body).await);
        assert!(
            (400..500).contains(&answer.status),
            "{what}: {}",
            answer.status
        );
        assert!(!answer.body.trim().is_empty(), "{what}: no reason given");
        assert!(
            answer.body.len() < 1_000,
            "{what}: Alertmanager logs the whole answer"
        );
        let refused = must(
            lab.remediator
                .sum("vcm_remediator_webhooks_rejected_total")
                .await,
        );
        assert!(
            refused >= f64::from(u32::try_from(count).unwrap() + 1),
            "{what} is not counted"
        );
    }
    assert_eq!(must(lab.changes()), Vec::<String>::new());
    assert_eq!(
        post(&lab, body(&[failed("1")])).await,
        200,
        "a good body is still taken"
    );
}

/// Alerts of which none may lead to anything, each with what is wrong with it.
fn hostile() -> Vec<(&'static str, Alert)> {
    vec![
        ("a command as module", failed("1; rm -rf /")),
        ("an option as module", failed("1 -c")),
        ("all modules", failed("--all")),
        ("a negative module", failed("-1")),
        ("module 0", failed("0")),
        (
            "a module too large for any integer",
            failed("99999999999999999999999"),
        ),
        ("a module with a newline", failed("1\n-c")),
        ("a module in full-width digits", failed("１")),
        ("a module that the host has not", failed("9")),
        ("no module", Alert::firing("VcmFailed").label("host", HOST)),
        ("an empty module", failed("")),
        ("an unknown host", failed("1").label("host", "tenant-9")),
        (
            "a host with quotes",
            failed("1").label("host", "tenant-1\" or \"1\"=\"1"),
        ),
        (
            "a host with a command",
            failed("1").label("host", "$(reboot)"),
        ),
        ("no host", Alert::firing("VcmFailed").label("module", "1")),
        (
            "host and instance in conflict",
            failed("1").label("instance", "tenant-9:9808"),
        ),
        (
            "the ESN of another module",
            failed("1").label("esn", "FFFF-FFFF-FFFF"),
        ),
        ("a host alert with a module", {
            Alert::firing("HardserverDown")
                .label("host", HOST)
                .label("module", "1")
        }),
        (
            "an over-long value",
            failed("1").label("host", &"x".repeat(100_000)),
        ),
        (
            "a control character",
            failed("1").label("host", "tenant-1\u{0}"),
        ),
    ]
}

#[tokio::test]
async fn hostile_labels_are_ignored_and_counted_and_their_sibling_is_still_served() {
    let lab = lab("hostile").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-retry"])
            .await,
    );
    let hostile = hostile();
    for (what, alert) in &hostile {
        let before = must(
            lab.remediator
                .sum("vcm_remediator_alerts_ignored_total")
                .await,
        );
        assert_eq!(
            post(&lab, body(std::slice::from_ref(alert))).await,
            200,
            "{what}"
        );
        let after = must(
            lab.remediator
                .sum("vcm_remediator_alerts_ignored_total")
                .await,
        );
        assert!(after > before, "{what} is not counted as ignored");
    }
    assert!(
        must(incidents(&lab).await).is_empty(),
        "a hostile alert opened an incident"
    );

    let mut all: Vec<Alert> = hostile.into_iter().map(|(_, alert)| alert).collect();
    let shell = "`id` $(id) ; | & > \" ' \\ \n \u{202e}";
    all.push(
        failed("1")
            .label("note", shell)
            .annotation("description", shell),
    );
    assert_eq!(post(&lab, body(&all)).await, 200);
    must(closed_as_recovered(&lab).await);
    assert_eq!(must(lab.changes()), ["nopclearfail -m1 -r"]);
    only_fixed_forms(&lab);
}

/// Every argument vector of the whole test, also of the tools that only read.
fn only_fixed_forms(lab: &Lab) {
    let fixed = ["enquiry", "enquiry -m0", "stattree", "nopclearfail -m1 -r"];
    for call in must(lab.estate.calls()) {
        let line = call.line();
        let known = fixed.contains(&line.as_str()) || line.starts_with("unit-state ");
        assert!(
            known || line.starts_with("stattree "),
            "not a fixed form: {line:?}"
        );
    }
}

#[tokio::test]
async fn five_thousand_alerts_in_one_body_are_all_accounted_for() {
    let lab = lab("many").await;
    must(
        lab.estate
            .ctl(&["fail-module", "2", "--reason", "needs-retry"])
            .await,
    );
    let mut alerts: Vec<Alert> = (0..4_999)
        .map(|n| failed("1").label("host", &format!("other-{n}")))
        .collect();
    alerts.push(failed("2"));
    let begun = Instant::now();
    assert_eq!(post(&lab, body(&alerts)).await, 200);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "Alertmanager would have given up"
    );
    let ignored = must(
        lab.remediator
            .sum("vcm_remediator_alerts_ignored_total")
            .await,
    );
    assert!((ignored - 4_999.0).abs() < 0.5, "{ignored} ignored");
    must(closed_as_recovered(&lab).await);
    assert_eq!(must(lab.changes()), ["nopclearfail -m2 -r"]);
}

#[tokio::test]
async fn the_same_body_a_hundred_times_from_three_senders_is_one_incident_and_one_retry() {
    let lab = lab("duplicates").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-retry"])
            .await,
    );
    let one = body(&[failed("1")]);
    for _ in 0..34 {
        let statuses = tokio::join!(
            post(&lab, one.clone()),
            post(&lab, one.clone()),
            post(&lab, one.clone())
        );
        assert_eq!(statuses, (200, 200, 200));
    }
    must(closed_as_recovered(&lab).await);
    let events = must(lab.remediator.events(0).await);
    let opened = events
        .iter()
        .filter(|event| event.kind == "IncidentOpened")
        .count();
    assert_eq!(opened, 1);
    assert_eq!(must(lab.changes()), ["nopclearfail -m1 -r"]);
}

#[tokio::test]
async fn a_resolved_that_comes_late_and_out_of_order_ends_nothing() {
    let lab = lab("order").await;
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", "needs-retry"])
            .await,
    );
    let first = failed("1").starts_minutes_ago(30);
    let again = failed("1").starts_minutes_ago(5);
    assert_eq!(post(&lab, body(&[again])).await, 200);
    assert_eq!(
        post(&lab, body(&[first.resolved_minutes_ago(10)])).await,
        200
    );
    must(closed_as_recovered(&lab).await);
    assert_eq!(must(lab.changes()), ["nopclearfail -m1 -r"]);
}

async fn incidents(lab: &Lab) -> Result<Vec<Value>, vcm_lab::lab::LabError> {
    let answer = lab.remediator.client.json("/api/v1/incidents", &[]).await?;
    Ok(answer["incidents"].as_array().cloned().unwrap_or_default())
}

async fn closed_as_recovered(lab: &Lab) -> Result<(), vcm_lab::lab::LabError> {
    wait::until(
        "the incident to be closed as recovered",
        PATIENCE,
        async || {
            let events = lab.remediator.events(0).await?;
            Ok(events
                .iter()
                .any(|event| event.body["ending"] == "recovered")
                .then_some(()))
        },
    )
    .await
}
