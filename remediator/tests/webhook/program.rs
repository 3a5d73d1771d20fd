//! The program without its engine, and what Alertmanager sends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use nshield::ModuleNumber;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vcm_recovery::alert::{Fact, FactRecord};
use vcm_recovery::event::{Entry, Event};
use vcm_recovery::ids::{AttemptId, Epoch, Fingerprint, HostName};
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::{Budgets, Policy};
use vcm_recovery::step::Platform;
use vcm_recovery::time::Time;
use vcm_remediator::board::Board;
use vcm_remediator::clock::{Clock, ManualClock};
use vcm_remediator::config::operators::Operators;
use vcm_remediator::metrics::{Format, Metrics};
use vcm_remediator::store::chain::ChainHead;
use vcm_remediator::store::counted::Counted;
use vcm_remediator::store::open::open;
use vcm_remediator::store::ownership::NotOwner;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{
    Accepted, Loaded, Pending, Reservation, Store, StoreError, StoreIdentity,
};
use vcm_remediator::web::{App, Readiness, Recent, router};
use vcm_remediator::webhook::auth::Token;
use vcm_remediator::webhook::{BODY_MAX, Deliver, Receiver};

/// 2023-11-14T22:13:20Z
pub(crate) const NOW: Time = Time::from_millis(1_700_000_000_000);

pub(crate) const WEBHOOK: &str = "/api/v1/alerts/webhook";

#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) known: Mutex<Vec<(Fingerprint, FactRecord)>>,
    pub(crate) events: Mutex<Vec<Event>>,
}

impl Deliver for Delivered {
    fn deliver(&self, known: Vec<(Fingerprint, FactRecord)>, events: Vec<Event>) {
        self.known.lock().unwrap().extend(known);
        self.events.lock().unwrap().extend(events);
    }
}

/// A real store whose disk can be broken.
pub(crate) struct Breakable {
    store: SqliteStore,
    pub(crate) broken: Arc<AtomicBool>,
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
pub(crate) struct Program {
    pub(crate) router: Router,
    pub(crate) app: Arc<App>,
    pub(crate) delivered: Arc<Delivered>,
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) time: Arc<ManualClock>,
    _directory: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub(crate) fn inventory() -> Inventory {
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
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    pub(crate) fn with(token: Option<Token>) -> Self {
        Self::of(inventory(), token)
    }

    pub(crate) fn of(inventory: Inventory, token: Option<Token>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let time = Arc::new(ManualClock::at(NOW));
        let clock: Arc<dyn Clock> = time.clone();
        let opened = open(&directory.path().join("store.sqlite")).unwrap();
        let store = SqliteStore::start(opened, Arc::clone(&clock)).unwrap();
        let (inventory, policy) = (Arc::new(inventory), Arc::new(Policy::default()));
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
            time,
            _directory: directory,
        }
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

    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        self.send(Request::post(WEBHOOK).body(body.into()).unwrap())
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// The value of a series, by its exact name and labels.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let body = self.app.metrics.exposition(Format::Text).unwrap();
        let line = body
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{series} ")));
        line.unwrap_or_else(|| panic!("no {series} in\n{body}"))
            .parse()
            .unwrap()
    }

    /// What the engine was told of, one by one.
    pub(crate) fn known(&self) -> Vec<(Fingerprint, FactRecord)> {
        self.delivered.known.lock().unwrap().clone()
    }

    pub(crate) async fn events(&self) -> usize {
        self.app.store.events_after(0, 100_000).await.unwrap().len()
    }
}

pub(crate) fn alert(number: u64, labels: Value) -> Value {
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

pub(crate) fn failed(number: u64, module: &str) -> Value {
    alert(
        number,
        json!({"alertname": "VcmFailed", "host": "tenant-1", "module": module}),
    )
}

pub(crate) fn body(alerts: &[Value]) -> String {
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
