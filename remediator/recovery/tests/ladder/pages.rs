//! When a person is called, and for what.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::decide::Action;
use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, IncidentState};
use vcm_recovery::observation::{HardserverLook, NetworkLook};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab, TICK, bad_network, good_network};

/// A retry has failed, and the ladder stands at a restart that has long to wait.
fn at_restart() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.policy.restart.not_before = Duration::from_secs(3_600);
    lab.run(330);
    assert_eq!(lab.rungs(), [Rung::Retry], "the ladder stands at restart");
    lab
}

/// Nothing is seen any more: not within `quiet` seconds, but a minute later somebody is paged.
#[track_caller]
fn goes_blind_and_pages_after(lab: &mut Lab, quiet: u64) {
    lab.visible = false;
    lab.run(quiet);
    assert_eq!(lab.pages(), []);
    lab.run(60);
    assert_eq!(lab.pages(), [PageReason::ObservationUnknown]);
}

#[test]
fn another_reason_to_look_calls_nobody_who_was_called_to_look() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(7_200);
    assert_eq!(lab.pages(), [PageReason::Stuck]);
    lab.module(1).network = bad_network();
    lab.run(1_200);
    lab.module(1).network = good_network();
    lab.visible = false;
    lab.run(1_200);
    lab.visible = true;
    lab.run(3_600);
    assert_eq!(lab.pages(), [PageReason::Stuck]);
    assert_eq!(lab.count("PageRaised"), 1);
    assert_eq!(lab.count("PageCleared"), 0);
}

#[test]
fn who_was_called_to_look_is_called_once_more_to_take_over_and_no_third_time() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.module(1).network = bad_network();
    lab.run(900);
    assert_eq!(lab.pages(), [PageReason::NetworkBad]);
    lab.module(1).network = good_network();
    lab.run(7_200);
    assert_eq!(lab.pages(), [PageReason::Exhausted], "takes its place");
    assert_eq!(lab.count("PageRaised"), 2);
    lab.module(1).state = ModuleState::Maintenance;
    lab.run(3_600);
    assert_eq!(lab.count("PageRaised"), 2);
    lab.module(1).state = ModuleState::Operational;
    lab.run(600);
    assert_eq!(lab.pages(), [], "no page outlives its incident");
    assert_eq!(lab.state.incidents.len(), 0);
}

#[test]
fn what_cannot_be_observed_is_not_acted_on_and_pages() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    goes_blind_and_pages_after(&mut lab, 290);
    lab.run(7_200);
    assert_eq!(lab.rungs(), []);
}

#[test]
fn one_blind_look_pages_nobody_however_long_agreement_has_been_missing() {
    let mut lab = at_restart();
    lab.visible = false;
    lab.run(280);
    assert_eq!(lab.pages(), []);
    // One look that shows it: a second one has to agree, and the guard stands in the way as before.
    lab.visible = true;
    lab.run(21);
    let blocked = &lab.incident(Some(1)).blocked;
    assert!(blocked.contains_key(&Guard::ObservationUnknown));
    goes_blind_and_pages_after(&mut lab, 290);
}

/// It stood still, or its machine did: what it saw last was good.
#[test]
fn a_program_that_comes_late_looks_first_and_pages_nobody() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(60);
    lab.now = lab.now.after(Duration::from_secs(1_200));
    lab.decide();
    assert_eq!(lab.pages(), []);
    goes_blind_and_pages_after(&mut lab, 290);
}

/// The host runner waits for the end of `-M` without a limit, and people hear of it.
#[test]
fn clear_whose_first_command_does_not_end_is_paged_and_waited_for() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Clear));
    lab.permit_clear();
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    while lab.rungs().last() != Some(&Rung::Clear) {
        lab.run(1);
    }
    let (attempt, target, ..) = lab.running.take().unwrap();
    lab.run(85);
    assert_eq!(lab.pages(), [], "its wait and 60 s are not over");
    lab.run(15);
    assert_eq!(lab.pages(), [PageReason::CriticalSection]);
    lab.run(300);
    assert_eq!(lab.pages(), [PageReason::CriticalSection]);
    lab.effect(Rung::Clear);
    let detail = "the module is operational".to_owned();
    lab.report(attempt, &target, Report::Ended { detail });
    lab.run(400);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart, Rung::Clear]);
    assert_eq!(lab.pages(), []);
}

#[test]
fn interrupted_clear_is_resumed_and_nothing_else_is_started() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Clear));
    lab.permit_clear();
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    while lab.rungs().last() != Some(&Rung::Clear) {
        lab.run(1);
    }
    let (attempt, target, ..) = lab.running.take().unwrap();
    lab.report(
        attempt,
        &target,
        Report::Interrupted {
            detail: "died after -M".to_owned(),
        },
    );
    for _ in 0..100 {
        let decision = lab.turn();
        assert_eq!(
            decision.actions,
            [(target.clone(), Action::Resume(attempt))]
        );
        assert_eq!(decision.proposal, None);
        lab.now = lab.now.after(TICK);
    }
    assert_eq!(lab.incident_state(), Some(IncidentState::Critical));
    assert_eq!(lab.pages(), [PageReason::CriticalSection]);
    lab.report(attempt, &target, Report::Accepted);
    lab.effect(Rung::Clear);
    lab.report(
        attempt,
        &target,
        Report::Ended {
            detail: "resumed".to_owned(),
        },
    );
    lab.run(200);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart, Rung::Clear]);
}

#[test]
fn refused_attempts_never_lead_on_and_page_after_the_third() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    for _ in 0..7_200 {
        lab.turn();
        if let Some((attempt, target, ..)) = lab.running.take() {
            let reason = "hold: held".to_owned();
            let report = Report::Settled {
                outcome: Outcome::Refused,
                reason,
            };
            lab.report(attempt, &target, report);
        }
        lab.now = lab.now.after(TICK);
    }
    assert!(lab.rungs().iter().all(|rung| *rung == Rung::Retry));
    assert!(lab.rungs().len() < 20, "{} attempts", lab.rungs().len());
    assert!(lab.pages().contains(&PageReason::HostRunner));
}

#[test]
fn pages_and_verdicts_are_recorded_once_while_nothing_changes() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 0,
    };
    lab.policy.observe_interval = Duration::from_secs(30);
    lab.run(3_600);
    let kinds = lab.events.iter().map(|event| event.entry.change.kind());
    let count = |kind: &str| kinds.clone().filter(|found| *found == kind).count();
    assert_eq!(count("PageRaised"), 1);
    assert_eq!(count("PageCleared"), 0);
    assert!(count("Decided") <= 4, "{} rulings", count("Decided"));
}

#[test]
fn attempts_that_never_start_become_rare_and_page() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    for _ in 0..20_000 {
        lab.turn();
        if let Some((attempt, target, ..)) = lab.running.take() {
            let reason = "it never started on the host".to_owned();
            let report = Report::Settled {
                outcome: Outcome::Cancelled,
                reason,
            };
            lab.report(attempt, &target, report);
        }
        lab.now = lab.now.after(TICK);
    }
    assert!(lab.rungs().len() < 45, "{} attempts", lab.rungs().len());
    assert!(lab.pages().contains(&PageReason::HostRunner));
}

#[test]
fn trouble_that_is_never_a_clear_failure_pages_all_the_same() {
    let mut offline = Lab::failed(1, 1, Cure::Nothing);
    offline.module(1).state = ModuleState::Offline;
    offline.run(3_600);
    assert_eq!(offline.pages(), [PageReason::Stuck]);
    assert_eq!(offline.rungs(), []);

    let mut flickering = Lab::failed(1, 1, Cure::Nothing);
    for turn in 0..3_600 {
        flickering.module(1).state = if turn % 90 < 45 {
            ModuleState::Unknown
        } else {
            ModuleState::Operational
        };
        flickering.turn();
        flickering.now = flickering.now.after(TICK);
    }
    assert_eq!(flickering.pages(), [PageReason::Stuck]);
}

#[test]
fn hardserver_that_does_not_answer_pages_as_that() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.seen.hardserver = HardserverLook::Unresponsive;
    lab.seen.complete = false;
    lab.run(400);
    assert_eq!(lab.pages(), [PageReason::HardserverUnresponsive]);
    assert_eq!(lab.rungs(), []);
}

#[test]
fn page_whose_cause_comes_and_goes_is_raised_once() {
    let mut lab = Lab::failed(2, 1, Cure::Nothing);
    lab.module(1).network = bad_network();
    lab.run(660);
    assert_eq!(lab.pages(), [PageReason::NetworkBad]);
    for _ in 0..10 {
        lab.module(1).network = good_network();
        lab.run(60);
        lab.module(1).network = bad_network();
        lab.run(60);
    }
    let raised = lab.events.iter().filter(|event| {
        matches!(
            event.entry.change,
            Change::PageRaised {
                reason: PageReason::NetworkBad,
                ..
            }
        )
    });
    assert_eq!(raised.count(), 1);
    // And it falls when the incident is over.
    lab.module(1).network = good_network();
    lab.module(1).state = ModuleState::Operational;
    lab.run(400);
    assert_eq!(lab.pages(), []);
}

#[test]
fn page_for_a_network_that_cannot_be_known_outlives_a_look_that_fails() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.module(1).network = NetworkLook::Unknown("permission denied".to_owned());
    lab.run(660);
    assert_eq!(lab.pages(), [PageReason::NetworkUnknown]);
    for _ in 0..5 {
        lab.visible = false;
        lab.run(60);
        lab.visible = true;
        lab.run(60);
    }
    assert_eq!(lab.pages(), [PageReason::NetworkUnknown]);
    assert_eq!(lab.count("PageRaised"), 1);
}

#[test]
fn after_a_start_a_page_for_want_of_a_look_counts_from_the_first_one_that_failed() {
    let mut lab = at_restart();
    // A second look has to agree: the guard has been standing in the way for long.
    for _ in 0..400 {
        let before = lab.evidence.newest().map(|look| look.at);
        lab.run(1);
        if lab.evidence.newest().map(|look| look.at) != before {
            lab.visible = !lab.visible;
        }
    }
    let blocked = &lab.incident(Some(1)).blocked;
    let since = blocked[&Guard::ObservationUnknown];
    assert!(lab.now.since(since) > Duration::from_secs(300));
    lab.restart_remediator();
    goes_blind_and_pages_after(&mut lab, 280);
}

/// They look for themselves, and nobody else does.
#[test]
fn while_steps_run_nobody_is_paged_for_want_of_looks() {
    let mut lab = Lab::failed(2, 1, Cure::Nothing);
    lab.fail(2, Cure::Nothing);
    lab.alerts.insert("VcmFailed2", (Some(2), Tier::Retry));
    lab.run_until("a retry runs", |lab| lab.running.is_some());
    if let Some((.., end)) = &mut lab.running {
        *end = lab.now.after(Duration::from_secs(890));
    }
    lab.seen.hardserver = HardserverLook::Unknown;
    lab.look();
    lab.run(880);
    assert_eq!(lab.pages(), [PageReason::HostRunner]);
}

/// Nobody could look before: their end may never be heard of.
#[test]
fn after_steps_whose_end_nobody_reports_a_page_for_want_of_looks_waits_as_long_as_ever() {
    let mut lab = Lab::failed(2, 1, Cure::Nothing);
    lab.fail(2, Cure::Nothing);
    lab.alerts.insert("VcmFailed2", (Some(2), Tier::Retry));
    lab.run_until("a retry runs", |lab| lab.running.is_some());
    lab.running = None;
    lab.seen.hardserver = HardserverLook::Unknown;
    lab.look();
    lab.run_until("nobody knows what became of it", |lab| {
        lab.outcomes().last() == Some(&Outcome::Unknown)
    });
    lab.run(290);
    let observation = |lab: &Lab| lab.pages().contains(&PageReason::ObservationUnknown);
    assert!(!observation(&lab), "{:?}", lab.pages());
    lab.run(20);
    assert!(observation(&lab), "{:?}", lab.pages());
}
