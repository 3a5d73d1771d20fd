//! What one decision costs while the whole fleet is in trouble: 1,000 hosts of 10 modules with an
//! open incident each.
//!
//! `decide/one incident` is [`vcm_recovery::decide::decide`] for a further host with one open
//! incident, on a look that shows one of its modules failed; `decide/ten incidents` for one of
//! those hosts. `decide/view` is what the engine puts together of the whole fleet for each of them;
//! `decide/view anew` is its part that is put together at most twice a second.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to say"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use nshield::ModuleNumber;
use serde_json::{Value, json};
use vcm_recovery::alert::Fact;
use vcm_recovery::decide::{Decision, decide};
use vcm_recovery::event::{EVENT_SCHEMA, Entry, Event};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::ids::Epoch;
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry};
use vcm_recovery::policy::{Mode, Policy, Site};
use vcm_recovery::state::HostState;
use vcm_recovery::step::Platform;
use vcm_recovery::time::Time;
use vcm_remediator::board::Board;
use vcm_remediator::clock::{Clock, ManualClock};
use vcm_remediator::engine::{EngineParts, Surroundings};
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;

const HOSTS: u16 = 1000;
const MODULES: u16 = 10;
const HSMS: u16 = 40;

/// The host with one open incident.
const FEW: u16 = HOSTS;

const BEGIN: Time = Time::from_millis(1_790_000_000_000);

/// Looks come this often.
const INTERVAL: Duration = Duration::from_secs(15);

fn host(number: u16) -> HostEntry {
    let module = |module: u16| ModuleEntry {
        esn: Some(format!("{number:04X}-{module:04X}-D947").parse().unwrap()),
        kind: Kind::Vcm,
        hsm: Some(format!("hsm-{}", (number + module) % HSMS).parse().unwrap()),
        name: None,
    };
    HostEntry {
        name: format!("tenant-{number}").parse().unwrap(),
        instance: None,
        platform: Platform::Linux,
        mode: Some(Mode::Act),
        modules: (1..=MODULES)
            .map(|number| (ModuleNumber::try_from(number).unwrap(), module(number)))
            .collect(),
    }
}

fn fact(entry: &HostEntry, module: u16) -> Fact {
    let fact = json!({
        "fingerprint": format!("{module:016x}"),
        "name": "VcmFailed",
        "target": { "host": entry.name, "module": module },
        "tier": "retry",
        "lowered": null,
        "firing": true,
        "starts_at": BEGIN,
        "ends_at": null,
        "delivered_at": BEGIN,
    });
    serde_json::from_value(fact).unwrap()
}

/// A look at a host whose first modules have failed.
fn look(number: u16, failed: u16, at: Time) -> Look {
    let module = |number: u16| -> Value {
        let failed = number <= failed;
        json!({
            "state": if failed { "failed" } else { "operational" },
            "printed": if failed { "Failed" } else { "none; operational" },
            "esn": null,
            "hardware_ok": true,
            "connection_ok": true,
            "kind": "vcm",
            "objects": 12,
            "uptime": 86_400,
            "load_percent": 20,
            "network": {"echo": {"sent": 5, "replies": 5}},
        })
    };
    let modules: BTreeMap<u16, Value> = (1..=MODULES).map(|n| (n, module(n))).collect();
    let boottime = 1_000_000 + at.since(BEGIN).as_millis() as u64;
    let seen = json!({
        "schema": 1,
        "observation_id": format!("01935bd4-0f3a-7c11-8000-{number:012x}"),
        "boot_id": "8e5f0b7e-8d7c-4e55-9c5e-2f6a6c0f2a11",
        "started_boottime": boottime,
        "finished_boottime": boottime,
        "sources": {
            "enquiry": {"status": "ok"},
            "enquiry_server": {"status": "not_asked"},
            "stattree": {"status": "ok"},
            "socket": {"status": "ok"},
        },
        "hardserver": "up",
        "complete": true,
        "modules": modules,
        "clients": 12,
        "hardserver_uptime": boottime / 1000,
        "stop": {"sign": "none"},
        "hold": null,
        "max_tier": "clear",
    });
    let seen = serde_json::from_str(&seen.to_string()).unwrap();
    Look { at, seen: Ok(seen) }
}

/// A host in trouble, as its actor holds it.
struct Troubled {
    entry: HostEntry,
    state: HostState,
    evidence: Evidence,
}

impl Troubled {
    /// Decides at every look of the last 2 min, and applies what was decided.
    fn new(number: u16, failed: u16, policy: &Policy) -> Self {
        let entry = host(number);
        let mut troubled = Self {
            state: HostState::new(entry.name.clone()),
            evidence: Evidence::default(),
            entry,
        };
        for module in 1..=failed {
            troubled.state.deliver(&fact(&troubled.entry, module));
        }
        let mut at = BEGIN;
        while at <= now() {
            troubled.evidence.push(look(number, failed, at));
            let decided = troubled.decide(&FleetView::default(), policy, at);
            for entry in decided.changes {
                troubled.apply(entry, at);
            }
            at = at.after(INTERVAL);
        }
        assert_eq!(troubled.state.incidents.len(), usize::from(failed));
        troubled
    }

    fn decide(&self, fleet: &FleetView, policy: &Policy, now: Time) -> Decision {
        let site = Site {
            host: &self.entry,
            policy,
        };
        decide(&self.state, &self.evidence, fleet, site, now)
    }

    fn apply(&mut self, entry: Entry, time: Time) {
        self.state.apply(&Event {
            seq: 1,
            schema: EVENT_SCHEMA,
            time,
            epoch: Epoch(1),
            entry,
        });
    }
}

fn now() -> Time {
    BEGIN.after(8 * INTERVAL)
}

/// What the engine works with while 10,000 incidents are open, `hosts` on the board.
fn parts(hosts: &[Troubled], directory: &Path, clock: &Arc<ManualClock>) -> EngineParts {
    let opened = open(&directory.join("store.sqlite")).unwrap();
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let store = SqliteStore::start(opened, Arc::clone(&clock)).unwrap();
    let board = Arc::new(Board::default());
    for host in hosts {
        board.publish(Arc::new(host.state.clone()));
    }
    let inventory = hosts
        .iter()
        .map(|host| (host.entry.name.clone(), host.entry.clone()));
    EngineParts {
        store: Arc::new(store),
        board,
        clock,
        inventory: Arc::new(Inventory {
            hosts: inventory.collect(),
        }),
        policy: Arc::new(policy()),
        runners: BTreeMap::new(),
        load_hook: None,
        surroundings: Surroundings::new(Arc::default()),
        on_event: Arc::new(|_, _| {}),
    }
}

fn policy() -> Policy {
    Policy {
        mode: Mode::Act,
        ..Policy::default()
    }
}

fn one_decision(criterion: &mut Criterion) {
    let policy = policy();
    let all_failed = (0..HOSTS).map(|number| Troubled::new(number, MODULES, &policy));
    let mut hosts: Vec<Troubled> = all_failed.collect();
    hosts.push(Troubled::new(FEW, 1, &policy));
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(now()));
    let parts = parts(&hosts, directory.path(), &clock);
    let fleet = parts.fleet_view(now());
    let mut group = criterion.benchmark_group("decide");
    for (name, number) in [("one incident", FEW), ("ten incidents", 0)] {
        let host = &hosts[usize::from(number)];
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(host.decide(black_box(&fleet), &policy, now())));
        });
    }
    group.bench_function("view", |bencher| {
        bencher.iter(|| black_box(parts.fleet_view(now())));
    });
    let mut later = now();
    group.bench_function("view anew", |bencher| {
        bencher.iter(|| {
            later = later.after(Duration::from_secs(1));
            black_box(parts.fleet_view(later))
        });
    });
    group.finish();
}

criterion_group!(benches, one_decision);
criterion_main!(benches);
