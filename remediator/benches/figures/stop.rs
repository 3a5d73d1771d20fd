//! How soon a pause and a hold count: from the answer that they are durable to the last attempt
//! that was ordered after it.
//!
//! The engine and the store are the real ones; the hosts are in this process, so that hundreds of
//! them are about to start an attempt at the same time: each look takes 50 ms and shows a failed
//! module, and every limit that spreads attempts is lifted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nshield::ModuleNumber;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use vcm_recovery::alert::Fact;
use vcm_recovery::command::{FleetOrder, Giver, HostOrder};
use vcm_recovery::ids::{AttemptId, HostName, ObservationId};
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry, Target};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::{Budgets, Mode, Policy};
use vcm_recovery::step::Platform;
use vcm_remediator::clock::{Clock, SystemClock};
use vcm_remediator::engine::{Door, Engine, EngineParts, Surroundings};
use vcm_remediator::host::document::{Answer, Status};
use vcm_remediator::host::fence::{Caller, Newest};
use vcm_remediator::host_client::{Call, HostRunner, Order};
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::webhook::Deliver as _;

use crate::row;

const HOSTS: u32 = 1000;

/// Attempts that have been ordered when the stop is.
const STARTED: usize = 200;

/// How long a look takes.
const LOOK: Duration = Duration::from_millis(50);

/// How long nothing must be ordered until the measurement is over; the rest of the hosts would all
/// have started in a part of it.
const QUIET: Duration = Duration::from_secs(5);

/// Measures and prints.
pub(crate) async fn measure() {
    let paused = pause().await;
    row(
        "pause durable until the last attempt is ordered",
        &shown(&paused),
        &format!(
            "after the answer, with {} of {HOSTS} hosts still about to start; looks of {} ms, the \
             limits that spread attempts lifted",
            HOSTS as usize - paused.started,
            LOOK.as_millis()
        ),
    );
    let held = hold().await;
    row(
        "hold durable until the last attempt is ordered there",
        &shown(&held),
        &format!(
            "the longest of {HOSTS} hosts held at once while they were about to start, {} of which \
             had started before",
            held.started
        ),
    );
}

/// What came after a stop.
struct Stopped {
    /// Hosts that had started before it.
    started: usize,
    /// How long after it the last attempt was ordered; `None` when none was.
    last: Option<Duration>,
}

fn shown(stopped: &Stopped) -> String {
    stopped.last.map_or_else(
        || "none was".to_owned(),
        |last| format!("{:.1} ms", last.as_secs_f64() * 1e3),
    )
}

async fn pause() -> Stopped {
    let fleet = Fleet::start().await;
    fleet.until_started().await;
    let order = FleetOrder::Pause { until: None };
    fleet.door.order_fleet(order, giver()).await.unwrap();
    let durable = Instant::now();
    tokio::time::sleep(QUIET).await;
    let orders = fleet.orders();
    let after = orders
        .values()
        .filter_map(|at| at.checked_duration_since(durable));
    Stopped {
        started: orders.len(),
        last: after.max(),
    }
}

async fn hold() -> Stopped {
    let fleet = Fleet::start().await;
    fleet.until_started().await;
    let mut held = JoinSet::new();
    for host in (0..HOSTS).map(name) {
        let door = Arc::clone(&fleet.door);
        held.spawn(async move {
            let target = Target::host(host.clone());
            let order = HostOrder::Hold {
                target,
                until: None,
            };
            door.order_host(&host, order, giver()).await.unwrap();
            (host, Instant::now())
        });
    }
    let held = held.join_all().await;
    tokio::time::sleep(QUIET).await;
    let orders = fleet.orders();
    let after = held
        .iter()
        .filter_map(|(host, durable)| orders.get(host)?.checked_duration_since(*durable));
    Stopped {
        started: orders.len(),
        last: after.max(),
    }
}

fn giver() -> Giver {
    Giver {
        by: "bench".parse().unwrap(),
        reason: "measured".to_owned(),
    }
}

type Orders = Arc<Mutex<BTreeMap<HostName, Instant>>>;

/// The engine, and hosts of one failed module each, all of which were just told of.
struct Fleet {
    door: Arc<Door>,
    orders: Orders,
    _engine: Engine,
    _directory: tempfile::TempDir,
}

impl Fleet {
    async fn start() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let orders = Orders::default();
        let parts = parts(directory.path(), &orders);
        let (store, now) = (Arc::clone(&parts.store), parts.clock.now());
        let engine = Engine::start(parts).await.unwrap();
        let door = engine.door();
        let facts: Vec<Fact> = (0..HOSTS).map(|number| fact(number, now)).collect();
        let accepted = store.accept(facts).await.unwrap();
        door.deliver(accepted.known, accepted.events);
        Self {
            door,
            orders,
            _engine: engine,
            _directory: directory,
        }
    }

    async fn until_started(&self) {
        while self.orders.lock().unwrap().len() < STARTED {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn orders(&self) -> BTreeMap<HostName, Instant> {
        self.orders.lock().unwrap().clone()
    }
}

fn parts(directory: &Path, orders: &Orders) -> EngineParts {
    let opened = open(&directory.join("store.sqlite")).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::resume(
        opened.last_time,
        opened.last_boot.as_ref(),
    ));
    let store = SqliteStore::start(opened, Arc::clone(&clock)).unwrap();
    let hosts = (0..HOSTS).map(|number| (name(number), host(number)));
    let runner = |number| {
        let runner = Failing {
            host: name(number),
            orders: Arc::clone(orders),
        };
        (name(number), Arc::new(runner) as Arc<dyn HostRunner>)
    };
    EngineParts {
        store: Arc::new(store),
        board: Arc::default(),
        clock,
        inventory: Arc::new(Inventory {
            hosts: hosts.collect(),
        }),
        policy: Arc::new(policy()),
        runners: (0..HOSTS).map(runner).collect(),
        load_hook: None,
        surroundings: Surroundings::new(Arc::default()),
        on_event: Arc::new(|_, _| {}),
    }
}

/// Everything may start at once.
fn policy() -> Policy {
    let mut policy = Policy {
        mode: Mode::Act,
        watchdog_alert: None,
        budgets: Budgets {
            host: 1,
            hsm_retry: u32::MAX,
            fleet_disruptive: 1,
        },
        ..Policy::default()
    };
    policy.retry.not_before = Duration::ZERO;
    policy.storm.hsm_hosts = u32::MAX;
    policy.storm.fleet_hosts_min = u32::MAX;
    policy
}

fn name(number: u32) -> HostName {
    format!("tenant-{number}").parse().unwrap()
}

fn host(number: u32) -> HostEntry {
    let module = ModuleEntry {
        esn: Some("1A2B-05E0-D947".parse().unwrap()),
        kind: Kind::Vcm,
        hsm: Some(format!("hsm-{}", number % 40).parse().unwrap()),
        name: None,
    };
    HostEntry {
        name: name(number),
        instance: None,
        platform: Platform::Linux,
        mode: None,
        modules: BTreeMap::from([(ModuleNumber::try_from(1).unwrap(), module)]),
    }
}

fn fact(number: u32, now: vcm_recovery::time::Time) -> Fact {
    let fact = json!({
        "fingerprint": format!("{number:016x}"),
        "name": "VcmFailed",
        "target": { "host": name(number), "module": 1 },
        "tier": "retry",
        "lowered": null,
        "firing": true,
        "starts_at": now,
        "ends_at": null,
        "delivered_at": now,
    });
    serde_json::from_value(fact).unwrap()
}

/// A host whose module stays failed, and which takes every order.
#[derive(Debug)]
struct Failing {
    host: HostName,
    orders: Orders,
}

impl HostRunner for Failing {
    fn observe(&self) -> Call<'_, Observation> {
        Box::pin(async {
            tokio::time::sleep(LOOK).await;
            Ok(observation())
        })
    }

    fn newest(&self) -> Call<'_, Option<Newest>> {
        Box::pin(async { Ok(None) })
    }

    fn run(&self, _order: Order) -> Call<'_, Answer> {
        let mut orders = self.orders.lock().unwrap();
        orders.insert(self.host.clone(), Instant::now());
        Box::pin(async { Ok(Answer::Accepted) })
    }

    fn result(&self, _attempt: AttemptId) -> Call<'_, Status> {
        Box::pin(async { Ok(Status::Running) })
    }

    fn resume(&self, _attempt: AttemptId, _caller: Caller) -> Call<'_, Answer> {
        Box::pin(async { Ok(Answer::Accepted) })
    }

    fn tombstone(
        &self,
        _attempt: AttemptId,
        _decided_on: ObservationId,
        _caller: Caller,
    ) -> Call<'_, Status> {
        Box::pin(async { Ok(Status::Tombstoned) })
    }
}

fn observation() -> Observation {
    let module: Value = json!({
        "state": "failed",
        "printed": "Failed",
        "esn": "1A2B-05E0-D947",
        "hardware_ok": true,
        "connection_ok": true,
        "kind": "vcm",
        "objects": 12,
        "uptime": null,
        "load_percent": null,
        "network": {"echo": {"sent": 5, "replies": 5}},
    });
    let seen = json!({
        "schema": 1,
        "observation_id": uuid::Uuid::now_v7().to_string(),
        "boot_id": "8e5f0b7e-8d7c-4e55-9c5e-2f6a6c0f2a11",
        "started_boottime": 1,
        "finished_boottime": 2,
        "sources": {
            "enquiry": {"status": "ok"},
            "enquiry_server": {"status": "not_asked"},
            "stattree": {"status": "ok"},
            "socket": {"status": "ok"},
        },
        "hardserver": "up",
        "complete": true,
        "modules": {"1": module},
        "clients": 12,
        "hardserver_uptime": null,
        "stop": {"sign": "none"},
        "hold": null,
        "max_tier": "clear",
    });
    serde_json::from_str(&seen.to_string()).unwrap()
}
