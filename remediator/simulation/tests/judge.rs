//! The judge sees what is wrong: a remediator that runs by a looser policy than the judge's own
//! tables violates the property that the policy upholds.

use std::time::Duration;

use vcm_recovery::policy::{Mode, OthersHealthy, Policy};
use vcm_recovery::tier::Tier;
use vcm_simulation::campaign::TAIL;
use vcm_simulation::episode::Episode;
use vcm_simulation::knobs::{
    Enrolment, Knobs, Layout, People, Permitted, Restart, Runner, WallClock, Windows,
};

/// Episodes looked through at most.
const EPISODES: u64 = 600;

/// The properties that a remediator violates with `loosen`, until `property` is among them.
fn sees(property: &str, loosen: impl Fn(&mut Policy)) -> bool {
    sees_where(property, |_| {}, loosen)
}

/// The same on sites with some of the knobs set.
fn sees_where(property: &str, set: impl Fn(&mut Knobs), loosen: impl Fn(&mut Policy)) -> bool {
    (0..EPISODES).any(|seed| {
        let mut episode = Episode::misled(seed, &set, &loosen);
        episode.run(TAIL);
        let violations = episode.checker().violations();
        violations
            .iter()
            .any(|violation| violation.property == property)
    })
}

#[test]
fn rung_before_its_time() {
    assert!(sees("S1", |policy| policy.retry.not_before =
        Duration::from_secs(30)));
}

#[test]
fn rung_above_the_ceiling() {
    assert!(sees("S1", |policy| {
        for rule in policy.alerts.values_mut() {
            rule.tier = Tier::Restart;
        }
    }));
}

#[test]
fn alert_that_is_no_longer_valid() {
    assert!(sees("S1", |policy| policy.alert_ttl =
        Duration::from_secs(6 * 3_600)));
}

#[test]
fn more_attempts_than_the_cap() {
    assert!(sees("S2", |policy| {
        policy.retry.caps.clear();
        policy.retry.attempts_per_incident = 20;
    }));
}

#[test]
fn more_attempts_in_flight_than_the_budgets() {
    assert!(sees("S4", |policy| {
        policy.budgets.host = 4;
        policy.spacing = Duration::ZERO;
    }));
}

#[test]
fn network_that_is_back_too_short() {
    assert!(sees("S7", |policy| {
        policy.network_settle = Duration::ZERO;
        policy.network_settle_restart = Duration::ZERO;
    }));
}

#[test]
fn clear_without_approval() {
    assert!(sees("S13", |policy| {
        policy.clear.approval = false;
        for rule in policy.alerts.values_mut() {
            rule.tier = Tier::Clear;
        }
    }));
}

#[test]
fn restart_that_cuts_healthy_modules() {
    assert!(sees("S14", |policy| policy.others_healthy = OthersHealthy::Allow));
}

#[test]
fn clear_that_cuts_another_host_off_without_a_word() {
    let set = |knobs: &mut Knobs| {
        knobs.layout = Layout::Wide;
        knobs.enrolment = Enrolment::ClearCutsBoth;
        knobs.policy = Permitted::Default;
    };
    assert!(sees_where("S14", set, |policy| {
        policy.clear.approval = false;
        for rule in policy.alerts.values_mut() {
            rule.tier = Tier::Clear;
        }
    }));
}

#[test]
fn rung_outside_its_window() {
    let set = |knobs: &mut Knobs| knobs.windows = Windows::ByNight;
    assert!(sees_where("S1", set, |policy| {
        policy.restart.windows.clear();
        policy.clear.windows.clear();
    }));
}

#[test]
fn more_restarts_in_truth_than_the_cap() {
    let set = |knobs: &mut Knobs| knobs.clock = WallClock::StepsForward;
    assert!(sees_where("S2", set, |policy| policy.restart.caps.clear()));
}

#[test]
fn delivered_alert_that_nobody_hears() {
    assert!(sees("L6", |policy| policy.alerts.clear()));
}

#[test]
fn nobody_paged_for_an_incident_that_is_stuck() {
    assert!(sees("L1", |policy| policy.page_after.stuck =
        Duration::from_secs(24 * 3_600)));
}

#[test]
fn nobody_paged_for_an_attempt_without_an_end() {
    // Restarts that take minutes, on a host that cannot be reached for longer than that.
    let set = |knobs: &mut Knobs| {
        *knobs = Knobs {
            layout: Layout::Single,
            restart: Restart::StaysDown,
            runner: Runner::Unreachable,
            people: People::Absent,
            ..Knobs::ORDINARY
        };
    };
    assert!(sees_where("L2", set, |policy| {
        policy.page_after.unknown = Duration::from_secs(24 * 3_600);
        policy.page_after.stuck = Duration::from_secs(24 * 3_600);
        policy.report_timeout = Duration::from_secs(24 * 3_600);
    }));
}

#[test]
fn rung_where_only_observing_is_permitted() {
    assert!(sees("S1", |policy| policy.mode = Mode::Act));
}

#[test]
fn load_that_does_not_return() {
    assert!(sees("L5", |policy| {
        if let Some(load) = &mut policy.load {
            load.max_shed = Duration::from_secs(24 * 3_600);
            load.restore_below_percent = 0;
        }
    }));
}
