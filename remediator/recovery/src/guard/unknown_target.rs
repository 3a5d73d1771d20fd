//! `unknown_target`: only what the inventory lists is ever touched, also when it was listed once.
//!
//! | target of the incident | retry | restart | clear |
//! |---|---|---|---|
//! | a module that the inventory lists | pass | pass | pass |
//! | a module that it does not list any more | refuse | refuse | refuse |
//! | the host | pass | pass | pass |

use super::Input;
use crate::verdict::Verdict;

/// What the inventory allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let target = &input.incident.target;
    if target.host != input.site.host.name {
        return Verdict::refuse(format!("{target} is not of this host"));
    }
    match (target.module, input.site.host.module_of(target)) {
        (Some(module), None) => {
            Verdict::refuse(format!("the inventory does not list module {module}"))
        }
        (Some(_), Some(_)) | (None, _) => Verdict::Pass,
    }
}
