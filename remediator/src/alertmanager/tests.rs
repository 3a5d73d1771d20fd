use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;
use crate::clock::ManualClock;
use crate::config::alertmanager::Alertmanager;
use crate::outward::tests::{Fake, nobody};
use crate::outward::{Credentials, Trust};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

const START: Time = Time::from_millis(1_700_000_000_000);

/// What the fake does when it is asked.
#[derive(Clone, Debug)]
enum Plan {
    Answer(u16, String),
    Redirect,
    Hang,
}

/// An Alertmanager as far as it is asked here.
#[derive(Debug)]
struct Held {
    plan: Mutex<Plan>,
    asked: Mutex<Vec<String>>,
    token: Mutex<Option<String>>,
    arrived: Notify,
}

impl Held {
    async fn start(plan: Plan) -> (Arc<Self>, Fake) {
        let held = Arc::new(Self {
            plan: Mutex::new(plan),
            asked: Mutex::default(),
            token: Mutex::default(),
            arrived: Notify::new(),
        });
        let router = Router::new().fallback(answer).with_state(held.clone());
        (held, Fake::start(router).await)
    }

    fn now_does(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(held): State<Arc<Held>>, uri: Uri, headers: HeaderMap) -> Response {
    let token = headers.get("authorization");
    *held.token.lock().unwrap() = token.map(|token| token.to_str().unwrap().to_owned());
    held.asked.lock().unwrap().push(uri.to_string());
    held.arrived.notify_one();
    let plan = held.plan.lock().unwrap().clone();
    match plan {
        Plan::Answer(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Plan::Redirect => Redirect::temporary("/login").into_response(),
        Plan::Hang => std::future::pending().await,
    }
}

fn alert(fingerprint: &str, module: &str, silences: &[&str]) -> Value {
    json!({
        "fingerprint": fingerprint,
        "labels": {"alertname": "VcmFailed", "host": "tenant-1", "module": module},
        "startsAt": "2023-11-14T22:00:00.000Z",
        "endsAt": "2023-11-14T22:17:20.000Z",
        "updatedAt": "2023-11-14T22:13:20.000Z",
        "status": {"state": "active", "silencedBy": silences, "inhibitedBy": []},
    })
}

fn holds(alerts: &[Value]) -> Plan {
    Plan::Answer(200, Value::from(alerts.to_vec()).to_string())
}

fn config(urls: &[String]) -> Alertmanager {
    Alertmanager {
        urls: urls.iter().map(|url| url.parse().unwrap()).collect(),
        matchers: Vec::new(),
        receiver: None,
        timeout: PATIENCE,
        interval: 10 * PATIENCE,
        credentials: None,
        trust: Trust::Nobody,
    }
}

/// A poller that runs for as long as this value lives.
struct Running {
    alertmanagers: Alertmanagers,
    newest: watch::Receiver<Newest>,
    clock: Arc<ManualClock>,
    _running: JoinSet<()>,
}

impl Running {
    fn start(config: &Alertmanager) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let (poller, alertmanagers) = Poller::new(config, clock.clone()).unwrap();
        let newest = alertmanagers.subscribe();
        let mut running = JoinSet::new();
        running.spawn(async move { match poller.run().await {} });
        Self {
            alertmanagers,
            newest,
            clock,
            _running: running,
        }
    }

    /// What is known after the round that is under way.
    async fn after_a_round(&mut self) -> Newest {
        tokio::time::timeout(PATIENCE, self.newest.changed())
            .await
            .unwrap()
            .unwrap();
        self.newest.borrow_and_update().clone()
    }
}

fn problem(newest: &Newest) -> &PeerError {
    newest.peers[0].problem.as_deref().unwrap()
}

#[tokio::test]
async fn all_that_fires_is_asked_for_and_becomes_a_view() {
    let (held, fake) = Held::start(holds(&[alert("00000000000000ff", "1", &["s1"])])).await;
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "w").unwrap();
    let mut running = Running::start(&Alertmanager {
        matchers: vec!["team=\"hsm\"".to_owned(), "a=~\"b|ü\"".to_owned()],
        receiver: Some("vcm.*".to_owned()),
        credentials: Some(Credentials::Basic {
            username: "u".to_owned(),
            password_file: password.path().to_owned(),
        }),
        ..config(&[fake.url("/am/")])
    });
    assert!(
        running.alertmanagers.view(START).is_none(),
        "nobody has answered"
    );
    let newest = running.after_a_round().await;
    assert_eq!(
        held.asked(),
        [
            "/am/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=false\
          &receiver=vcm.%2A&filter=team%3D%22hsm%22&filter=a%3D~%22b%7C%C3%BC%22"
        ]
    );
    assert_eq!(held.token.lock().unwrap().as_deref(), Some("Basic dTp3"));
    let view = newest.view.unwrap();
    assert_eq!((view.fetched_at, view.problems.len()), (START, 0));
    assert_eq!(view.alerts.len(), 1);
    assert_eq!(view.alerts[0].silenced_by.len(), 1);
    assert_eq!(newest.peers[0].host, fake.address.to_string());
    assert_eq!(newest.peers[0].answered_at, Some(START));
}

#[tokio::test]
async fn an_answer_counts_for_two_intervals() {
    let (_held, fake) = Held::start(holds(&[])).await;
    let mut running = Running::start(&config(&[fake.url("")]));
    running.after_a_round().await;
    let last = START.after(20 * PATIENCE);
    assert!(running.alertmanagers.view(last).is_some());
    assert!(
        running
            .alertmanagers
            .view(last.after(Duration::from_millis(1)))
            .is_none()
    );
    assert!(running.alertmanagers.newest().view.is_some());
}

#[tokio::test]
async fn it_is_asked_at_once_when_that_is_wanted() {
    let (held, fake) = Held::start(holds(&[])).await;
    let mut running = Running::start(&config(&[fake.url("")]));
    assert_eq!(running.after_a_round().await.view.unwrap().alerts.len(), 0);
    held.now_does(holds(&[alert("00000000000000ff", "1", &[])]));
    running.clock.advance(Duration::from_secs(5));
    running.alertmanagers.ask_now();
    running.alertmanagers.ask_now();
    let view = running.after_a_round().await.view.unwrap();
    assert_eq!(view.alerts.len(), 1);
    assert_eq!(view.fetched_at, START.after(Duration::from_secs(5)));
    assert_eq!(held.asked().len(), 2);
}

#[tokio::test]
async fn who_does_not_answer_leaves_the_view_as_old_as_it_is() {
    let (held, fake) = Held::start(holds(&[alert("00000000000000ff", "1", &[])])).await;
    let mut running = Running::start(&config(&[fake.url("")]));
    running.after_a_round().await;
    held.now_does(Plan::Answer(503, "no\n".to_owned()));
    running.clock.advance(Duration::from_secs(5));
    running.alertmanagers.ask_now();
    let newest = running.after_a_round().await;
    assert_eq!(
        problem(&newest).to_string(),
        "the answer was 503 Service Unavailable: no"
    );
    let view = newest.view.as_ref().unwrap();
    assert_eq!((view.fetched_at, view.alerts.len()), (START, 1));
    assert_eq!(newest.peers[0].answered_at, Some(START));

    // Long before the interval is over.
    held.now_does(holds(&[]));
    let newest = running.after_a_round().await;
    assert!(newest.peers[0].problem.is_none());
    assert_eq!(newest.view.unwrap().alerts.len(), 0);
}

#[tokio::test]
async fn what_any_peer_holds_counts_and_each_has_its_own_status() {
    let one = [
        alert("00000000000000aa", "1", &[]),
        alert("00000000000000bb", "2", &["s"]),
    ];
    let other = [alert("00000000000000aa", "1", &["t"]), json!({"bad": true})];
    let (_one, first) = Held::start(holds(&one)).await;
    let (_other, second) = Held::start(holds(&other)).await;
    let third = nobody().await;
    let urls = [first.url(""), second.url(""), format!("http://{third}")];
    let newest = Running::start(&config(&urls)).after_a_round().await;
    let view = newest.view.unwrap();
    let silences: Vec<usize> = view.alerts.iter().map(|a| a.silenced_by.len()).collect();
    assert_eq!(silences, [1, 1]);
    let answered: Vec<bool> = newest
        .peers
        .iter()
        .map(|p| p.answered_at.is_some())
        .collect();
    assert_eq!(answered, [true, true, false]);
    let hosts: Vec<&str> = view.problems.iter().map(|p| p.host.as_str()).collect();
    assert_eq!(hosts, [second.address.to_string(), third.to_string()]);
    assert!(matches!(
        *view.problems[0].error,
        PeerError::Unreadable { alerts: 1, .. }
    ));
    assert!(matches!(*view.problems[1].error, PeerError::NoAnswer(_)));
}

#[tokio::test]
async fn what_is_no_answer_makes_no_view() {
    let huge = format!("[{}]", " ".repeat(fetch::ANSWER_MAX));
    for (plan, expected) in [
        (Plan::Redirect, "the answer was 307 Temporary Redirect: "),
        (
            Plan::Answer(401, String::new()),
            "the answer was 401 Unauthorized: ",
        ),
        (
            Plan::Answer(200, "<html>".to_owned()),
            "the answer is no list of alerts",
        ),
        (
            Plan::Answer(200, huge),
            "the answer was cut short after 67108864 bytes",
        ),
    ] {
        let (_held, fake) = Held::start(plan).await;
        let newest = Running::start(&config(&[fake.url("")]))
            .after_a_round()
            .await;
        assert_eq!(problem(&newest).to_string(), expected);
        assert!(newest.view.is_none(), "{expected}");
    }
}

#[tokio::test]
async fn a_peer_that_hangs_keeps_nobody_from_being_heard() {
    let (_held, hanging) = Held::start(Plan::Hang).await;
    let (_other, answering) = Held::start(holds(&[])).await;
    let urls = [hanging.url(""), answering.url("")];
    let mut running = Running::start(&Alertmanager {
        timeout: Duration::from_secs(2),
        ..config(&urls)
    });
    let newest = running.after_a_round().await;
    assert_eq!(
        vcm_telemetry::logging::chain(problem(&newest)),
        "no answer: no answer within 2s"
    );
    assert!(newest.view.is_some());
}

#[tokio::test]
async fn it_may_be_dropped_while_it_asks() {
    let (held, fake) = Held::start(Plan::Hang).await;
    let clock = Arc::new(ManualClock::at(START));
    let (poller, alertmanagers) = Poller::new(&config(&[fake.url("")]), clock).unwrap();
    tokio::select! {
        never = poller.run() => match never {},
        () = held.arrived.notified() => {}
    }
    assert!(alertmanagers.newest().view.is_none());
    alertmanagers.ask_now();
}

#[test]
fn facts_are_those_about_targets_of_the_inventory() {
    let (inventory, policy) = (inventory(), Policy::default());
    let known = alert("00000000000000aa", "1", &["s"]);
    let unknown = alert("00000000000000bb", "9", &[]);
    let (alerts, _) = answer::read(json!([known, unknown]).to_string().as_bytes()).unwrap();
    let view = View {
        fetched_at: START,
        alerts,
        problems: Vec::new(),
    };
    let facts: Vec<(Fact, &PulledAlert)> = view.facts(&inventory, &policy).collect();
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].0.target.to_string(), "tenant-1/1");
    assert_eq!(facts[0].0.delivered_at, START);
    assert!(!facts[0].1.silenced_by.is_empty());
}

fn inventory() -> Inventory {
    let text = "inventory: {hosts: [{name: tenant-1, modules: [{number: 1}]}]}\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    crate::config::Config::load(file.path()).unwrap().inventory
}
