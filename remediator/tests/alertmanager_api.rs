//! The client of Alertmanager's API against Debian's Alertmanager (package
//! prometheus-alertmanager): what the fakes of the unit tests answer is what it answers.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the Alertmanager under test is started here"
)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use vcm_recovery::time::Time;
use vcm_remediator::alertmanager::{Alertmanagers, Poller, PulledAlert, View};
use vcm_remediator::clock::SystemClock;
use vcm_remediator::config::alertmanager::Alertmanager;
use vcm_remediator::outward::{Call, Client, Limits, Trust};

const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";

const CONFIG: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An Alertmanager of its own, ended with this value.
struct Running {
    child: Child,
    address: String,
    client: Client,
    _directory: TempDir,
}

impl Running {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert!(
            Path::new(PROGRAM).exists(),
            "install the package prometheus-alertmanager"
        );
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("alertmanager.yml");
        std::fs::write(&config, CONFIG).unwrap();
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.route-prefix=/am")
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Self {
            child,
            address,
            client: Client::new(&Trust::Nobody, None).unwrap(),
            _directory: directory,
        };
        running.wait_until_ready().await;
        running
    }

    async fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while !self.succeeds(Method::GET, "/-/ready", Value::Null).await {
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
            assert!(begun.elapsed() < PATIENCE, "it is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn succeeds(&self, method: Method, path: &str, body: Value) -> bool {
        let json = HeaderValue::from_static("application/json");
        let call = Call {
            method,
            uri: format!("http://{}/am{path}", self.address).parse().unwrap(),
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
            body: body.to_string().into(),
        };
        let limits = Limits {
            timeout: PATIENCE,
            body: 1 << 20,
        };
        let answer = self.client.send(call, limits).await;
        answer.is_ok_and(|answer| answer.status.is_success())
    }

    async fn post(&self, path: &str, body: Value) {
        assert!(self.succeeds(Method::POST, path, body).await, "{path}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where a test has failed for that.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn alert(module: &str, ends_in: Duration) -> Value {
    json!({
        "labels": {"alertname": "VcmFailed", "host": "tenant-1", "module": module, "team": "hsm"},
        "startsAt": "2023-11-14T22:00:00.5Z",
        "endsAt": in_future(ends_in),
    })
}

fn in_future(span: Duration) -> String {
    (jiff::Timestamp::now() + span).to_string()
}

/// The view of a round that began after this call.
async fn view(alertmanagers: &Alertmanagers) -> Arc<View> {
    let mut newest = alertmanagers.subscribe();
    let last = newest.borrow_and_update().view.clone();
    alertmanagers.ask_now();
    let newer = newest.wait_for(|newest| {
        let fetched = |view: &Arc<View>| view.fetched_at;
        newest.view.as_ref().map(fetched) > last.as_ref().map(fetched)
    });
    let newest = tokio::time::timeout(PATIENCE, newer).await.unwrap();
    let view = newest.unwrap().view.clone().unwrap();
    assert!(view.problems.is_empty(), "{:?}", view.problems);
    view
}

fn by_module(view: &View, module: &str) -> PulledAlert {
    let found = view
        .alerts
        .iter()
        .find(|pulled| pulled.alert.labels["module"] == module);
    found.unwrap().clone()
}

#[tokio::test]
async fn alerts_and_silences_of_a_real_alertmanager_are_seen() {
    let running = Running::start().await;
    let hour = Duration::from_secs(3600);
    let held = [alert("1", hour), alert("2", hour)];
    running.post("/api/v2/alerts", json!(held)).await;
    let config = Alertmanager {
        urls: vec![format!("http://{}/am/", running.address).parse().unwrap()],
        matchers: vec!["team=\"hsm\"".to_owned(), "host=~\"tenant-.*\"".to_owned()],
        receiver: Some("no.*".to_owned()),
        timeout: PATIENCE,
        interval: 2 * PATIENCE,
        credentials: None,
        trust: Trust::Nobody,
    };
    let clock = Arc::new(SystemClock::resume(None, None));
    let (poller, alertmanagers) = Poller::new(&config, clock).unwrap();
    let mut polling = JoinSet::new();
    polling.spawn(async move { match poller.run().await {} });

    let both = view(&alertmanagers).await;
    assert_eq!(both.alerts.len(), 2, "{both:#?}");
    let first = by_module(&both, "1");
    assert!(first.alert.firing);
    assert_eq!(first.alert.starts_at, Time::from_millis(1_699_999_200_500));
    assert!(first.updated_at.is_some() && first.expires_at > first.updated_at);
    assert_eq!(first.silenced_by, BTreeSet::new());

    // Somebody wants no news of module 1; module 2 recovers.
    let silence = json!({
        "matchers": [
            {"name": "module", "value": "1", "isRegex": false, "isEqual": true},
        ],
        "startsAt": in_future(Duration::ZERO),
        "endsAt": in_future(hour),
        "createdBy": "operator",
        "comment": "firmware",
    });
    running.post("/api/v2/silences", silence).await;
    running
        .post("/api/v2/alerts", json!([alert("2", Duration::ZERO)]))
        .await;
    let begun = Instant::now();
    loop {
        let now = view(&alertmanagers).await;
        let silenced = by_module(&now, "1").silenced_by.len() == 1;
        if silenced && now.alerts.len() == 1 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{now:#?}");
    }
}

#[tokio::test]
async fn a_matcher_that_it_does_not_understand_is_a_problem_with_its_words() {
    let running = Running::start().await;
    let config = Alertmanager {
        urls: vec![format!("http://{}/am", running.address).parse().unwrap()],
        matchers: vec!["not a matcher".to_owned()],
        receiver: None,
        timeout: PATIENCE,
        interval: 2 * PATIENCE,
        credentials: None,
        trust: Trust::Nobody,
    };
    let clock = Arc::new(SystemClock::resume(None, None));
    let (poller, alertmanagers) = Poller::new(&config, clock).unwrap();
    let mut newest = alertmanagers.subscribe();
    tokio::select! {
        never = poller.run() => match never {},
        changed = newest.changed() => changed.unwrap(),
    }
    let peers = alertmanagers.newest().peers;
    let problem = peers[0].problem.as_ref().unwrap().to_string();
    assert!(
        problem.starts_with("the answer was 400 Bad Request: "),
        "{problem}"
    );
    assert!(problem.contains("not a matcher"), "{problem}");
}
