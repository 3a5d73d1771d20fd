//! `paused`: everything is paused by an operator, here or with a file on the host; and after a rung
//! has made something worse, restart and clear stop in the whole fleet until somebody has dealt with
//! it.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | pause file on the host (also when it cannot be read) | refuse | refuse | refuse |
//! | a pause that is not over, or was not when a time without the remediator began that nobody has confirmed | refuse | refuse | refuse |
//! | open `made_worse` page anywhere | pass | refuse | refuse |
//! | none of these | pass | pass | pass |
//! | no observation of the host | refuse | refuse | refuse |

use super::{HostView, Input};
use crate::verdict::Verdict;

/// What the file on the host allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    match &view.seen.pause {
        Some(text) => Verdict::refuse(format!("paused on this host: {text}")),
        None => Verdict::Pass,
    }
}

/// What the fleet allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(view) = input.host_view() else {
        return Verdict::refuse("there is no observation of the host");
    };
    let seen = on_host(&view);
    if !seen.passes() {
        return seen;
    }
    if let Some(pause) = input
        .fleet
        .pause
        .as_ref()
        .filter(|pause| pause.active(input.fleet.accounted(input.now)))
    {
        return Verdict::Refuse {
            reason: format!("paused by {}: {}", pause.by, pause.reason),
            until: pause.until,
        };
    }
    if input.fleet.made_worse && input.rung.disruptive() {
        return Verdict::refuse("a rung has made something worse: restart and clear are paused");
    }
    Verdict::Pass
}
