//! `observe_only`: the mode is observe, so nothing is run.
//!
//! | mode (lower of global and host) | retry | restart | clear |
//! |---|---|---|---|
//! | observe | refuse | refuse | refuse |
//! | approve, act | pass | pass | pass |

use super::Input;
use crate::policy::Mode;
use crate::verdict::Verdict;

/// What the mode allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    match input.site.mode() {
        Mode::Observe => Verdict::refuse("mode is observe: nothing is run"),
        Mode::Approve | Mode::Act => Verdict::Pass,
    }
}
