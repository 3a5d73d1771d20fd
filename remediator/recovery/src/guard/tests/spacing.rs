use std::time::Duration;

use super::base::{Base, PASS, every, row};
use crate::attempt::Outcome;
use crate::guard::Guard::Spacing;
use crate::ids::AttemptId;
use crate::incident::Shadow;
use crate::policy::Mode;
use crate::tier::Rung;

#[test]
fn a_host_is_left_alone_for_a_minute_after_an_attempt() {
    row(&Base::new(), Spacing, PASS);
    let mut base = Base::new();
    base.attempt(1, Rung::Retry, 59, Some(Outcome::Failed));
    let reason = every("refuse for 1 s: less than 60 s since the last attempt on this host");
    row(&base, Spacing, reason);
    let mut reserved = Base::new();
    reserved.attempt(1, Rung::Retry, 59, None);
    row(&reserved, Spacing, reason);
    let mut later = Base::new();
    later.attempt(1, Rung::Clear, 60, Some(Outcome::Failed));
    row(&later, Spacing, PASS);
}

#[test]
fn restart_and_clear_are_spaced_by_time_that_counts() {
    let mut base = Base::new();
    base.attempt(1, Rung::Retry, 7_230, Some(Outcome::Failed));
    base.fleet.unconfirmed_gap = Duration::from_secs(7_200);
    base.fleet.unconfirmed_until = Some(base.ago(10));
    let reason = "refuse for 30 s: less than 60 s since the last attempt on this host, and the time \
                  in which the remediator did not run is not confirmed to count";
    row(&base, Spacing, ["pass", reason, reason]);
    base.fleet.unconfirmed_until = Some(base.ago(7_231));
    row(&base, Spacing, PASS);
}

#[test]
fn attempts_that_never_started_make_it_longer_up_to_ten_times() {
    for (refusals, seconds) in [(1, 120), (2, 180), (9, 600), (30, 600)] {
        let mut base = Base::new();
        for bits in 1..=refusals {
            let outcome = match bits % 2 {
                0 => Outcome::Refused,
                _ => Outcome::Cancelled,
            };
            base.attempt(bits, Rung::Retry, 10, Some(outcome));
        }
        let left = seconds - 10;
        let reason = format!(
            "refuse for {left} s: less than {seconds} s since the last attempt on this host"
        );
        row(&base, Spacing, every(&reason));
    }
    let mut of_another = Base::new();
    of_another.attempt(1, Rung::Retry, 60, Some(Outcome::Refused));
    of_another.incident.attempts.clear();
    assert!(
        of_another
            .state
            .attempts
            .contains_key(&AttemptId::from_bits(1))
    );
    row(&of_another, Spacing, PASS);
}

#[test]
fn what_observe_mode_would_have_run_counts_there() {
    let mut base = Base::new();
    let until = base.ago(20);
    base.state.shadows.push(Shadow {
        incident: base.incident.id.clone(),
        target: base.incident.target.clone(),
        rung: Rung::Retry,
        steps: Vec::new(),
        asks: Vec::new(),
        at: base.ago(145),
        until,
    });
    row(&base, Spacing, PASS);
    base.policy.mode = Mode::Observe;
    let reason = every("refuse for 40 s: less than 60 s since the last attempt on this host");
    row(&base, Spacing, reason);
}
