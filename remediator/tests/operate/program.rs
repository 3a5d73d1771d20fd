//! The program with its engine and a store on disk, in real time but with a policy that waits for
//! nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use nshield::{ModuleNumber, ModuleState};
use serde_json::{Value, json};
use tokio::task::yield_now;
use tower::ServiceExt as _;
use vcm_recovery::alert::Fact;
use vcm_recovery::event::{Entry, Event};
use vcm_recovery::ids::{AttemptId, Epoch, HostName};
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry, Target};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::{Budgets, Mode, Policy, RungPolicy};
use vcm_recovery::step::Platform;
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;
use vcm_remediator::board::Board;
use vcm_remediator::clock::{Clock, SystemClock};
use vcm_remediator::config::operators::{Operator, Operators};
use vcm_remediator::engine::{Door, Engine, EngineParts, Surroundings};
use vcm_remediator::host_client::HostRunner;
use vcm_remediator::metrics::Metrics;
use vcm_remediator::store::chain::ChainHead;
use vcm_remediator::store::open::open;
use vcm_remediator::store::ownership::NotOwner;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{
    Accepted, Loaded, Pending, Reservation, Store, StoreError, StoreIdentity,
};
use vcm_remediator::web::{App, Readiness, Recent, router};
use vcm_remediator::webhook::auth::Token;
use vcm_remediator::webhook::{BODY_MAX, Deliver, Receiver};

use crate::runner::ScriptedRunner;

/// Longer than anything here takes, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Who orders in these tests, and the token they show.
pub(crate) const ALICE: &str = "alice-0123456789abcdef";

/// What Alertmanager shows.
pub(crate) const WEBHOOK: &str = "webhook-0123456789abcdef";

/// A real store that can be told to fail.
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

    fn accept(&self, facts: Vec<Fact>) -> Pending<'_, Accepted> {
        self.store.accept(facts)
    }

    fn append(&self, entries: Vec<Entry>) -> Pending<'_, Vec<Event>> {
        if self.broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::NotCommitted) });
        }
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

/// What is different in a test.
pub(crate) struct Setting {
    pub(crate) mode: Mode,
    pub(crate) state: ModuleState,
    pub(crate) operators: Operators,
    /// How long ago the program last ran on this store.
    pub(crate) gap: Option<Duration>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            mode: Mode::Act,
            state: ModuleState::Operational,
            operators: alice(),
            gap: None,
        }
    }
}

pub(crate) fn alice() -> Operators {
    Operators::new(vec![Operator {
        name: "alice".parse().unwrap(),
        token: Token::new(ALICE),
    }])
}

/// The running program.
pub(crate) struct Program {
    pub(crate) app: Arc<App>,
    pub(crate) runner: Arc<ScriptedRunner>,
    broken: Arc<AtomicBool>,
    router: Router,
    door: Arc<Door>,
    _engine: Engine,
    _directory: tempfile::TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The kinds of the events that an order became.
    pub(crate) fn kinds(&self) -> Vec<String> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        let events = self.json()["events"].as_array().unwrap().clone();
        let kinds = events.iter().map(|event| event["kind"].as_str().unwrap());
        kinds.map(str::to_owned).collect()
    }
}

/// Nothing waits for minutes; otherwise the default.
fn policy(mode: Mode) -> Policy {
    let millis = Duration::from_millis;
    let default = Policy::default();
    Policy {
        mode,
        retry: RungPolicy {
            not_before: Duration::ZERO,
            settle: millis(20),
            verify: PATIENCE,
            attempts_per_incident: 1,
            ..default.retry.clone()
        },
        healthy_for: millis(20),
        stale_alert_after: PATIENCE,
        latch_release_after: PATIENCE,
        spacing: Duration::ZERO,
        network_settle: Duration::ZERO,
        agreement_span: millis(10),
        observe_interval: millis(20),
        verify_poll: millis(20),
        tool_runs_per_minute: 1_000_000,
        ..default
    }
}

fn inventory() -> Inventory {
    let module = |esn: &str| ModuleEntry {
        esn: Some(esn.parse().unwrap()),
        kind: Kind::Vcm,
        hsm: Some("hsm-a".parse().unwrap()),
        name: Some("payments <1>".to_owned()),
    };
    let number = |number: u16| ModuleNumber::try_from(number).unwrap();
    let modules = [(1, "1A2B-05E0-D947"), (2, "2B3C-05E0-D947")];
    let host = HostEntry {
        name: "tenant-1".parse().unwrap(),
        instance: None,
        platform: Platform::Linux,
        mode: None,
        modules: modules.map(|(n, esn)| (number(n), module(esn))).into(),
    };
    Inventory {
        hosts: BTreeMap::from([(host.name.clone(), host)]),
    }
}

pub(crate) fn target() -> Target {
    Target::module(
        "tenant-1".parse().unwrap(),
        ModuleNumber::try_from(1).unwrap(),
    )
}

impl Program {
    pub(crate) async fn start(setting: Setting) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemClock::resume(None, None).now();
        let last_stored = setting.gap.map(|gap| now.before(gap));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::resume(last_stored, None));
        let opened = open(&directory.path().join("store.sqlite")).unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let store: Arc<dyn Store> = Arc::new(Breakable {
            store: SqliteStore::start(opened, Arc::clone(&clock)).unwrap(),
            broken: Arc::clone(&broken),
        });
        let app = app(&setting, &clock, &store);
        let runner = Arc::new(ScriptedRunner::new(setting.state));
        let engine = Engine::start(engine_parts(&app, &runner)).await.unwrap();
        let door = engine.door();
        assert!(app.receiver.deliver.set(engine.door()).is_ok());
        assert!(app.orders.set(engine.door()).is_ok());
        Self {
            router: router(Arc::clone(&app)),
            app,
            runner,
            broken,
            door,
            _engine: engine,
            _directory: directory,
        }
    }

    pub(crate) fn break_store(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Delivers the firing alert of module 1, as Alertmanager would.
    pub(crate) async fn fire(&self) {
        self.deliver(true).await;
    }

    /// Delivers that it fires no more.
    pub(crate) async fn end(&self) {
        self.deliver(false).await;
    }

    async fn deliver(&self, firing: bool) {
        let now = self.app.clock.now();
        let fact = Fact {
            fingerprint: "00000000000000aa".parse().unwrap(),
            name: "VcmFailed".to_owned(),
            target: target(),
            tier: Some(Tier::Retry),
            lowered: None,
            firing,
            starts_at: Time::from_millis(1),
            ends_at: (!firing).then_some(now),
            delivered_at: now,
        };
        let accepted = self.app.store.accept(vec![fact]).await.unwrap();
        self.door.deliver(accepted.known, accepted.events);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer {
            status,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The routes, to be served.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Orders as alice.
    pub(crate) async fn order(&self, path: &str, body: Value) -> Answer {
        self.send(order(Method::POST, path, &body.to_string()))
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = self.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// The one open incident, once it is as the test wants it.
    pub(crate) async fn incident(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.seen("/api/v1/incidents", |list| {
            let incident = list["incidents"].get(0)?;
            wanted(incident).then(|| incident.clone())
        })
        .await
    }

    /// Asks again and again until the answer is as wanted.
    pub(crate) async fn seen<T>(&self, path: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let answer = self.get(path).await;
            if let Some(found) = wanted(&answer) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays at {answer:#}");
            yield_now().await;
        }
    }

    /// Whether the events hold one that is as wanted.
    pub(crate) async fn recorded(&self, kind: &str) -> Vec<Value> {
        let events = self.get("/api/v1/events?limit=1000").await["events"].clone();
        let events = events.as_array().unwrap().clone();
        events
            .into_iter()
            .filter(|event| event["kind"] == json!(kind))
            .collect()
    }
}

/// An order of alice as it is to be.
pub(crate) fn order(method: Method, path: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {ALICE}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn app(setting: &Setting, clock: &Arc<dyn Clock>, store: &Arc<dyn Store>) -> Arc<App> {
    let (inventory, policy) = (Arc::new(inventory()), Arc::new(policy(setting.mode)));
    let board = Arc::new(Board::default());
    let metrics = Arc::new(Metrics::new(&inventory, &policy, &board, clock));
    let receiver = Receiver {
        inventory: Arc::clone(&inventory),
        policy: Arc::clone(&policy),
        clock: Arc::clone(clock),
        store: Arc::clone(store),
        deliver: OnceLock::new(),
        metrics: Arc::clone(&metrics),
        watchdog: Arc::default(),
        alertmanagers: None,
        body_max: BODY_MAX,
        token: Some(Token::new(WEBHOOK)),
    };
    Arc::new(App {
        receiver: Arc::new(receiver),
        board,
        recent: Arc::new(Recent::default()),
        metrics,
        store: Arc::clone(store),
        readiness: Arc::new(Readiness::starting()),
        inventory,
        policy,
        clock: Arc::clone(clock),
        operators: setting.operators.clone(),
        orders: OnceLock::new(),
        address: "127.0.0.1:9809".parse().unwrap(),
    })
}

fn engine_parts(app: &App, runner: &Arc<ScriptedRunner>) -> EngineParts {
    let recent = Arc::clone(&app.recent);
    EngineParts {
        store: Arc::clone(&app.store),
        board: Arc::clone(&app.board),
        clock: Arc::clone(&app.clock),
        inventory: Arc::clone(&app.inventory),
        policy: Arc::clone(&app.policy),
        runners: BTreeMap::from([(target().host, Arc::clone(runner) as Arc<dyn HostRunner>)]),
        load_hook: None,
        surroundings: Surroundings::new(Arc::clone(&app.receiver.watchdog)),
        on_event: Arc::new(move |event, _| recent.push(event)),
    }
}
