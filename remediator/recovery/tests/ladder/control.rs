//! What people and our own surroundings forbid: pause, hold, silences, lost ownership, a silent
//! watchdog.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::attempt::{Outcome, Report};
use vcm_recovery::command::{FleetOrder, HostOrder, OrderError};
use vcm_recovery::decide::Action;
use vcm_recovery::fleet::{Ownership, Silences};
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab};

/// Module 1 of one has failed, every rung is permitted, and a clear would bring it back.
fn failing() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Clear));
    lab.permit_clear();
    lab.policy.retry.attempts_per_incident = 1;
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab
}

const PAUSE: FleetOrder = FleetOrder::Pause { until: None };

#[test]
fn nothing_starts_once_a_pause_is_recorded() {
    let mut lab = failing();
    lab.run(119);
    lab.order_all(&PAUSE).unwrap();
    lab.run(7_200);
    assert_eq!(lab.rungs(), []);
    assert!(lab.recorded(Rung::Retry, Guard::Paused, "refuse"));
    assert_eq!(lab.pages(), [PageReason::Stuck]);
    lab.restart_remediator();
    lab.run(600);
    assert_eq!(lab.rungs(), [], "a pause outlives the remediator");
    lab.order_all(&FleetOrder::Resume).unwrap();
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert_eq!(
        lab.order_all(&FleetOrder::Resume),
        Err(OrderError::NotPaused)
    );
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let mut lab = failing();
    let until = Some(lab.now.after(Duration::from_secs(1_000)));
    lab.order_all(&FleetOrder::Pause { until }).unwrap();
    lab.run(990);
    assert_eq!(lab.rungs(), []);
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

#[test]
fn an_attempt_and_its_verification_go_on_in_a_pause() {
    let mut lab = Lab::failed(1, 1, Cure::Rung(Rung::Retry));
    lab.run_until("an attempt", |lab| lab.running.is_some());
    lab.order_all(&PAUSE).unwrap();
    lab.run(600);
    assert_eq!(lab.outcomes(), [Outcome::Succeeded]);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}

#[test]
fn an_open_critical_section_is_finished_in_a_pause_and_a_hold() {
    let mut lab = failing();
    lab.run_until("the clear", |lab| lab.rungs().last() == Some(&Rung::Clear));
    let (attempt, target, ..) = lab.running.take().unwrap();
    let detail = "died after -M".to_owned();
    lab.report(attempt, &target, Report::Interrupted { detail });
    lab.order_all(&PAUSE).unwrap();
    let hold = HostOrder::Hold {
        target: target.clone(),
        until: None,
    };
    lab.order(&hold).unwrap();
    lab.restart_remediator();
    let decision = lab.turn();
    assert_eq!(
        decision.actions,
        [(target.clone(), Action::Resume(attempt))]
    );
    lab.report(attempt, &target, Report::Accepted);
    lab.effect(Rung::Clear);
    let detail = String::new();
    lab.report(attempt, &target, Report::Ended { detail });
    lab.run(200);
    assert_eq!(lab.closings(), [(Ending::Recovered, Actor::Automatic)]);
}

#[test]
fn nothing_starts_on_what_is_held() {
    for module in [None, Some(1)] {
        let mut lab = failing();
        let target = lab.target(module);
        let hold = HostOrder::Hold {
            target: target.clone(),
            until: None,
        };
        lab.order(&hold).unwrap();
        lab.run(3_600);
        assert_eq!(lab.rungs(), [], "{target}");
        assert!(lab.recorded(Rung::Retry, Guard::Hold, "refuse"));
        lab.order(&HostOrder::Release { target }).unwrap();
        lab.run(60);
        assert_eq!(lab.rungs(), [Rung::Retry]);
    }
}

#[test]
fn a_hold_of_another_module_keeps_a_restart_away_and_nothing_else() {
    let mut lab = Lab::new(2);
    for n in [1, 2] {
        lab.fail(n, Cure::Nothing);
    }
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Restart));
    let target = lab.target(Some(2));
    lab.order(&HostOrder::Hold {
        target,
        until: None,
    })
    .unwrap();
    lab.run(3_600);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(lab.recorded(Rung::Restart, Guard::Hold, "refuse"));
}

#[test]
fn files_on_the_host_work_without_the_remediator() {
    for write in [
        (|lab: &mut Lab| lab.seen.pause = Some("freeze".to_owned())) as fn(&mut Lab),
        |lab| lab.seen.hold = Some("disk".to_owned()),
        |lab| lab.module(1).hold = Some("ceremony".to_owned()),
    ] {
        let mut lab = failing();
        write(&mut lab);
        lab.run(3_600);
        assert_eq!(lab.rungs(), []);
    }
}

#[test]
fn a_remediator_that_lost_its_store_starts_nothing() {
    let mut lab = failing();
    lab.ownership = Ownership::Lost("its store was replaced".to_owned());
    lab.run(3_600);
    assert_eq!(lab.rungs(), []);
    assert!(lab.recorded(Rung::Retry, Guard::NotOwner, "refuse"));
}

#[test]
fn without_the_watchdog_only_retries_are_run() {
    let mut lab = failing();
    lab.watchdog = false;
    lab.run(7_200);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(lab.recorded(Rung::Restart, Guard::WatchdogSilent, "refuse"));
    lab.watchdog = true;
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
}

#[test]
fn a_silenced_alert_is_left_to_who_silenced_it() {
    let mut lab = failing();
    lab.run(1);
    let fingerprints = lab.state.facts.keys().copied();
    let by = fingerprints.map(|fingerprint| (fingerprint, "ada".to_owned()));
    lab.silences = Silences::Known(by.collect());
    lab.run(3_600);
    assert_eq!(lab.rungs(), []);
    assert!(lab.recorded(Rung::Retry, Guard::Silenced, "refuse"));
    lab.silences = Silences::Unknown("connection refused".to_owned());
    lab.run(600);
    assert_eq!(lab.rungs(), []);
    lab.silences = Silences::Known(BTreeMap::new());
    lab.run(60);
    assert_eq!(lab.rungs(), [Rung::Retry]);
}

#[test]
fn caps_on_disruption_wait_for_a_person_after_a_long_time_without_the_remediator() {
    let mut lab = failing();
    lab.policy.clear.approval = true;
    lab.policy.flapping.incidents = 100;
    lab.cures.insert(1, Cure::Rung(Rung::Restart));
    lab.run_until("the recovery", |lab| !lab.closings().is_empty());
    assert_eq!(lab.rungs(), [Rung::Retry, Rung::Restart]);
    let since = lab.now;
    lab.now = lab.now.after(Duration::from_secs(30 * 3_600));
    lab.restart_remediator();
    lab.store(vec![crate::lab::of_fleet(
        vcm_recovery::event::Change::GapFound { since },
    )]);
    lab.fail(1, Cure::Rung(Rung::Restart));
    lab.run(2 * 3_600);
    assert_eq!(lab.rungs()[2..], [Rung::Retry]);
    assert!(lab.recorded(Rung::Restart, Guard::Cap, "refuse"));
    lab.restart_remediator();
    lab.order_all(&FleetOrder::ConfirmGap).unwrap();
    lab.run(120);
    assert_eq!(lab.rungs()[2..], [Rung::Retry, Rung::Restart]);
    assert_eq!(
        lab.order_all(&FleetOrder::ConfirmGap),
        Err(OrderError::NoGap)
    );
}

#[test]
fn holds_and_pauses_wait_for_a_person_after_a_clock_that_jumped_at_the_start() {
    let day = Duration::from_secs(4 * 3_600);
    for paused in [false, true] {
        let mut lab = failing();
        let until = Some(lab.now.after(day));
        if paused {
            lab.order_all(&FleetOrder::Pause { until }).unwrap();
        } else {
            let target = lab.target(None);
            lab.order(&HostOrder::Hold { target, until }).unwrap();
        }
        let since = lab.now;
        lab.now = lab.now.after(Duration::from_secs(7 * 3_600));
        lab.restart_remediator();
        lab.store(vec![crate::lab::of_fleet(
            vcm_recovery::event::Change::GapFound { since },
        )]);
        lab.run(3_600);
        assert_eq!(lab.rungs(), [], "paused: {paused}");
        lab.restart_remediator();
        lab.order_all(&FleetOrder::ConfirmGap).unwrap();
        lab.run(300);
        assert_eq!(lab.rungs()[..1], [Rung::Retry], "paused: {paused}");
    }
}
