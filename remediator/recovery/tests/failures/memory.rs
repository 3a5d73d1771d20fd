//! What must outlive a restart of the remediator, and what must not depend on Alertmanager's memory.

use nshield::ModuleState;
use vcm_recovery::command::FleetOrder;
use vcm_recovery::event::Change;
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::Rung;

use crate::lab::{Cure, Lab, of_fleet};
use crate::{failing, resolve_all};

/// C5: what was paused by hand was switched on again by configuration management.
#[test]
fn c5_a_pause_outlives_restarts_and_policies_and_names_its_owner() {
    let mut lab = failing();
    lab.order_all(&FleetOrder::Pause { until: None }).unwrap();
    for spacing in [30, 60, 90] {
        lab.restart_remediator();
        lab.policy.spacing = std::time::Duration::from_secs(spacing);
        let policy = Box::new(lab.policy.clone());
        lab.store(vec![of_fleet(Change::PolicyLoaded(policy))]);
        lab.run(3_600);
    }
    assert_eq!(lab.rungs(), []);
    let pause = lab.fleet.pause.as_ref().unwrap();
    assert_eq!(
        (pause.by.as_str(), pause.reason.as_str()),
        ("ada", "seen to")
    );
    lab.order_all(&FleetOrder::Resume).unwrap();
    lab.run(60);
    assert_eq!(
        lab.rungs(),
        [Rung::Retry],
        "nothing else kept it from starting"
    );
}

/// C25 and C36: rate limits in memory were reset by a restart.
#[test]
fn c25_c36_caps_outlive_every_restart_of_the_remediator() {
    let mut lab = Lab::failed(3, 1, Cure::Rung(Rung::Retry));
    lab.policy.flapping.incidents = 1_000;
    for _ in 0..8 {
        lab.run(400);
        lab.restart_remediator();
        lab.fail(1, Cure::Rung(Rung::Retry));
    }
    let hour = lab.log[0].0 + 3_600;
    assert_eq!(lab.log.iter().filter(|(at, ..)| *at < hour).count(), 3);
    assert!(lab.recorded(Rung::Retry, Guard::Cap, "refuse"));
    for _ in 0..60 {
        lab.restart_remediator();
        lab.run(1_200);
        lab.fail(1, Cure::Rung(Rung::Retry));
    }
    let day = lab.log[0].0 + 24 * 3_600;
    assert_eq!(lab.log.iter().filter(|(at, ..)| *at < day).count(), 6);
}

/// C28: the word that an alert is over was lost.
#[test]
fn c28_an_incident_needs_no_resolved_to_end() {
    let mut healed = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    healed.run_until("the retry", |lab| lab.running.is_some());
    healed.alerts.clear();
    healed.run(600);
    assert_eq!(healed.closings(), [(Ending::Recovered, Actor::Automatic)]);

    let mut failed = Lab::failed(1, 1, Cure::Nothing);
    failed.run_until("the retry", |lab| lab.running.is_some());
    failed.alerts.clear();
    failed.run(3 * 3_600);
    assert_eq!(failed.rungs(), [Rung::Retry]);
    assert_eq!(failed.pages(), [PageReason::Stuck]);
    failed.module(1).state = ModuleState::Operational;
    failed.run(200);
    assert_eq!(failed.closings(), [(Ending::Recovered, Actor::None)]);
    assert_eq!(failed.pages(), []);
}

/// C29: an alert ended because its series was gone, and the fault stayed.
#[test]
fn c29_the_end_of_an_alert_is_a_reason_to_look_and_no_success() {
    let mut lab = failing();
    lab.run(60);
    resolve_all(&mut lab);
    lab.run(3 * 3_600);
    assert_eq!(lab.closings(), []);
    assert_eq!(lab.rungs(), [], "what has ended permits nothing");
    assert_eq!(lab.pages(), [PageReason::Stuck]);
    lab.module(1).state = ModuleState::Operational;
    lab.run(200);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::None)]);
}
