use super::base::{Base, PASS, every, row};
use crate::guard::Guard::WatchdogSilent;

#[test]
fn restart_and_clear_want_the_way_from_prometheus_proven() {
    row(&Base::new(), WatchdogSilent, PASS);
    let mut base = Base::new();
    base.fleet.watchdog = Some(base.ago(600));
    row(&base, WatchdogSilent, PASS);
    base.fleet.watchdog = Some(base.ago(601));
    let late = "refuse: alert VcmRemediatorWatchdog was last delivered more than 600 s ago";
    row(&base, WatchdogSilent, ["pass", late, late]);
    base.fleet.watchdog = None;
    let never = "refuse: alert VcmRemediatorWatchdog was not delivered since the start";
    row(&base, WatchdogSilent, ["pass", never, never]);
    base.policy.watchdog_alert = None;
    row(
        &base,
        WatchdogSilent,
        every("n/a: the policy names no watchdog"),
    );
}
