use super::base::{PASS, every, on_host_target, row, with};
use crate::guard::Guard::HardserverUnresponsive;
use crate::observation::HardserverLook;

#[test]
fn only_a_person_restarts_a_hardserver_that_does_not_answer() {
    let refuse = "refuse: the hardserver does not answer in time";
    let ask = "ask: the hardserver does not answer in time";
    let hung = |seen: &mut crate::observation::Observation| {
        seen.hardserver = HardserverLook::Unresponsive;
    };
    row(&with(hung), HardserverUnresponsive, [refuse, ask, refuse]);
    let host = on_host_target(hung);
    row(&host, HardserverUnresponsive, [refuse, ask, refuse]);
    for look in [
        HardserverLook::Up,
        HardserverLook::SuspectedDown,
        HardserverLook::PermissionDenied,
        HardserverLook::Unknown,
    ] {
        let base = with(|seen| seen.hardserver = look);
        row(&base, HardserverUnresponsive, PASS);
    }
    let none = every("refuse: there is no observation of the host");
    row(&with(hung).blind(), HardserverUnresponsive, none);
}
