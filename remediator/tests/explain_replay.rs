//! `explain`, `replay` and `report` as an operator uses them, on a store that the core and the store
//! themselves have filled in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking, and the process under test is started here"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use nshield::{ModuleNumber, ModuleState};
use tempfile::TempDir;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Intent, Report};
use vcm_recovery::decide::{Proposal, decide};
use vcm_recovery::event::{Change, Entry, Event};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::fleet::FleetView;
use vcm_recovery::ids::{AttemptId, ObservationId};
use vcm_recovery::inventory::Target;
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::policy::Site;
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Tier;
use vcm_remediator::clock::{Clock, ManualClock, SystemClock};
use vcm_remediator::config::Config;
use vcm_remediator::store::open::open;
use vcm_remediator::store::sqlite::SqliteStore;
use vcm_remediator::store::{Reservation, Store};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcm-remediator");

const ESN: &str = "1A2B-05E0-D947";

/// A host with one module, a configuration and a store.
struct Record {
    directory: TempDir,
    config: Config,
    clock: Arc<ManualClock>,
    store: SqliteStore,
    state: HostState,
    evidence: Evidence,
    seen: Observation,
    attempts: u128,
}

fn module() -> ModuleNumber {
    ModuleNumber::try_from(1).unwrap()
}

fn target() -> Target {
    Target::module("tenant-1".parse().unwrap(), module())
}

fn configuration(directory: &Path, name: &str, policy: &str) -> PathBuf {
    let path = directory.join(name);
    let yaml = format!(
        "store: {{path: {}}}
inventory:
  hosts:
    - name: tenant-1
      runner: {{local: {{config_file: /etc/vcm-remediator/host.yaml}}}}
      modules: [{{number: 1, esn: {ESN}}}]
{policy}",
        directory.join("store.sqlite").display()
    );
    fs::write(&path, yaml).unwrap();
    path
}

fn observation() -> Observation {
    let look = ModuleLook {
        state: ModuleState::Failed,
        printed: "flags none, mode failed".to_owned(),
        esn: ESN.parse().ok(),
        hardware_ok: Some(true),
        connection_ok: Some(true),
        kind: Some(vcm_recovery::inventory::Kind::Vcm),
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
    fn new(policy: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let config = Config::load(&configuration(directory.path(), "own.yaml", policy)).unwrap();
        let hour = Duration::from_secs(3600);
        let clock = Arc::new(ManualClock::at(
            SystemClock::resume(None).now().before(hour),
        ));
        let opened = open(&config.store).unwrap();
        Self {
            store: SqliteStore::start(opened, Arc::clone(&clock) as Arc<dyn Clock>).unwrap(),
            state: HostState::new(target().host),
            evidence: Evidence::default(),
            seen: observation(),
            attempts: 0,
            directory,
            config,
            clock,
        }
    }

    /// Lets time pass in steps of a look, with the alert delivered again and again. An attempt that
    /// starts cures the module when `cures` is set.
    async fn run(&mut self, minutes: u32, cures: bool) {
        for _ in 0..minutes * 3 {
            self.deliver().await;
            self.seen.observation_id =
                ObservationId::from_bits(self.seen.observation_id_bits() + 1);
            let at = self.clock.now();
            let seen = Ok(self.seen.clone());
            self.evidence.push(Look { at, seen });
            if let Some(proposal) = self.decide().await {
                self.attempt(&proposal).await;
                if cures {
                    self.heal();
                }
            }
            self.clock.advance(Duration::from_secs(20));
        }
    }

    fn heal(&mut self) {
        self.seen.modules.get_mut(&module()).unwrap().state = ModuleState::Operational;
    }

    async fn deliver(&mut self) {
        let now = self.clock.now();
        let fact = Fact {
            fingerprint: "00000000000000aa".parse().unwrap(),
            name: "VcmFailed".to_owned(),
            target: target(),
            tier: Some(Tier::Retry),
            lowered: None,
            firing: true,
            starts_at: now.day_began(),
            ends_at: None,
            delivered_at: now,
        };
        let accepted = self.store.accept(vec![fact.clone()]).await.unwrap();
        self.state.deliver(&fact);
        self.apply(&accepted.events);
    }

    async fn decide(&mut self) -> Option<Proposal> {
        let now = self.clock.now();
        let fleet = FleetView {
            watchdog: Some(now),
            ..FleetView::default()
        };
        let site = Site {
            host: &self.config.inventory.hosts[&target().host],
            policy: &self.config.policy,
        };
        let decision = decide(&self.state, &self.evidence, &fleet, site, now);
        if decision
            .changes
            .iter()
            .any(|entry| matches!(entry.change, Change::Observed(_)))
        {
            let kept = self.store.keep_observation(&target().host, &self.seen);
            kept.await.unwrap();
        }
        let events = self.store.append(decision.changes).await.unwrap();
        self.apply(&events);
        decision.proposal
    }

    async fn attempt(&mut self, proposal: &Proposal) {
        self.attempts += 1;
        let attempt = AttemptId::from_bits(self.attempts);
        let intent = Intent {
            attempt,
            incident: proposal.incident.clone(),
            target: proposal.target.clone(),
            rung: proposal.rung,
            epoch: self.store.identity().epoch,
            observation: proposal.observation,
            ceiling: proposal.ceiling,
            esn: proposal.esn.clone(),
            hsms: proposal.hsms.clone(),
            steps: proposal.steps.clone(),
            healthy_before: proposal.healthy_before.clone(),
            approval: None,
            asked: proposal.asked.clone(),
        };
        let budgets = self.config.policy.budgets;
        let reserved = self
            .store
            .reserve(self.entry(Change::IntentReserved(intent)), budgets);
        let Reservation::Reserved(events) = reserved.await.unwrap() else {
            panic!("no budget");
        };
        self.apply(&events);
        let detail = "OK".to_owned();
        let reports = [Report::Accepted, Report::Ended { detail }];
        let entries = reports.map(|report| self.entry(Change::AttemptReported { attempt, report }));
        let events = self.store.append(entries.into()).await.unwrap();
        self.apply(&events);
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

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            self.state.apply(event);
        }
    }

    fn program(&self, arguments: &[&str]) -> String {
        let store = self.config.store.to_str().unwrap();
        let arguments = arguments.iter().map(|word| match *word {
            "STORE" => store,
            word => word,
        });
        said(&Command::new(PROGRAM).args(arguments).output().unwrap())
    }

    /// What `replay` says that another policy would have decided.
    fn replayed(&self, policy: &str) -> String {
        let other = configuration(self.directory.path(), "other.yaml", policy);
        let other = other.to_str().unwrap();
        self.program(&["replay", "--store", "STORE", "--policy", other])
    }
}

trait Bits {
    fn observation_id_bits(&self) -> u128;
}

impl Bits for Observation {
    fn observation_id_bits(&self) -> u128 {
        let digits: String = self.observation_id.to_string().replace('-', "");
        u128::from_str_radix(&digits, 16).unwrap()
    }
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

const ACT: &str = "mode: act\n";

#[tokio::test]
async fn replay_of_the_same_policy_finds_no_difference() {
    let mut record = Record::new(ACT);
    record.run(20, true).await;
    assert_eq!(record.attempts, 1);
    let said = record.replayed(ACT);
    assert!(
        said.ends_with(" times, 0 differences from the record\n"),
        "{said}"
    );
}

#[tokio::test]
async fn replay_names_what_another_policy_would_not_have_started() {
    let mut record = Record::new(ACT);
    record.run(20, true).await;
    let observing = record.replayed("mode: observe\n");
    let line = "tenant-1/1: retry was started, and would not have been: observe_only refuses: ";
    assert!(observing.contains(line), "{observing}");
    let patient = record.replayed("mode: act\npolicy: {retry: {not_before: 30m}}\n");
    let line = "retry was started, and would not have been: not_before refuses: ";
    assert!(patient.contains(line), "{patient}");
}

#[tokio::test]
async fn replay_names_what_another_policy_would_have_started() {
    let mut record = Record::new("mode: observe\n");
    record.run(10, false).await;
    assert_eq!(record.attempts, 0);
    let said = record.replayed("mode: act\npolicy: {retry: {not_before: 1m}}\n");
    let line = "tenant-1/1: retry would have been started; recorded was: retry has to wait";
    assert!(said.contains(line), "{said}");
    assert!(
        said.contains(" 1 differences"),
        "each rung is said once: {said}"
    );
}

#[tokio::test]
async fn report_tells_what_would_have_run_and_what_healed_by_itself() {
    let mut record = Record::new("mode: observe\n");
    record.run(3, false).await;
    record.heal();
    record.run(8, false).await;
    let human = record.program(&["report", "--store", "STORE", "--since", "1d"]);
    for line in [
        "incidents opened: 1\n",
        "closed as recovered: 1\n",
        "retry: run 0 times, succeeded 0; would have been run 1 times, unnecessary 1, healed by itself 1\n",
        "share of unnecessary acts: 100.0 %\n",
        "tenant-1/1: retry would have run; healed by itself ",
    ] {
        assert!(human.contains(line), "{line}\n{human}");
    }
    let json = record.program(&["report", "--store", "STORE", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rungs"]["retry"]["unnecessary"], 1);
    assert_eq!(json["unnecessary_share"], 1.0);
}

#[tokio::test]
async fn report_counts_what_was_run() {
    let mut record = Record::new(ACT);
    record.run(20, true).await;
    let human = record.program(&["report", "--store", "STORE"]);
    let line = "retry: run 1 times, succeeded 1; would have been run 0 times";
    assert!(human.contains(line), "{human}");
    assert!(!human.contains("unnecessary acts"), "{human}");
}

#[test]
fn explain_shows_every_guard_of_every_rung_and_the_plan() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "own.yaml", ACT);
    let alert = directory.path().join("alert.json");
    let labels = serde_json::json!({
        "alertname": "VcmFailed", "host": "tenant-1", "module": "1",
    });
    let fields = serde_json::json!({
        "status": "firing", "labels": labels, "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": "00000000000000aa",
    });
    fs::write(&alert, fields.to_string()).unwrap();
    let evidence = directory.path().join("seen.json");
    let seen = serde_json::to_string(&observation()).unwrap();
    fs::write(&evidence, format!("{seen}\n{seen}\n")).unwrap();
    let explain = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("explain").arg("--config.file").arg(&config);
        command.arg("--alert").arg(&alert).args(more);
        said(&command.output().unwrap())
    };
    let blind = explain(&[]);
    assert!(blind.contains("observation_unknown      there is no observation of the host"));
    let seeing = [
        "--evidence",
        evidence.to_str().unwrap(),
        "--failed-for",
        "3m",
    ];
    let sighted = explain(&seeing);
    assert!(
        sighted.starts_with("as if nothing had been tried, asked, paused or held before")
            && sighted.contains("\ntenant-1/1: retry may start\n"),
        "{sighted}"
    );
    assert!(
        sighted.contains("\nretry: nopclearfail -m1 -r\n"),
        "{sighted}"
    );
    assert!(sighted.contains("the firing alerts permit no more than retry"));
    for guard in vcm_recovery::guard::Guard::ALL {
        let lines = sighted
            .lines()
            .filter(|line| line.contains(&format!(" {guard}")));
        assert!(lines.count() >= 3, "{guard}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&explain(&[&seeing[..], &["--json"]].concat())).unwrap();
    assert_eq!(
        json["targets"][0]["rungs"][0]["verdicts"]
            .as_array()
            .unwrap()
            .len(),
        34
    );
}

#[test]
fn explain_names_a_file_that_is_not_what_it_is_given_for() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "own.yaml", ACT);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let alert = file(
        "alert.json",
        r#"{"status":"firing","labels":{"alertname":"VcmFailed"}}"#,
    );
    let told = |alert: &Path, evidence: Option<&Path>| {
        let mut command = Command::new(PROGRAM);
        command.arg("explain").arg("--config.file").arg(&config);
        command.arg("--alert").arg(alert);
        if let Some(evidence) = evidence {
            command.arg("--evidence").arg(evidence);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    for (text, complaint) in [
        ("[]", "x.json is no alert: it is no JSON object"),
        (
            r#"{"version":"4","alerts":[]}"#,
            "x.json is no alert: it is a body without alerts",
        ),
        ("{", "x.json is no JSON: EOF"),
    ] {
        let said = told(&file("x.json", text), None);
        assert!(said.contains(complaint), "{said}");
    }
    for (text, complaint) in [
        ("", "seen.json has no observation in it"),
        (
            r#"{"status":"firing"}"#,
            "seen.json is not what host observe prints: ",
        ),
        ("{", "seen.json is no JSON: EOF"),
    ] {
        let said = told(&alert, Some(&file("seen.json", text)));
        assert!(said.contains(complaint), "{said}");
    }
}

#[test]
fn explain_says_why_an_alert_is_not_acted_on() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "own.yaml", ACT);
    let alert = directory.path().join("alert.json");
    let fields = serde_json::json!({
        "status": "firing", "labels": {"alertname": "VcmFailed", "host": "tenant-9", "module": "1"},
        "startsAt": "2026-01-01T00:00:00Z", "fingerprint": "00000000000000aa",
    });
    fs::write(&alert, fields.to_string()).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("explain").arg("--config.file").arg(&config);
    command.arg("--alert").arg(&alert);
    assert_eq!(
        said(&command.output().unwrap()),
        "an alert is not acted on: unknown target: host \"tenant-9\" is not in the inventory\n"
    );
}
