use std::time::Duration;

use nshield::ModuleState;

use super::base::{Base, PASS, every, module, number, on_host_target, row, seen, with};
use crate::evidence::Look;
use crate::guard::Guard::ObservationUnknown;
use crate::observation::HardserverLook;

#[test]
fn a_host_that_cannot_be_seen_is_not_acted_on() {
    row(&Base::new(), ObservationUnknown, PASS);
    let none = every("refuse: there is no observation of the host");
    row(&Base::new().blind(), ObservationUnknown, none);
    let mut failed = Base::new();
    failed.evidence.push(Look {
        at: failed.now,
        seen: Err("no answer".to_owned()),
    });
    let reason = every("refuse: the host could not be observed: no answer");
    row(&failed, ObservationUnknown, reason);
}

#[test]
fn a_hardserver_that_is_neither_up_nor_down_is_not_acted_on() {
    let denied = "refuse: the vendor's tools may not be used here: permission denied";
    let unknown = "refuse: the hardserver could not be observed";
    for (look, reason) in [
        (HardserverLook::PermissionDenied, denied),
        (HardserverLook::Unknown, unknown),
    ] {
        let base = with(|seen| seen.hardserver = look);
        row(&base, ObservationUnknown, every(reason));
        let host = on_host_target(|seen| seen.hardserver = look);
        row(&host, ObservationUnknown, every(reason));
    }
}

#[test]
fn a_hardserver_that_looks_down_hides_its_modules() {
    let down = with(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    let reason = every(
        "refuse: the hardserver looks down: no module can be observed, and the host has its own \
         incident",
    );
    row(&down, ObservationUnknown, reason);
    let host = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    row(&host, ObservationUnknown, PASS);
}

#[test]
fn a_module_that_is_not_seen_clearly_is_not_acted_on() {
    let unknown = with(|seen| {
        module(seen, 1).state = ModuleState::Unknown;
        module(seen, 1).printed = "none, sleeping".to_owned();
    });
    let reason = every("refuse: the state of module 1 is not known (none, sleeping)");
    row(&unknown, ObservationUnknown, reason);
    let not_connected = with(|seen| {
        module(seen, 1).state = ModuleState::Operational;
        module(seen, 1).printed = "none, operational".to_owned();
        module(seen, 1).connection_ok = Some(false);
    });
    let reason = every("refuse: the state of module 1 is not known (none, operational)");
    row(&not_connected, ObservationUnknown, reason);
    let missing = with(|seen| drop(seen.modules.remove(&number(1))));
    row(
        &missing,
        ObservationUnknown,
        every("refuse: enquiry printed no module 1"),
    );
}

#[test]
fn restart_and_clear_want_a_second_look_that_agrees() {
    let wanted = "refuse: a second observation at least 10 s later must agree";
    let cells = ["pass", wanted, wanted];
    row(&Base::new().seen_once(), ObservationUnknown, cells);
    let mut close = Base::new().blind();
    for millis in [9_999, 0] {
        let at = close.now.before(Duration::from_millis(millis));
        close.evidence.push(Look {
            at,
            seen: Ok(seen()),
        });
    }
    row(&close, ObservationUnknown, cells);
    let mut differs = Base::new();
    let mut other = seen();
    other.modules.get_mut(&number(1)).unwrap().state = ModuleState::Offline;
    differs.evidence.push(Look {
        at: differs.now,
        seen: Ok(other),
    });
    row(&differs, ObservationUnknown, cells);
    let host = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    row(&host.seen_once(), ObservationUnknown, cells);
}

/// The look that would agree was made 15 s earlier; what differs is what it was made of.
#[test]
fn looks_of_two_boots_or_two_hardserver_starts_do_not_agree() {
    let wanted = "refuse: a second observation at least 10 s later must agree";
    let cells = ["pass", wanted, wanted];
    let looks = |before: (&str, Option<u64>), after: (&str, Option<u64>), module: Option<u16>| {
        let mut base = match module {
            Some(_) => with(|_| ()),
            None => on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown),
        };
        let seen = base.evidence.observation().unwrap().clone();
        base = base.blind();
        for (ago, (boot, uptime)) in [(15, before), (0, after)] {
            let mut seen = seen.clone();
            seen.boot_id = boot.to_owned();
            seen.hardserver_uptime = uptime;
            seen.started_boottime = 100_000 - ago * 1_000;
            seen.finished_boottime = seen.started_boottime + 1_000;
            let at = base.ago(ago);
            base.evidence.push(Look { at, seen: Ok(seen) });
        }
        base
    };
    let one = Some(1);
    for (before, after, module, expected) in [
        (("a", Some(100)), ("a", Some(115)), one, PASS),
        // Whole seconds, and a statistic that is a little old.
        (("a", Some(100)), ("a", Some(110)), one, PASS),
        (("a", Some(100)), ("b", Some(115)), one, cells),
        (("a", Some(100)), ("a", Some(99)), one, cells),
        // It has grown, but by less than time has passed: it was started in between.
        (("a", Some(1)), ("a", Some(9)), one, cells),
        // Where the statistic cannot be read, the boot alone must be the same.
        (("a", None), ("a", Some(3)), one, PASS),
        (("a", Some(100)), ("a", None), one, PASS),
        (("a", None), ("b", None), one, cells),
        (("a", None), ("a", None), None, PASS),
        (("a", None), ("b", None), None, cells),
    ] {
        let base = looks(before, after, module);
        let said = base.says(ObservationUnknown);
        assert_eq!(said, expected, "{before:?} {after:?} {module:?}");
    }
}
