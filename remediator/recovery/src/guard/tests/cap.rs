use std::time::Duration;

use super::base::{Base, PASS, number, row};
use crate::attempt::Outcome;
use crate::guard::Guard::Cap;
use crate::ids::AttemptId;
use crate::incident::Shadow;
use crate::inventory::Target;
use crate::policy::Mode;
use crate::tier::Rung;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

#[test]
fn retries_are_capped_by_the_hour_and_by_the_day() {
    let mut base = Base::new();
    base.attempt(1, Rung::Retry, 50 * MINUTE, Some(Outcome::Failed));
    base.attempt(2, Rung::Retry, 40 * MINUTE, Some(Outcome::Failed));
    row(&base, Cap, PASS);
    base.attempt(3, Rung::Retry, 30 * MINUTE, Some(Outcome::Unknown));
    let hour = "refuse for 600 s: retry may run 3 times in 3600 s";
    row(&base, Cap, [hour, "pass", "pass"]);
    for (bits, hours) in [(4, 20), (5, 21), (6, 22)] {
        base.attempt(bits, Rung::Retry, hours * HOUR, Some(Outcome::Failed));
    }
    let day = "refuse for 7200 s: retry may run 6 times in 86400 s";
    row(&base, Cap, [day, "pass", "pass"]);
}

#[test]
fn what_never_started_does_not_count() {
    let mut base = Base::new();
    for bits in 1..=9 {
        base.attempt(bits, Rung::Retry, MINUTE, Some(Outcome::Refused));
        base.attempt(bits + 20, Rung::Clear, MINUTE, Some(Outcome::Cancelled));
        base.attempt(bits + 40, Rung::Restart, MINUTE, Some(Outcome::Refused));
    }
    row(&base, Cap, PASS);
}

#[test]
fn restart_and_clear_run_once_in_their_windows() {
    let mut base = Base::new();
    base.attempt(1, Rung::Restart, 6 * HOUR - 1, Some(Outcome::Succeeded));
    base.attempt(2, Rung::Clear, 24 * HOUR - 1, Some(Outcome::MadeWorse));
    let restart = "refuse for 1 s: restart may run once in 21600 s";
    let clear = "refuse for 1 s: clear may run once in 86400 s";
    row(&base, Cap, ["pass", restart, clear]);
    let mut old = Base::new();
    old.attempt(1, Rung::Restart, 6 * HOUR, Some(Outcome::Succeeded));
    old.attempt(2, Rung::Clear, 24 * HOUR, Some(Outcome::MadeWorse));
    row(&old, Cap, PASS);
}

/// One attempt of each rung, made on another target of the host or with another serial number.
fn made_elsewhere(change: impl Fn(&mut crate::attempt::Intent)) -> Base {
    let mut base = Base::new();
    base.policy.retry.caps[0].attempts = 1;
    for (bits, rung) in (1..).zip(Rung::ALL) {
        base.attempt(bits, rung, 10 * MINUTE, Some(Outcome::Failed));
        let made = base.state.attempts.get_mut(&AttemptId::from_bits(bits));
        change(&mut made.unwrap().intent);
    }
    base
}

#[test]
fn retries_count_by_target_restarts_by_host_and_clears_by_serial_number() {
    let retry = "refuse for 3000 s: retry may run once in 3600 s";
    let restart = "refuse for 21000 s: restart may run once in 21600 s";
    let clear = "refuse for 85800 s: clear may run once in 86400 s";
    row(&made_elsewhere(|_| {}), Cap, [retry, restart, clear]);
    let another = |intent: &mut crate::attempt::Intent| {
        intent.target = Target::module(intent.target.host.clone(), number(2));
    };
    row(&made_elsewhere(another), Cap, ["pass", restart, clear]);
    let another_esn = |intent: &mut crate::attempt::Intent| {
        another(intent);
        intent.esn = "2B3C-05E0-D947".parse().ok();
    };
    row(&made_elsewhere(another_esn), Cap, ["pass", restart, "pass"]);
    let mut no_esn = made_elsewhere(|intent| {
        another(intent);
        intent.esn = None;
    });
    no_esn.host.modules.get_mut(&number(1)).unwrap().esn = None;
    row(&no_esn, Cap, ["pass", restart, "pass"]);
}

#[test]
fn time_without_the_remediator_frees_no_restart_and_no_clear() {
    let mut base = Base::new();
    base.policy.retry.caps[0].attempts = 1;
    for (bits, rung) in (1..).zip(Rung::ALL) {
        base.attempt(bits, rung, 25 * HOUR, Some(Outcome::Failed));
    }
    row(&base, Cap, PASS);
    base.fleet.unconfirmed_gap = Duration::from_secs(25 * HOUR);
    let restart = "refuse for 21600 s: restart may run once in 21600 s, and the time in which the \
                   remediator did not run is not confirmed to count";
    let clear = "refuse for 86400 s: clear may run once in 86400 s, and the time in which the \
                 remediator did not run is not confirmed to count";
    row(&base, Cap, ["pass", restart, clear]);
}

#[test]
fn shadows_count_in_observe_mode_only() {
    let mut base = Base::new();
    base.policy.retry.caps[0].attempts = 1;
    for rung in Rung::ALL {
        let at = base.ago(10 * MINUTE);
        base.state.shadows.push(Shadow {
            incident: base.incident.id.clone(),
            target: base.incident.target.clone(),
            rung,
            steps: Vec::new(),
            asks: Vec::new(),
            at,
            until: at,
        });
    }
    row(&base, Cap, PASS);
    base.policy.mode = Mode::Observe;
    let cells = [
        "refuse for 3000 s: retry may run once in 3600 s",
        "refuse for 21000 s: restart may run once in 21600 s",
        "refuse for 85800 s: clear may run once in 86400 s",
    ];
    row(&base, Cap, cells);
    for shadow in &mut base.state.shadows {
        shadow.target.module = Some(number(2));
    }
    row(&base, Cap, ["pass", cells[1], "pass"]);
    for shadow in &mut base.state.shadows {
        shadow.target = base.incident.target.clone();
    }
    base.state
        .shadows
        .retain(|shadow| shadow.rung == Rung::Clear);
    row(&base, Cap, ["pass", "pass", cells[2]]);
}
