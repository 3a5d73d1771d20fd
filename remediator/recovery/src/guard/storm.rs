//! `storm`: several hosts failing at once have one cause, which no command on one host cures.
//!
//! | HSM of the target, or the fleet | retry | restart | clear |
//! |---|---|---|---|
//! | fleet in a storm | pass | refuse | ask |
//! | HSM in a storm | pass | refuse | ask |
//! | HSM in a storm, target is the host, which looks down | pass | pass | ask |
//! | not in a storm | pass | pass | pass |
//!
//! A restart of a host is about every HSM that it has modules of. The start of a hardserver that is
//! down disrupts nobody, and is not what ails an HSM; when many hosts of the fleet fail at once, it
//! waits all the same, because then the cause may be what stopped them all. `boot_window` and
//! `budget_hsm` stagger the retries.

use super::Input;
use crate::observation::HardserverLook;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the fleet allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let hsms = input
        .site
        .host
        .hsms_touched(input.rung, &input.incident.target);
    let of_fleet = input.fleet.storms.fleet.is_some();
    match (input.fleet.storm_of(&hsms), input.rung) {
        (None, _) | (Some(_), Rung::Retry) => Verdict::Pass,
        (Some(_), Rung::Restart) if starts(input) && !of_fleet => Verdict::Pass,
        (Some(reason), Rung::Restart) => Verdict::refuse(reason),
        (Some(reason), Rung::Clear) => Verdict::Ask(reason),
    }
}

/// Whether a restart would start a hardserver that looks down. That it is down is for
/// `stopped_on_purpose` to prove.
fn starts(input: &Input<'_>) -> bool {
    let seen = input.evidence.observation();
    input.incident.target.module.is_none()
        && seen.is_some_and(|seen| seen.hardserver == HardserverLook::SuspectedDown)
}
