//! What each order becomes, and where it shows.

use std::time::Duration;

use axum::http::Method;
use nshield::ModuleState;
use serde_json::json;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::policy::Mode;
use vcm_remediator::host::document::Status;

use crate::program::{Program, Setting, order};

#[tokio::test]
async fn a_pause_is_recorded_with_its_giver_and_shown_until_it_is_ended() {
    let program = Program::start(Setting::default()).await;
    let body = json!({"for": "2h", "reason": "change 17"});
    let answer = program.order("/api/v1/pause", body).await;
    assert_eq!(answer.kinds(), ["Paused"]);
    let paused = &answer.json()["events"][0]["body"];
    assert_eq!(
        (&paused["by"], &paused["reason"]),
        (&json!("alice"), &json!("change 17"))
    );
    let until = paused["until"].as_i64().unwrap();
    let left = until - program.app.clock.now().as_millis();
    assert!((7_000_000..=7_200_000).contains(&left), "{left}");

    let fleet = program.get("/api/v1/fleet").await;
    assert_eq!(&fleet["pause"], paused);
    let again = program
        .order("/api/v1/pause", json!({"reason": "longer"}))
        .await;
    assert_eq!(again.json()["events"][0]["body"]["until"], json!(null));

    let resumed = order(Method::DELETE, "/api/v1/pause", r#"{"reason":"over"}"#);
    assert_eq!(program.send(resumed).await.kinds(), ["Resumed"]);
    assert_eq!(program.get("/api/v1/fleet").await["pause"], json!(null));
    program
        .order("/api/v1/pause", json!({"reason": "again"}))
        .await;
    let resumed = program
        .order("/api/v1/resume", json!({"reason": "over"}))
        .await;
    assert_eq!(resumed.kinds(), ["Resumed"]);
}

#[tokio::test]
async fn holds_of_host_and_module_are_shown_with_and_without_an_incident() {
    let program = Program::start(Setting {
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    let held = json!({"target": "tenant-1/1", "for": "4h", "reason": "vendor case"});
    assert_eq!(program.order("/api/v1/hold", held).await.kinds(), ["Held"]);
    let held = json!({"target": "tenant-1", "reason": "move"});
    assert_eq!(program.order("/api/v1/hold", held).await.kinds(), ["Held"]);
    let shown = |list: &serde_json::Value| -> Vec<String> {
        let holds = list["holds"].as_array().unwrap();
        holds
            .iter()
            .map(|hold| format!("{} {} {}", hold["target"], hold["reason"], hold["by"]))
            .collect()
    };
    let expected = [
        r#"{"host":"tenant-1"} "move" "alice""#,
        r#"{"host":"tenant-1","module":1} "vendor case" "alice""#,
    ];
    for path in ["/api/v1/fleet", "/api/v1/incidents"] {
        assert_eq!(shown(&program.get(path).await), expected, "{path}");
    }
    program.fire().await;
    let incident = program
        .incident(|incident| incident["hold"].is_object())
        .await;
    assert_eq!(incident["hold"]["reason"], json!("vendor case"));
    let ended = json!({"target": "tenant-1/1", "reason": "done"});
    assert_eq!(
        program.order("/api/v1/release", ended).await.kinds(),
        ["Released"]
    );
    let incident = program.incident(|_| true).await;
    assert_eq!(incident["hold"]["reason"], json!("move"));
}

#[tokio::test]
async fn the_outcome_of_an_attempt_that_nobody_knows_is_resolved_once() {
    let program = Program::start(Setting {
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    program
        .runner
        .script(|script| script.status = Status::NotFound);
    program.fire().await;
    let attempt = program
        .seen("/api/v1/attempts", |list| {
            let attempt = list["attempts"].get(0)?;
            (attempt["outcome"] == json!(Outcome::Unknown)).then(|| attempt.clone())
        })
        .await;
    assert_eq!(
        (&attempt["tier"], &attempt["unsettled"]),
        (&json!("retry"), &json!(true))
    );
    let path = format!(
        "/api/v1/attempts/{}/resolve",
        attempt["attempt"].as_str().unwrap()
    );
    let answer = program
        .order(&path, json!({"as": "made_worse", "reason": "r"}))
        .await;
    assert_eq!(answer.status.as_u16(), 422, "{}", answer.text);
    let resolved = json!({"as": "failed", "reason": "looked myself"});
    let answer = program.order(&path, resolved.clone()).await;
    assert_eq!(answer.kinds(), ["HumanResolved"]);
    assert_eq!(answer.json()["events"][0]["body"]["by"], json!("alice"));
    let again = program.order(&path, resolved).await;
    assert_eq!(again.status.as_u16(), 409, "{}", again.text);
    assert!(
        again.text.contains("is not of unknown outcome"),
        "{}",
        again.text
    );
    let list = program.get("/api/v1/attempts").await;
    let shown = &list["attempts"][0];
    assert_eq!(
        (&shown["outcome"], &shown["resolved"]),
        (&json!("failed"), &json!(true))
    );
    assert_eq!(shown["reason"], json!("alice: looked myself"));
}

#[tokio::test]
async fn a_latched_incident_is_reopened_and_one_that_goes_on_is_not() {
    let program = Program::start(Setting {
        state: ModuleState::Maintenance,
        ..Setting::default()
    })
    .await;
    program.fire().await;
    program
        .incident(|incident| incident["latch"] == json!("handed_over"))
        .await;
    let path = "/api/v1/incidents/tenant-1/1/reopen";
    let answer = program.order(path, json!({"reason": "finished"})).await;
    assert_eq!(answer.kinds(), ["HumanResolved"]);
    assert_eq!(
        answer.json()["events"][0]["body"]["what"]["resolved"],
        json!("reopened")
    );
    program
        .runner
        .script(|script| script.state = ModuleState::Operational);
    program
        .incident(|incident| incident["reopened_at"].is_i64())
        .await;
}

#[tokio::test]
async fn an_incident_is_closed_by_a_person_only_when_its_target_is_not_seen_failed() {
    let program = Program::start(Setting {
        state: ModuleState::Failed,
        mode: Mode::Observe,
        ..Setting::default()
    })
    .await;
    program.fire().await;
    program
        .incident(|incident| incident["first_failed_at"].is_i64())
        .await;
    let path = "/api/v1/incidents/tenant-1/1/close";
    let answer = program.order(path, json!({"reason": "r"})).await;
    assert_eq!(answer.status.as_u16(), 409, "{}", answer.text);
    assert!(answer.text.contains("still seen failed"), "{}", answer.text);
    let not_latched = "/api/v1/incidents/tenant-1/1/reopen";
    let answer = program.order(not_latched, json!({"reason": "r"})).await;
    assert!(answer.text.contains("is not latched"), "{}", answer.text);

    program
        .runner
        .script(|script| script.state = ModuleState::Offline);
    program
        .seen("/api/v1/events?limit=1000", |list| {
            let seen = list.to_string();
            seen.contains(r#""condition":"recovering""#).then_some(())
        })
        .await;
    let answer = program
        .order(path, json!({"reason": "gone for good"}))
        .await;
    assert!(answer.kinds().contains(&"IncidentClosed".to_owned()));
    let closed = program.recorded("IncidentClosed").await;
    assert_eq!(closed[0]["body"]["actor"], json!("manual"));
    assert_eq!(closed[0]["body"]["reason"], json!("alice: gone for good"));
}

#[tokio::test]
async fn a_long_time_without_the_program_is_confirmed_by_a_person() {
    let program = Program::start(Setting {
        gap: Some(Duration::from_secs(48 * 3600)),
        ..Setting::default()
    })
    .await;
    let gap = program.get("/api/v1/fleet").await["unconfirmed_gap_seconds"].as_u64();
    assert!(gap.is_some_and(|gap| gap >= 48 * 3600), "{gap:?}");
    let answer = program
        .order("/api/v1/gap/confirm", json!({"reason": "store moved"}))
        .await;
    assert_eq!(answer.kinds(), ["HumanResolved"]);
    let fleet = program.get("/api/v1/fleet").await;
    assert_eq!(fleet["unconfirmed_gap_seconds"], json!(0));
}

#[tokio::test]
async fn the_fleet_shows_modes_store_and_pages() {
    let program = Program::start(Setting {
        state: ModuleState::Maintenance,
        mode: Mode::Approve,
        ..Setting::default()
    })
    .await;
    program.fire().await;
    let fleet = program
        .seen("/api/v1/fleet", |fleet| {
            fleet["pages"].get(0).map(|_| fleet.clone())
        })
        .await;
    let page = &fleet["pages"][0];
    assert_eq!(page["reason"], json!("handed_over"));
    assert_eq!(page["target"], json!({"host": "tenant-1", "module": 1}));
    assert_eq!(
        (&fleet["mode"], &fleet["epoch"]),
        (&json!("approve"), &json!(1))
    );
    assert_eq!(
        fleet["hosts"],
        json!([{"host": "tenant-1", "mode": "approve"}])
    );
    let identity = program.app.store.identity();
    assert_eq!(fleet["store_id"], json!(identity.store_id));
}
