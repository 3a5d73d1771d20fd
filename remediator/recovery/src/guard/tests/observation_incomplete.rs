use super::base::{Base, PASS, every, on_host_target, row, with};
use crate::guard::Guard::ObservationIncomplete;
use crate::observation::{HardserverLook, SourceStatus};

#[test]
fn output_that_was_cut_short_is_not_acted_on() {
    row(&Base::new(), ObservationIncomplete, PASS);
    let incomplete = with(|seen| seen.complete = false);
    let reason = every("refuse: enquiry was not complete");
    row(&incomplete, ObservationIncomplete, reason);
    let why = with(|seen| {
        seen.complete = false;
        seen.sources.enquiry = SourceStatus::Failed("module 2 is missing: no section".to_owned());
    });
    let reason = every("refuse: enquiry was not complete: module 2 is missing");
    row(&why, ObservationIncomplete, reason);
    let late = with(|seen| {
        seen.complete = false;
        seen.sources.enquiry = SourceStatus::TimedOut;
    });
    let reason = every("refuse: enquiry was not complete: timed out");
    row(&late, ObservationIncomplete, reason);
}

#[test]
fn a_hardserver_that_is_down_or_hung_never_completes_it() {
    let down = on_host_target(|seen| {
        seen.hardserver = HardserverLook::SuspectedDown;
        seen.complete = false;
    });
    let nothing = every("n/a: the hardserver looks down");
    row(&down, ObservationIncomplete, nothing);
    let hung = on_host_target(|seen| {
        seen.hardserver = HardserverLook::Unresponsive;
        seen.complete = false;
    });
    let refuse = "refuse: enquiry was not complete";
    let restart = "n/a: the hardserver does not answer at all";
    row(&hung, ObservationIncomplete, [refuse, restart, refuse]);
}
