//! `approval_required`: the policy or the mode wants a person's word for this rung.
//!
//! | policy of the rung, mode | retry | restart | clear |
//! |---|---|---|---|
//! | approval | ask | ask | ask |
//! | mode approve | ask | ask | ask |
//! | neither | pass | pass | pass |
//!
//! A rung that a person has decided against is left out under this name.

use super::Input;
use crate::policy::Mode;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What policy and mode allow.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let by_policy = input.site.policy.rung(input.rung).approval;
    if !by_policy && input.site.mode() != Mode::Approve {
        return Verdict::Pass;
    }
    Verdict::Ask(match input.rung {
        Rung::Retry => "a retry is to be approved by a person".to_owned(),
        Rung::Restart => "a restart cuts every client of every module of this host".to_owned(),
        Rung::Clear => "a clear drops every key loaded in this module".to_owned(),
    })
}
