//! `above_ceiling`: an alert must permit the tier. A ceiling falls when alerts end, and never
//! stays up by itself.
//!
//! | ceiling | retry | restart | clear |
//! |---|---|---|---|
//! | no valid alert | refuse | refuse | refuse |
//! | below the rung, another listed alert could permit it | refuse | refuse | refuse |
//! | below the rung, no listed alert ever permits it | skip | skip | skip |
//! | at or above the rung | pass | pass | pass |

use super::Input;
use crate::policy::Scope;
use crate::verdict::Verdict;

/// What the valid alerts allow.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let target = &input.incident.target;
    let policy = input.site.policy;
    let tier = input.rung.tier();
    let scope = if target.module.is_some() {
        Scope::Module
    } else {
        Scope::Host
    };
    let view = input.state.alert_view(target, policy, input.now);
    match view.ceiling {
        Some(ceiling) if tier <= ceiling => Verdict::Pass,
        _ if policy
            .highest_tier(scope)
            .is_none_or(|highest| highest < tier) =>
        {
            Verdict::Skip(format!("no alert of the policy ever permits {tier}"))
        }
        Some(ceiling) => {
            Verdict::refuse(format!("the firing alerts permit no more than {ceiling}"))
        }
        None => Verdict::refuse("no firing alert was delivered lately"),
    }
}
