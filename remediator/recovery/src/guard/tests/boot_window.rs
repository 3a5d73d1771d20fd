use super::base::{Base, PASS, every, number, on_host_target, row};
use crate::guard::Guard::BootWindow;
use crate::ids::HsmName;
use crate::inventory::Target;
use crate::observation::HardserverLook;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// HSM a first failed this many seconds ago.
fn first_failed(mut base: Base, hsm: Option<&str>, seconds: u64) -> Base {
    let hsm: Option<HsmName> = hsm.map(|name| name.parse().unwrap());
    let at = base.ago(seconds);
    base.fleet.storms.first_failures.insert(hsm, at);
    base
}

fn in_storm(mut base: Base) -> Base {
    let now = base.now;
    base.fleet.storms.hsms.insert("hsm-a".parse().ok(), now);
    base
}

#[test]
fn restart_and_clear_wait_until_the_hsm_has_booted() {
    row(&Base::new(), BootWindow, PASS);
    let booting =
        "refuse for 1 s: HSM hsm-a may be booting: less than 300 s since its first failure";
    let early = first_failed(Base::new(), Some("hsm-a"), 299);
    row(&early, BootWindow, ["pass", booting, booting]);
    row(
        &first_failed(Base::new(), Some("hsm-a"), 300),
        BootWindow,
        PASS,
    );
    let elsewhere = first_failed(Base::new(), Some("hsm-b"), 10);
    row(&elsewhere, BootWindow, PASS);
}

#[test]
fn retries_wait_for_their_turn_in_a_storm() {
    let first = in_storm(first_failed(Base::new(), Some("hsm-a"), 299));
    let Verdict::Refuse { reason, until } = first.verdict(BootWindow, Rung::Retry) else {
        panic!("a retry did not wait");
    };
    let turn = until.unwrap().since(first.now).as_secs();
    assert!((1..=31).contains(&turn), "{turn} s");
    let window = 300 + turn - 1;
    assert_eq!(
        reason,
        format!("HSM hsm-a may be booting: less than {window} s since its first failure")
    );
    let over = in_storm(first_failed(Base::new(), Some("hsm-a"), 330));
    row(&over, BootWindow, PASS);
}

#[test]
fn turns_differ_between_targets_and_are_the_same_in_every_build() {
    let turns = [1, 2, 3].map(|n| {
        let mut base = in_storm(first_failed(Base::new(), Some("hsm-a"), 0));
        let host = base.incident.target.host.clone();
        base.incident.target = Target::module(host, number(n));
        let Verdict::Refuse { until, .. } = base.verdict(BootWindow, Rung::Retry) else {
            panic!("a retry did not wait");
        };
        until.unwrap().since(base.now).as_millis()
    });
    // 300 s, and the FNV-1a hash of tenant-1/1 and so on within 30 s.
    assert_eq!(turns, [316_375, 304_586, 322_797]);
}

#[test]
fn a_restart_waits_for_every_hsm_of_the_host() {
    let mut base = first_failed(Base::new(), Some("hsm-b"), 10);
    base.host.modules.get_mut(&number(2)).unwrap().hsm = "hsm-b".parse().ok();
    let booting =
        "refuse for 290 s: HSM hsm-b may be booting: less than 300 s since its first failure";
    row(&base, BootWindow, ["pass", booting, "pass"]);
    let mut unknown = first_failed(Base::new(), None, 10);
    unknown.host.modules.get_mut(&number(3)).unwrap().hsm = None;
    let booting = "refuse for 290 s: HSM of unknown name may be booting: less than 300 s since \
                   its first failure";
    row(&unknown, BootWindow, ["pass", booting, "pass"]);
}

#[test]
fn a_hardserver_that_is_down_is_started_without_waiting() {
    let nothing = every("n/a: nothing of an HSM would be touched");
    let down = on_host_target(|seen| seen.hardserver = HardserverLook::SuspectedDown);
    row(&first_failed(down, Some("hsm-a"), 10), BootWindow, nothing);
    let mut bare = on_host_target(|_| {});
    bare.host.modules.clear();
    row(&bare, BootWindow, nothing);
    let hung = on_host_target(|seen| seen.hardserver = HardserverLook::Unresponsive);
    let hung = first_failed(hung, Some("hsm-a"), 10);
    let booting =
        "refuse for 290 s: HSM hsm-a may be booting: less than 300 s since its first failure";
    row(&hung, BootWindow, ["pass", booting, booting]);
}
