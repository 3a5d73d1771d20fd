//! Several hosts failing at once, one target failing again and again, and a device that is booting.

use vcm_recovery::attempt::Outcome;
use vcm_recovery::guard::Guard;
use vcm_recovery::observation::{HardserverLook, StopSign};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::{Rung, Tier};

use crate::lab::{Cure, Lab, begin_storm, number};

/// Module 1 of one has failed for good, with every rung permitted.
fn failing() -> Lab {
    let mut lab = Lab::failed(1, 1, Cure::Nothing);
    lab.permit_clear();
    lab.alerts.insert("VcmFailedLong", (Some(1), Tier::Clear));
    lab
}

/// Another host of the same HSM fails every four minutes.
fn storm_for(lab: &mut Lab, seconds: u64) {
    for _ in 0..seconds / 240 {
        begin_storm(lab);
        lab.others.truncate(1);
        let (_, other) = &mut lab.others[0];
        let times = other.failures.values_mut().next().unwrap();
        times.push(lab.now);
        lab.run(240);
    }
}

#[test]
fn a_storm_means_late_retries_no_restart_and_a_clear_by_approval_only() {
    let mut lab = failing();
    lab.policy.restart.not_before = std::time::Duration::from_secs(120);
    lab.policy.flapping.incidents = 1_000;
    lab.run(20);
    storm_for(&mut lab, 7_200);
    assert_eq!(lab.rungs(), [Rung::Retry]);
    assert!(
        (300..400).contains(&lab.log[0].0),
        "after the boot window, not after {} s",
        lab.log[0].0
    );
    assert!(lab.recorded(Rung::Retry, Guard::BootWindow, "refuse"));
    assert!(lab.recorded(Rung::Restart, Guard::Storm, "refuse"));
    lab.run(1_200);
    assert_eq!(lab.rungs()[..2], [Rung::Retry, Rung::Restart], "it is over");
}

#[test]
fn a_clear_in_a_storm_asks_even_where_the_policy_does_not() {
    let mut lab = failing();
    lab.policy.flapping.incidents = 1_000;
    lab.policy.others_healthy = vcm_recovery::policy::OthersHealthy::Skip;
    lab.host
        .modules
        .insert(number(2), lab.host.modules[&number(1)].clone());
    let two = Lab::new(2);
    lab.seen
        .modules
        .insert(number(2), two.seen.modules[&number(2)].clone());
    lab.host.modules.get_mut(&number(2)).unwrap().esn = crate::lab::esn(2).parse().ok();
    lab.run(20);
    storm_for(&mut lab, 7_200);
    assert!(lab.rungs().iter().all(|rung| *rung == Rung::Retry));
    assert!(lab.recorded(Rung::Clear, Guard::Storm, "ask"));
    assert!(lab.pages().contains(&PageReason::ApprovalRequired));
}

#[test]
fn a_dead_hardserver_is_started_while_the_hsm_has_a_storm() {
    let mut lab = Lab::new(1);
    lab.policy.flapping.incidents = 1_000;
    begin_storm(&mut lab);
    lab.seen.hardserver = HardserverLook::SuspectedDown;
    lab.seen.complete = false;
    lab.seen.stop = StopSign::None;
    lab.alerts.insert("HardserverDown", (None, Tier::Restart));
    lab.run(30);
    storm_for(&mut lab, 240);
    assert_eq!(lab.rungs(), [Rung::Restart]);
}

#[test]
fn restart_waits_until_the_hsm_has_booted() {
    let mut lab = failing();
    lab.policy.restart.not_before = std::time::Duration::from_secs(120);
    lab.run(1_200);
    assert_eq!(lab.rungs()[..2], [Rung::Retry, Rung::Restart]);
    assert!(lab.log[1].0 >= 300, "{:?}", lab.log);
    assert!(lab.recorded(Rung::Restart, Guard::BootWindow, "refuse"));
}

#[test]
fn retries_of_one_hsm_start_at_different_times_in_a_storm() {
    let starts: Vec<u64> = ["tenant-1", "tenant-7", "tenant-8"]
        .into_iter()
        .map(|name| {
            let mut lab = failing();
            lab.host.name = name.parse().unwrap();
            lab.state.host = lab.host.name.clone();
            begin_storm(&mut lab);
            lab.run_until("a retry", |lab| !lab.rungs().is_empty());
            lab.log[0].0
        })
        .collect();
    assert!(
        starts.iter().all(|at| (300..400).contains(at)),
        "{starts:?}"
    );
    let mut distinct = starts.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 1, "{starts:?}");
}

#[test]
fn flapping_is_remembered_over_a_restart_of_the_remediator() {
    let mut lab = Lab::failed(3, 1, Cure::Rung(Rung::Retry));
    for _ in 0..2 {
        lab.run(400);
        lab.restart_remediator();
        lab.fail(1, Cure::Rung(Rung::Retry));
    }
    lab.run(1_200);
    assert_eq!(lab.rungs(), [Rung::Retry; 2]);
    assert_eq!(lab.outcomes(), [Outcome::Succeeded; 2]);
    assert_eq!(lab.pages(), [PageReason::Flapping]);
}
