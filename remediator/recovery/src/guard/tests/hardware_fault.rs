use nshield::ModuleState;

use super::base::{Base, PASS, every, module, number, on_host_target, row, with};
use crate::guard::Guard::HardwareFault;

#[test]
fn faulty_hardware_is_left_to_the_vendor() {
    let not_ok = with(|seen| {
        module(seen, 1).hardware_ok = Some(false);
        module(seen, 1).printed = "none, operational".to_owned();
    });
    let reason = "refuse: the hardware reports an error (none, operational): vendor support";
    row(&not_ok, HardwareFault, every(reason));
    let error = with(|seen| {
        module(seen, 1).state = ModuleState::Error;
        module(seen, 1).printed = "none, error".to_owned();
    });
    let reason = "refuse: the hardware reports an error (none, error): vendor support";
    row(&error, HardwareFault, every(reason));
}

#[test]
fn a_missing_line_and_other_modules_say_nothing() {
    row(&Base::new(), HardwareFault, PASS);
    let no_line = with(|seen| module(seen, 1).hardware_ok = None);
    row(&no_line, HardwareFault, PASS);
    let other = with(|seen| module(seen, 2).hardware_ok = Some(false));
    row(&other, HardwareFault, PASS);
    let not_seen = with(|seen| drop(seen.modules.remove(&number(1))));
    row(&not_seen, HardwareFault, PASS);
    let host = on_host_target(|seen| module(seen, 1).hardware_ok = Some(false));
    row(&host, HardwareFault, PASS);
}
