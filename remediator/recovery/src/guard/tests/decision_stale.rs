use std::time::Duration;

use nshield::ModuleState;

use super::base::{Base, PASS, every, module, number, row, seen};
use crate::guard::Guard::DecisionStale;
use crate::guard::decision_stale::between;
use crate::observation::{HardserverLook, Observation};
use crate::tier::Rung;

#[test]
fn a_decision_needs_a_look_of_the_last_thirty_seconds() {
    let mut base = Base::new();
    base.now = base.now.after(Duration::from_secs(30));
    row(&base, DecisionStale, PASS);
    base.now = base.now.after(Duration::from_millis(1));
    let stale = every("refuse: the newest observation is older than 30 s");
    row(&base, DecisionStale, stale);
    let none = every("refuse: there is no observation of the host");
    row(&base.blind(), DecisionStale, none);
}

/// What the host says to retry, restart and clear about a look that was decided on.
fn reasons(change: impl Fn(&mut Observation)) -> [String; 3] {
    let decided = seen();
    let mut fresh = Observation {
        started_boottime: 12_000,
        ..seen()
    };
    change(&mut fresh);
    Rung::ALL.map(|rung| {
        let verdict = between(rung, Some(number(1)), &decided, &fresh, 30_000);
        format!("{}: {}", verdict.as_str(), verdict.reason())
    })
}

#[test]
fn the_host_compares_what_was_decided_on_with_what_it_sees() {
    type Change = fn(&mut Observation);
    let late = "the observation decided on is not within 30 s";
    let table: [(Change, &str); 7] = [
        (
            |fresh| fresh.boot_id = "another".to_owned(),
            "the host has rebooted since the decision",
        ),
        (|fresh| fresh.started_boottime = 32_001, late),
        (|fresh| fresh.started_boottime = 1_999, late),
        (
            |fresh| fresh.hardserver = HardserverLook::Unresponsive,
            "the hardserver looks different now",
        ),
        (
            |fresh| module(fresh, 1).state = ModuleState::Operational,
            "the target looks different now",
        ),
        (
            |fresh| module(fresh, 1).state = ModuleState::Maintenance,
            "the target looks different now",
        ),
        (
            |fresh| fresh.complete = false,
            "the target looks different now",
        ),
    ];
    for (change, reason) in table {
        assert_eq!(
            reasons(change),
            [(); 3].map(|()| format!("refuse: {reason}"))
        );
    }
    let pass = || "pass: ".to_owned();
    assert_eq!(reasons(|_| {}), [pass(), pass(), pass()]);
    assert_eq!(
        reasons(|fresh| fresh.started_boottime = 32_000),
        [pass(), pass(), pass()]
    );
    let other = reasons(|fresh| module(fresh, 2).state = ModuleState::Operational);
    let restart = "refuse: other modules look different now".to_owned();
    assert_eq!(other, [pass(), restart, pass()]);
}
