//! How the store grows over simulated days.
//!
//! Assumed: 40 hosts of 10 modules, four incidents a week and host, each with two alerts that begin
//! and end, eight looks that differ and are kept as evidence, fourteen rulings of 20 verdicts, two
//! attempts with their reports, a page. Measured sizes follow from the real encoding of events.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use vcm_recovery::event::Entry;
use vcm_recovery::ids::{HostName, ObservationId};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Budgets;
use vcm_recovery::time::Time;
use vcm_remediator::clock::{Clock as _, ManualClock};
use vcm_remediator::store::Store as _;
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;

use crate::row;

const HOSTS: u32 = 40;

/// From this day on evidence is forgotten as fast as it comes, and only the events grow.
const EVIDENCE_DAYS: u32 = 90;

/// The day up to which the size is projected where fewer are simulated.
const PROJECTED: u32 = 300;
const INCIDENTS_A_WEEK: u32 = 4;
const LOOKS: u32 = 8;
const RULINGS: u32 = 14;
const VERDICTS: usize = 20;
const MODULES: u32 = 10;

/// Incidents of a simulated day overlap in full, which those of a real day do not.
const UNLIMITED: Budgets = Budgets {
    host: u32::MAX,
    hsm_retry: u32::MAX,
    fleet_disruptive: u32::MAX,
};

const BEGIN: Time = Time::from_millis(1_790_000_000_000);

/// Measures and prints.
pub(crate) async fn measure(days: u32) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("store.sqlite");
    let clock = Arc::new(ManualClock::at(BEGIN));
    let opened = open(&file).unwrap();
    let store = Arc::new(SqliteStore::start(opened, clock.clone()).unwrap());
    let mut incidents = 0;
    let mut full = 0.0;
    for day in 0..days {
        let until = (day + 1) * HOSTS * INCIDENTS_A_WEEK / 7;
        live_through(&store, clock.now(), incidents..until).await;
        incidents = until;
        clock.advance(Duration::from_secs(24 * 3600));
        if day + 1 == EVIDENCE_DAYS {
            full = megabytes(&file);
        }
        if day % 50 == 49 {
            eprintln!("day {}: {:.0} MB", day + 1, megabytes(&file));
        }
    }
    let events = store.head().await.unwrap().seq;
    drop(store);
    let size = megabytes(&file);
    let a_day = (size - full) / f64::from(days - EVIDENCE_DAYS);
    let later = match PROJECTED.checked_sub(days) {
        None | Some(0) => String::new(),
        Some(left) => format!(
            "; {:.0} MB on day {PROJECTED} by the growth since day {EVIDENCE_DAYS}",
            size + a_day * f64::from(left)
        ),
    };
    row(
        &format!("store after {days} simulated days, {HOSTS} hosts"),
        &format!("{size:.0} MB{later}"),
        &format!(
            "{incidents} incidents, {events} events, evidence of {EVIDENCE_DAYS} days; assumptions \
             in `remediator/benches/figures/growth.rs`"
        ),
    );
}

fn megabytes(file: &Path) -> f64 {
    std::fs::metadata(file).unwrap().len() as f64 / 1e6
}

/// The incidents of a day, all at once, so that they share commits.
async fn live_through(store: &Arc<SqliteStore>, now: Time, numbers: std::ops::Range<u32>) {
    let mut tasks = JoinSet::new();
    for number in numbers {
        let store = Arc::clone(store);
        tasks.spawn(async move { incident(&store, number, now).await });
    }
    tasks.join_all().await;
}

async fn incident(store: &SqliteStore, number: u32, now: Time) {
    let story = Story::new(number, now, store.identity().epoch.0);
    for alert in 0..2 {
        store.accept(vec![story.fact(alert, None)]).await.unwrap();
    }
    story.append(store, "IncidentOpened", Value::Null).await;
    for step in 0..LOOKS.max(RULINGS) {
        if step < LOOKS {
            story.look(store, step).await;
        }
        story.append(store, "Decided", story.ruling(step)).await;
        if step % 6 == 3 {
            story.attempt(store, step).await;
        }
    }
    let page = json!({"reason": "exhausted", "text": "every rung was tried and failed"});
    story.append(store, "PageRaised", page).await;
    story
        .append(store, "PageCleared", json!({"reason": "exhausted"}))
        .await;
    story.append(store, "IncidentClosed", story.closing()).await;
    for alert in 0..2 {
        store
            .accept(vec![story.fact(alert, Some(now))])
            .await
            .unwrap();
    }
}

/// One incident as it is recorded.
struct Story {
    number: u32,
    now: Time,
    epoch: u64,
    host: HostName,
    target: Value,
    incident: String,
}

impl Story {
    fn new(number: u32, now: Time, epoch: u64) -> Self {
        let (host, module) = (format!("tenant-{}", number % HOSTS), number % MODULES + 1);
        Self {
            number,
            now,
            epoch,
            incident: format!("{host}/{module}@{}-{number}", now.as_millis()),
            target: json!({"host": host, "module": module}),
            host: host.parse().unwrap(),
        }
    }

    fn id(&self, step: u32) -> String {
        ObservationId::from_bits(u128::from(self.number) << 64 | u128::from(step)).to_string()
    }

    fn entry(&self, kind: &str, body: Value) -> Entry {
        let mut entry = json!({
            "host": self.host,
            "target": self.target,
            "incident": self.incident,
            "kind": kind,
        });
        if !body.is_null() {
            entry["body"] = body;
        }
        // Through text, as the store reads its own events.
        serde_json::from_str(&entry.to_string()).unwrap()
    }

    async fn append(&self, store: &SqliteStore, kind: &str, body: Value) {
        store.append(vec![self.entry(kind, body)]).await.unwrap();
    }

    fn fact(&self, alert: u32, ended: Option<Time>) -> vcm_recovery::alert::Fact {
        let fact = json!({
            "fingerprint": format!("{:016x}", self.number % (HOSTS * MODULES) * 2 + alert),
            "name": if alert == 0 { "VcmFailed" } else { "VcmFailedLong" },
            "target": self.target,
            "tier": "restart",
            "lowered": null,
            "firing": ended.is_none(),
            "starts_at": self.now.as_millis() + i64::from(self.number),
            "ends_at": ended.map(|_| self.now.as_millis() + i64::from(self.number) + 1),
            "delivered_at": self.now,
        });
        serde_json::from_value(fact).unwrap()
    }

    async fn look(&self, store: &SqliteStore, step: u32) {
        let id = self.id(step);
        store
            .keep_observation(&self.host, &observation(&id))
            .await
            .unwrap();
        let modules: Vec<Value> = (1..=MODULES)
            .map(|module| json!({"module": module, "condition": "failed", "network": "good"}))
            .collect();
        let summary = json!({
            "observation": id,
            "problem": null,
            "hardserver": "up",
            "host": "healthy",
            "modules": modules,
        });
        self.append(store, "Observed", summary).await;
    }

    fn ruling(&self, step: u32) -> Value {
        let rungs = ["retry", "restart", "clear"];
        let verdicts: Vec<Value> = (0..VERDICTS)
            .map(|number| {
                json!({
                    "rung": rungs[number % 3],
                    "guard": "not_before",
                    "verdict": {"refuse": {
                        "reason": "the failure was first seen 47 s ago, the policy waits for 2 min",
                        "until": self.now,
                    }},
                })
            })
            .collect();
        json!({
            "standing": {"at": "waiting", "rung": "retry"},
            "observation": self.id(step),
            "verdicts": verdicts,
        })
    }

    async fn attempt(&self, store: &SqliteStore, step: u32) {
        let attempt = self.id(1000 + step);
        let intent = json!({
            "attempt": attempt,
            "incident": self.incident,
            "target": self.target,
            "rung": "retry",
            "epoch": self.epoch,
            "observation": self.id(step),
            "ceiling": "restart",
            "esn": "1A2B-05E0-D947",
            "hsms": [format!("hsm-{}", self.number)],
            "steps": [{"retry_module": self.target["module"]}],
            "healthy_before": [1, 2, 3],
        });
        let entry = self.entry("IntentReserved", intent);
        store.reserve(entry, UNLIMITED).await.unwrap();
        let reports = [
            json!({"attempt": attempt, "report": "accepted"}),
            json!({"attempt": attempt, "report": "ended", "detail": "nopclearfail -m1 -r: exit 0"}),
            json!({"attempt": attempt, "report": "settled", "outcome": "failed", "reason": "two failed observations after settling"}),
        ];
        for report in reports {
            self.append(store, "AttemptReported", report).await;
        }
    }

    fn closing(&self) -> Value {
        json!({
            "ending": "recovered",
            "actor": "automatic",
            "rung": "retry",
            "recovery_millis": 125_000,
            "reason": "healthy for 60 s",
            "spent": {},
        })
    }
}

/// About 6 kB: ten modules, each with its echoes and the path to it.
fn observation(id: &str) -> Observation {
    let look = json!({
        "schema": 1,
        "observation_id": id,
        "boot_id": "8e5f0b7e-8d7c-4e55-9c5e-2f6a6c0f2a11",
        "started_boottime": 1,
        "finished_boottime": 2,
        "sources": {
            "enquiry": {"status": "failed", "detail": "x".repeat(5500)},
            "enquiry_server": {"status": "not_asked"},
            "stattree": {"status": "ok"},
            "socket": {"status": "ok"},
        },
        "hardserver": "up",
        "complete": true,
        "modules": {},
        "clients": 12,
        "hardserver_uptime": 86400,
        "stop": {"sign": "none"},
        "hold": null,
        "max_tier": "clear",
    });
    serde_json::from_value(look).unwrap()
}
