//! `not_owner`: only one remediator decides about a host.
//!
//! | the store is ours | retry | restart | clear |
//! |---|---|---|---|
//! | yes | pass | pass | pass |
//! | lost, or not known | refuse | refuse | refuse |

use super::Input;
use crate::fleet::Ownership;
use crate::verdict::Verdict;

/// What the ownership allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    match &input.fleet.ownership {
        Ownership::Ours => Verdict::Pass,
        Ownership::Lost(why) => Verdict::refuse(format!("this remediator must not act: {why}")),
    }
}
