//! What the page says to people who may have to decide.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use nshield::ModuleState;
use serde_json::json;
use vcm_recovery::diagnosis::PATTERNS;
use vcm_recovery::event::{Change, EVENT_SCHEMA, Entry, Event};
use vcm_recovery::fleet::load::LoadOrder;
use vcm_recovery::ids::Epoch;
use vcm_recovery::inventory::Kind;
use vcm_recovery::observation::{NetworkLook, Observation, PathLook};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;

use crate::program::{Program, Setting, target};

async fn page(program: &Program) -> String {
    let request = Request::get("/").body(Body::empty()).unwrap();
    program.send(request).await.text
}

fn shows(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "{part:?} is not in {html}");
    }
}

#[tokio::test]
async fn the_page_shows_what_is_asked_whom_it_disrupts_and_the_command_that_answers() {
    let program = Program::start(Setting {
        mode: Mode::Approve,
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    program.fire().await;
    program
        .incident(|incident| incident["request"].is_object())
        .await;
    let html = page(&program).await;
    shows(
        &html,
        &[
            "<h3>tenant-1#1, about tenant-1/1</h3>",
            "<td>retry<td>nobody that is known of<td><code>nopclearfail -m1 -r</code>",
            "vcm-remediator approve &#39;tenant-1#1&#39; --rung retry --reason &#39;TEXT&#39;",
            "vcm-remediator deny &#39;tenant-1#1&#39;",
            "mode approve",
        ],
    );
    assert!(
        !html.contains("<form") && !html.contains("<script"),
        "{html}"
    );
    let approved = json!({"choice": "approve", "rung": "retry", "reason": "<b>seen</b>"});
    program
        .order("/api/v1/pause", json!({"reason": "not yet"}))
        .await;
    program
        .order("/api/v1/approvals/tenant-1/1", approved)
        .await;
    let html = page(&program).await;
    shows(&html, &["Answered by alice: &lt;b&gt;seen&lt;/b&gt;."]);
    assert!(!html.contains("--rung retry"), "{html}");
}

#[tokio::test]
async fn the_page_begins_with_what_holds_everything_up() {
    let program = Program::start(Setting {
        gap: Some(Duration::from_secs(48 * 3600)),
        ..Setting::default()
    })
    .await;
    for (path, body) in [
        (
            "/api/v1/pause",
            json!({"for": "2h", "reason": "<i>change</i>"}),
        ),
        (
            "/api/v1/hold",
            json!({"target": "tenant-1/2", "reason": "case"}),
        ),
    ] {
        assert_eq!(program.order(path, body).await.status.as_u16(), 200);
    }
    overloaded(&program);
    shows(
        &page(&program).await,
        &[
            "<b>A human is needed</b> for HSM hsm-a: load_hook since 2",
            "<b>Everything is paused</b> by alice until 2",
            "&lt;i&gt;change&lt;/i&gt;",
            "<b>tenant-1/2 is held</b> by alice until somebody ends it: case",
            "<b>Load</b> of HSM hsm-a, taken since ",
            "shed, the hook has not done it yet",
            "<b>The remediator did not run for 48 h</b>",
            "vcm-remediator confirm-gap",
        ],
    );
}

/// As if load were shed and the hook had failed, beside what the program knows already.
fn overloaded(program: &Program) {
    let mut fleet = (*program.app.board.fleet()).clone();
    let hsm = || "hsm-a".parse().unwrap();
    let changes = [
        Change::LoadShed(LoadOrder {
            hsm: hsm(),
            why: "test".to_owned(),
            hook: true,
        }),
        Change::PageRaised {
            reason: PageReason::LoadHook,
            text: "test".to_owned(),
            hsm: Some(hsm()),
        },
    ];
    for change in changes {
        fleet.apply(&Event {
            seq: 1,
            schema: EVENT_SCHEMA,
            time: program.app.clock.now(),
            epoch: Epoch(1),
            entry: Entry {
                host: None,
                target: None,
                incident: None,
                change,
            },
        });
    }
    program.app.board.publish_fleet(Arc::new(fleet));
}

#[tokio::test]
async fn the_page_shows_what_observe_mode_would_have_run() {
    let program = Program::start(Setting {
        mode: Mode::Observe,
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    program.fire().await;
    program
        .seen("/api/v1/incidents", |list| list["shadows"].get(0).cloned())
        .await;
    let expected = "<td>tenant-1/1<td>retry<td><code>nopclearfail -m1 -r</code><td>nobody";
    shows(
        &page(&program).await,
        &["What would have been run in the last two days", expected],
    );
}

/// The network of module 1 is down, as is the interface to it; its name is one that nobody would
/// give to an interface.
fn cut_off(seen: &mut Observation) {
    let one = seen.modules.get_mut(&target().module.unwrap()).unwrap();
    one.network = NetworkLook::Echo {
        sent: 5,
        replies: 0,
    };
    one.kind = Some(Kind::Nethsm);
    one.path = Some(PathLook {
        interface: Some("<img src=x onerror=alert(1)>".to_owned()),
        interface_up: Some(false),
        ..PathLook::default()
    });
}

#[tokio::test]
async fn page_and_api_show_what_is_seen_what_it_means_and_what_is_done() {
    let program = Program::start(Setting {
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    program.runner.script(|script| script.differs = cut_off);
    program.fire().await;
    let incident = program
        .incident(|incident| incident["diagnosis"]["looked_at"].is_i64())
        .await;
    let diagnosis = &incident["diagnosis"];
    let known = PATTERNS.iter().find(|known| known.name == "network_bad");
    let known = known.unwrap();
    assert_eq!(
        diagnosis["patterns"],
        json!([{"name": "network_bad", "seen": known.seen, "means": known.means, "so": known.so}])
    );
    assert_eq!(
        diagnosis["hints"],
        json!([
            "interface <img src=x onerror=alert(1)>, through which it is reached, is down",
            "3 clients are connected to the hardserver",
        ])
    );
    let drift = "module 1 is a nethsm on the host and a vcm in the inventory";
    assert_eq!(diagnosis["drift"], json!([drift]));
    let html = page(&program).await;
    shows(
        &html,
        &[
            "<b>Seen:</b> the VCM does not answer this host. <b>Means:</b> the network between, the \
             provider&#39;s host, an HSM that boots, or a VCM that is not started. <b>So:</b> nothing is run;",
            "<li>interface &lt;img src=x onerror=alert(1)&gt;, through which it is reached, is down",
            &format!("Not as in the inventory:</p><ul><li>{drift}</ul>"),
            "Looked at last 2",
        ],
    );
    assert!(!html.contains("<img"), "{html}");
}

#[tokio::test]
async fn the_diagnosis_goes_with_its_incident() {
    let program = Program::start(Setting {
        state: ModuleState::Failed,
        ..Setting::default()
    })
    .await;
    program.fire().await;
    program
        .incident(|incident| incident["diagnosis"]["patterns"][0]["name"] == "one_failed")
        .await;
    program
        .runner
        .script(|script| script.state = ModuleState::Operational);
    program
        .seen("/api/v1/incidents", |list| {
            (list["incidents"] == json!([])).then_some(())
        })
        .await;
    program
        .seen("/api/v1/incidents", |_| {
            program
                .app
                .board
                .diagnosis(&target())
                .is_none()
                .then_some(())
        })
        .await;
}
