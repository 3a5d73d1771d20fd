//! The engine in virtual time: a store in memory, a scripted host runner, the real decisions.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use tokio::time::Instant;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::inventory::{HostEntry, Kind, ModuleEntry, Target};
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::{Budgets, Mode};
use vcm_recovery::step::Platform;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;

use super::*;
use crate::host::document::{Answer, Status};
use crate::host::fence::{Caller, Newest};
use crate::host_client::{Call, HostRunnerError, Order};
use crate::store::chain::ChainHead;
use crate::store::ownership::NotOwner;
use crate::store::{Pending, Reservation, StoreIdentity};

/// The runtime's own time, so that paused tests need no waiting.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Time {
        Time::from_millis(1_000_000_000).after(self.0.elapsed())
    }
}

/// A store in memory that can be told to fail.
struct MemoryStore {
    clock: Arc<RuntimeClock>,
    events: Mutex<Vec<Event>>,
    fails: AtomicBool,
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

    fn accept(&self, _facts: Vec<Fact>) -> Pending<'_, Vec<Event>> {
        Box::pin(async { Ok(Vec::new()) })
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
struct Script {
    orders: Vec<Order>,
    resumes: Vec<AttemptId>,
    tombstones: Vec<AttemptId>,
    /// What `result` says of any attempt, once it was ordered.
    status: Option<Status>,
    /// The order is lost on its way, or its answer on the way back.
    answers: bool,
    /// What the host has accepted last.
    newest: Option<Newest>,
    looks: u32,
    failed: bool,
    look_takes: Duration,
    looking: bool,
}

#[derive(Debug)]
struct ScriptedRunner(Mutex<Script>);

fn lost<T>() -> Result<T, HostRunnerError> {
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

    fn tombstone(&self, attempt: AttemptId, _caller: Caller) -> Call<'_, Status> {
        self.0.lock().unwrap().tombstones.push(attempt);
        Box::pin(async { Ok(Status::Tombstoned) })
    }
}

fn number() -> ModuleNumber {
    ModuleNumber::try_from(1).unwrap()
}

fn seen(failed: bool, looks: u32) -> Observation {
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

struct Bench {
    store: Arc<MemoryStore>,
    runner: Arc<ScriptedRunner>,
    parts: EngineParts,
    engine: Engine,
    door: Arc<Door>,
}

fn target() -> Target {
    Target::module("tenant-1".parse().unwrap(), number())
}

impl Bench {
    async fn start(script: Script) -> Self {
        let clock = Arc::new(RuntimeClock(Instant::now()));
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
            hsm: None,
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
            last_time: None,
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
    async fn restart(&mut self) {
        self.engine = Engine::start(self.parts.clone()).await.unwrap();
        self.door = self.engine.door();
    }

    /// Lets time pass, with the alert delivered again every minute.
    async fn run(&self, minutes: u32) {
        for _ in 0..minutes {
            self.deliver(true);
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    fn deliver(&self, firing: bool) {
        let now = self.parts.clock.now();
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
        self.door.deliver(vec![fact], Vec::new());
    }

    fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.runner.0.lock().unwrap())
    }

    fn orders(&self) -> usize {
        self.script(|script| script.orders.len())
    }

    fn outcomes(&self) -> Vec<Outcome> {
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

fn script(answers: bool) -> Script {
    Script {
        answers,
        failed: true,
        ..Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn alert_leads_to_one_order_that_is_reserved_first_and_verified_afterwards() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(4).await;
    assert_eq!(bench.orders(), 1);
    let order = bench.script(|script| script.orders[0].clone());
    assert_eq!(
        (order.rung, order.module, order.epoch),
        (Rung::Retry, Some(number()), Epoch(1))
    );
    bench.script(|script| {
        script.status = Some(Status::Ended {
            detail: "OK".to_owned(),
            steps: Vec::new(),
        });
        script.failed = false;
    });
    bench.run(3).await;
    assert_eq!(bench.outcomes(), [Outcome::Succeeded]);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn order_whose_answer_is_lost_is_asked_after_and_never_given_twice() {
    let bench = Bench::start(script(false)).await;
    bench.script(|script| script.status = Some(Status::Running));
    let pages = || -> Vec<PageReason> {
        let state = bench.parts.board.all();
        state[0].pages.keys().map(|(_, reason)| *reason).collect()
    };
    bench.run(12).await;
    assert_eq!(bench.outcomes(), []);
    assert_eq!(pages(), [PageReason::HostRunner]);
    bench.run(10).await;
    assert_eq!(bench.outcomes(), [Outcome::Unknown]);
    let both = [PageReason::AttemptUnknown, PageReason::HostRunner];
    assert_eq!(pages(), both);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn late_report_ends_an_unknown_outcome() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(25).await;
    assert_eq!(bench.outcomes(), [Outcome::Unknown]);
    bench.script(|script| {
        script.status = Some(Status::Ended {
            detail: "OK".to_owned(),
            steps: Vec::new(),
        });
        script.failed = false;
    });
    bench.run(4).await;
    assert_eq!(bench.outcomes(), [Outcome::Unknown, Outcome::Succeeded]);
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn order_that_never_arrived_is_tombstoned_before_another_is_given() {
    let bench = Bench::start(script(false)).await;
    bench.run(6).await;
    let (orders, tombstones) =
        bench.script(|script| (script.orders.clone(), script.tombstones.clone()));
    assert_eq!(bench.outcomes()[0], Outcome::Cancelled);
    assert_eq!(tombstones[0], orders[0].attempt);
    assert!(orders.len() >= 2);
    assert_ne!(orders[0].attempt, orders[1].attempt);
}

#[tokio::test(start_paused = true)]
async fn restarted_process_asks_after_the_open_attempt_and_does_not_run_the_rung_again() {
    let mut bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(4).await;
    assert_eq!(bench.orders(), 1);
    bench.restart().await;
    bench.run(10).await;
    assert_eq!(bench.orders(), 1);
    bench.script(|script| {
        script.status = Some(Status::Ended {
            detail: "OK".to_owned(),
            steps: Vec::new(),
        });
        script.failed = false;
    });
    bench.run(3).await;
    assert_eq!(bench.outcomes(), [Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn open_critical_section_is_resumed() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(4).await;
    let detail = "died".to_owned();
    bench.script(|script| {
        script.status = Some(Status::Interrupted {
            section_open: true,
            steps_started: 2,
            detail,
        });
    });
    bench.run(1).await;
    let attempt = bench.script(|script| script.orders[0].attempt);
    assert_eq!(bench.script(|script| script.resumes.clone()), [attempt]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ordered_while_the_store_fails() {
    let bench = Bench::start(script(true)).await;
    bench.store.fails.store(true, Ordering::SeqCst);
    bench.run(10).await;
    assert_eq!(bench.orders(), 0);
    bench.store.fails.store(false, Ordering::SeqCst);
    bench.run(5).await;
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn host_is_looked_at_at_the_agreed_pace() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.status = Some(Status::Running));
    bench.run(2).await;
    let looks = bench.script(|script| script.looks);
    assert!((3..=8).contains(&looks), "{looks} looks in two minutes");
}

#[tokio::test(start_paused = true)]
async fn accepted_attempt_of_which_no_step_began_counts_for_nothing() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| {
        let detail = "accepted; no step was started".to_owned();
        script.status = Some(Status::Interrupted {
            section_open: false,
            steps_started: 0,
            detail,
        });
    });
    bench.run(4).await;
    assert_eq!(bench.outcomes()[0], Outcome::Cancelled);
    assert!(!bench.outcomes().contains(&Outcome::Failed));
}

#[tokio::test(start_paused = true)]
async fn accepted_attempt_that_the_host_has_lost_is_unknown_and_pages() {
    let bench = Bench::start(script(true)).await;
    bench.run(4).await;
    assert_eq!(bench.orders(), 1);
    assert_eq!(bench.outcomes()[0], Outcome::Unknown);
    let pages = bench.parts.board.all()[0].pages.clone();
    assert!(
        pages
            .keys()
            .any(|(_, reason)| *reason == PageReason::AttemptUnknown)
    );
}

#[tokio::test(start_paused = true)]
async fn alert_that_ends_during_a_look_does_not_permit_what_is_decided_on_it() {
    let bench = Bench::start(script(true)).await;
    bench.script(|script| script.look_takes = Duration::from_secs(4));
    let begin = Instant::now();
    bench.deliver(true);
    let not_before = bench.parts.policy.retry.not_before;
    while begin.elapsed() < not_before || !bench.script(|script| script.looking) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        bench.orders(),
        0,
        "the rung was not started before the alert ended"
    );
    bench.deliver(false);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(bench.orders(), 0);
}

#[tokio::test(start_paused = true)]
async fn restarted_process_looks_before_it_decides_and_pages_nobody_meanwhile() {
    let mut bench = Bench::start(script(true)).await;
    bench.run(1).await;
    bench.script(|script| script.look_takes = Duration::from_secs(40));
    bench.restart().await;
    bench.run(1).await;
    let events = bench.store.events.lock().unwrap();
    let paged = events
        .iter()
        .filter(|event| matches!(event.entry.change, Change::PageRaised { .. }));
    assert_eq!(paged.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn hold_is_obeyed_at_once_and_nothing_starts_on_the_host() {
    let bench = Bench::start(script(true)).await;
    bench.run(1).await;
    let order = HostOrder::Hold {
        target: target(),
        until: None,
    };
    let giver = vcm_recovery::command::Giver {
        by: "alice".parse().unwrap(),
        reason: "the provider works on it".to_owned(),
    };
    let stored = bench
        .door
        .order_host(&target().host, order, giver.clone())
        .await;
    assert_eq!(stored.unwrap().len(), 1);
    bench.run(10).await;
    assert_eq!(bench.orders(), 0);
    let order = HostOrder::Release { target: target() };
    bench
        .door
        .order_host(&target().host, order, giver)
        .await
        .unwrap();
    bench.run(2).await;
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn pause_survives_a_restart_and_nothing_starts_until_it_ends() {
    let mut bench = Bench::start(script(true)).await;
    let giver = vcm_recovery::command::Giver {
        by: "alice".parse().unwrap(),
        reason: "change freeze".to_owned(),
    };
    let pause = vcm_recovery::command::FleetOrder::Pause { until: None };
    bench.door.order_fleet(pause, giver.clone()).await.unwrap();
    bench.run(5).await;
    bench.restart().await;
    bench.run(5).await;
    assert_eq!(bench.orders(), 0);
    let resume = vcm_recovery::command::FleetOrder::Resume;
    bench.door.order_fleet(resume, giver).await.unwrap();
    bench.run(2).await;
    assert_eq!(bench.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_accepted_what_the_store_does_not_know_gets_no_order_and_a_person_is_told_why()
{
    let bench = Bench::start(script(true)).await;
    let accepted = AttemptId::from_bits(77);
    let epoch = Epoch(1);
    bench.script(|script| {
        script.newest = Some(Newest {
            attempt: accepted,
            epoch,
        });
    });
    bench.run(8).await;
    assert_eq!(bench.orders(), 0);
    let outcomes = bench.outcomes();
    assert!(outcomes.len() >= 3, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Refused));
    let events = bench.store.events.lock().unwrap();
    let page = |event: &Event| {
        if let Change::PageRaised { reason, text, .. } = &event.entry.change {
            Some((*reason, text.clone()))
        } else {
            None
        }
    };
    let pages: Vec<_> = events.iter().filter_map(page).collect();
    let [(PageReason::HostRunner, told)] = &pages[..] else {
        panic!("{pages:?}");
    };
    for part in ["not_owner", &accepted.to_string(), "store bump-epoch"] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_names_the_attempt_that_the_host_accepted_last() {
    let bench = Bench::start(script(false)).await;
    bench.run(3).await;
    let first = bench.script(|script| script.orders[0].clone());
    assert_eq!(first.newest, None);
    bench.script(|script| {
        let (attempt, epoch) = (first.attempt, first.epoch);
        script.newest = Some(Newest { attempt, epoch });
    });
    let before = bench.orders();
    bench.run(6).await;
    let orders = bench.script(|script| script.orders.clone());
    assert!(orders.len() > before, "{orders:?}");
    assert_eq!(orders[before].newest, Some(first.attempt));
}

/// Out of the inventory goes the host, or its module, in place of which another one stands.
fn taken_out(parts: &mut EngineParts, host: bool) {
    let mut inventory = Inventory::clone(&parts.inventory);
    let name = target().host;
    if host {
        inventory.hosts.remove(&name);
        parts.runners.remove(&name);
    } else if let Some(entry) = inventory.hosts.get_mut(&name) {
        let module = entry.modules.remove(&number()).unwrap();
        entry
            .modules
            .insert(ModuleNumber::try_from(9).unwrap(), module);
    }
    parts.inventory = Arc::new(inventory);
}

async fn order(bench: &Bench, order: HostOrder) -> Result<Vec<Event>, OrderFailure> {
    let giver = vcm_recovery::command::Giver {
        by: "ada".parse().unwrap(),
        reason: "taken out".to_owned(),
    };
    bench.door.order_host(&target().host, order, giver).await
}

#[tokio::test(start_paused = true)]
async fn what_is_open_of_a_host_or_module_taken_out_is_paged_resolved_and_closed() {
    for host in [true, false] {
        let mut bench = Bench::start(script(true)).await;
        bench.script(|script| script.status = Some(Status::Running));
        bench.run(4).await;
        assert_eq!(bench.orders(), 1);
        taken_out(&mut bench.parts, host);
        bench.restart().await;
        bench.run(1).await;
        let pages = |bench: &Bench| bench.parts.board.all()[0].pages.clone();
        let drift = (target(), PageReason::InventoryDrift);
        assert!(pages(&bench).contains_key(&drift), "host {host}");

        bench.run(20).await;
        assert_eq!(bench.outcomes(), [Outcome::Unknown], "host {host}");
        let unknown = (target(), PageReason::AttemptUnknown);
        assert!(pages(&bench).contains_key(&unknown), "host {host}");
        let close = || HostOrder::Close { target: target() };
        assert!(order(&bench, close()).await.is_err(), "an attempt is open");

        let attempt = bench.script(|script| script.orders[0].attempt);
        let resolve = HostOrder::ResolveAttempt {
            attempt,
            outcome: Outcome::Failed,
        };
        order(&bench, resolve).await.unwrap();
        bench.run(30).await;
        assert_eq!(bench.parts.board.all()[0].unsettled().count(), 0);
        order(&bench, close()).await.unwrap();
        bench.run(5).await;
        let state = &bench.parts.board.all()[0];
        assert!(
            state.incidents.is_empty(),
            "none opens for what is not listed"
        );
        assert!(state.pages.is_empty(), "host {host}");
        assert_eq!(bench.orders(), 1, "nothing was started");
    }
}

#[tokio::test(start_paused = true)]
async fn host_taken_out_of_which_nothing_is_open_has_no_actor() {
    let mut bench = Bench::start(script(true)).await;
    taken_out(&mut bench.parts, true);
    bench.restart().await;
    let close = HostOrder::Close { target: target() };
    let refused = order(&bench, close).await;
    assert!(matches!(refused, Err(OrderFailure::UnknownHost(_))));
}
