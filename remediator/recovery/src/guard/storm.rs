//! `storm`: several hosts failing at once have one cause, which no command on one host cures.
//!
//! | HSM of the target, or the fleet | retry | restart | clear |
//! |---|---|---|---|
//! | in a storm | pass | refuse | ask |
//! | not in a storm | pass | pass | pass |
//!
//! A restart of a host is about every HSM that it has modules of. `boot_window` and `budget_hsm`
//! stagger the retries.

use super::Input;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the fleet allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let hsms = input
        .site
        .host
        .hsms_touched(input.rung, &input.incident.target);
    match (input.fleet.storm_of(&hsms), input.rung) {
        (None, _) | (Some(_), Rung::Retry) => Verdict::Pass,
        (Some(reason), Rung::Restart) => Verdict::refuse(reason),
        (Some(reason), Rung::Clear) => Verdict::Ask(reason),
    }
}
