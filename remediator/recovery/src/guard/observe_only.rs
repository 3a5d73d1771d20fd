//! `observe_only`: the mode is observe, so nothing is run.
//!
//! | mode (lower of global and host) | retry | restart | clear |
//! |---|---|---|---|
//! | observe | refuse | refuse | refuse |
//! | act | pass | pass | pass |

use super::Input;
use crate::policy::Mode;
use crate::verdict::Verdict;

/// What the mode allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    match input.site.mode() {
        Mode::Observe => Verdict::refuse("mode is observe: this would have been run"),
        Mode::Act => Verdict::Pass,
    }
}
