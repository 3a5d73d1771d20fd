//! What else the router answers: readiness, events, metrics, the page.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use nshield::ModuleNumber;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vcm_recovery::event::{Ruling, RungVerdict};
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Incident, Standing};
use vcm_recovery::inventory::Target;
use vcm_recovery::page::PageReason;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::verdict::Verdict;
use vcm_remediator::web::Part;

use crate::program::{NOW, Program, body, failed};

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let program = Program::new();
    assert_eq!(program.get("/-/healthy").await.status, StatusCode::OK);
    let answer = program.get("/-/ready").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.text,
        "store: has not started yet\nengine: has not started yet\n"
    );
    program.app.readiness.ready(Part::Store);
    program.app.readiness.ready(Part::Engine);
    assert_eq!(program.get("/-/ready").await.status, StatusCode::OK);
    program
        .app
        .readiness
        .unready(Part::Store, "has ended unexpectedly");
    assert_eq!(
        program.get("/-/ready").await.text,
        "store: has ended unexpectedly\n"
    );
}

#[tokio::test]
async fn events_are_read_in_portions_and_bad_questions_get_an_answer() {
    let program = Program::new();
    let alerts: Vec<Value> = (1..=3).map(|number| failed(number, "1")).collect();
    program.post(body(&alerts)).await;
    let answer = program.get("/api/v1/events?after=1&limit=1").await;
    let events = answer.json()["events"].clone();
    assert_eq!(events.as_array().unwrap().len(), 1);
    let event = &events[0];
    assert_eq!(
        (&event["seq"], &event["kind"]),
        (&json!(2), &json!("FactChanged"))
    );
    assert_eq!(event["target"], json!({"host": "tenant-1", "module": 1}));
    assert_eq!(event["body"]["name"], "VcmFailed");
    assert_eq!(event["time"], NOW.as_millis());
    for bad in ["after=-1", "limit=many", "from=1"] {
        let answer = program.get(&format!("/api/v1/events?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let program = Program::new();
    for (accept, kind, last) in [
        (
            "text/plain",
            "text/plain; version=0.0.4; charset=utf-8",
            false,
        ),
        (
            "application/openmetrics-text;version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            true,
        ),
    ] {
        let request = Request::get("/metrics").header(header::ACCEPT, accept);
        let request = request.body(Body::empty()).unwrap();
        let response = program.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], kind);
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(bytes.ends_with(b"# EOF\n"), last);
    }
}

#[tokio::test]
async fn metrics_are_compressed_for_those_who_accept_it() {
    let program = Program::new();
    let request = Request::get("/metrics").header(header::ACCEPT_ENCODING, "gzip");
    let request = request.body(Body::empty()).unwrap();
    let response = program.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
}

#[tokio::test]
async fn the_page_tells_of_incidents_and_escapes_what_it_shows() {
    let program = Program::new();
    let target = Target::module(
        "tenant-1".parse().unwrap(),
        ModuleNumber::try_from(1).unwrap(),
    );
    let mut state = HostState::new(target.host.clone());
    let mut incident = Incident::open(target.clone(), NOW);
    incident.standing = Standing::Waiting(Rung::Retry);
    let reason = "no reply from <img src=x onerror=alert(1)> & \"co\"";
    let until = NOW.after(Duration::from_secs(60));
    let verdicts = vec![RungVerdict {
        rung: Rung::Retry,
        guard: Guard::NetworkBad,
        verdict: Verdict::refuse_until(until, reason),
    }];
    incident.ruling = Some(Arc::new(Ruling {
        standing: incident.standing,
        observation: None,
        verdicts,
    }));
    state
        .pages
        .insert((target.clone(), PageReason::NetworkBad), NOW);
    state.incidents.insert(target, incident);
    program.app.board.publish(Arc::new(state));

    let page = program.get("/").await.text;
    for expected in [
        "<h3>tenant-1/1 (payments &lt;1&gt;): waiting</h3>",
        "<td>retry<td>network_bad<td>refuse\
         <td>no reply from &lt;img src=x onerror=alert(1)&gt; &amp; &quot;co&quot;\
         <td>2023-11-14T22:14:20Z",
        "<b>A human is needed</b> for tenant-1/1: network_bad since 2023-11-14T22:13:20Z",
        "Not ready: engine has not started yet",
        "<tr><td>tenant-2<td>",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    assert!(!page.contains("<img") && !page.contains("<script"));

    let list = program.get("/api/v1/incidents").await.json();
    let shown = &list["incidents"][0];
    assert_eq!(shown["state"], "waiting");
    assert_eq!(shown["verdicts"][0]["guard"], "network_bad");
    assert_eq!(shown["verdicts"][0]["reason"], reason);
    assert_eq!(shown["verdicts"][0]["until"], until.as_millis());
    assert_eq!(shown["pages"], json!({"network_bad": NOW.as_millis()}));
}
