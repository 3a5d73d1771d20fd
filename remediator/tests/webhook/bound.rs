//! What comes beyond the places of a target: refused by itself, said, counted, and nothing else.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use vcm_recovery::alert::FACT_MEMORY;
use vcm_remediator::store::places::{PLACES, PLACES_OF_A_NAME};

use crate::program::{Program, alert, body, failed};

const TOO_MANY: &str = "vcm_remediator_alerts_ignored_total{reason=\"too_many\"}";

/// An alert that the policy does not list, about the same module.
fn named(name: &str, number: u64) -> Value {
    alert(
        number,
        json!({"alertname": name, "host": "tenant-1", "module": "1"}),
    )
}

fn ended(mut alert: Value) -> Value {
    alert["status"] = json!("resolved");
    alert["endsAt"] = json!("2023-11-14T22:05:00Z");
    alert
}

/// Strangers of as many names as it takes to have every place of the module.
fn flood() -> Vec<Value> {
    let each = u64::from(PLACES_OF_A_NAME / 2);
    let names = 0..u64::from(PLACES) / each + 1;
    let flood = names.flat_map(|name| {
        (0..each).map(move |number| named(&format!("Other{name}"), 1_000 * (name + 1) + number))
    });
    flood.collect()
}

#[tokio::test]
async fn strangers_beyond_the_places_of_a_target_are_refused_and_their_siblings_are_not() {
    let program = Program::new();
    let mut alerts = flood();
    let strangers = alerts.len();
    let beyond = strangers - PLACES as usize;
    alerts.insert(0, failed(1, "2"));
    alerts.push(alert(
        2,
        json!({"alertname": "HardserverDown", "host": "tenant-1"}),
    ));
    let answer = program.post(body(&alerts)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let accepted = PLACES + 2;
    assert_eq!(
        answer.json(),
        json!({"accepted": accepted, "ignored": {"too_many": beyond}})
    );
    assert_eq!(program.known().len(), accepted as usize);
    assert_eq!(program.events().await, accepted as usize);
    assert_eq!(
        program.metric(TOO_MANY),
        f64::from(u32::try_from(beyond).unwrap())
    );
    // Delivered again, and after another start, the same ones have no place.
    let again = program.post(body(&alerts)).await;
    assert_eq!(again.json(), answer.json());
    assert_eq!(program.events().await, accepted as usize);
}

#[tokio::test]
async fn one_name_never_takes_every_place() {
    let program = Program::new();
    let flood: Vec<Value> = (0..1_000)
        .map(|number| named("Other", 1_000 + number))
        .collect();
    let refused = 1_000 - PLACES_OF_A_NAME;
    assert_eq!(
        program.post(body(&flood)).await.json(),
        json!({"accepted": PLACES_OF_A_NAME, "ignored": {"too_many": refused}})
    );
    let answer = program.post(body(&[failed(1, "1")])).await;
    assert_eq!(answer.json(), json!({"accepted": 1, "ignored": {}}));
}

#[tokio::test]
async fn what_is_known_is_delivered_again_and_ends_whatever_flood_comes() {
    let program = Program::new();
    program.post(body(&[failed(1, "1")])).await;
    for _ in 0..3 {
        program.post(body(&flood())).await;
    }
    let events = program.events().await;
    for known in [failed(1, "1"), ended(failed(1, "1"))] {
        let answer = program.post(body(&[known])).await;
        assert_eq!(answer.json(), json!({"accepted": 1, "ignored": {}}));
    }
    assert_eq!(program.events().await, events + 1, "that it ended is news");
    let (fingerprint, record) = program.known().pop().unwrap();
    assert!(!record.firing());
    let loaded = program.app.store.load().await.unwrap();
    assert_eq!(
        loaded.hosts[&record.target.host].facts[&fingerprint],
        record
    );
}

#[tokio::test]
async fn a_place_is_free_a_day_after_its_alert_was_last_delivered_and_not_when_it_ended() {
    let program = Program::new();
    program.post(body(&flood())).await;
    let ended: Vec<Value> = flood().into_iter().map(ended).collect();
    program.post(body(&ended)).await;
    let stranger = || body(&[failed(1, "1")]);
    let refused = json!({"accepted": 0, "ignored": {"too_many": 1}});
    program.time.advance(FACT_MEMORY);
    assert_eq!(program.post(stranger()).await.json(), refused);
    program.time.advance(Duration::from_millis(1));
    let accepted = json!({"accepted": 1, "ignored": {}});
    assert_eq!(program.post(stranger()).await.json(), accepted);
}
