//! What nobody knows, what is left to people, and how both end.

use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::command::{HostOrder, OrderError};
use vcm_recovery::event::Change;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::incident::{Actor, Ending, IncidentState, Latch};
use vcm_recovery::observation::ServiceCheck;
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab};

/// A restart was started and nobody hears of it again.
fn restart_of_unknown_outcome() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run_until("the restart", |lab| {
        lab.rungs().last() == Some(&Rung::Restart)
    });
    lab.running = None;
    lab
}

fn disruptive(lab: &Lab) -> u32 {
    FleetView::of(std::iter::once(&lab.state)).disruptive
}

#[test]
fn attempt_whose_end_nobody_reports_is_unknown_and_pages() {
    let mut lab = restart_of_unknown_outcome();
    lab.run(400);
    assert_eq!(lab.pages(), [PageReason::HostRunner], "the end is late");
    lab.run(520);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Unknown));
    let both = [PageReason::AttemptUnknown, PageReason::HostRunner];
    assert_eq!(lab.pages(), both, "told beside what was told before");
    assert_eq!(lab.incident_state(), Some(IncidentState::Unknown));
    assert_eq!(lab.state.unsettled().count(), 1);
    lab.run(24 * 3_600);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart], "never run again");
    assert_eq!(lab.state.unsettled().count(), 1, "keeps its host and HSM");
}

#[test]
fn unknown_outcome_keeps_the_fleet_until_it_was_paged_for_an_hour() {
    let mut lab = restart_of_unknown_outcome();
    lab.run_until("the page", |lab| {
        lab.pages().contains(&PageReason::AttemptUnknown)
    });
    lab.run(3_500);
    assert_eq!(disruptive(&lab), 1);
    lab.run(120);
    assert_eq!(disruptive(&lab), 0);
    assert_eq!(lab.count("FleetShareReleased"), 1);
    assert_eq!(lab.state.unsettled().count(), 1);
    lab.restart_remediator();
    assert_eq!(disruptive(&lab), 0);
}

#[test]
fn late_report_ends_an_unknown_outcome() {
    let mut lab = restart_of_unknown_outcome();
    lab.run(1_200);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Unknown));
    let (id, target) = unknown(&lab);
    lab.effect(Rung::Restart);
    lab.module(1).state = nshield::ModuleState::Operational;
    let detail = "it has ended meanwhile".to_owned();
    lab.report(id, &target, Report::Ended { detail });
    lab.run(200);
    assert_eq!(lab.outcomes().last(), Some(&Outcome::Succeeded));
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
    assert_eq!(lab.pages(), []);
}

fn unknown(
    lab: &Lab,
) -> (
    vcm_recovery::ids::AttemptId,
    vcm_recovery::inventory::Target,
) {
    let attempt = lab.state.unsettled().next().unwrap();
    (attempt.intent.attempt, attempt.intent.target.clone())
}

#[test]
fn person_says_what_an_unknown_attempt_came_to() {
    for (outcome, last) in [
        (Outcome::Failed, IncidentState::Exhausted),
        (Outcome::Succeeded, IncidentState::Waiting),
        (Outcome::Cancelled, IncidentState::Waiting),
    ] {
        let mut lab = restart_of_unknown_outcome();
        lab.run(1_200);
        let (attempt, _) = unknown(&lab);
        lab.order(&HostOrder::ResolveAttempt { attempt, outcome })
            .unwrap();
        lab.restart_remediator();
        assert_eq!(lab.state.unsettled().count(), 0);
        lab.run(100);
        assert_eq!(lab.incident_state(), Some(last), "{outcome:?}");
        assert!(!lab.pages().contains(&PageReason::AttemptUnknown));
        let again = lab.order(&HostOrder::ResolveAttempt { attempt, outcome });
        assert_eq!(again, Err(OrderError::NotUnknown { attempt }));
    }
}

/// Every permitted rung has failed.
fn exhausted() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.policy.flapping.incidents = 100;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.run_until("the latch", |lab| lab.count("IncidentLatched") == 1);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.pages(), [PageReason::Exhausted]);
    lab
}

#[test]
fn latched_incident_says_what_was_tried_and_repeated_alerts_do_not_reopen_it() {
    let mut lab = exhausted();
    let (latch, why) = lab.incident(Some(1)).latch.clone().unwrap();
    assert_eq!(latch, Latch::Exhausted);
    assert_eq!(
        why,
        "retry was run once; restart was run once; clear was left out: no alert of the policy \
         ever permits clear"
    );
    lab.restart_remediator();
    lab.run(2 * 24 * 3_600 / 8);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.count("IncidentOpened"), 1);
    assert_eq!(lab.count("PageRaised"), 1);
}

#[test]
fn reopened_incident_climbs_anew_and_the_caps_still_count() {
    let mut lab = exhausted();
    let target = lab.target(Some(1));
    lab.order(&HostOrder::Reopen {
        target: target.clone(),
    })
    .unwrap();
    lab.restart_remediator();
    lab.run(1_200);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart, Rung::Retry]);
    assert!(lab.recorded(Rung::Restart, vcm_recovery::guard::Guard::Cap, "refuse"));
    let not_latched = lab.order(&HostOrder::Reopen {
        target: target.clone(),
    });
    assert_eq!(not_latched, Err(OrderError::NotLatched { target }));
}

#[test]
fn person_closes_an_incident_and_its_alert_opens_no_other_while_it_is_healthy() {
    let mut lab = exhausted();
    let target = lab.target(Some(1));
    let close = HostOrder::Close {
        target: target.clone(),
    };
    let failed = lab.order(&close);
    assert_eq!(failed, Err(OrderError::StillFailed { target }));
    lab.module(1).state = nshield::ModuleState::Operational;
    lab.run(30);
    lab.order(&close).unwrap();
    lab.restart_remediator();
    assert_eq!(lab.pages(), []);
    lab.run(600);
    assert_eq!(lab.closings(), [(Ending::Ended, Actor::Manual)]);
    assert_eq!(lab.state.incidents.len(), 0);
    lab.fail(1, Cure::Nothing);
    lab.run(30);
    assert_eq!(lab.count("IncidentOpened"), 2, "it failed anew");
}

#[test]
fn failing_check_of_the_service_keeps_the_incident_open_and_pages() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.seen.service_check = Some(ServiceCheck::Failed("exit status 3".to_owned()));
    lab.run(540);
    assert_eq!(lab.outcomes(), [Outcome::Succeeded]);
    assert_eq!(lab.closings(), []);
    lab.run(600);
    assert_eq!(lab.pages(), [PageReason::ServiceCheck]);
    let text = lab
        .events
        .iter()
        .find_map(|event| match &event.entry.change {
            Change::PageRaised { text, .. } => Some(text.as_str()),
            _ => None,
        });
    let expected = "the target is healthy, and the service check fails: exit status 3";
    assert_eq!(text, Some(expected));
    lab.run(3_600);
    assert_eq!(
        lab.pages(),
        [PageReason::ServiceCheck],
        "one page for one trouble"
    );
    assert_eq!(lab.rungs(), [Rung::Retry], "a healthy module is left alone");
    lab.seen.service_check = Some(ServiceCheck::Passed);
    lab.run(100);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}

#[test]
fn restart_of_the_remediator_pages_nobody_before_its_first_look() {
    let mut lab = exhausted();
    lab.restart_remediator();
    lab.decide();
    lab.now = lab.now.after(std::time::Duration::from_secs(45));
    lab.decide();
    assert_eq!(lab.pages(), [PageReason::Exhausted]);
    let mut waiting = Lab::failed(3, 1, Cure::Nothing);
    waiting.run(3_600);
    let pages = waiting.pages();
    waiting.restart_remediator();
    waiting.decide();
    assert_eq!(waiting.pages(), pages);
}

#[test]
fn load_alert_alone_opens_nothing_and_does_not_lift_the_ceiling() {
    use vcm_recovery::policy::{AlertRule, Scope};
    let rule = AlertRule {
        tier: Tier::Load,
        scope: Scope::Module,
    };
    let mut lab = Lab::new(1);
    lab.policy.alerts.insert("HsmLoadHigh".to_owned(), rule);
    lab.alerts.insert("HsmLoadHigh", (Some(1), Tier::Clear));
    lab.run(600);
    assert_eq!(lab.state.incidents.len(), 0);
    // Also a label that lowers it does not make a failure of it.
    lab.alerts.insert("HsmLoadHigh", (Some(1), Tier::Network));
    lab.delivered_at = None;
    lab.run(600);
    assert_eq!(lab.state.incidents.len(), 0);
    lab.fail(1, Cure::Nothing);
    lab.alerts
        .insert("VcmUnreachable", (Some(1), Tier::Network));
    lab.run(3_600);
    assert_eq!(lab.rungs(), [], "load and network permit no rung");
    assert_eq!(lab.pages(), [PageReason::Stuck]);
}
