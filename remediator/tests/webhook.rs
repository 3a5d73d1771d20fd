//! The webhook through the whole router: what Alertmanager and anybody else may send.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode, header};
use nshield::ModuleNumber;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vcm_recovery::alert::Fact;
use vcm_recovery::event::{Entry, Event, Ruling, RungVerdict};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, HostName};
use vcm_recovery::incident::{Incident, Standing};
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry, Target};
use vcm_recovery::observation::Observation;
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{Budgets, Policy};
use vcm_recovery::state::HostState;
use vcm_recovery::step::Platform;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;
use vcm_remediator::board::Board;
use vcm_remediator::clock::{Clock, ManualClock};
use vcm_remediator::config::operators::Operators;
use vcm_remediator::metrics::{Format, Metrics};
use vcm_remediator::store::chain::ChainHead;
use vcm_remediator::store::counted::Counted;
use vcm_remediator::store::open::open;
use vcm_remediator::store::ownership::NotOwner;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{Loaded, Pending, Reservation, Store, StoreError, StoreIdentity};
use vcm_remediator::web::{App, Part, Readiness, Recent, router};
use vcm_remediator::webhook::auth::Token;
use vcm_remediator::webhook::{BODY_MAX, Deliver, Receiver};

/// 2023-11-14T22:13:20Z
const NOW: Time = Time::from_millis(1_700_000_000_000);

const WEBHOOK: &str = "/api/v1/alerts/webhook";

#[derive(Default)]
struct Delivered {
    facts: Mutex<Vec<Fact>>,
    events: Mutex<Vec<Event>>,
}

impl Deliver for Delivered {
    fn deliver(&self, facts: Vec<Fact>, events: Vec<Event>) {
        self.facts.lock().unwrap().extend(facts);
        self.events.lock().unwrap().extend(events);
    }
}

/// A real store whose disk can be broken.
struct Breakable {
    store: SqliteStore,
    broken: Arc<AtomicBool>,
}

impl Store for Breakable {
    fn identity(&self) -> StoreIdentity {
        self.store.identity()
    }

    fn ownership(&self) -> Result<(), NotOwner> {
        self.store.ownership()
    }

    fn head(&self) -> Pending<'_, ChainHead> {
        self.store.head()
    }

    fn accept(&self, facts: Vec<Fact>) -> Pending<'_, Vec<Event>> {
        if self.broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Busy) });
        }
        self.store.accept(facts)
    }

    fn append(&self, entries: Vec<Entry>) -> Pending<'_, Vec<Event>> {
        self.store.append(entries)
    }

    fn reserve(&self, entry: Entry, budgets: Budgets) -> Pending<'_, Reservation> {
        self.store.reserve(entry, budgets)
    }

    fn accounts_for(&self, attempt: AttemptId, ordered_by: Epoch) -> Pending<'_, bool> {
        self.store.accounts_for(attempt, ordered_by)
    }

    fn keep_observation(&self, host: &HostName, observation: &Observation) -> Pending<'_, ()> {
        self.store.keep_observation(host, observation)
    }

    fn load(&self) -> Pending<'_, Loaded> {
        self.store.load()
    }

    fn events_after(&self, seq: u64, limit: u32) -> Pending<'_, Vec<Event>> {
        self.store.events_after(seq, limit)
    }
}

/// The program without its engine.
struct Program {
    router: Router,
    app: Arc<App>,
    delivered: Arc<Delivered>,
    broken: Arc<AtomicBool>,
    _directory: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

fn inventory() -> Inventory {
    let module = |esn: &str| ModuleEntry {
        esn: Some(esn.parse().unwrap()),
        kind: Kind::Vcm,
        hsm: Some("hsm-a".parse().unwrap()),
        name: Some("payments <1>".to_owned()),
    };
    let host = |name: &str, modules: &[(u16, &str)]| HostEntry {
        name: name.parse().unwrap(),
        instance: Some(format!("{name}:9808").parse().unwrap()),
        platform: Platform::Linux,
        mode: None,
        modules: modules
            .iter()
            .map(|(number, esn)| (ModuleNumber::try_from(*number).unwrap(), module(esn)))
            .collect(),
    };
    let hosts = [
        host("tenant-1", &[(1, "1A2B-05E0-D947"), (2, "2B3C-05E0-D947")]),
        host("tenant-2", &[(1, "3C4D-05E0-D947")]),
    ];
    Inventory {
        hosts: hosts
            .into_iter()
            .map(|host| (host.name.clone(), host))
            .collect(),
    }
}

impl Program {
    fn new() -> Self {
        Self::with(None)
    }

    fn with(token: Option<Token>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
        let opened = open(&directory.path().join("store.sqlite")).unwrap();
        let store = SqliteStore::start(opened, Arc::clone(&clock)).unwrap();
        let (inventory, policy) = (Arc::new(inventory()), Arc::new(Policy::default()));
        let board = Arc::new(Board::default());
        let metrics = Arc::new(Metrics::new(&inventory, &policy, &board, &clock));
        let broken = Arc::new(AtomicBool::new(false));
        let breakable = Breakable {
            store,
            broken: Arc::clone(&broken),
        };
        let store: Arc<dyn Store> = Arc::new(Counted::new(breakable, Arc::clone(&metrics)));
        let delivered = Arc::new(Delivered::default());
        let receiver = Receiver {
            inventory: Arc::clone(&inventory),
            policy: Arc::clone(&policy),
            clock: Arc::clone(&clock),
            store: Arc::clone(&store),
            deliver: OnceLock::from(delivered.clone() as Arc<dyn Deliver>),
            metrics: Arc::clone(&metrics),
            watchdog: Arc::default(),
            alertmanagers: None,
            body_max: BODY_MAX,
            token,
        };
        let app = Arc::new(App {
            receiver: Arc::new(receiver),
            board,
            recent: Arc::new(Recent::default()),
            metrics,
            store,
            readiness: Arc::new(Readiness::starting()),
            inventory,
            policy,
            clock,
            operators: Operators::default(),
            orders: OnceLock::new(),
            address: "127.0.0.1:9809".parse().unwrap(),
        });
        let router = router(Arc::clone(&app));
        Self {
            router,
            app,
            delivered,
            broken,
            _directory: directory,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer {
            status,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn post(&self, body: impl Into<Body>) -> Answer {
        self.send(Request::post(WEBHOOK).body(body.into()).unwrap())
            .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// The value of a series, by its exact name and labels.
    fn metric(&self, series: &str) -> f64 {
        let body = self.app.metrics.exposition(Format::Text).unwrap();
        let line = body
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.unwrap_or_else(|| panic!("no {series} in\n{body}"))
            .parse()
            .unwrap()
    }

    fn facts(&self) -> Vec<Fact> {
        self.delivered.facts.lock().unwrap().clone()
    }

    async fn events(&self) -> usize {
        self.app.store.events_after(0, 100_000).await.unwrap().len()
    }
}

fn alert(number: u64, labels: Value) -> Value {
    json!({
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "a VCM <has> failed"},
        "startsAt": "2023-11-14T22:00:00.5Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph?g0.expr=up",
        "fingerprint": format!("{number:016x}"),
    })
}

fn failed(number: u64, module: &str) -> Value {
    alert(
        number,
        json!({"alertname": "VcmFailed", "host": "tenant-1", "module": module}),
    )
}

fn body(alerts: &[Value]) -> String {
    let body = json!({
        "receiver": "vcm-remediator",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": {"host": "tenant-1"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": "{}:{host=\"tenant-1\"}",
        "truncatedAlerts": 0,
        "notification_reason": "first notification",
        "routeLabels": {},
    });
    format!("{body}\n")
}

#[tokio::test]
async fn an_alert_of_a_known_module_is_stored_before_it_is_answered_and_delivered() {
    let program = Program::new();
    let answer = program.post(body(&[failed(1, "1")])).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"accepted": 1, "ignored": {}}));
    assert_eq!(program.events().await, 1);
    let facts = program.facts();
    assert_eq!(facts.len(), 1);
    let target = Target::module(
        "tenant-1".parse().unwrap(),
        ModuleNumber::try_from(1).unwrap(),
    );
    assert_eq!(
        (&facts[0].target, facts[0].tier),
        (&target, Some(Tier::Retry))
    );
    assert_eq!(facts[0].delivered_at, NOW);
    assert_eq!(program.delivered.events.lock().unwrap().len(), 1);
    assert_eq!(program.metric("vcm_remediator_webhooks_total"), 1.0);
    assert_eq!(program.metric("vcm_remediator_alerts_total"), 1.0);
    assert_eq!(
        program.metric("vcm_remediator_webhook_duration_seconds_count"),
        1.0
    );
}

#[tokio::test]
async fn bodies_that_can_never_work_are_refused_with_a_reason_and_counted() {
    let version = body(&[]).replace("\"version\":\"4\"", "\"version\":\"3\"");
    let table = [
        (
            "{\"version\": \"4\", \"alerts\": [",
            StatusCode::BAD_REQUEST,
            "malformed",
            "line 1",
        ),
        (
            "not json",
            StatusCode::BAD_REQUEST,
            "malformed",
            "line 1 column 2",
        ),
        (
            version.as_str(),
            StatusCode::BAD_REQUEST,
            "version",
            "\"3\"",
        ),
        (
            "{\"text\": \"a VCM failed\"}",
            StatusCode::UNPROCESSABLE_ENTITY,
            "payload",
            "payload",
        ),
        ("[]", StatusCode::UNPROCESSABLE_ENTITY, "payload", "payload"),
        ("", StatusCode::BAD_REQUEST, "malformed", "EOF"),
    ];
    for (text, status, reason, said) in table {
        let program = Program::new();
        let answer = program.post(text.to_owned()).await;
        assert_eq!(answer.status, status, "{text}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(said), "{text}: {error}");
        let series = format!("vcm_remediator_webhooks_rejected_total{{reason=\"{reason}\"}}");
        assert_eq!(program.metric(&series), 1.0);
        assert_eq!(program.events().await, 0);
    }
}

#[tokio::test]
async fn a_body_of_20_megabytes_is_refused_with_a_reason_whether_announced_or_not() {
    let large = vec![b' '; 20 << 20];
    for announced in [true, false] {
        let program = Program::new();
        let request = Request::post(WEBHOOK);
        let request = if announced {
            request.header(header::CONTENT_LENGTH, large.len())
        } else {
            request
        };
        let answer = program
            .send(request.body(Body::from(large.clone())).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(answer.text.contains("16777216 bytes"), "{}", answer.text);
        let series = "vcm_remediator_webhooks_rejected_total{reason=\"too_large\"}";
        assert_eq!(program.metric(series), 1.0);
    }
}

/// A body of which nothing ever arrives.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let program = Program::new();
    let answer = program.post(Body::new(Silent)).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn five_thousand_alerts_in_one_body_are_accepted() {
    let program = Program::new();
    let alerts: Vec<Value> = (0..5_000).map(|number| failed(number, "1")).collect();
    let answer = program.post(body(&alerts)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["accepted"], 5_000);
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
        assert_eq!(program.facts().len(), 2, "{bad}");
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
async fn what_cannot_be_stored_is_answered_503_and_not_delivered() {
    let program = Program::new();
    program.broken.store(true, Ordering::SeqCst);
    let answer = program.post(body(&[failed(1, "1")])).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(program.facts(), []);
    assert_eq!(
        program.metric("vcm_remediator_store_errors_total{operation=\"accept\"}"),
        1.0
    );
    let series = "vcm_remediator_webhooks_rejected_total{reason=\"store\"}";
    assert_eq!(program.metric(series), 1.0);

    program.broken.store(false, Ordering::SeqCst);
    assert_eq!(
        program.post(body(&[failed(1, "1")])).await.status,
        StatusCode::OK
    );
    assert_eq!(program.facts().len(), 1);
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
    assert_eq!(program.facts(), []);

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

#[tokio::test]
async fn a_body_of_the_oldest_supported_version_is_accepted() {
    let program = Program::new();
    let text = body(&[failed(1, "1")])
        .replace(",\"truncatedAlerts\":0", "")
        .replace(",\"notification_reason\":\"first notification\"", "")
        .replace(",\"routeLabels\":{}", "");
    assert!(!text.contains("truncated") && !text.contains("route") && !text.contains("reason"));
    assert_eq!(program.post(text).await.json()["accepted"], 1);
}

#[tokio::test]
async fn without_the_right_token_nothing_is_read() {
    let program = Program::with(Some(Token::new("correct horse battery")));
    let post = |token: Option<&str>| {
        let request = Request::post(WEBHOOK);
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, token),
            None => request,
        };
        request.body(Body::from(body(&[failed(1, "1")]))).unwrap()
    };
    for token in [
        None,
        Some("Bearer wrong"),
        Some("correct horse battery"),
        Some("Basic eDp5"),
    ] {
        assert_eq!(
            program.send(post(token)).await.status,
            StatusCode::UNAUTHORIZED,
            "{token:?}"
        );
    }
    let series = "vcm_remediator_webhooks_rejected_total{reason=\"unauthorized\"}";
    assert_eq!(program.metric(series), 4.0);
    assert_eq!(program.facts(), []);
    let answer = program
        .send(post(Some("Bearer correct horse battery")))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_accepted_before_the_engine_runs() {
    let program = Program::new();
    let waiting = Receiver {
        deliver: OnceLock::new(),
        inventory: Arc::clone(&program.app.inventory),
        policy: Arc::clone(&program.app.policy),
        clock: Arc::clone(&program.app.clock),
        store: Arc::clone(&program.app.store),
        metrics: Arc::clone(&program.app.metrics),
        watchdog: Arc::default(),
        alertmanagers: None,
        body_max: BODY_MAX,
        token: None,
    };
    let request = Request::post(WEBHOOK)
        .body(Body::from(body(&[failed(1, "1")])))
        .unwrap();
    let state = axum::extract::State(Arc::new(waiting));
    let answer = vcm_remediator::webhook::receive(state, request).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(program.events().await, 0);
}

#[tokio::test]
async fn only_post_is_understood() {
    let program = Program::new();
    assert_eq!(
        program.get(WEBHOOK).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

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
