//! A store that the core and the store themselves have filled in virtual time, a look at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nshield::{ModuleNumber, ModuleState};
use rusqlite::Connection;
use tempfile::TempDir;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Intent, Report};
use vcm_recovery::control::{Pause, Release};
use vcm_recovery::decide::{Proposal, decide};
use vcm_recovery::event::{Change, Entry, Event, Summary};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::ids::{AttemptId, HostName, ObservationId, Person};
use vcm_recovery::inventory::{Kind, Target};
use vcm_recovery::observation::{
    Condition, HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation,
    SourceStatus, Sources, StopSign,
};
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Tier;
use vcm_remediator::clock::{Clock, ManualClock, SystemClock};
use vcm_remediator::config::Config;
use vcm_remediator::store::open::{OpenError, open};
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{Reservation, Store};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

const ESN: &str = "1A2B-05E0-D947";

/// How long a store's lock may be held by a child that does not run its own program yet.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is shipped, but for the mode.
pub(crate) const SHIPPED: &str = "mode: act\n";

/// The host whose module fails.
pub(crate) const HOST: &str = "tenant-1";

/// A host with one failed module, the configuration that decides about it, and the store.
pub(crate) struct Record {
    directory: TempDir,
    config: Config,
    clock: Arc<ManualClock>,
    store: Option<SqliteStore>,
    state: HostState,
    evidence: Evidence,
    seen: Observation,
    looks: u128,
    attempts: u128,
    pause: Option<Pause>,
    /// Whether the watchdog is heard of.
    pub(crate) watchdog: bool,
    /// What a look takes, at the end of which a rung starts.
    pub(crate) look: Duration,
}

fn module() -> ModuleNumber {
    ModuleNumber::try_from(1).unwrap()
}

fn target() -> Target {
    Target::module(HOST.parse().unwrap(), module())
}

fn person() -> Person {
    "ops".parse().unwrap()
}

/// A configuration whose inventory has `hosts`.
pub(crate) fn configuration(directory: &Path, name: &str, hosts: &[&str], policy: &str) -> PathBuf {
    let path = directory.join(name);
    let listed = |host: &&str| {
        format!(
            "    - name: {host}
      runner: {{local: {{config_file: /etc/vcm-remediator/host.yaml}}}}
      modules: [{{number: 1, esn: {ESN}}}]
"
        )
    };
    let hosts: String = hosts.iter().map(listed).collect();
    let store = directory.join("store.sqlite");
    let store = store.display();
    let yaml = format!("store: {{path: {store}}}\ninventory:\n  hosts:\n{hosts}{policy}");
    fs::write(&path, yaml).unwrap();
    path
}

/// Module 1 has failed, and its network is good.
pub(crate) fn observation() -> Observation {
    let look = ModuleLook {
        state: ModuleState::Failed,
        printed: "flags none, mode failed".to_owned(),
        esn: ESN.parse().ok(),
        hardware_ok: Some(true),
        connection_ok: Some(true),
        kind: Some(Kind::Vcm),
        objects: Some(7),
        uptime: Some(1_000),
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
        observation_id: ObservationId::from_bits(1),
        boot_id: "boot".to_owned(),
        started_boottime: 0,
        finished_boottime: 0,
        sources: Sources {
            enquiry: SourceStatus::Ok,
            enquiry_server: SourceStatus::NotAsked,
            stattree: SourceStatus::Ok,
            socket: SourceStatus::Ok,
        },
        hardserver: HardserverLook::Up,
        complete: true,
        modules: BTreeMap::from([(module(), look)]),
        clients: Some(3),
        hardserver_uptime: Some(1_000),
        stop: StopSign::None,
        pause: None,
        hold: None,
        host_uptime: None,
        service_check: None,
        max_tier: Tier::Clear,
    }
}

impl Record {
    /// A store in which `policy` has decided since an hour ago.
    pub(crate) async fn new(policy: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = configuration(directory.path(), "own.yaml", &[HOST], policy);
        let config = Config::load(&path).unwrap();
        let hour = Duration::from_secs(3600);
        let begin = SystemClock::resume(None, None).now().before(hour);
        let mut record = Self {
            clock: Arc::new(ManualClock::at(begin)),
            store: None,
            state: HostState::new(target().host),
            evidence: Evidence::default(),
            seen: observation(),
            looks: 0,
            attempts: 0,
            pause: None,
            watchdog: true,
            look: Duration::ZERO,
            directory,
            config,
        };
        record.starts();
        let policy = Box::new(record.config.policy.clone());
        record.of_fleet(Change::PolicyLoaded(policy)).await;
        record
    }

    /// A retry cures the module, and it has been well for long since.
    pub(crate) async fn recovered() -> Self {
        let mut record = Self::new(SHIPPED).await;
        assert_eq!(record.looks(7, 20).await, [6]);
        record.heals();
        assert!(record.looks(53, 20).await.is_empty());
        record
    }

    async fn of_fleet(&mut self, change: Change) {
        let entry = Entry {
            host: None,
            target: None,
            incident: None,
            change,
        };
        self.append(vec![entry]).await;
    }

    pub(crate) async fn pauses(&mut self) {
        let pause = Pause {
            until: None,
            reason: "a change of the network".to_owned(),
            by: person(),
        };
        self.pause = Some(pause.clone());
        self.of_fleet(Change::Paused(pause)).await;
    }

    pub(crate) async fn resumes(&mut self) {
        self.pause = None;
        let (by, reason) = (person(), "it is done".to_owned());
        self.of_fleet(Change::Resumed(Release { by, reason })).await;
    }

    /// The program starts, again where it has run.
    pub(crate) fn starts(&mut self) {
        self.store = None;
        let begun = Instant::now();
        let opened = loop {
            match open(&self.config.store) {
                // A child that another test has just forked has a copy of the lock for a moment.
                Err(OpenError::Locked { .. }) if begun.elapsed() < PATIENCE => {
                    std::thread::yield_now();
                }
                opened => break opened.unwrap(),
            }
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.store = Some(SqliteStore::start(opened, clock).unwrap());
        self.evidence = Evidence::default();
    }

    fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn passes(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// So many looks, one every `seconds`. Says when attempts were started, in looks.
    pub(crate) async fn looks(&mut self, number: usize, seconds: u64) -> Vec<usize> {
        let mut started = Vec::new();
        for look in 0..number {
            if self.looked().await {
                started.push(look);
            }
            self.passes(seconds);
        }
        started
    }

    /// One look and what comes of it; the alert was delivered again before it.
    pub(crate) async fn looked(&mut self) -> bool {
        self.deliver().await;
        self.sees();
        if self.decide().await.is_none() {
            return false;
        }
        // As the engine does: a rung starts on what one more look shows.
        self.clock.advance(self.look);
        self.sees();
        let Some(proposal) = self.decide().await else {
            return false;
        };
        self.attempt(&proposal).await;
        true
    }

    fn sees(&mut self) {
        self.looks += 1;
        self.seen.observation_id = ObservationId::from_bits(self.looks);
        let at = self.clock.now();
        let seen = Ok(self.seen.clone());
        self.evidence.push(Look { at, seen });
    }

    pub(crate) fn heals(&mut self) {
        let look = self.seen.modules.get_mut(&module()).unwrap();
        look.state = ModuleState::Operational;
    }

    /// Something is recorded about another host.
    pub(crate) async fn sees_other(&mut self, host: &str) {
        let host: HostName = host.parse().unwrap();
        let summary = Summary {
            observation: None,
            problem: Some("it does not answer".to_owned()),
            hardserver: HardserverLook::Unknown,
            host: Condition::Unknown,
            modules: Vec::new(),
        };
        let entry = Entry {
            host: Some(host),
            target: None,
            incident: None,
            change: Change::Observed(summary),
        };
        self.append(vec![entry]).await;
    }

    async fn deliver(&mut self) {
        let now = self.clock.now();
        let fact = Fact {
            fingerprint: "00000000000000aa".parse().unwrap(),
            name: "VcmFailed".to_owned(),
            target: target(),
            tier: Some(self.config.policy.alerts["VcmFailed"].tier),
            lowered: None,
            firing: true,
            starts_at: now.day_began(),
            ends_at: None,
            delivered_at: now,
        };
        let accepted = self.store().accept(vec![fact.clone()]).await.unwrap();
        self.state.deliver(&fact);
        self.apply(&accepted.events);
    }

    async fn decide(&mut self) -> Option<Proposal> {
        let now = self.clock.now();
        let fleet = FleetView {
            watchdog: self.watchdog.then_some(now),
            pause: self.pause.clone(),
            ..FleetView::default()
        };
        let site = Site {
            host: &self.config.inventory.hosts[&target().host],
            policy: &self.config.policy,
        };
        let decision = decide(&self.state, &self.evidence, &fleet, site, now);
        let news = |entry: &Entry| matches!(entry.change, Change::Observed(_));
        if decision.changes.iter().any(news) {
            self.keep().await;
        }
        self.append(decision.changes).await;
        decision.proposal
    }

    async fn keep(&self) {
        let host = target().host;
        let kept = self.store().keep_observation(&host, &self.seen);
        kept.await.unwrap();
    }

    async fn attempt(&mut self, proposal: &Proposal) {
        self.attempts += 1;
        let attempt = AttemptId::from_bits(self.attempts);
        let intent = Intent {
            attempt,
            incident: proposal.incident.clone(),
            target: proposal.target.clone(),
            rung: proposal.rung,
            epoch: self.store().identity().epoch,
            observation: proposal.observation,
            ceiling: proposal.ceiling,
            esn: proposal.esn.clone(),
            hsms: proposal.hsms.clone(),
            steps: proposal.steps.clone(),
            healthy_before: proposal.healthy_before.clone(),
            approval: None,
            asked: proposal.asked.clone(),
        };
        self.keep().await;
        let entry = self.entry(Change::IntentReserved(intent));
        let reserved = self.store().reserve(entry, self.config.policy.budgets);
        let Reservation::Reserved(events) = reserved.await.unwrap() else {
            panic!("no budget");
        };
        self.apply(&events);
        let detail = "OK".to_owned();
        let reports = [Report::Accepted, Report::Ended { detail }];
        let entries = reports.map(|report| self.entry(Change::AttemptReported { attempt, report }));
        self.append(entries.into()).await;
    }

    fn entry(&self, change: Change) -> Entry {
        let incident = self.state.incidents.get(&target());
        Entry {
            host: Some(target().host),
            target: Some(target()),
            incident: incident.map(|incident| incident.id.clone()),
            change,
        }
    }

    async fn append(&mut self, entries: Vec<Entry>) {
        let events = self.store().append(entries).await.unwrap();
        self.apply(&events);
    }

    fn apply(&mut self, events: &[Event]) {
        let own = |event: &&Event| event.entry.host == Some(target().host);
        for event in events.iter().filter(own) {
            self.state.apply(event);
        }
    }

    /// Somebody changes what stands as the hash of an event. Says which record that was.
    pub(crate) fn tampered(&mut self) -> i64 {
        self.store = None;
        let connection = Connection::open(&self.config.store).unwrap();
        let change = "UPDATE events SET hash = zeroblob(32) WHERE seq = 3";
        assert_eq!(connection.execute(change, []).unwrap(), 1);
        3
    }

    pub(crate) fn report(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        let command = command.arg("report").arg("--store").arg(&self.config.store);
        command.args(arguments).output().unwrap()
    }

    /// What `replay` says of a policy that decides about `hosts`.
    pub(crate) fn replay(&self, hosts: &[&str], policy: &str) -> Output {
        let other = configuration(self.directory.path(), "other.yaml", hosts, policy);
        let mut command = Command::new(PROGRAM);
        let command = command.arg("replay").arg("--store").arg(&self.config.store);
        command.arg("--policy").arg(other).output().unwrap()
    }

    /// The same of a policy for the recorded host, which can be asked.
    pub(crate) fn replayed(&self, policy: &str) -> String {
        let output = self.replay(&[HOST], policy);
        assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
        said(&output)
    }
}

/// What stands on standard output.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What stands on standard error.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
