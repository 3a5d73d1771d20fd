//! The fold: whatever happens and whatever people order, the state that lives is the state that the
//! stored events tell, and every event reads back as it was written.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use vcm_recovery::approval::Choice;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::command::{FleetOrder, HostOrder};
use vcm_recovery::event::Change;
use vcm_recovery::fleet::load::{LoadAction, LoadOrder, LoadReport};
use vcm_recovery::incident::IncidentState;
use vcm_recovery::observation::ServiceCheck;
use vcm_recovery::policy::{Mode, OthersHealthy};
use vcm_recovery::start::{Boot, Start};
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab, of_fleet};
use crate::safety::{Happening, estate, happen, happening, histories};

/// Something that happens, or that a person does.
#[derive(Clone, Debug)]
enum Step {
    Happens(Happening),
    Answer(Option<Rung>),
    Hold(Option<u16>, bool),
    Pause(bool),
    Reopen(Option<u16>),
    Close(Option<u16>),
    Resolve(Outcome),
    Mode(Mode),
    Others(OthersHealthy),
    /// The runner of the open attempt is never heard of again.
    Lost,
    /// The remediator ends and starts anew.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    use Step as S;
    let target = || prop::option::of(1u16..=3);
    let rung = prop::option::of(prop::sample::select(Rung::ALL.to_vec()));
    let outcomes = vec![Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled];
    let others = vec![
        OthersHealthy::Skip,
        OthersHealthy::Ask,
        OthersHealthy::Allow,
    ];
    prop_oneof![
        24 => happening().prop_map(S::Happens),
        4 => rung.prop_map(S::Answer),
        2 => (target(), any::<bool>()).prop_map(|(n, on)| S::Hold(n, on)),
        1 => any::<bool>().prop_map(S::Pause),
        1 => target().prop_map(S::Reopen),
        1 => target().prop_map(S::Close),
        1 => prop::sample::select(outcomes).prop_map(S::Resolve),
        1 => prop::sample::select(Mode::ALL.to_vec()).prop_map(S::Mode),
        1 => prop::sample::select(others).prop_map(S::Others),
        1 => Just(S::Lost),
        1 => Just(S::Restart),
    ]
}

/// What a person may not do now is not done; that is for the tests of the orders.
fn take(lab: &mut Lab, step: &Step) -> Result<(), TestCaseError> {
    let refused = match step {
        Step::Happens(happening) => {
            let before = lab.log.len();
            let nothing_may_start = nothing_may_start(lab);
            happen(lab, happening);
            prop_assert!(
                !nothing_may_start || lab.log.len() == before,
                "an attempt started in a pause, or on a host that is held"
            );
            return Ok(());
        }
        Step::Answer(rung) => {
            let choice = rung.map_or(Choice::Deny, Choice::Approve);
            let request = lab.request().map(|request| request.id);
            request.map(|request| lab.order(&HostOrder::Answer { request, choice }))
        }
        Step::Hold(n, true) => {
            let (target, until) = (lab.target(*n), None);
            Some(lab.order(&HostOrder::Hold { target, until }))
        }
        Step::Hold(n, false) => {
            let target = lab.target(*n);
            Some(lab.order(&HostOrder::Release { target }))
        }
        Step::Pause(true) => Some(lab.order_all(&FleetOrder::Pause { until: None })),
        Step::Pause(false) => Some(lab.order_all(&FleetOrder::Resume)),
        Step::Reopen(n) => {
            let target = lab.target(*n);
            Some(lab.order(&HostOrder::Reopen { target }))
        }
        Step::Close(n) => {
            let target = lab.target(*n);
            Some(lab.order(&HostOrder::Close { target }))
        }
        Step::Resolve(outcome) => {
            let open = lab.state.unsettled().next();
            let attempt = open.map(|open| open.intent.attempt);
            attempt.map(|attempt| {
                let outcome = *outcome;
                lab.order(&HostOrder::ResolveAttempt { attempt, outcome })
            })
        }
        Step::Mode(mode) => {
            lab.policy.mode = *mode;
            None
        }
        Step::Others(others) => {
            lab.policy.others_healthy = *others;
            None
        }
        Step::Lost => {
            lab.running = None;
            None
        }
        Step::Restart => {
            lab.restart_remediator();
            None
        }
    };
    let _nothing_is_recorded = refused.is_some_and(|refused| refused.is_err());
    Ok(())
}

/// S12: everything is paused, or the host is held.
fn nothing_may_start(lab: &Lab) -> bool {
    let host = lab.target(None);
    lab.fleet.pause.is_some() || lab.state.holds.contains_key(&host)
}

proptest! {
    #![proptest_config(histories(96))]

    #[test]
    fn live_state_is_the_folded_state(history in prop::collection::vec(step(), 1..40)) {
        let mut lab = estate();
        lab.policy.clear.approval = true;
        for step in &history {
            take(&mut lab, step)?;
            for target in lab.state.incidents.keys() {
                let pages = lab.state.pages.keys().filter(|(paged, _)| paged == target);
                prop_assert!(pages.count() <= 2, "{:?}", lab.state.pages);
            }
            for (paged, _) in lab.state.pages.keys() {
                prop_assert!(lab.state.incidents.contains_key(paged), "a page without an incident");
            }
        }
        let (state, fleet) = lab.folded();
        prop_assert_eq!(state, lab.state);
        prop_assert_eq!(fleet, lab.fleet);
    }
}

const KINDS: [&str; 29] = [
    "ApprovalAnswered",
    "ApprovalAsked",
    "ApprovalExpired",
    "ApprovalUsed",
    "AttemptReported",
    "ClockStepped",
    "Decided",
    "FactChanged",
    "FleetShareReleased",
    "GapFound",
    "Held",
    "HealthHeld",
    "HumanResolved",
    "IncidentClosed",
    "IncidentLatched",
    "IncidentOpened",
    "IntentReserved",
    "LoadReported",
    "LoadRestored",
    "LoadShed",
    "Observed",
    "PageCleared",
    "PageRaised",
    "Paused",
    "PolicyLoaded",
    "Released",
    "Resumed",
    "ShadowStarted",
    "Started",
];

#[test]
fn every_kind_of_event_reads_back_as_it_was_written_and_folds_the_same() {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.clear.approval = true;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab.policy.mode = Mode::Observe;
    lab.run(300);
    lab.policy.mode = Mode::Act;
    let target = lab.target(Some(1));
    let fact = lab.fact("VcmFailed", Some(1), Tier::Retry);
    lab.record(&target, Change::FactChanged(fact));
    lab.order_all(&FleetOrder::Pause { until: None }).unwrap();
    lab.order_all(&FleetOrder::Resume).unwrap();
    let host = lab.target(None);
    let hold = HostOrder::Hold {
        target: host.clone(),
        until: None,
    };
    lab.order(&hold).unwrap();
    lab.order(&HostOrder::Release { target: host }).unwrap();
    fleet_events(&mut lab);
    lab.order_all(&FleetOrder::ConfirmGap).unwrap();
    lab.run_until("a request", |lab| lab.request().is_some());
    lab.run_until("its end", |lab| lab.count("ApprovalExpired") == 1);
    lab.run_until("a request", |lab| lab.request().is_some());
    lab.answer(Choice::Approve(Rung::Restart));
    lab.run_until("the restart", |lab| {
        lab.rungs().last() == Some(&Rung::Restart)
    });
    lab.running = None;
    lab.run_until("the release", |lab| lab.count("FleetShareReleased") == 1);
    let attempt = lab.state.unsettled().next().unwrap().intent.attempt;
    let outcome = Outcome::Failed;
    lab.order(&HostOrder::ResolveAttempt { attempt, outcome })
        .unwrap();
    lab.run_until("a request", |lab| lab.request().is_some());
    lab.answer(Choice::Deny);
    lab.run(60);
    assert_eq!(lab.incident_state(), Some(IncidentState::Exhausted));
    lab.module(1).state = nshield::ModuleState::Operational;
    lab.seen.service_check = Some(ServiceCheck::Failed("exit status 3".to_owned()));
    lab.run(400);
    lab.seen.service_check = Some(ServiceCheck::Passed);
    lab.run(60);
    let kinds = lab.events.iter().map(|event| event.entry.change.kind());
    let kinds: BTreeSet<&str> = kinds.collect();
    assert_eq!(kinds, BTreeSet::from(KINDS));
    let (state, fleet) = lab.folded();
    assert_eq!(state, lab.state);
    assert_eq!(fleet, lab.fleet);
}

/// One of each kind of event that belongs to no host and that no order makes.
fn fleet_events(lab: &mut Lab) {
    let order = |why: &str| LoadOrder {
        hsm: "hsm-9".parse().unwrap(),
        why: why.to_owned(),
        hook: true,
    };
    let report = LoadReport {
        hsm: "hsm-9".parse().unwrap(),
        action: LoadAction::Shed,
        failure: Some("connection refused".to_owned()),
    };
    let since = lab.now.before(Duration::from_secs(100_000));
    let policy = Box::new(lab.policy.clone());
    let changes = [
        Change::LoadShed(order("tenant-1/1 has failed")),
        Change::LoadReported(report),
        Change::LoadRestored(order("its load is low again")),
        Change::PolicyLoaded(policy),
        Change::GapFound { since },
        Change::Started(Start {
            boot: Some(Boot {
                id: "5bd7e0c5-3f5a-4c0c-9c5e-2d8f5b1c1a77".to_owned(),
                began: since,
            }),
            away_known: false,
            last: Some(since),
        }),
        Change::ClockStepped {
            milliseconds: -90_000,
        },
    ];
    lab.store(changes.map(of_fleet).into());
}

#[test]
fn event_of_the_host_is_the_same_whatever_report_it_carries() {
    let reports = [
        Report::Accepted,
        Report::Interrupted {
            detail: "died after -M".to_owned(),
        },
        Report::Ended {
            detail: "exit status 0".to_owned(),
        },
    ];
    let settled = Outcome::ALL.map(|outcome| Report::Settled {
        outcome,
        reason: "why".to_owned(),
    });
    for report in reports.into_iter().chain(settled) {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
