use std::time::Duration;

use super::base::{Base, PASS, every, on_host_target, row};
use crate::evidence::{Evidence, Look};
use crate::guard::Guard::NotBefore;
use crate::observation::HardserverLook;

fn failed(mut base: Base, seconds: u64) -> Base {
    base.incident.first_failed_at = Some(base.ago(seconds));
    base
}

#[test]
fn each_rung_waits_from_our_first_look_at_the_failure() {
    let early = [
        "refuse for 1 s: not before 120 s after the first observed failure",
        "refuse for 481 s: not before 600 s after the first observed failure",
        "refuse for 1681 s: not before 1800 s after the first observed failure",
    ];
    row(&failed(Base::new(), 119), NotBefore, early);
    let restart = "refuse for 480 s: not before 600 s after the first observed failure";
    let clear = "refuse for 1680 s: not before 1800 s after the first observed failure";
    row(
        &failed(Base::new(), 120),
        NotBefore,
        ["pass", restart, clear],
    );
    let clear = "refuse for 1 s: not before 1800 s after the first observed failure";
    row(
        &failed(Base::new(), 1_799),
        NotBefore,
        ["pass", "pass", clear],
    );
    row(&failed(Base::new(), 1_800), NotBefore, PASS);
}

#[test]
fn restart_and_clear_wait_for_a_time_that_nobody_has_confirmed() {
    let mut base = failed(Base::new(), 3 * 3_600);
    base.fleet.unconfirmed_gap = Duration::from_secs(3 * 3_600 - 300);
    base.fleet.unconfirmed_until = Some(base.ago(60));
    let unseen = ", and the time in which the remediator did not run is not confirmed to count";
    let restart =
        format!("refuse for 300 s: not before 600 s after the first observed failure{unseen}");
    let clear =
        format!("refuse for 1500 s: not before 1800 s after the first observed failure{unseen}");
    row(&base, NotBefore, ["pass", &restart, &clear]);
    // What has failed since then is as ever.
    base.incident.first_failed_at = Some(base.ago(59));
    base.fleet.unconfirmed_gap = Duration::from_secs(3 * 3_600);
    let early = [
        "refuse for 61 s: not before 120 s after the first observed failure",
        "refuse for 541 s: not before 600 s after the first observed failure",
        "refuse for 1741 s: not before 1800 s after the first observed failure",
    ];
    row(&base, NotBefore, early);
}

#[test]
fn without_an_observed_failure_nothing_starts() {
    let mut never = Base::new();
    never.incident.first_failed_at = None;
    row(
        &never,
        NotBefore,
        every("refuse: no failure has been observed"),
    );
}

#[test]
fn a_hardserver_that_is_down_has_its_own_time() {
    let early = "refuse for 1 s: not before 120 s after the first observed failure";
    row(
        &failed(on_host_target(|_| {}), 119),
        NotBefore,
        every(early),
    );
    row(&failed(on_host_target(|_| {}), 120), NotBefore, PASS);
}

#[test]
fn a_hardserver_that_does_not_answer_is_offered_after_it_is_paged() {
    let mut hung = on_host_target(|seen| seen.hardserver = HardserverLook::Unresponsive);
    hung.incident.first_failed_at = None;
    let early = "refuse for 285 s: not before the hardserver has not answered for 300 s";
    row(&hung, NotBefore, every(early));
    let newest = hung.evidence.newest().unwrap().clone();
    let silent_for = |seconds: u64| {
        let mut looks = Evidence::default();
        for before in (0..=seconds).rev().step_by(20) {
            looks.push(Look {
                at: hung.ago(before),
                seen: newest.seen.clone(),
            });
        }
        looks.push(newest.clone());
        looks
    };
    let (early, late) = (silent_for(299), silent_for(300));
    hung.evidence = early;
    let reason = "refuse for 1 s: not before the hardserver has not answered for 300 s";
    row(&hung, NotBefore, every(reason));
    hung.evidence = late;
    row(&hung, NotBefore, PASS);
}
