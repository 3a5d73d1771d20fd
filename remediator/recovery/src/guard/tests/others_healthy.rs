use nshield::ModuleState;

use super::base::{Base, every, module, on_host_target, row, with};
use crate::guard::Guard;
use crate::observation::{HardserverLook, Observation};
use crate::policy::OthersHealthy;

const NO_RESTART: &str = "n/a: only a restart touches other modules";

#[track_caller]
fn restart(base: &Base, cell: &str) {
    row(base, Guard::OthersHealthy, [NO_RESTART, cell, NO_RESTART]);
}

#[test]
fn healthy_modules_keep_a_restart_away_as_the_policy_says() {
    restart(&Base::new(), "pass");
    let reason = "a restart would cut the clients of healthy module 3";
    for (policy, cell) in [
        (OthersHealthy::Skip, format!("skip: {reason}")),
        (OthersHealthy::Ask, format!("ask: {reason}")),
        (OthersHealthy::Allow, "pass".to_owned()),
    ] {
        let mut base = with(|seen| module(seen, 3).state = ModuleState::Operational);
        base.policy.others_healthy = policy;
        restart(&base, &cell);
    }
    let both = with(|seen| {
        module(seen, 2).state = ModuleState::Operational;
        module(seen, 3).state = ModuleState::Operational;
    });
    let reason = "skip: a restart would cut the clients of healthy modules 2 and 3";
    restart(&both, reason);
    let own = with(|seen| module(seen, 1).state = ModuleState::Operational);
    restart(&own, "pass");
}

#[test]
fn a_module_with_a_hardware_fault_may_be_in_use() {
    let faulty = with(|seen| {
        module(seen, 2).state = ModuleState::Operational;
        module(seen, 2).hardware_ok = Some(false);
    });
    let reason = "skip: a restart would cut the clients of healthy module 2";
    restart(&faulty, reason);
}

#[test]
fn modules_that_are_not_seen_clearly_refuse_a_restart() {
    let unknown = with(|seen| module(seen, 2).state = ModuleState::Unknown);
    restart(&unknown, "refuse: the state of module 2 is not known");
    let incomplete = with(|seen| seen.complete = false);
    let reason = "refuse: whether other modules work is not known: enquiry was not complete";
    restart(&incomplete, reason);
}

#[test]
fn a_hardserver_that_is_down_or_hung_is_another_case() {
    let down = |seen: &mut Observation| seen.hardserver = HardserverLook::SuspectedDown;
    let host = on_host_target(down);
    restart(&host, "n/a: the hardserver looks down: nothing works");
    let hung = |seen: &mut Observation| {
        seen.hardserver = HardserverLook::Unresponsive;
        seen.complete = false;
    };
    let reason = "ask: the hardserver does not answer, so other modules may work";
    let mut host = on_host_target(hung);
    restart(&host, reason);
    host.policy.others_healthy = OthersHealthy::Ask;
    restart(&host, reason);
    host.policy.others_healthy = OthersHealthy::Allow;
    restart(&host, "pass");
    let none = every("refuse: there is no observation of the host");
    row(&with(down).blind(), Guard::OthersHealthy, none);
}
