//! The bench of the engine's tests: a store in memory, a scripted host runner, time as it is told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use tokio::time::Instant;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::inventory::{HostEntry, Kind, ModuleEntry, Target};
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::policy::{Budgets, Mode};
use vcm_recovery::start::Start;
use vcm_recovery::step::Platform;
use vcm_recovery::tier::Tier;
use vcm_recovery::time::Time;

use super::super::*;
use crate::host::document::{Answer, Status};
use crate::host::fence::{Caller, Newest};
use crate::host_client::{Call, HostRunnerError, Order};
use crate::store::chain::ChainHead;
use crate::store::ownership::NotOwner;
use crate::store::{Accepted, Pending, Reservation, StoreIdentity};

/// The runtime's own time, so that paused tests need no waiting.
#[derive(Debug)]
pub(super) struct RuntimeClock {
    began: Instant,
    /// Whether it is known how long the program was away.
    pub(super) away_known: AtomicBool,
}

impl Clock for RuntimeClock {
    fn now(&self) -> Time {
        Time::from_millis(1_000_000_000).after(self.began.elapsed())
    }

    fn start(&self) -> Start {
        Start {
            away_known: self.away_known.load(Ordering::SeqCst),
            ..Start::FIRST
        }
    }
}

/// A store in memory that can be told to fail.
pub(super) struct MemoryStore {
    pub(super) clock: Arc<RuntimeClock>,
    pub(super) events: Mutex<Vec<Event>>,
    pub(super) fails: AtomicBool,
}

impl MemoryStore {
    fn push(&self, entries: Vec<Entry>) -> Result<Vec<Event>, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::NotCommitted);
        }
        let mut events = self.events.lock().unwrap();
        let mut stored = Vec::new();
        for entry in entries {
            let seq = u64::try_from(events.len()).unwrap() + 1;
            let event = Event {
                seq,
                schema: 1,
                time: self.clock.now(),
                epoch: Epoch(1),
                entry,
            };
            events.push(event.clone());
            stored.push(event);
        }
        Ok(stored)
    }
}

impl Store for MemoryStore {
    fn identity(&self) -> StoreIdentity {
        StoreIdentity {
            store_id: StoreId::from_bits(1),
            epoch: Epoch(1),
        }
    }

    fn ownership(&self) -> Result<(), NotOwner> {
        Ok(())
    }

    fn head(&self) -> Pending<'_, ChainHead> {
        Box::pin(async { Err(StoreError::Closed) })
    }

    fn accept(&self, _facts: Vec<Fact>) -> Pending<'_, Accepted> {
        Box::pin(async { Ok(Accepted::default()) })
    }

    fn append(&self, entries: Vec<Entry>) -> Pending<'_, Vec<Event>> {
        Box::pin(async move { self.push(entries) })
    }

    fn reserve(&self, entry: Entry, _budgets: Budgets) -> Pending<'_, Reservation> {
        Box::pin(async move { Ok(Reservation::Reserved(self.push(vec![entry])?)) })
    }

    fn accounts_for(&self, attempt: AttemptId, _ordered_by: Epoch) -> Pending<'_, bool> {
        let events = self.events.lock().unwrap();
        let known = events.iter().any(|event| {
            let of = &event.entry.change;
            matches!(of, Change::IntentReserved(intent) if intent.attempt == attempt)
        });
        Box::pin(async move { Ok(known) })
    }

    fn keep_observation(&self, _host: &HostName, _seen: &Observation) -> Pending<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn load(&self) -> Pending<'_, Loaded> {
        Box::pin(async {
            let mut loaded = Loaded::default();
            for event in self.events.lock().unwrap().iter() {
                match event.entry.host.clone() {
                    Some(name) => loaded
                        .hosts
                        .entry(name.clone())
                        .or_insert_with(|| HostState::new(name))
                        .apply(event),
                    None => loaded.fleet.apply(event),
                }
            }
            Ok(loaded)
        })
    }

    fn events_after(&self, _seq: u64, _limit: u32) -> Pending<'_, Vec<Event>> {
        Box::pin(async { Ok(self.events.lock().unwrap().clone()) })
    }
}

/// A host runner that does what the script says.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) orders: Vec<Order>,
    pub(super) resumes: Vec<AttemptId>,
    pub(super) tombstones: Vec<AttemptId>,
    /// The host has lost its record.
    pub(super) forgetful: bool,
    /// What `result` says of any attempt, once it was ordered.
    pub(super) status: Option<Status>,
    /// The order is lost on its way, or its answer on the way back.
    pub(super) answers: bool,
    /// What the host has accepted last.
    pub(super) newest: Option<Newest>,
    pub(super) looks: u32,
    pub(super) failed: bool,
    pub(super) look_takes: Duration,
    pub(super) looking: bool,
}

#[derive(Debug)]
pub(super) struct ScriptedRunner(pub(super) Mutex<Script>);

pub(super) fn lost<T>() -> Result<T, HostRunnerError> {
    Err(HostRunnerError::NotEnded { verb: "run" })
}

impl HostRunner for ScriptedRunner {
    fn observe(&self) -> Call<'_, Observation> {
        let mut script = self.0.lock().unwrap();
        script.looks += 1;
        script.looking = true;
        let seen = seen(script.failed, script.looks);
        let takes = script.look_takes;
        Box::pin(async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            self.0.lock().unwrap().looking = false;
            Ok(seen)
        })
    }

    fn newest(&self) -> Call<'_, Option<Newest>> {
        let newest = self.0.lock().unwrap().newest;
        Box::pin(async move { Ok(newest) })
    }

    fn run(&self, order: Order) -> Call<'_, Answer> {
        let mut script = self.0.lock().unwrap();
        script.orders.push(order);
        let answer = if script.answers {
            Ok(Answer::Accepted)
        } else {
            lost()
        };
        Box::pin(async { answer })
    }

    fn result(&self, _attempt: AttemptId) -> Call<'_, Status> {
        let status = self
            .0
            .lock()
            .unwrap()
            .status
            .clone()
            .unwrap_or(Status::NotFound);
        Box::pin(async { Ok(status) })
    }

    fn resume(&self, attempt: AttemptId, _caller: Caller) -> Call<'_, Answer> {
        let mut script = self.0.lock().unwrap();
        script.resumes.push(attempt);
        script.status = Some(Status::Running);
        Box::pin(async { Ok(Answer::Accepted) })
    }

    fn tombstone(
        &self,
        attempt: AttemptId,
        _decided_on: ObservationId,
        _caller: Caller,
    ) -> Call<'_, Status> {
        let mut script = self.0.lock().unwrap();
        script.tombstones.push(attempt);
        let status = if script.forgetful {
            Status::NotFound
        } else {
            Status::Tombstoned
        };
        Box::pin(async { Ok(status) })
    }
}

pub(super) fn number() -> ModuleNumber {
    ModuleNumber::try_from(1).unwrap()
}

pub(super) fn seen(failed: bool, looks: u32) -> Observation {
    let ok = SourceStatus::Ok;
    let look = ModuleLook {
        state: if failed {
            ModuleState::Failed
        } else {
            ModuleState::Operational
        },
        printed: String::new(),
        esn: "1A2B-05E0-D947".parse().ok(),
        hardware_ok: Some(true),
        connection_ok: None,
        kind: Some(Kind::Vcm),
        objects: None,
        uptime: None,
        load_percent: None,
        path: None,
        hold: None,
        network: NetworkLook::Echo {
            sent: 5,
            replies: 5,
        },
    };
    Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(u128::from(looks)),
        boot_id: "boot".to_owned(),
        started_boottime: 0,
        finished_boottime: 0,
        sources: Sources {
            enquiry: ok.clone(),
            enquiry_server: SourceStatus::NotAsked,
            stattree: ok.clone(),
            socket: ok,
        },
        hardserver: HardserverLook::Up,
        complete: true,
        modules: BTreeMap::from([(number(), look)]),
        clients: None,
        hardserver_uptime: None,
        stop: StopSign::None,
        hold: None,
        pause: None,
        host_uptime: None,
        service_check: None,
        max_tier: Tier::Clear,
    }
}

pub(super) struct Bench {
    pub(super) store: Arc<MemoryStore>,
    pub(super) runner: Arc<ScriptedRunner>,
    pub(super) parts: EngineParts,
    pub(super) engine: Engine,
    pub(super) door: Arc<Door>,
}

pub(super) fn target() -> Target {
    Target::module("tenant-1".parse().unwrap(), number())
}

impl Bench {
    pub(super) async fn start(script: Script) -> Self {
        let clock = Arc::new(RuntimeClock {
            began: Instant::now(),
            away_known: AtomicBool::new(true),
        });
        let events = Mutex::new(Vec::new());
        let fails = AtomicBool::new(false);
        let store = Arc::new(MemoryStore {
            clock: Arc::clone(&clock),
            events,
            fails,
        });
        let runner = Arc::new(ScriptedRunner(Mutex::new(script)));
        let name = target().host;
        let module = ModuleEntry {
            esn: "1A2B-05E0-D947".parse().ok(),
            kind: Kind::Vcm,
            hsm: "hsm-1".parse().ok(),
            name: None,
        };
        let entry = HostEntry {
            name: name.clone(),
            instance: None,
            platform: Platform::Linux,
            mode: None,
            modules: BTreeMap::from([(number(), module)]),
        };
        let parts = EngineParts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            board: Arc::new(Board::default()),
            clock,
            inventory: Arc::new(Inventory {
                hosts: BTreeMap::from([(name.clone(), entry)]),
            }),
            policy: Arc::new(Policy {
                mode: Mode::Act,
                ..Policy::default()
            }),
            runners: BTreeMap::from([(name, Arc::clone(&runner) as Arc<dyn HostRunner>)]),
            load_hook: None,
            surroundings: Surroundings::new(Arc::default()),
            on_event: Arc::new(|_, _| {}),
        };
        let engine = Engine::start(parts.clone()).await.unwrap();
        let door = engine.door();
        Self {
            store,
            runner,
            parts,
            engine,
            door,
        }
    }

    /// The same store and host, a new process.
    pub(super) async fn restart(&mut self) {
        self.engine = Engine::start(self.parts.clone()).await.unwrap();
        self.door = self.engine.door();
    }

    /// Lets time pass, with the alert delivered again every minute.
    pub(super) async fn run(&self, minutes: u32) {
        for _ in 0..minutes {
            self.deliver(true);
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    pub(super) fn deliver(&self, firing: bool) {
        self.deliver_alert("VcmFailed", Tier::Retry, firing);
    }

    pub(super) fn deliver_alert(&self, name: &str, tier: Tier, firing: bool) {
        let fact = self.fact(name, tier, firing);
        let known = vec![(fact.fingerprint, FactRecord::new(&fact))];
        self.door.deliver(known, Vec::new());
    }

    /// The event of an alert that begins to fire.
    pub(super) fn fact_changed(&self) -> Event {
        let entry = Entry {
            host: Some(target().host),
            target: Some(target()),
            incident: None,
            change: Change::FactChanged(self.fact("VcmFailed", Tier::Retry, true)),
        };
        Event {
            seq: 1,
            schema: 1,
            time: self.parts.clock.now(),
            epoch: Epoch(1),
            entry,
        }
    }

    fn fact(&self, name: &str, tier: Tier, firing: bool) -> Fact {
        let now = self.parts.clock.now();
        let of_name: u64 = name.bytes().map(u64::from).sum();
        Fact {
            fingerprint: format!("{of_name:016x}").parse().unwrap(),
            name: name.to_owned(),
            target: target(),
            tier: Some(tier),
            lowered: None,
            firing,
            starts_at: Time::from_millis(1),
            ends_at: (!firing).then_some(now),
            delivered_at: now,
        }
    }

    pub(super) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.runner.0.lock().unwrap())
    }

    pub(super) fn orders(&self) -> usize {
        self.script(|script| script.orders.len())
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let events = self.store.events.lock().unwrap();
        let settled = |event: &Event| {
            if let Change::AttemptReported {
                report: Report::Settled { outcome, .. },
                ..
            } = &event.entry.change
            {
                Some(*outcome)
            } else {
                None
            }
        };
        events.iter().filter_map(settled).collect()
    }
}

pub(super) fn script(answers: bool) -> Script {
    Script {
        answers,
        failed: true,
        ..Script::default()
    }
}
