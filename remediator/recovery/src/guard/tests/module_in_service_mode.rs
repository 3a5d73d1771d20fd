use nshield::ModuleState;

use super::base::{Base, PASS, every, module, on_host_target, row, with};
use crate::guard::Guard::ModuleInServiceMode;
use crate::observation::HardserverLook;

/// Module `n` of three is in this state.
fn in_state(n: u16, state: ModuleState, printed: &str) -> Base {
    with(|seen| {
        module(seen, n).state = state;
        module(seen, n).printed = printed.to_owned();
    })
}

#[test]
fn what_somebody_works_on_is_left_to_them() {
    for state in [
        ModuleState::Maintenance,
        ModuleState::PreMaintenance,
        ModuleState::Initialization,
        ModuleState::PreInitialization,
        ModuleState::Uninitialized,
    ] {
        let own = in_state(1, state, "none, maintenance");
        let reason = "refuse: somebody works on module 1 (none, maintenance)";
        row(&own, ModuleInServiceMode, every(reason));
        let other = in_state(2, state, "none, maintenance");
        let reason = "refuse: somebody works on module 2 (none, maintenance)";
        row(&other, ModuleInServiceMode, ["pass", reason, "pass"]);
    }
}

#[test]
fn what_is_on_its_way_back_gets_its_time() {
    let own = in_state(1, ModuleState::Offline, "offline");
    let reason = "refuse: module 1 is on its way back (offline)";
    row(&own, ModuleInServiceMode, every(reason));
    let other = in_state(3, ModuleState::Offline, "offline");
    let reason = "refuse: module 3 is on its way back (offline)";
    row(&other, ModuleInServiceMode, ["pass", reason, "pass"]);
}

#[test]
fn other_states_are_for_other_guards() {
    for state in [
        ModuleState::Failed,
        ModuleState::Operational,
        ModuleState::Error,
        ModuleState::Unknown,
    ] {
        row(&in_state(1, state, ""), ModuleInServiceMode, PASS);
    }
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    let nothing = every("n/a: the hardserver looks down");
    row(&down, ModuleInServiceMode, nothing);
}
