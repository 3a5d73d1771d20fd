//! `host_policy`: the host itself has the last word on the highest tier.
//!
//! | the host's `max_tier` | retry | restart | clear |
//! |---|---|---|---|
//! | below the rung | skip | skip | skip |
//! | at or above the rung | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::verdict::Verdict;

/// What the host allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let max_tier = view.seen.max_tier;
    if view.rung.tier() <= max_tier {
        Verdict::Pass
    } else {
        Verdict::Skip(format!(
            "the host's own configuration permits no more than {max_tier}"
        ))
    }
}
