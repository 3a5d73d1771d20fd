//! Each kind of entry, as it is read.

use serde_json::json;

use super::*;

fn event(kind: &str, body: Value) -> Event {
    let event = json!({
        "seq": 1, "time": 5, "host": "tenant-1", "kind": kind, "body": body,
        "target": {"host": "tenant-1", "module": 1}, "incident": null,
    });
    serde_json::from_value(event).unwrap()
}

fn text(kind: &str, body: Value) -> String {
    of_event(&event(kind, body)).unwrap().text
}

#[test]
fn a_fact_says_what_it_permits() {
    let body = json!({"name": "VcmFailed", "firing": true, "tier": "retry"});
    assert_eq!(
        text("FactChanged", body),
        "accepted: VcmFailed fires for tenant-1/1, permits retry"
    );
}

#[test]
fn an_intent_shows_the_commands_to_come() {
    let steps = json!([{"enter_maintenance": 1}, {"wait": 30_000}, {"clear_module": 1}]);
    assert_eq!(
        text("IntentReserved", json!({"rung": "clear", "steps": steps})),
        "clear of tenant-1/1 begins: nopclearfail -m1 -M, wait 30 s, nopclearfail -m1 -c"
    );
    assert_eq!(
        text(
            "IntentReserved",
            json!({"rung": "restart", "steps": ["start_hardserver"]})
        ),
        "restart of tenant-1/1 begins: init.d-ncipher start"
    );
}

#[test]
fn only_verdicts_that_matter_are_told() {
    let verdicts = json!([
        {"rung": "retry", "guard": "network_bad", "verdict": {"refuse": {"reason": "0 of 5", "until": null}}},
        {"rung": "clear", "guard": "not_before", "verdict": {"refuse": {"reason": "later", "until": 9}}},
        {"rung": "restart", "guard": "others_healthy", "verdict": {"skip": "2 healthy"}},
        {"rung": "retry", "guard": "esn_mismatch", "verdict": {"not_applicable": "down"}},
    ]);
    let waiting = json!({"standing": {"at": "waiting", "rung": "retry"}, "verdicts": verdicts});
    assert_eq!(
        text("Decided", waiting),
        "retry waits: 0 of 5 [network_bad]; restart is left out: 2 healthy [others_healthy]"
    );
    let ready = json!({"standing": {"at": "ready", "rung": "retry"}, "verdicts": []});
    assert_eq!(
        text("Decided", ready),
        "retry may start: every guard passes"
    );
    let nothing = json!({"standing": {"at": "observing"}, "verdicts": []});
    assert_eq!(of_event(&event("Decided", nothing)), None);
}

#[test]
fn a_settled_attempt_is_good_or_bad_news() {
    let settled = |outcome: &str| {
        let body = json!({"report": "settled", "outcome": outcome, "reason": "so"});
        of_event(&event("AttemptReported", body)).unwrap().mood
    };
    assert_eq!(settled("succeeded"), Mood::Good);
    assert_eq!(settled("failed"), Mood::Bad);
}

#[test]
fn a_bad_scrape_names_the_series() {
    let module = json!({"host": "tenant-1", "module": "1", "state": "failed"});
    assert_eq!(
        of_sample(Source::Scrape, &module),
        "first bad scrape of tenant-1: module 1 failed"
    );
    let alert = json!({"alertname": "VcmFailed", "host": "tenant-1", "module": "1"});
    assert_eq!(
        of_sample(Source::Alert, &alert),
        "VcmFailed fires for tenant-1/1"
    );
}

#[test]
fn a_happening_is_told_with_its_cause() {
    let line = json!({
        "unix_ms": 7, "module": 1, "event": "module_failed", "cause": "fault that needs retry",
    });
    let happening: Happening = serde_json::from_value(line).unwrap();
    let entry = of_happening(&happening).unwrap();
    assert_eq!(entry.text, "module 1 FAILS (fault that needs retry)");
    assert_eq!((entry.time_ms, entry.mood), (7, Mood::Bad));
}

#[test]
fn guards_with_the_same_reason_share_a_line() {
    let guards = ["kind", "hold", "esn_mismatch", "network_bad"];
    let verdict = |guard: &&str| json!({"rung": "retry", "guard": guard, "verdict": {"refuse": {"reason": "nothing seen"}}});
    let body = |count: usize| {
        let verdicts: Vec<Value> = guards[..count].iter().map(verdict).collect();
        json!({"standing": {"at": "waiting", "rung": "retry"}, "verdicts": verdicts})
    };
    assert_eq!(
        text("Decided", body(2)),
        "retry waits: nothing seen [kind, hold]"
    );
    assert_eq!(
        text("Decided", body(4)),
        "retry waits: nothing seen [4 guards]"
    );
}

#[test]
fn evidence_lists_every_module() {
    let modules = json!([{"module": 1, "condition": "failed", "network": "good"}]);
    assert_eq!(
        text(
            "Observed",
            json!({"hardserver": "up", "modules": modules, "problem": null})
        ),
        "hardserver up; module 1 failed, network good"
    );
}
