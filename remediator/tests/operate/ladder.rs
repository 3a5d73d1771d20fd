//! Orders and the ladder: what a person approves runs once, what is paused or held does not start.

use nshield::ModuleState;
use serde_json::{Value, json};
use vcm_recovery::ids::RequestId;
use vcm_recovery::policy::Mode;
use vcm_recovery::tier::Rung;
use vcm_remediator::host::document::Status;

use crate::program::{Program, Setting};
use crate::runner::ended;

async fn failed(mode: Mode) -> Program {
    Program::start(Setting {
        mode,
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await
}

fn blocked_by(guard: &'static str) -> impl Fn(&Value) -> bool {
    move |incident| incident["blocked"][guard].is_i64()
}

/// The condition, once it is true.
async fn until(program: &Program, condition: impl Fn() -> bool) {
    program
        .seen("/api/v1/fleet", |_| condition().then_some(()))
        .await;
}

#[tokio::test]
async fn what_a_person_approves_runs_once_with_the_request_and_counts_as_approved() {
    let program = failed(Mode::Approve).await;
    program
        .runner
        .script(|script| script.status = Status::Running);
    program.fire().await;
    let incident = program
        .incident(|incident| incident["request"].is_object())
        .await;
    let request = &incident["request"];
    assert_eq!(request["id"], json!("tenant-1#1"));
    assert_eq!(request["answer"], json!(null));
    let offered = &request["alternatives"][0];
    assert_eq!(offered["tier"], json!("retry"));
    assert_eq!(offered["disrupts"], json!("nobody that is known of"));
    assert_eq!(offered["commands"], json!(["nopclearfail -m1 -r"]));
    assert_eq!(incident["state"], json!("awaiting_human"));
    assert!(program.runner.orders().is_empty());

    let path = "/api/v1/approvals/tenant-1/1";
    let not_offered = json!({"choice": "approve", "rung": "clear", "reason": "r"});
    let answer = program.order(path, not_offered).await;
    assert_eq!(answer.status.as_u16(), 409, "{}", answer.text);
    assert!(
        answer.text.contains("does not offer clear"),
        "{}",
        answer.text
    );

    let approved = json!({"choice": "approve", "rung": "retry", "reason": "seen myself"});
    let answer = program.order(path, approved.clone()).await;
    assert_eq!(answer.kinds(), ["ApprovalAnswered"]);
    assert_eq!(
        answer.json()["events"][0]["body"]["answer"]["by"],
        json!("alice")
    );
    until(&program, || !program.runner.orders().is_empty()).await;
    let again = program.order(path, approved).await;
    assert_eq!(again.status.as_u16(), 409, "{}", again.text);

    program.runner.script(|script| {
        script.status = ended();
        script.state = ModuleState::Operational;
    });
    until_closed(&program).await;
    let orders = program.runner.orders();
    assert_eq!(orders.len(), 1);
    assert_eq!(
        (orders[0].rung, orders[0].approval),
        (Rung::Retry, Some(RequestId(1)))
    );
    let closed = program.recorded("IncidentClosed").await;
    assert_eq!(closed[0]["body"]["actor"], json!("approved"));
    let attempts = program.get("/api/v1/attempts").await;
    assert_eq!(attempts["attempts"][0]["approval"], json!("tenant-1#1"));
}

/// The alert ends, and with it, after proof of health, the incident.
async fn until_closed(program: &Program) {
    program.end().await;
    program
        .seen("/api/v1/incidents", |list| {
            list["incidents"].as_array()?.is_empty().then_some(())
        })
        .await;
}

#[tokio::test]
async fn what_a_person_denies_is_left_out_and_says_who_decided_so() {
    let program = failed(Mode::Approve).await;
    program.fire().await;
    program
        .incident(|incident| incident["request"].is_object())
        .await;
    let denied = json!({"choice": "deny", "reason": "hardware is on its way"});
    let answer = program.order("/api/v1/approvals/tenant-1/1", denied).await;
    assert_eq!(answer.kinds(), ["ApprovalAnswered"]);
    let incident = program
        .incident(|incident| incident["denied"]["retry"].is_string())
        .await;
    assert_eq!(
        incident["denied"]["retry"],
        json!("alice decided against it")
    );
    assert!(program.runner.orders().is_empty());
}

#[tokio::test]
async fn s12_once_a_pause_is_durable_nothing_starts_until_it_is_ended() {
    let program = failed(Mode::Act).await;
    let paused = program
        .order("/api/v1/pause", json!({"reason": "change"}))
        .await;
    assert_eq!(paused.kinds(), ["Paused"]);
    program.fire().await;
    program.incident(blocked_by("paused")).await;
    looked_again(&program).await;
    assert!(program.runner.orders().is_empty());
    program
        .order("/api/v1/resume", json!({"reason": "over"}))
        .await;
    until(&program, || !program.runner.orders().is_empty()).await;
    assert_eq!(program.runner.orders()[0].approval, None);
}

#[tokio::test]
async fn s12_once_a_hold_is_durable_nothing_starts_until_it_is_released() {
    for target in ["tenant-1", "tenant-1/1"] {
        let program = failed(Mode::Act).await;
        let held = json!({"target": target, "for": "1h", "reason": "move"});
        assert_eq!(program.order("/api/v1/hold", held).await.kinds(), ["Held"]);
        program.fire().await;
        program.incident(blocked_by("hold")).await;
        looked_again(&program).await;
        assert!(program.runner.orders().is_empty(), "{target}");
        let ended = json!({"target": target, "reason": "moved"});
        program.order("/api/v1/release", ended).await;
        until(&program, || !program.runner.orders().is_empty()).await;
    }
}

#[tokio::test]
async fn a_hold_of_another_module_holds_nothing_back() {
    let program = failed(Mode::Act).await;
    let held = json!({"target": "tenant-1/2", "reason": "move"});
    assert_eq!(program.order("/api/v1/hold", held).await.kinds(), ["Held"]);
    program.fire().await;
    until(&program, || !program.runner.orders().is_empty()).await;
}

#[tokio::test]
async fn observe_mode_shows_what_it_would_have_run() {
    let program = failed(Mode::Observe).await;
    program.fire().await;
    let shadow = program
        .seen("/api/v1/incidents", |list| list["shadows"].get(0).cloned())
        .await;
    assert_eq!(shadow["tier"], json!("retry"));
    assert_eq!(shadow["commands"], json!(["nopclearfail -m1 -r"]));
    assert!(program.runner.orders().is_empty());
}

/// The host was looked at, and decided about, several times more.
async fn looked_again(program: &Program) {
    let looks = || program.runner.script(|script| script.looks());
    let before = looks();
    until(program, || looks() > before + 5).await;
}
