use std::collections::{BTreeMap, BTreeSet};

use nshield::ModuleNumber;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::event::{Change, Closing, EVENT_SCHEMA, Entry, Ruling, RungVerdict};
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, HostName, HsmName, IncidentId, ObservationId};
use vcm_recovery::incident::{Actor, Ending, Standing};
use vcm_recovery::inventory::{HostEntry, Kind, ModuleEntry, Target};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;
use vcm_recovery::step::Platform;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::verdict::Verdict;
use vcm_telemetry::lint::problems;
use vcm_telemetry::reference::{UPDATE, is_up_to_date};

use super::*;
use crate::clock::ManualClock;

mod operators;

/// The program's metrics with one host in them, and the host's state as events change it.
struct Program {
    metrics: Metrics,
    board: Arc<Board>,
    clock: Arc<ManualClock>,
    state: HostState,
    fleet: FleetState,
    now: Time,
}

fn host() -> HostName {
    "tenant-1".parse().unwrap()
}

fn module() -> Target {
    Target::module(host(), ModuleNumber::try_from(1).unwrap())
}

/// A host with one module.
fn entry(name: HostName, hsm: HsmName) -> HostEntry {
    let module = ModuleEntry {
        esn: Some("1A2B-05E0-D947".parse().unwrap()),
        kind: Kind::Vcm,
        hsm: Some(hsm),
        name: Some("pay \"ments\"\n".to_owned()),
    };
    HostEntry {
        name,
        instance: None,
        platform: Platform::Linux,
        mode: Some(Mode::Act),
        modules: BTreeMap::from([(ModuleNumber::try_from(1).unwrap(), module)]),
    }
}

impl Program {
    fn new() -> Self {
        Self::with(&["tenant-1 hsm-a"])
    }

    /// The program of these hosts, each with one module of the HSM after its name.
    fn with(places: &[&str]) -> Self {
        let hosts = places.iter().map(|place| {
            let (name, hsm) = place.split_once(' ').unwrap();
            let entry = entry(name.parse().unwrap(), hsm.parse().unwrap());
            (entry.name.clone(), entry)
        });
        let inventory = Arc::new(Inventory {
            hosts: hosts.collect(),
        });
        let board = Arc::new(Board::default());
        let now = Time::from_millis(1_700_000_000_000);
        let clock = Arc::new(ManualClock::at(now));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let metrics = Metrics::new(&inventory, &Arc::new(Policy::default()), &board, &shared);
        let state = HostState::new(host());
        Self {
            metrics,
            board,
            clock,
            state,
            fleet: FleetState::default(),
            now,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.clock.advance(time);
    }

    /// An event that belongs to no host, `after` the one before.
    fn fleet_event(&mut self, after: Duration, change: Change) {
        self.pass(after);
        let event = Event {
            seq: 1,
            schema: EVENT_SCHEMA,
            time: self.now,
            epoch: Epoch(1),
            entry: Entry {
                host: None,
                target: None,
                incident: None,
                change,
            },
        };
        self.fleet.apply(&event);
        self.board.publish_fleet(Arc::new(self.fleet.clone()));
    }

    /// An event about the module, `after` the one before.
    fn event(&mut self, after: Duration, change: Change) {
        self.pass(after);
        let event = Event {
            seq: 1,
            schema: EVENT_SCHEMA,
            time: self.now,
            epoch: Epoch(1),
            entry: Entry {
                host: Some(self.state.host.clone()),
                target: Some(Target {
                    host: self.state.host.clone(),
                    ..module()
                }),
                incident: None,
                change,
            },
        };
        self.metrics.observe_event(&event, &self.state);
        self.state.apply(&event);
        self.board.publish(Arc::new(self.state.clone()));
    }

    fn text(&self) -> String {
        self.metrics.exposition(Format::Text).unwrap()
    }

    /// The values of every series of a family whose labels include `labels`.
    fn values(&self, family: &str, labels: &str) -> Vec<f64> {
        let text = self.text();
        let samples = text.lines().filter(|line| {
            let name = line.split(['{', ' ']).next();
            name == Some(family) && line.contains(labels)
        });
        samples
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect()
    }

    /// The sum of every series of a family.
    fn sum(&self, family: &str) -> f64 {
        self.values(family, "").iter().sum()
    }

    fn value(&self, family: &str, labels: &str) -> f64 {
        let values = self.values(family, labels);
        assert_eq!(values.len(), 1, "{family}{{{labels}}} in\n{}", self.text());
        values[0]
    }
}

const NO_TIME: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

fn ruling(verdicts: &[(Guard, Verdict)]) -> Change {
    let verdicts = verdicts.iter().map(|(guard, verdict)| RungVerdict {
        rung: Rung::Retry,
        guard: *guard,
        verdict: verdict.clone(),
    });
    Change::Decided(Ruling {
        standing: Standing::Waiting(Rung::Retry),
        observation: None,
        verdicts: verdicts.collect(),
    })
}

fn intent(number: u128, host: &HostName, rung: Rung) -> Change {
    let target = Target {
        host: host.clone(),
        ..module()
    };
    Change::IntentReserved(Intent {
        attempt: AttemptId::from_bits(number),
        incident: IncidentId::new(&target, Time::from_millis(1)),
        target,
        rung,
        epoch: Epoch(1),
        observation: ObservationId::from_bits(1),
        ceiling: Tier::Retry,
        esn: None,
        hsms: BTreeSet::from([Some("hsm-a".parse().unwrap())]),
        steps: Vec::new(),
        healthy_before: BTreeSet::new(),
        approval: None,
        asked: BTreeSet::new(),
    })
}

fn report(number: u128, report: Report) -> Change {
    Change::AttemptReported {
        attempt: AttemptId::from_bits(number),
        report,
    }
}

fn ended(number: u128) -> Change {
    report(
        number,
        Report::Ended {
            detail: String::new(),
        },
    )
}

fn settled(number: u128, outcome: Outcome) -> Change {
    report(
        number,
        Report::Settled {
            outcome,
            reason: "test".to_owned(),
        },
    )
}

fn firing() -> Change {
    Change::FactChanged(Fact {
        fingerprint: "00000000000000ff".parse().unwrap(),
        name: "VcmFailed".to_owned(),
        target: module(),
        tier: Some(Tier::Retry),
        lowered: Some(Tier::Clear),
        firing: true,
        starts_at: Time::from_millis(1),
        ends_at: None,
        delivered_at: Time::from_millis(2),
    })
}

#[test]
fn known_series_start_at_zero() {
    let program = Program::new();
    for (family, labels, number) in [
        ("vcm_remediator_webhooks_total", "", 1),
        ("vcm_remediator_webhooks_rejected_total", "", 9),
        ("vcm_remediator_alerts_ignored_total", "", 5),
        ("vcm_remediator_incidents", "", 9),
        ("vcm_remediator_pages", "", PageReason::ALL.len()),
        ("vcm_remediator_incidents_closed_total", "", 16),
        (
            "vcm_remediator_attempts_total",
            "host=\"tenant-1\",module=\"1\"",
            3,
        ),
        ("vcm_remediator_attempts_total", "host=\"tenant-1\",tier", 1),
        ("vcm_remediator_attempts_failed_total", "", 4),
        ("vcm_remediator_attempts_unknown_total", "", 4),
        ("vcm_remediator_attempts_unsettled", "", 4),
        ("vcm_remediator_attempt_in_progress", "", 4),
        (
            "vcm_remediator_verdict_changes_total",
            "tier=\"retry\"",
            Guard::ALL.len(),
        ),
        ("vcm_remediator_time_to_recovery_seconds_count", "", 4),
        (
            "vcm_remediator_last_watchdog_timestamp_seconds",
            "sender=\"default\"",
            1,
        ),
        ("vcm_remediator_store_errors_total", "", 8),
        ("vcm_remediator_budget_in_use", "", 3),
    ] {
        assert_eq!(
            program.values(family, labels),
            vec![0.0; number],
            "{family} {labels}"
        );
    }
    assert!(
        program
            .values("vcm_remediator_incident_state", "")
            .is_empty(),
        "there is no incident"
    );
}

#[test]
fn target_labels_are_those_of_the_inventory_and_escaped() {
    let program = Program::new();
    let expected = "vcm_remediator_target_info{host=\"tenant-1\",module=\"1\",\
                    esn=\"1A2B-05E0-D947\",hsm=\"hsm-a\",kind=\"vcm\",\
                    vcm=\"pay \\\"ments\\\"\\n\"} 1\n";
    assert!(program.text().contains(expected), "{}", program.text());
}

#[test]
fn each_state_family_has_exactly_one_state() {
    let mut program = Program::new();
    assert_eq!(
        program.value("vcm_remediator_mode", "state=\"observe\""),
        1.0,
        "the lower wins"
    );
    program.event(NO_TIME, Change::IncidentOpened(None));
    for change in [
        ruling(&[(Guard::NotBefore, Verdict::refuse("too early"))]),
        intent(1, &host(), Rung::Retry),
        report(1, Report::Accepted),
        ended(1),
        settled(1, Outcome::Unknown),
        settled(1, Outcome::Failed),
    ] {
        program.event(SECOND, change);
        let states = program.values("vcm_remediator_incident_state", "module=\"1\"");
        assert_eq!((states.len(), states.iter().sum::<f64>()), (9, 1.0));
        assert_eq!(program.sum("vcm_remediator_incidents"), 1.0);
    }
    assert_eq!(program.sum("vcm_remediator_mode"), 1.0);
}

#[test]
fn a_guard_that_goes_on_refusing_is_counted_once() {
    let mut program = Program::new();
    program.event(NO_TIME, Change::IncidentOpened(None));
    let early = || (Guard::NotBefore, Verdict::refuse("too early"));
    let bad = || (Guard::NetworkBad, Verdict::refuse("0 of 5 echoes"));
    let ask = || {
        (
            Guard::ApprovalRequired,
            Verdict::Ask("a person decides".to_owned()),
        )
    };
    let changes = |program: &Program, guard: &str| {
        let labels = format!("guard=\"{guard}\",tier=\"retry\"");
        program.value("vcm_remediator_verdict_changes_total", &labels)
    };
    for verdicts in [
        vec![early()],
        vec![early(), bad(), ask()],
        vec![bad()],
        vec![early(), bad()],
    ] {
        program.event(SECOND, ruling(&verdicts));
        let blocked = program.values("vcm_remediator_incident_blocked", "tier=\"retry\"");
        assert_eq!(blocked, vec![1.0; verdicts.len()]);
    }
    assert_eq!(changes(&program, "not_before"), 2.0);
    assert_eq!(changes(&program, "network_bad"), 1.0);
    assert_eq!(
        changes(&program, "approval_required"),
        0.0,
        "asking is not refusing"
    );
}

#[test]
fn an_attempt_is_counted_when_it_may_have_started_and_once() {
    let table: [(&[Change], [f64; 3]); 7] = [
        (&[], [0.0, 0.0, 0.0]),
        (&[settled(1, Outcome::Refused)], [0.0, 0.0, 0.0]),
        (&[settled(1, Outcome::Cancelled)], [0.0, 0.0, 0.0]),
        (
            &[report(1, Report::Accepted), settled(1, Outcome::Succeeded)],
            [1.0, 0.0, 0.0],
        ),
        (
            &[settled(1, Outcome::Unknown), settled(1, Outcome::Unknown)],
            [1.0, 0.0, 1.0],
        ),
        (
            &[
                report(1, Report::Accepted),
                ended(1),
                settled(1, Outcome::Unknown),
                settled(1, Outcome::Failed),
                settled(1, Outcome::Failed),
            ],
            [1.0, 1.0, 1.0],
        ),
        (
            &[report(1, Report::Accepted), settled(1, Outcome::MadeWorse)],
            [1.0, 1.0, 0.0],
        ),
    ];
    for (reports, expected) in table {
        let mut program = Program::new();
        program.event(NO_TIME, Change::IncidentOpened(None));
        program.event(NO_TIME, intent(1, &host(), Rung::Retry));
        for change in reports {
            program.event(SECOND, change.clone());
        }
        let labels = "module=\"1\",tier=\"retry\"";
        let counted = ["", "_failed", "_unknown"]
            .map(|kind| program.value(&format!("vcm_remediator_attempts{kind}_total"), labels));
        assert_eq!(counted, expected, "{reports:?}");
    }
}

#[test]
fn an_attempt_in_flight_shows_in_its_gauges_until_it_is_settled() {
    let mut program = Program::new();
    let gauges = |program: &Program| {
        let labels = "module=\"1\",tier=\"retry\"";
        [
            program.value("vcm_remediator_attempt_in_progress", labels),
            program.value("vcm_remediator_attempts_unsettled", labels),
            program.value("vcm_remediator_budget_in_use", "scope=\"host\""),
            program.value("vcm_remediator_budget_in_use", "scope=\"hsm\""),
            program.value("vcm_remediator_budget_in_use", "scope=\"fleet\""),
        ]
    };
    program.event(NO_TIME, intent(1, &host(), Rung::Retry));
    assert_eq!(gauges(&program), [1.0, 1.0, 1.0, 1.0, 0.0]);
    program.event(SECOND, settled(1, Outcome::Unknown));
    assert_eq!(gauges(&program), [0.0, 1.0, 1.0, 1.0, 0.0]);
    program.event(SECOND, settled(1, Outcome::Failed));
    assert_eq!(gauges(&program), [0.0; 5]);
    let sum = program.value(
        "vcm_remediator_attempt_duration_seconds_sum",
        "tier=\"retry\"",
    );
    assert_eq!(sum, 2.0);
}

#[test]
fn a_closed_incident_counts_with_its_time_to_recovery_by_its_last_rung() {
    let close = |rung, recovery_millis| {
        Change::IncidentClosed(Closing {
            ending: Ending::Recovered,
            actor: Actor::Automatic,
            rung,
            recovery_millis,
            reason: "healthy".to_owned(),
            spent: BTreeMap::new(),
        })
    };
    let mut program = Program::new();
    program.event(NO_TIME, close(Some(Rung::Clear), Some(90_000)));
    program.event(NO_TIME, close(None, Some(10_000)));
    program.event(NO_TIME, close(None, None));
    let labels = "outcome=\"recovered\",actor=\"automatic\"";
    assert_eq!(
        program.value("vcm_remediator_incidents_closed_total", labels),
        3.0
    );
    let sum = |tier: &str| {
        let labels = format!("tier=\"{tier}\"");
        program.value("vcm_remediator_time_to_recovery_seconds_sum", &labels)
    };
    assert_eq!([sum("clear"), sum("none"), sum("retry")], [90.0, 10.0, 0.0]);
}

#[test]
fn pages_are_counted_while_they_are_open() {
    let mut program = Program::new();
    let reason = PageReason::Exhausted;
    program.event(
        NO_TIME,
        Change::PageRaised {
            reason,
            text: "out of rungs".to_owned(),
            hsm: None,
        },
    );
    assert_eq!(
        program.value("vcm_remediator_pages", "reason=\"exhausted\""),
        1.0
    );
    program.event(NO_TIME, Change::PageCleared { reason, hsm: None });
    assert_eq!(program.sum("vcm_remediator_pages"), 0.0);
}

#[test]
fn decision_lag_is_from_the_first_firing_to_the_first_decision() {
    let mut program = Program::new();
    program.event(NO_TIME, firing());
    program.event(SECOND, firing());
    program.event(NO_TIME, Change::IncidentOpened(None));
    program.event(SECOND, ruling(&[]));
    program.event(SECOND, firing());
    program.event(
        SECOND,
        ruling(&[(Guard::NotBefore, Verdict::refuse("too early"))]),
    );
    assert_eq!(
        program.value("vcm_remediator_decision_lag_seconds_count", ""),
        1.0
    );
    assert_eq!(
        program.value("vcm_remediator_decision_lag_seconds_sum", ""),
        2.0
    );
}

#[test]
fn a_host_that_the_inventory_does_not_know_makes_no_new_counter() {
    let mut program = Program::new();
    let before = program.text().lines().count();
    let gone: HostName = "tenant-9".parse().unwrap();
    program.state = HostState::new(gone.clone());
    let reserved = intent(1, &gone, Rung::Retry);
    program.metrics.observe_event(
        &Event {
            seq: 1,
            schema: EVENT_SCHEMA,
            time: program.now,
            epoch: Epoch(1),
            entry: Entry {
                host: Some(gone),
                target: None,
                incident: None,
                change: reserved,
            },
        },
        &program.state,
    );
    assert_eq!(program.text().lines().count(), before);
}

#[test]
fn two_scrapes_of_one_state_are_the_same_but_for_the_process() {
    let program = Program::new();
    let own = |text: String| {
        text.lines()
            .filter(|line| !line.contains("process_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(own(program.text()), own(program.text()));
}

#[test]
fn what_is_exported_is_what_is_described_and_all_of_it() {
    let mut program = Program::new();
    program.event(NO_TIME, Change::IncidentOpened(None));
    let early = (Guard::NotBefore, Verdict::refuse("too early"));
    program.event(SECOND, ruling(&[early]));
    program.event(SECOND, Change::Held(operators::hold(None)));
    program.event(SECOND, operators::asked());
    program.fleet_event(SECOND, operators::paused(None));
    program.fleet_event(SECOND, operators::shed());
    for format in [Format::Text, Format::OpenMetrics] {
        let text = program.metrics.exposition(format).unwrap();
        assert_eq!(problems(&text, &reference()), Vec::<String>::new());
        for metric in reference() {
            assert!(text.contains(&format!("\n{}", metric.name)), "{metric:?}");
        }
    }
}

/// After a wanted change: `UPDATE_REFERENCE=1 cargo test -p vcm-remediator reference`.
#[test]
fn the_reference_is_that_of_the_code() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    assert!(
        is_up_to_date(file.as_ref(), "vcm-remediator", &reference()).unwrap(),
        "docs/metrics.md: {UPDATE}=1 cargo test -p vcm-remediator reference"
    );
}
