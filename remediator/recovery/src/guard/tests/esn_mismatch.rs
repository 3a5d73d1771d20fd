use super::base::{Base, ESN, PASS, every, module, number, on_host_target, row, with};
use crate::guard::Guard::EsnMismatch;
use crate::observation::HardserverLook;

#[test]
fn another_serial_number_refuses() {
    row(&Base::new(), EsnMismatch, PASS);
    let other = with(|seen| module(seen, 1).esn = "9999-05E0-D947".parse().ok());
    let reason = "refuse: module 1 has ESN 9999-05E0-D947, the inventory says 1A2B-05E0-D947";
    row(&other, EsnMismatch, every(reason));
    let moved = with(|seen| {
        module(seen, 1).esn = None;
        module(seen, 2).esn = ESN[0].parse().ok();
    });
    let reason = "refuse: ESN 1A2B-05E0-D947, which the inventory has as module 1, is now module 2";
    row(&moved, EsnMismatch, every(reason));
    let twice = with(|seen| module(seen, 2).esn = ESN[0].parse().ok());
    row(&twice, EsnMismatch, every(reason));
}

#[test]
fn a_serial_number_that_is_not_confirmed_lets_only_a_person_clear() {
    let not_printed = with(|seen| module(seen, 1).esn = None);
    let ask = "ask: no ESN is printed for module 1";
    row(&not_printed, EsnMismatch, ["pass", "pass", ask]);
    let not_seen = with(|seen| drop(seen.modules.remove(&number(1))));
    row(&not_seen, EsnMismatch, ["pass", "pass", ask]);
    let mut not_listed = Base::new();
    not_listed.host.modules.get_mut(&number(1)).unwrap().esn = None;
    let ask = "ask: the inventory has no ESN for module 1";
    row(&not_listed, EsnMismatch, ["pass", "pass", ask]);
}

#[test]
fn a_host_has_no_serial_number() {
    row(&on_host_target(|_| {}), EsnMismatch, PASS);
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    row(&down, EsnMismatch, every("n/a: the hardserver looks down"));
    let module = with(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    row(
        &module,
        EsnMismatch,
        every("n/a: the hardserver looks down"),
    );
}
