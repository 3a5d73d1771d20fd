//! What was learnt of one failure, or of one module, is not held against the next.

use std::time::Duration;

use nshield::ModuleState;
use vcm_recovery::attempt::Outcome;
use vcm_recovery::command::HostOrder;
use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, Latch};
use vcm_recovery::observation::{HardserverLook, ServiceCheck};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab, esn, number};

/// The only module has failed, a restart has helped, and the service check keeps the incident open.
fn helped_but_open() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Restart));
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    lab.seen.service_check = Some(ServiceCheck::Failed("exit status 3".to_owned()));
    lab.run_until("an effect", |lab| {
        lab.outcomes().contains(&Outcome::Succeeded)
    });
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    lab
}

#[test]
fn a_new_failure_after_health_that_held_begins_the_ladder_anew() {
    let mut lab = helped_but_open();
    lab.run(7 * 3_600);
    assert_eq!(lab.count("HealthHeld"), 1, "recorded once");
    let at = lab.now;
    lab.fail(1, Cure::Nothing);
    lab.run(90);
    assert_eq!(lab.state.failures[&lab.target(Some(1))].len(), 2);
    assert!(lab.incident(Some(1)).first_failed_at >= Some(at));
    assert_eq!(lab.rungs().len(), 2, "its own wait");
    lab.run(120);
    assert_eq!(lab.rungs()[2..], [Rung::Retry], "{:?}", lab.log);
    lab.run_until("a restart", |lab| lab.rungs().len() > 3);
    let waited = lab.now.since(at);
    assert!(waited >= lab.policy.restart.not_before, "{waited:?}");
    assert_eq!(lab.rungs()[2..], [Rung::Retry, Rung::Restart]);
    assert_eq!(lab.count("IncidentOpened"), 1);
    lab.restart_remediator();
}

#[test]
fn a_failure_before_health_has_held_is_the_same_failure() {
    let mut lab = helped_but_open();
    lab.fail(1, Cure::Nothing);
    lab.run(20);
    lab.module(1).state = ModuleState::Operational;
    lab.run(30);
    lab.fail(1, Cure::Nothing);
    lab.run(60);
    let failures = &lab.state.failures[&lab.target(Some(1))];
    assert!(failures.len() <= 2, "{failures:?}");
    let anew = lab.count("HealthHeld");
    assert_eq!(failures.len(), 1 + anew);
}

#[test]
fn what_is_left_to_people_stays_theirs_when_it_fails_anew() {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.run(60);
    lab.module(1).state = ModuleState::Maintenance;
    lab.run(60);
    lab.module(1).state = ModuleState::Operational;
    lab.seen.service_check = Some(ServiceCheck::Failed("exit status 3".to_owned()));
    lab.run(3_600);
    lab.fail(1, Cure::Nothing);
    lab.run(3_600);
    assert_eq!(lab.state.failures[&lab.target(Some(1))].len(), 2);
    let latch = lab
        .incident(Some(1))
        .latch
        .as_ref()
        .map(|(latch, _)| *latch);
    assert_eq!(latch, Some(Latch::HandedOver));
    assert_eq!(lab.rungs(), []);
}

/// Module 1 has failed and a retry did not help; then its number is another module's in the
/// inventory, which has failed, too.
fn inventory_edited(before: impl Fn(&mut Lab)) -> Lab {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.permit_clear();
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    before(&mut lab);
    let other = "AAAA-05E0-D949".parse().ok();
    let listed = lab.host.modules.get_mut(&number(1)).unwrap();
    listed.esn.clone_from(&other);
    lab.module(1).esn = other;
    lab.restart_remediator();
    lab
}

#[test]
fn another_module_under_the_number_climbs_a_ladder_of_its_own() {
    let mut lab = inventory_edited(|lab| lab.run(900));
    let at = lab.seconds();
    lab.run(1_700);
    assert_eq!(lab.closings(), [(Ending::Ended, Actor::None)]);
    assert_eq!(lab.count("IncidentOpened"), 2);
    let incident = lab.incident(Some(1));
    assert_eq!(incident.esn, "AAAA-05E0-D949".parse().ok());
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Retry]);
    lab.run(300);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Retry, Rung::Clear]);
    assert!(lab.log[2].0 >= at + 1_800, "its own wait: {:?}", lab.log);
}

#[test]
fn an_incident_of_an_older_version_knows_its_module_by_what_was_tried() {
    let mut lab = inventory_edited(|lab| {
        lab.run(900);
        let opened = lab.events.iter_mut().map(|event| &mut event.entry.change);
        for change in opened {
            if let Change::IncidentOpened(esn) = change {
                *esn = None;
            }
        }
        (lab.state, lab.fleet) = lab.folded();
    });
    lab.run(60);
    assert_eq!(lab.closings(), [(Ending::Ended, Actor::None)]);
}

#[test]
fn an_attempt_that_is_open_over_the_edit_is_unknown_and_for_people() {
    let mut lab = inventory_edited(|lab| {
        lab.run_until("an end", |lab| {
            let mut attempts = lab.state.attempts.values();
            attempts.any(|attempt| attempt.ended_at.is_some())
        });
    });
    lab.module(1).state = ModuleState::Operational;
    lab.run(600);
    assert_eq!(lab.outcomes(), [Outcome::Unknown]);
    assert_eq!(lab.closings(), []);
    assert_eq!(lab.pages(), [PageReason::AttemptUnknown]);
    let attempt = *lab.state.attempts.keys().next().unwrap();
    let outcome = Outcome::Failed;
    lab.order(&HostOrder::ResolveAttempt { attempt, outcome })
        .unwrap();
    lab.run(30);
    assert_eq!(lab.closings(), [(Ending::Ended, Actor::None)]);
}

/// The numbers of modules 1 and 2 change places.
fn swap(lab: &mut Lab) {
    let [first, second] = [1, 2].map(|n| lab.module(n).clone());
    *lab.module(1) = second;
    *lab.module(2) = first;
}

#[test]
fn a_stranger_under_the_number_recovers_nothing_and_is_paged() {
    let mut lab = Lab::failed(3, 1, Cure::Nothing);
    lab.run(60);
    swap(&mut lab);
    lab.run(3_600);
    assert_eq!(lab.closings(), []);
    assert_eq!(lab.rungs(), []);
    assert_eq!(lab.pages(), [PageReason::InventoryDrift]);
    assert!(lab.recorded(Rung::Retry, Guard::EsnMismatch, "refuse"));
    swap(&mut lab);
    lab.module(1).state = ModuleState::Operational;
    lab.run(120);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::None)]);
}

#[test]
fn a_stranger_under_the_number_makes_no_attempt_a_success() {
    for printed in [true, false] {
        let mut lab = Lab::failed(3, 1, Cure::Nothing);
        lab.run_until("a retry", |lab| !lab.rungs().is_empty());
        swap(&mut lab);
        if !printed {
            // The module itself is seen under another number: enough to know.
            lab.module(1).esn = None;
        }
        lab.run(900);
        assert_eq!(lab.outcomes(), [Outcome::Unknown], "printed: {printed}");
        assert_eq!(lab.closings(), []);
    }
}

#[test]
fn a_stranger_that_has_failed_is_no_failure_of_the_target() {
    let mut lab = Lab::new(3);
    lab.alerts.insert("VcmFailed", (Some(1), Tier::Retry));
    lab.module(1).state = ModuleState::Failed;
    lab.module(1).esn = esn(9).parse().ok();
    lab.run(3_600);
    assert_eq!(lab.incident(Some(1)).first_failed_at, None);
    assert_eq!(lab.pages(), [PageReason::InventoryDrift]);
}

#[test]
fn a_figure_that_no_hardserver_can_have_is_no_figure() {
    for uptime in [u64::MAX, u64::MAX / 1_000, u64::from(u32::MAX)] {
        let mut lab = Lab::failed(1, 1, Cure::Nothing);
        lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
        lab.seen.hardserver_uptime = Some(uptime);
        lab.seen.host_uptime = Some(uptime);
        lab.module(1).uptime = Some(uptime);
        lab.module(1).objects = Some(uptime);
        lab.seen.clients = Some(uptime);
        lab.run(1_800);
        assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart], "{uptime}");
        lab.seen.hardserver = HardserverLook::SuspectedDown;
        lab.seen.finished_boottime = u64::MAX;
        lab.run(600);
    }
    assert!(
        Duration::from_secs(u64::MAX)
            .checked_add(Duration::from_secs(1))
            .is_none()
    );
}
