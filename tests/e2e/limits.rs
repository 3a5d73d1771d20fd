//! What keeps a rung from running although everything else calls for it, and what happens when a
//! command is cut short.

use std::time::Duration;

use serde_json::{Value, json};
use vcm_lab::lab::{
    Lab, Setup,
    alerts::{Alert, body},
    remediator::{Event, HOST, Permissions},
    wait,
};

use crate::must;

const WEBHOOK: &str = "/api/v1/alerts/webhook";
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than everything that a retry waits for in the lab.
const LONG: Duration = Duration::from_secs(12);

async fn lab(name: &'static str, modules: u32, permissions: Permissions) -> Lab {
    let knobs = &["timing.retry=1s", "timing.connect=1s"];
    let setup = Setup {
        modules,
        alerting: None,
        knobs,
        permissions,
        ..Setup::named(name)
    };
    must(Lab::start(&setup).await)
}

async fn fails(lab: &Lab, reason: &str) {
    must(
        lab.estate
            .ctl(&["fail-module", "1", "--reason", reason])
            .await,
    );
    let alert = Alert::firing("VcmFailed")
        .label("host", HOST)
        .label("module", "1");
    // Without it neither a restart nor a clear is begun.
    let alerting_works = Alert::firing("VcmRemediatorWatchdog");
    let body = body(&[alert, alerting_works]);
    let answer = must(lab.remediator.client.post(WEBHOOK, body).await);
    assert_eq!(answer.status, 200);
}

/// Whether this guard gives this verdict on the rung, with a reason.
fn says(event: &Event, rung: &str, guard: &str, verdict: &str) -> bool {
    let verdicts = event.body["verdicts"].as_array();
    verdicts.into_iter().flatten().any(|given| {
        let content = &given["verdict"][verdict];
        let reason = content.as_str().or_else(|| content["reason"].as_str());
        given["rung"] == rung && given["guard"] == guard && reason.is_some_and(|r| !r.is_empty())
    })
}

async fn told(lab: &Lab, rung: &str, guard: &str, verdict: &str) {
    let what = format!("{guard} to say {verdict} on {rung}");
    must(
        lab.event(&what, PATIENCE, |event| says(event, rung, guard, verdict))
            .await,
    );
}

async fn nothing_more(lab: &Lab, expected: &[&str]) {
    let quiet = wait::never("a further command", LONG, async || {
        let changes = lab.changes()?;
        Ok((changes != expected).then_some(changes))
    });
    must(quiet.await);
}

async fn recovered(lab: &Lab) {
    let closed = lab.event(
        "the incident to be closed as recovered",
        PATIENCE,
        |event| event.body["ending"] == "recovered",
    );
    must(closed.await);
}

#[tokio::test]
async fn in_mode_observe_nothing_is_run() {
    let permissions = Permissions {
        mode: "observe",
        ..Permissions::default()
    };
    let lab = lab("observe", 1, permissions).await;
    fails(&lab, "needs-retry").await;
    told(&lab, "retry", "observe_only", "refuse").await;
    nothing_more(&lab, &[]).await;
}

#[tokio::test]
async fn a_held_host_is_left_alone_until_the_hold_ends() {
    let lab = lab("hold", 1, Permissions::default()).await;
    let hold = must(lab.workspace.write("hold", "somebody works here"));
    fails(&lab, "needs-retry").await;
    told(&lab, "retry", "hold", "refuse").await;
    nothing_more(&lab, &[]).await;
    std::fs::remove_file(hold).expect("the hold file can be removed");
    recovered(&lab).await;
    assert_eq!(must(lab.changes()), ["nopclearfail -m1 -r"]);
}

#[tokio::test]
async fn the_host_has_the_last_word_on_the_highest_tier() {
    let permissions = Permissions {
        max_tier: "retry",
        alerts: json!({"VcmFailed": {"tier": "restart"}}),
        ..Permissions::default()
    };
    let lab = lab("max-tier", 1, permissions).await;
    fails(&lab, "needs-restart").await;
    told(&lab, "restart", "host_policy", "skip").await;
    nothing_more(&lab, &["nopclearfail -m1 -r"]).await;
}

#[tokio::test]
async fn a_clear_that_needs_approval_is_asked_for_and_never_run() {
    let permissions = Permissions {
        policy: json!({"clear": {"approval": true}}),
        alerts: json!({"VcmFailed": {"tier": "clear"}}),
        ..Permissions::default()
    };
    let lab = lab("approval", 3, permissions).await;
    fails(&lab, "needs-clear").await;
    let asked = lab.event("a page that asks for approval", PATIENCE, |event| {
        event.kind == "PageRaised" && event.body["reason"] == "approval_required"
    });
    must(asked.await);
    nothing_more(&lab, &["nopclearfail -m1 -r"]).await;
}

#[tokio::test]
async fn a_module_in_maintenance_is_left_to_whoever_works_on_it() {
    let lab = lab("service", 1, Permissions::default()).await;
    must(lab.estate.ctl(&["mode", "1", "maintenance"]).await);
    let alert = Alert::firing("VcmFailed")
        .label("host", HOST)
        .label("module", "1");
    assert_eq!(
        must(lab.remediator.client.post(WEBHOOK, body(&[alert])).await).status,
        200
    );
    let latched = lab.event("the incident to be handed over", PATIENCE, |event| {
        event.kind == "IncidentLatched" && event.body["latch"] == "handed_over"
    });
    must(latched.await);
    nothing_more(&lab, &[]).await;
}

#[tokio::test]
async fn a_restart_that_is_cut_between_stop_and_start_does_not_leave_the_host_down() {
    let permissions = Permissions {
        alerts: json!({"VcmFailed": {"tier": "restart"}}),
        ..Permissions::default()
    };
    let lab = lab("cut", 1, permissions).await;
    must(lab.estate.ctl(&["set", "hardserver.cut_restarts=1"]).await);
    fails(&lab, "needs-restart").await;
    recovered(&lab).await;
    assert_eq!(
        must(lab.changes()),
        [
            "nopclearfail -m1 -r",
            "init.d-ncipher restart",
            "init.d-ncipher start"
        ]
    );
    let status: Value = serde_json::from_str(&must(lab.estate.ctl(&["status", "--json"]).await))
        .expect("the simulator's status is JSON");
    assert_eq!(status["hardserver"]["up"], true);
}
