//! Many open incidents: the list and the page are made while they are sent.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{Request, header};
use nshield::ModuleNumber;
use serde_json::Value;
use tower::ServiceExt as _;
use vcm_recovery::event::{Ruling, RungVerdict};
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Incident, Shadow, Standing};
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use crate::program::{NOW, Program};

const HOSTS: u16 = 300;
const MODULES: u16 = 10;

/// No piece is ever larger, however many incidents are open: that of one host and a little.
const PIECE_MAX: usize = 128 * 1024;

fn target(host: u16, module: u16) -> Target {
    let host = format!("tenant-{host:03}").parse().unwrap();
    Target::module(host, ModuleNumber::try_from(module).unwrap())
}

fn at(seconds: u16) -> Time {
    Time::from_millis(NOW.as_millis() + i64::from(seconds) * 1000)
}

/// A host of which every module is in trouble and was left alone for many reasons.
fn troubled(host: u16) -> HostState {
    let mut state = HostState::new(target(host, 1).host);
    for module in 1..=MODULES {
        let target = target(host, module);
        let mut incident = Incident::open(target.clone(), NOW);
        incident.standing = Standing::Waiting(Rung::Retry);
        let verdict = |guard| RungVerdict {
            rung: Rung::Retry,
            guard,
            verdict: Verdict::refuse(format!("not now, {}", "because ".repeat(20))),
        };
        incident.ruling = Some(Arc::new(Ruling {
            standing: incident.standing,
            observation: None,
            verdicts: Guard::ALL.into_iter().take(8).map(verdict).collect(),
        }));
        state.shadows.push(Shadow {
            incident: incident.id.clone(),
            target: target.clone(),
            rung: Rung::Retry,
            steps: Vec::new(),
            asks: Vec::new(),
            at: at(host),
            until: at(host + 60),
        });
        state.incidents.insert(target, incident);
    }
    state
}

fn program() -> Program {
    let program = Program::new();
    for host in 0..HOSTS {
        program.app.board.publish(Arc::new(troubled(host)));
    }
    program
}

async fn asked(program: &Program, path: &str) -> Body {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = program.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers().get(header::CONTENT_LENGTH), None);
    response.into_body()
}

async fn piece(body: &mut Body) -> Option<Bytes> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    frame.unwrap().into_data().ok()
}

/// Reads to the end, and looks at the size of each piece.
async fn read_on(body: &mut Body, mut read: Vec<u8>) -> String {
    while let Some(piece) = piece(body).await {
        assert!(piece.len() <= PIECE_MAX, "{} bytes at once", piece.len());
        read.extend_from_slice(&piece);
    }
    String::from_utf8(read).unwrap()
}

fn targets(list: &Value, key: &str) -> Vec<Target> {
    let all = list[key].as_array().unwrap().iter();
    all.map(|one| serde_json::from_value(one["target"].clone()).unwrap())
        .collect()
}

#[tokio::test]
async fn every_open_incident_is_listed_once_and_never_all_of_them_in_one_place() {
    let program = program();
    let mut body = asked(&program, "/api/v1/incidents").await;
    let text = read_on(&mut body, Vec::new()).await;
    assert!(text.len() > 20 * PIECE_MAX, "{} bytes in all", text.len());
    let list: Value = serde_json::from_str(&text).unwrap();
    let keys: BTreeSet<&str> = list
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        BTreeSet::from(["holds", "incidents", "shadows", "time"])
    );
    assert_eq!(list["time"], NOW.as_millis());
    let all = |hosts: &mut dyn Iterator<Item = u16>| -> Vec<Target> {
        let modules = hosts.flat_map(|host| (1..=MODULES).map(move |module| (host, module)));
        modules.map(|(host, module)| target(host, module)).collect()
    };
    assert_eq!(targets(&list, "incidents"), all(&mut (0..HOSTS)));
    assert_eq!(targets(&list, "shadows"), all(&mut (0..HOSTS).rev()));
}

#[tokio::test]
async fn the_page_shows_every_open_incident_once_and_never_all_of_them_in_one_place() {
    let program = program();
    let mut body = asked(&program, "/").await;
    let text = read_on(&mut body, Vec::new()).await;
    assert!(text.len() > 20 * PIECE_MAX, "{} bytes in all", text.len());
    for host in 0..HOSTS {
        let heading = format!("<h3>{}: waiting</h3>", target(host, 10));
        assert_eq!(text.matches(&heading).count(), 1, "{heading}");
    }
    assert!(text.ends_with("</html>\n"));
}

#[tokio::test]
async fn who_reads_slowly_keeps_no_state_and_sees_each_host_as_it_is_then() {
    let program = program();
    let mut body = asked(&program, "/api/v1/incidents").await;
    let first = piece(&mut body).await.unwrap();
    let (board, last) = (&program.app.board, target(HOSTS - 1, 1));
    let mut state = Arc::new(troubled(HOSTS - 1));
    board.publish(Arc::clone(&state));
    let place = Arc::as_ptr(&state);
    board.change(&mut state, |state| {
        state.incidents.retain(|target, _| *target == last);
    });
    assert_eq!(Arc::as_ptr(&state), place, "nobody else holds it");
    let text = read_on(&mut body, first.to_vec()).await;
    let list: Value = serde_json::from_str(&text).unwrap();
    let shown = targets(&list, "incidents");
    assert_eq!(shown.len(), usize::from((HOSTS - 1) * MODULES) + 1);
    assert_eq!(shown.last(), Some(&last));
}
