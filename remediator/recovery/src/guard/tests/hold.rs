use super::base::{Base, PASS, every, module, number, row, with};
use crate::control::Hold;
use crate::guard::Guard;
use crate::ids::HostName;
use crate::inventory::Target;

fn target(n: Option<u16>) -> Target {
    let host: HostName = "tenant-1".parse().unwrap();
    Target {
        host,
        module: n.map(number),
    }
}

fn held(n: Option<u16>, seconds: Option<u64>) -> Base {
    let mut base = Base::new();
    let until = seconds.map(|seconds| base.now.after(std::time::Duration::from_secs(seconds)));
    let hold = Hold {
        until,
        reason: "disk change".to_owned(),
        by: "ada".parse().unwrap(),
    };
    base.state.holds.insert(target(n), hold);
    base
}

#[test]
fn files_on_the_host_hold_it_or_a_module() {
    row(&Base::new(), Guard::Hold, PASS);
    let host = with(|seen| seen.hold = Some("disk change, until 18:00".to_owned()));
    let reason = "refuse: the host is held: disk change, until 18:00";
    row(&host, Guard::Hold, every(reason));
    let own = with(|seen| module(seen, 1).hold = Some("cannot be read".to_owned()));
    let reason = "refuse: module 1 is held: cannot be read";
    row(&own, Guard::Hold, every(reason));
    let other = with(|seen| module(seen, 2).hold = Some("key ceremony".to_owned()));
    let restart = "refuse: module 2 is held: key ceremony";
    row(&other, Guard::Hold, ["pass", restart, "pass"]);
}

#[test]
fn recorded_holds_hold_the_host_or_a_module() {
    let reason = "refuse: tenant-1 is held by ada: disk change";
    row(&held(None, None), Guard::Hold, every(reason));
    let reason = "refuse for 60 s: tenant-1/1 is held by ada: disk change";
    row(&held(Some(1), Some(60)), Guard::Hold, every(reason));
    let restart = "refuse: tenant-1/2 is held by ada: disk change";
    row(&held(Some(2), None), Guard::Hold, ["pass", restart, "pass"]);
}

#[test]
fn a_hold_whose_time_is_over_holds_nothing() {
    row(&held(None, Some(0)), Guard::Hold, PASS);
    row(&held(Some(1), Some(0)), Guard::Hold, PASS);
}
