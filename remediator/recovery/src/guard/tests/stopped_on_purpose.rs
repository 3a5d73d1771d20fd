use std::time::Duration;

use super::base::{Base, every, on_host_target, row, with};
use crate::guard::Guard::StoppedOnPurpose;
use crate::observation::{HardserverLook, StopSign};

const NO_START: &str = "n/a: no hardserver would be started";

fn down(stop: StopSign) -> Base {
    on_host_target(|seen| {
        seen.hardserver = HardserverLook::SuspectedDown;
        seen.stop = stop;
    })
}

#[track_caller]
fn start(base: &Base, cell: &str) {
    row(base, StoppedOnPurpose, [NO_START, cell, NO_START]);
}

#[test]
fn only_a_person_starts_what_somebody_stopped() {
    start(&down(StopSign::None), "pass");
    let purpose = down(StopSign::OnPurpose(
        "the unit was stopped cleanly".to_owned(),
    ));
    start(
        &purpose,
        "ask: the hardserver seems to be stopped on purpose: the unit was stopped cleanly",
    );
    let unknown = down(StopSign::Unknown("systemctl timed out".to_owned()));
    start(
        &unknown,
        "ask: whether the hardserver was stopped on purpose is not known: systemctl timed out",
    );
}

#[test]
fn one_look_does_not_prove_a_hardserver_down() {
    let once = down(StopSign::None).seen_once();
    let reason = "refuse: the hardserver looks down, but that is not proven yet";
    start(&once, reason);
}

#[test]
fn a_hardserver_that_is_not_down_is_not_started() {
    let stop = StopSign::OnPurpose("the host is booting".to_owned());
    for look in [HardserverLook::Up, HardserverLook::Unresponsive] {
        let base = with(|seen| {
            seen.hardserver = look;
            seen.stop = stop.clone();
        });
        row(&base, StoppedOnPurpose, every(NO_START));
    }
}

/// What looked down before a reboot was another hardserver.
#[test]
fn a_look_before_a_reboot_does_not_prove_a_hardserver_down() {
    let mut rebooted = down(StopSign::None).seen_once();
    let mut again = rebooted.evidence.newest().unwrap().clone();
    again.seen.as_mut().unwrap().boot_id = "the next".to_owned();
    again.at = rebooted.now.after(Duration::from_secs(15));
    rebooted.now = again.at;
    rebooted.evidence.push(again);
    let reason = "refuse: the hardserver looks down, but that is not proven yet";
    start(&rebooted, reason);
}
