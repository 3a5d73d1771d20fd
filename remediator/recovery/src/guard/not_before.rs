//! `not_before`: short breaks heal by themselves; each rung waits its time from our own first
//! observation of the failure.
//!
//! | first observed failure | retry | restart | clear |
//! |---|---|---|---|
//! | never observed | refuse | refuse | refuse |
//! | less than the rung's `not_before` ago | refuse | refuse | refuse |
//! | longer ago | pass | pass | pass |
//! | longer ago, with a time in between that is not confirmed to count | pass | refuse | refuse |
//! | target is the host, which has not answered for less than 5 min | refuse | refuse | refuse |
//! | target is the host, which has not answered for longer | pass | pass | pass |
//!
//! A hardserver that is down has its own, shorter time: nothing works there anyway. One that does not
//! answer never shows a failure: there the time after which it is paged counts.

use super::{Input, because};
use crate::observation::HardserverLook;
use crate::time::Time;
use crate::verdict::Verdict;

/// What the time allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let policy = input.site.policy;
    if let Some(since) = silent_since(input) {
        let wait = policy.page_after.unresponsive;
        return not_before(input, since.after(wait), || {
            let seconds = wait.as_secs();
            format!("not before the hardserver has not answered for {seconds} s")
        });
    }
    let Some(first_failed_at) = input.incident.first_failed_at else {
        return Verdict::refuse("no failure has been observed");
    };
    let wait = match input.incident.target.module {
        Some(_) => policy.rung(input.rung).not_before,
        None => policy.hardserver_down_not_before,
    };
    let gap = input.unseen_since(first_failed_at);
    not_before(input, first_failed_at.after(wait + gap), || {
        let seconds = wait.as_secs();
        let because = because(gap);
        format!("not before {seconds} s after the first observed failure{because}")
    })
}

fn not_before(input: &Input<'_>, start: Time, reason: impl FnOnce() -> String) -> Verdict {
    if input.now >= start {
        Verdict::Pass
    } else {
        Verdict::refuse_until(start, reason())
    }
}

/// Since when a host that is the target has not answered.
fn silent_since(input: &Input<'_>) -> Option<Time> {
    match input.incident.target.module {
        Some(_) => None,
        None => input
            .evidence
            .hardserver_since(HardserverLook::Unresponsive),
    }
}
