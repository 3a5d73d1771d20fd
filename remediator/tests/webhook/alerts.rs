//! The alerts of a body, each alone.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use nshield::ModuleNumber;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry, Target};
use vcm_recovery::step::Platform;
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;

use crate::program::{NOW, Program, WEBHOOK, alert, body, failed};

#[tokio::test]
async fn an_alert_of_a_known_module_is_stored_before_it_is_answered_and_delivered() {
    let program = Program::new();
    let answer = program.post(body(&[failed(1, "1")])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"accepted": 1, "ignored": {}}));
    assert_eq!(program.events().await, 1);
    let known = program.known();
    assert_eq!(known.len(), 1);
    let record = &known[0].1;
    let target = Target::module(
        "tenant-1".parse().unwrap(),
        ModuleNumber::try_from(1).unwrap(),
    );
    let permits = record.permits(&program.app.policy);
    assert_eq!((&record.target, permits), (&target, Some(Tier::Retry)));
    assert_eq!(record.last_firing_delivery, Some(NOW));
    assert_eq!(program.delivered.events.lock().unwrap().len(), 1);
    assert_eq!(program.metric("vcm_remediator_webhooks_total"), 1.0);
    assert_eq!(program.metric("vcm_remediator_alerts_total"), 1.0);
    assert_eq!(
        program.metric("vcm_remediator_webhook_duration_seconds_count"),
        1.0
    );
}

/// As many hosts of ten modules.
fn fleet(hosts: u16) -> Inventory {
    let host = |host: u16| {
        let modules = (1..=10).map(|module| {
            let entry = ModuleEntry {
                esn: None,
                kind: Kind::Vcm,
                hsm: None,
                name: None,
            };
            (ModuleNumber::try_from(module).unwrap(), entry)
        });
        let name: HostName = format!("tenant-{host}").parse().unwrap();
        let entry = HostEntry {
            name: name.clone(),
            instance: None,
            platform: Platform::Linux,
            mode: None,
            modules: modules.collect(),
        };
        (name, entry)
    };
    Inventory {
        hosts: (0..hosts).map(host).collect(),
    }
}

#[tokio::test]
async fn five_thousand_alerts_in_one_body_are_accepted() {
    let program = Program::of(fleet(500), None);
    let failed = |number: u64| {
        let host = format!("tenant-{}", number / 10);
        let module = (number % 10 + 1).to_string();
        let labels = json!({"alertname": "VcmFailed", "host": host, "module": module});
        alert(number, labels)
    };
    let alerts: Vec<Value> = (0..5_000).map(failed).collect();
    let answer = program.post(body(&alerts)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"accepted": 5_000, "ignored": {}}));
    assert_eq!(program.events().await, 5_000);
}

#[tokio::test]
async fn one_bad_alert_never_rejects_its_siblings() {
    let host = |host: &str| json!({"alertname": "HardserverDown", "host": host});
    let table = [
        (failed(2, "1; rm -rf /"), "malformed"),
        (failed(3, "1\nBcc: x"), "malformed"),
        (failed(4, "$(reboot)"), "malformed"),
        (failed(5, "--all"), "malformed"),
        (failed(6, "99999999999999999999"), "malformed"),
        (failed(7, "0"), "malformed"),
        (failed(8, "9"), "unknown_target"),
        (failed(9, ""), "unknown_target"),
        (alert(10, host("tenant-9")), "unknown_target"),
        (alert(11, host("tenant-1\u{7}")), "malformed"),
        (alert(12, host(&"x".repeat(5_000))), "malformed"),
        (alert(13, host("'\"<script>")), "unknown_target"),
        (
            alert(14, json!({"alertname": "VcmFailed", "host": "tenant-1"})),
            "unknown_target",
        ),
        (
            alert(
                15,
                json!({"alertname": "HardserverDown", "host": "tenant-1", "module": "1"}),
            ),
            "unknown_target",
        ),
        (
            alert(
                16,
                json!({"alertname": "VcmFailed", "host": "tenant-1", "module": "1",
                       "instance": "tenant-2:9808"}),
            ),
            "unknown_target",
        ),
        (
            alert(
                17,
                json!({"alertname": "VcmFailed", "host": "tenant-1", "module": "1",
                       "esn": "3C4D-05E0-D947"}),
            ),
            "unknown_target",
        ),
        (
            alert(18, json!({"alertname": "DiskFull", "host": "somewhere"})),
            "no_tier",
        ),
        (alert(19, json!({"host": "tenant-1"})), "malformed"),
        (json!({"status": "firing", "labels": {}}), "malformed"),
        (json!("VcmFailed"), "malformed"),
        (json!(null), "malformed"),
    ];
    for (bad, reason) in table {
        let program = Program::new();
        let good = [failed(100, "1"), failed(101, "2")];
        let answer = program
            .post(body(&[good[0].clone(), bad.clone(), good[1].clone()]))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{bad}");
        assert_eq!(
            answer.json(),
            json!({"accepted": 2, "ignored": {reason: 1}}),
            "{bad}"
        );
        assert_eq!(program.known().len(), 2, "{bad}");
        let series = format!("vcm_remediator_alerts_ignored_total{{reason=\"{reason}\"}}");
        assert_eq!(program.metric(&series), 1.0);
    }
}

#[tokio::test]
async fn a_repeated_label_and_a_missing_fingerprint_make_an_alert_malformed() {
    let twice = body(&[failed(1, "1")]).replace(
        "\"host\":\"tenant-1\",\"module\"",
        "\"host\":\"tenant-1\",\"host\":\"tenant-2\",\"module\"",
    );
    let odd = body(&[failed(1, "1")]).replace("0000000000000001", "xyz");
    let none = body(&[failed(1, "1")]).replace("\"fingerprint\"", "\"finger\"");
    for text in [twice, odd, none] {
        let program = Program::new();
        let answer = program.post(text.clone()).await;
        assert_eq!(
            answer.json(),
            json!({"accepted": 0, "ignored": {"malformed": 1}}),
            "{text}"
        );
        assert_eq!(program.events().await, 0);
    }
}

#[tokio::test]
async fn labels_with_any_text_that_we_do_not_read_do_no_harm() {
    let program = Program::new();
    let labels = json!({
        "alertname": "VcmFailed", "instance": "tenant-1:9808", "module": "1",
        "job.name \"x\"": "a\nb\u{0}", "shell": "`reboot`; $(rm -rf /)", "long": "y".repeat(10_000),
    });
    let answer = program.post(body(&[alert(1, labels)])).await;
    assert_eq!(answer.json(), json!({"accepted": 1, "ignored": {}}));
}

#[tokio::test]
async fn duplicates_and_out_of_order_ends_change_nothing_twice() {
    let program = Program::new();
    let firing = failed(1, "1");
    let mut resolved = failed(1, "1");
    resolved["status"] = json!("resolved");
    resolved["endsAt"] = json!("2023-11-14T22:05:00Z");
    let mut again = failed(1, "1");
    again["startsAt"] = json!("2023-11-14T22:10:00Z");
    for (alert, events) in [
        (&resolved, 0),
        (&again, 1),
        (&again, 1),
        (&firing, 1),
        (&resolved, 1),
    ] {
        assert_eq!(
            program.post(body(std::slice::from_ref(alert))).await.status,
            StatusCode::OK
        );
        assert_eq!(program.events().await, events);
    }
    let host: HostName = "tenant-1".parse().unwrap();
    let states = program.app.store.load().await.unwrap();
    assert!(
        states.hosts[&host]
            .facts
            .values()
            .all(|fact| fact.valid(Duration::from_secs(60), NOW))
    );
}

#[tokio::test]
async fn a_thousand_copies_at_once_make_one_event() {
    let program = Program::new();
    let text = body(&[failed(1, "1")]);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let request = Request::post(WEBHOOK)
            .body(Body::from(text.clone()))
            .unwrap();
        let router = program.router.clone();
        tasks.spawn(async move { router.oneshot(request).await.unwrap().status() });
    }
    let statuses = tasks.join_all().await;
    assert!(
        statuses
            .iter()
            .all(|status| { [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(status) })
    );
    assert!(statuses.contains(&StatusCode::OK));
    assert_eq!(program.events().await, 1);
}

#[tokio::test]
async fn the_watchdog_is_recorded_and_is_no_incident() {
    let program = Program::new();
    let series = "vcm_remediator_last_watchdog_timestamp_seconds{sender=\"default\"}";
    assert_eq!(program.metric(series), 0.0);
    let mut watchdog = alert(1, json!({"alertname": "VcmRemediatorWatchdog"}));
    let answer = program.post(body(std::slice::from_ref(&watchdog))).await;
    assert_eq!(answer.json(), json!({"accepted": 1, "ignored": {}}));
    assert_eq!(program.metric(series), 1_700_000_000.0);
    let last = program.app.receiver.watchdog.last();
    assert_eq!(last, Some(Time::from_millis(1_700_000_000_000)));
    assert_eq!(program.known(), []);

    let program = Program::new();
    watchdog["status"] = json!("resolved");
    program.post(body(&[watchdog])).await;
    assert_eq!(program.app.receiver.watchdog.last(), None);
    assert_eq!(
        program.metric(series),
        0.0,
        "a watchdog that has ended proves nothing"
    );
}

#[tokio::test]
async fn alerts_that_were_cut_off_are_counted() {
    let program = Program::new();
    let text = body(&[failed(1, "1")]).replace("\"truncatedAlerts\":0", "\"truncatedAlerts\":7");
    assert_eq!(program.post(text).await.status, StatusCode::OK);
    let series = "vcm_remediator_alerts_ignored_total{reason=\"truncated\"}";
    assert_eq!(program.metric(series), 7.0);
}
