use nshield::ModuleState;

use super::base::{Base, PASS, every, module, on_host_target, row, with};
use crate::guard::Guard::ModuleHealthy;
use crate::observation::HardserverLook;

#[test]
fn what_works_is_left_alone() {
    let healthy = with(|seen| module(seen, 1).state = ModuleState::Operational);
    row(
        &healthy,
        ModuleHealthy,
        every("refuse: module 1 is operational"),
    );
    let host = on_host_target(|_| {});
    row(
        &host,
        ModuleHealthy,
        every("refuse: the hardserver answers"),
    );
}

#[test]
fn anything_else_is_for_other_guards() {
    row(&Base::new(), ModuleHealthy, PASS);
    let other = with(|seen| module(seen, 2).state = ModuleState::Operational);
    row(&other, ModuleHealthy, PASS);
    let incomplete = with(|seen| {
        module(seen, 1).state = ModuleState::Operational;
        seen.complete = false;
    });
    row(&incomplete, ModuleHealthy, PASS);
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    row(&down, ModuleHealthy, PASS);
}
