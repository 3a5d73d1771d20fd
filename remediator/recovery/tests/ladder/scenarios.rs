//! What is done and not done about each kind of trouble.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::command::HostOrder;
use vcm_recovery::event::Change;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, IncidentState, Standing};
use vcm_recovery::observation::{HardserverLook, NetworkLook, SourceStatus, StopSign};
use vcm_recovery::page::PageReason;
use vcm_recovery::policy::Mode;
use vcm_recovery::state::HostState;
use vcm_recovery::step::Step;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::verdict::Verdict;

use crate::lab::{Cure, Lab, TICK, number};

#[test]
fn retry_brings_a_module_back_and_nothing_else_is_run() {
    let mut lab = Lab::failed(3, 1, Cure::Rung(Rung::Retry));
    lab.run(600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert_eq!(lab.log[0].2, [Step::RetryModule(number(1))]);
    assert!(
        (120..=160).contains(&lab.log[0].0),
        "retry after {} s",
        lab.log[0].0
    );
    assert_eq!(lab.outcomes(), [Outcome::Succeeded]);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
    assert_eq!(lab.pages(), []);
}

#[test]
fn module_that_heals_by_itself_is_left_alone() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(100);
    lab.module(1).state = ModuleState::Operational;
    lab.run(300);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::None)]);
}

#[test]
fn nothing_is_run_while_ping_is_lost_and_the_ladder_goes_on_when_it_is_back() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 0,
    };
    lab.run(1_000);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.pages(), [PageReason::NetworkBad]);
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 5,
    };
    lab.run(400);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(
        lab.log[0].0 >= 1_060,
        "60 s after ping is back, not {} s",
        lab.log[0].0 - 1_000
    );
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
    assert_eq!(lab.pages(), []);
}

#[test]
fn every_failed_module_means_one_retry_then_a_restart() {
    let mut lab = Lab::new(2);
    for n in [1, 2] {
        lab.fail(n, Cure::Rung(Rung::Restart));
    }
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run(1_800);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.log[1].2, [Step::RestartHardserver]);
    assert!(lab.log[1].0 >= 600);
    assert_eq!(lab.outcomes(), [Outcome::Failed, Outcome::Succeeded]);
}

#[test]
fn one_failed_module_of_three_never_restarts_the_others() {
    let mut lab = Lab::failed(3, 2, Cure::Nothing);
    lab.permit_clear();
    lab.policy.clear.approval = true;
    lab.alerts.insert("VcmFailedLong", (Some(2), Tier::Clear));
    lab.run(7_200);
    assert_eq!(lab.rungs(), [Rung::Retry; 3]);
    assert!(lab.recorded(Rung::Restart, Guard::OthersHealthy, "skip"));
    assert!(lab.recorded(Rung::Clear, Guard::ApprovalRequired, "ask"));
    assert_eq!(lab.incident_state(), Some(IncidentState::AwaitingHuman));
    assert_eq!(lab.pages(), [PageReason::ApprovalRequired]);
}

#[test]
fn clear_comes_last_and_only_when_permitted() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Clear));
    lab.permit_clear();
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab.run(3_600);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart, Rung::Clear]);
    let clear = [
        Step::EnterMaintenance(number(1)),
        Step::Wait(30_000),
        Step::ClearModule(number(1)),
    ];
    assert_eq!(lab.log[2].2, clear);
    assert!(lab.log[2].0 >= 1_800);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}

#[test]
fn ceiling_of_retry_never_leads_to_a_restart() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(7_200);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(lab.recorded(Rung::Restart, Guard::AboveCeiling, "refuse"));
    assert_eq!(lab.pages(), [PageReason::Stuck]);
}

#[test]
fn module_taken_out_of_the_inventory_is_paged_at_once_and_nothing_more_is_done_about_it() {
    let mut lab = Lab::failed(2, 1, Cure::Rung(Rung::Retry));
    lab.run(60);
    lab.host.modules.remove(&number(1));
    lab.run(5);
    assert_eq!(lab.pages(), [PageReason::InventoryDrift]);
    lab.run(7_200);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.count("PageRaised"), 1);
    // It is seen failed as before, and closed all the same: none opens for what is not listed.
    let target = lab.target(Some(1));
    lab.order(&HostOrder::Close { target }).unwrap();
    lab.run(600);
    assert_eq!(lab.state.incidents.len(), 0);
    assert_eq!(lab.pages(), []);
}

#[test]
fn exhausted_incident_pages_and_starts_nothing_however_often_alerts_repeat() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run(7_200);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.incident_state(), Some(IncidentState::Exhausted));
    assert_eq!(lab.pages(), [PageReason::Exhausted]);
    lab.run(100_000);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    lab.module(1).state = ModuleState::Operational;
    lab.run(400);
    assert_eq!(lab.closings(), [(Ending::Exhausted, Actor::None)]);
    assert_eq!(lab.pages(), []);
}

fn down(stop: StopSign) -> Lab {
    let mut lab = Lab::new(2);
    lab.seen.hardserver = HardserverLook::SuspectedDown;
    lab.seen.complete = false;
    lab.seen.stop = stop;
    lab.alerts.insert("HardserverDown", (None, Tier::Restart));
    lab
}

#[test]
fn hardserver_that_is_down_is_started_not_restarted() {
    let mut lab = down(StopSign::None);
    lab.run(60);
    assert_eq!(lab.rungs(), []);
    lab.run(140);
    assert_eq!(lab.log.len(), 1);
    assert_eq!(lab.log[0].2, [Step::StartHardserver]);
    assert!(lab.log[0].0 >= 120);
    lab.seen.complete = true;
    lab.run(600);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}

#[test]
fn hardserver_that_was_stopped_on_purpose_is_asked_about() {
    for stop in [
        StopSign::OnPurpose("unit".to_owned()),
        StopSign::Unknown("none".to_owned()),
    ] {
        let mut lab = down(stop);
        lab.run(3_600);
        assert_eq!(lab.rungs(), []);
        assert_eq!(lab.incident_state(), Some(IncidentState::AwaitingHuman));
        assert_eq!(lab.pages(), [PageReason::StoppedOnPurpose]);
    }
}

#[test]
fn single_suspicious_look_is_no_proof_that_the_hardserver_is_down() {
    let mut lab = down(StopSign::None);
    for turn in 0..600 {
        let down = turn % 33 < 9;
        lab.seen.hardserver = if down {
            HardserverLook::SuspectedDown
        } else {
            HardserverLook::Unknown
        };
        lab.turn();
        lab.now = lab.now.after(TICK);
    }
    assert_eq!(lab.rungs(), []);
}

#[test]
fn permission_denied_is_never_taken_for_down() {
    let mut lab = down(StopSign::None);
    lab.seen.hardserver = HardserverLook::PermissionDenied;
    lab.run(3_600);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.pages(), [PageReason::PermissionDenied]);
}

#[test]
fn observe_mode_runs_nothing_and_says_so() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.policy.mode = Mode::Observe;
    lab.run(3_600);
    assert_eq!(lab.rungs(), []);
    assert!(lab.recorded(Rung::Retry, Guard::ObserveOnly, "refuse"));
}

#[test]
fn maintenance_that_somebody_does_is_handed_over() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.module(1).state = ModuleState::Maintenance;
    lab.run(3_600);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.incident_state(), Some(IncidentState::HandedOver));
    assert_eq!(lab.pages(), [PageReason::HandedOver]);
}

#[test]
fn stale_alert_ends_without_anything_being_done() {
    let mut lab = Lab::new(1);
    lab.alerts.insert("VcmFailed", (Some(1), Tier::Retry));
    lab.run(280);
    assert_eq!(lab.incident_state(), Some(IncidentState::Observing));
    lab.run(3_000);
    assert_eq!(lab.closings(), [(Ending::Ended, Actor::None)]);
    assert_eq!(lab.state.incidents.len(), 0);
}

#[test]
fn alert_that_still_fires_after_recovery_opens_nothing_until_the_module_fails_again() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.run(3_600);
    assert_eq!(lab.closings().len(), 1);
    assert_eq!(lab.state.incidents.len(), 0);
    lab.fail(1, Cure::Rung(Rung::Retry));
    lab.run(600);
    assert_eq!(lab.closings().len(), 2);
    assert_eq!(lab.rungs(), [Rung::Retry; 2]);
}

/// Its alert has never stopped, and its start is used up.
#[test]
fn hardware_fault_right_after_recovery_calls_a_person() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.run(600);
    assert_eq!(lab.closings().len(), 1);
    lab.module(1).hardware_ok = Some(false);
    lab.run(120);
    assert_eq!(lab.incident_state(), Some(IncidentState::HandedOver));
    assert_eq!(lab.pages(), [PageReason::HandedOver]);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

/// Its incident has ended without a failure, and its alert has never stopped.
#[test]
fn target_that_nobody_can_see_for_long_under_a_used_up_alert_calls_a_person() {
    let mut lab = Lab::new(1);
    lab.alerts.insert("VcmFailed", (Some(1), Tier::Retry));
    lab.run(1_000);
    assert_eq!(lab.closings(), [(Ending::Ended, Actor::None)]);
    lab.visible = false;
    lab.run(280);
    assert_eq!(
        lab.state.incidents.len(),
        0,
        "a few looks that show nothing"
    );
    lab.run(40);
    assert_eq!(lab.incident_state(), Some(IncidentState::Waiting));
    lab.run(320);
    assert_eq!(lab.pages(), [PageReason::ObservationUnknown]);
    assert_eq!(lab.rungs(), []);
    lab.visible = true;
    lab.run(400);
    assert_eq!(lab.closings().len(), 2);
    assert_eq!(lab.pages(), []);
}

/// A person has closed it so, and knows.
#[test]
fn target_that_was_closed_while_nobody_could_see_it_stays_closed_until_it_is_seen() {
    let mut lab = Lab::new(1);
    lab.alerts.insert("VcmFailed", (Some(1), Tier::Retry));
    lab.visible = false;
    lab.run(400);
    let target = lab.target(Some(1));
    lab.order(&HostOrder::Close { target }).unwrap();
    lab.run(3_000);
    assert_eq!(lab.state.incidents.len(), 0);
    lab.visible = true;
    lab.run(60);
    lab.visible = false;
    lab.run(400);
    assert_eq!(lab.incident_state(), Some(IncidentState::Waiting));
}

#[test]
fn alert_that_is_not_delivered_any_more_permits_nothing() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(10);
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 0,
    };
    lab.run(60);
    lab.alerts.clear();
    lab.run(1_000);
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 5,
    };
    lab.run(3_600);
    assert_eq!(lab.rungs(), []);
    assert!(lab.recorded(Rung::Retry, Guard::AboveCeiling, "refuse"));
    // People were called when the network was lost, and stay called.
    assert_eq!(lab.pages(), [PageReason::NetworkBad]);
}

#[test]
fn caps_hold_across_incidents() {
    let mut lab = Lab::failed(3, 1, Cure::Rung(Rung::Retry));
    lab.policy.flapping.incidents = 100;
    for _ in 0..8 {
        lab.run(400);
        lab.fail(1, Cure::Rung(Rung::Retry));
    }
    let first_hour = lab
        .log
        .iter()
        .filter(|(at, ..)| *at < lab.log[0].0 + 3_600)
        .count();
    assert_eq!(first_hour, 3);
    assert!(lab.recorded(Rung::Retry, Guard::Cap, "refuse"));
}

#[test]
fn restart_that_takes_a_healthy_module_away_ends_the_ladder() {
    let mut lab = Lab::failed(2, 1, Cure::Rung(Rung::Restart));
    lab.permit_clear();
    lab.policy.others_healthy = vcm_recovery::policy::OthersHealthy::Allow;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab.harm = Some((Rung::Restart, 2));
    lab.run(3_600);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::MadeWorse));
    assert_eq!(lab.rungs().last(), Some(&Rung::Restart));
    assert_eq!(lab.pages(), [PageReason::MadeWorse]);
    assert!(FleetView::of(std::iter::once(&lab.state)).made_worse);
    assert_eq!(lab.closings(), []);
    lab.module(2).state = ModuleState::Operational;
    lab.run(600);
    assert_eq!(lab.closings(), [(Ending::HandedOver, Actor::None)]);
}

#[test]
fn unknown_outcome_keeps_its_budget_pages_and_is_settled_by_a_later_look() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(125);
    while lab.log.is_empty() {
        lab.run(1);
    }
    lab.visible = false;
    lab.run(300);
    assert_eq!(lab.outcomes(), [Outcome::Unknown]);
    assert_eq!(lab.pages(), [PageReason::AttemptUnknown]);
    assert_eq!(lab.state.unsettled().count(), 1);
    lab.run(3_600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    lab.visible = true;
    lab.run(300);
    assert_eq!(lab.outcomes(), [Outcome::Unknown, Outcome::Failed]);
    assert_eq!(lab.state.unsettled().count(), 0);
}

#[test]
fn slow_recovery_inside_the_window_gets_its_full_time() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    while lab.log.is_empty() {
        lab.run(1);
    }
    lab.run(110);
    lab.module(1).state = ModuleState::Operational;
    lab.run(200);
    assert_eq!(lab.outcomes(), [Outcome::Succeeded]);
}

#[test]
fn module_on_its_way_extends_the_window_and_never_counts_as_failed() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    while lab.log.is_empty() {
        lab.run(1);
    }
    lab.run(30);
    lab.module(1).state = ModuleState::Offline;
    lab.run(250);
    assert_eq!(lab.outcomes(), []);
    lab.run(200);
    assert_eq!(lab.outcomes(), [Outcome::Unknown]);
}

#[test]
fn replay_of_the_events_gives_the_same_state() {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.permit_clear();
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab.run(5_000);
    let mut replayed = HostState::new(lab.host.name.clone());
    replayed.facts = lab.state.facts.clone();
    for event in &lab.events {
        let text = serde_json::to_string(event).unwrap();
        replayed.apply(&serde_json::from_str(&text).unwrap());
    }
    assert_eq!(replayed, lab.state);
    let standing = lab
        .state
        .incidents
        .values()
        .map(|incident| incident.standing)
        .next();
    assert_ne!(standing, Some(Standing::Observing));
    let not_passes = lab.events.iter().all(|event| match &event.entry.change {
        Change::Decided(ruling) => ruling
            .verdicts
            .iter()
            .all(|given| given.verdict != Verdict::Pass),
        _ => true,
    });
    assert!(not_passes);
}

#[test]
fn tier_is_what_the_policy_permits_now_and_not_what_it_permitted_at_delivery() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run(300);
    for rule in lab.policy.alerts.values_mut() {
        rule.tier = Tier::Retry;
    }
    lab.run(3_600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

#[test]
fn restart_of_the_remediator_while_it_verifies_invents_nothing() {
    for heals in [true, false] {
        let mut lab = Lab::failed(1, 1, Cure::Nothing);
        while lab.log.is_empty() || lab.running.is_some() {
            lab.run(1);
        }
        if heals {
            lab.module(1).state = ModuleState::Operational;
        }
        lab.now = lab.now.after(Duration::from_secs(600));
        lab.evidence = vcm_recovery::evidence::Evidence::default();
        lab.run(120);
        let expected = if heals {
            Outcome::Succeeded
        } else {
            Outcome::Failed
        };
        assert_eq!(lab.outcomes(), [expected]);
        assert!(!lab.events.iter().any(|event| {
            matches!(
                event.entry.change,
                Change::PageRaised {
                    reason: PageReason::AttemptUnknown,
                    ..
                }
            )
        }));
    }
}

#[test]
fn first_replies_after_a_loss_do_not_cut_the_wait_short() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 0,
    };
    lab.run(400);
    lab.module(1).network = NetworkLook::Echo {
        sent: 5,
        replies: 1,
    };
    lab.run(55);
    assert_eq!(lab.rungs(), []);
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

#[test]
fn module_that_is_still_booting_after_a_restart_is_not_made_worse() {
    let mut lab = Lab::failed(2, 1, Cure::Rung(Rung::Restart));
    lab.policy.others_healthy = vcm_recovery::policy::OthersHealthy::Allow;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    while lab.rungs().last() != Some(&Rung::Restart) || lab.running.is_some() {
        lab.run(1);
    }
    lab.module(2).state = ModuleState::Offline;
    lab.run(400);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Failed));
    lab.module(2).state = ModuleState::Operational;
    lab.run(100);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Succeeded));
}

#[test]
fn what_our_own_restart_does_to_a_sibling_is_nobody_elses_work() {
    let mut lab = Lab::new(2);
    for n in [1, 2] {
        lab.fail(n, Cure::Nothing);
    }
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.alerts.insert("second", (Some(2), Tier::Restart));
    while lab.rungs().last() != Some(&Rung::Restart) || lab.running.is_some() {
        lab.run(1);
    }
    for n in [1, 2] {
        lab.module(n).state = ModuleState::Initialization;
    }
    lab.run(200);
    for n in [1, 2] {
        lab.module(n).state = ModuleState::Operational;
    }
    lab.run(300);
    assert!(
        !lab.events
            .iter()
            .any(|event| event.entry.change.kind() == "IncidentLatched")
    );
    assert_eq!(lab.closings().len(), 2);
}

#[test]
fn every_event_of_an_incident_carries_its_one_id() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.run(600);
    let mut ids: Vec<_> = lab
        .events
        .iter()
        .filter_map(|event| event.entry.incident.clone())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[test]
fn latched_incident_ends_after_health_also_when_it_is_looked_at_often() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.policy.observe_interval = Duration::from_secs(2);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run(3_600);
    assert_eq!(lab.incident_state(), Some(IncidentState::Exhausted));
    lab.module(1).state = ModuleState::Operational;
    lab.run(400);
    assert_eq!(lab.closings(), [(Ending::Exhausted, Actor::None)]);
}

#[test]
fn words_that_a_failing_tool_prints_make_no_event_of_every_look() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.seen.complete = false;
    for second in 0..1_000 {
        let detail = format!("exit status 99: pid {second} failed");
        lab.seen.sources.enquiry = SourceStatus::Failed(detail);
        lab.run(1);
    }
    assert!(lab.events.len() < 12, "{} events", lab.events.len());
}

#[test]
fn third_incident_within_six_hours_is_flapping_and_is_left_to_people() {
    let mut lab = Lab::failed(3, 1, Cure::Rung(Rung::Retry));
    for _ in 0..8 {
        lab.run(400);
        lab.fail(1, Cure::Rung(Rung::Retry));
    }
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Retry]);
    assert!(lab.recorded(Rung::Retry, Guard::Flapping, "refuse"));
    assert_eq!(lab.pages(), [PageReason::Flapping]);
    // Six hours later it may be tried again.
    lab.run(6 * 3_600);
    assert_eq!(lab.rungs().len(), 3);
}
