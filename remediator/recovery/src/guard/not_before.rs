//! `not_before`: short breaks heal by themselves; each rung waits its time from our own first
//! observation of the failure.
//!
//! | first observed failure | retry | restart | clear |
//! |---|---|---|---|
//! | never observed | refuse | refuse | refuse |
//! | less than the rung's `not_before` ago | refuse | refuse | refuse |
//! | longer ago | pass | pass | pass |
//!
//! A hardserver that is down has its own, shorter time: nothing works there anyway.

use super::Input;
use crate::verdict::Verdict;

/// What the time allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(first_failed_at) = input.incident.first_failed_at else {
        return Verdict::refuse("no failure has been observed");
    };
    let policy = input.site.policy;
    let wait = match input.incident.target.module {
        Some(_) => policy.rung(input.rung).not_before,
        None => policy.hardserver_down_not_before,
    };
    let start = first_failed_at.after(wait);
    if input.now >= start {
        return Verdict::Pass;
    }
    Verdict::refuse_until(
        start,
        format!(
            "not before {} s after the first observed failure",
            wait.as_secs()
        ),
    )
}
