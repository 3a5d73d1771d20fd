//! `approval_required`: the policy wants a person's word for this rung.
//!
//! | policy of the rung | retry | restart | clear |
//! |---|---|---|---|
//! | approval | ask | ask | ask |
//! | no approval | pass | pass | pass |

use super::Input;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the policy allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    if !input.site.policy.rung(input.rung).approval {
        return Verdict::Pass;
    }
    Verdict::Ask(match input.rung {
        Rung::Retry => "the policy wants approval of a retry".to_owned(),
        Rung::Restart => "a restart cuts every client of every module of this host".to_owned(),
        Rung::Clear => "a clear drops every key loaded in this module".to_owned(),
    })
}
