//! `paused`: after a rung has made something worse, restart and clear stop in the whole fleet
//! until somebody has dealt with it.
//!
//! | open `made_worse` page anywhere | retry | restart | clear |
//! |---|---|---|---|
//! | yes | pass | refuse | refuse |
//! | no | pass | pass | pass |

use super::Input;
use crate::verdict::Verdict;

/// What the fleet allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    if input.fleet.made_worse && input.rung.disruptive() {
        Verdict::refuse("a rung has made something worse: restart and clear are paused")
    } else {
        Verdict::Pass
    }
}
