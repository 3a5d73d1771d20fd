//! `watchdog_silent`: without the always-firing alert the way from Prometheus to here is broken, and
//! what it does not say means nothing.
//!
//! | watchdog | retry | restart | clear |
//! |---|---|---|---|
//! | none in the policy | n/a | n/a | n/a |
//! | not heard of since the start, or for more than 10 min | pass | refuse | refuse |
//! | heard of lately | pass | pass | pass |

use super::Input;
use crate::verdict::Verdict;

/// What the watchdog allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let policy = input.site.policy;
    let Some(name) = &policy.watchdog_alert else {
        return Verdict::NotApplicable("the policy names no watchdog".to_owned());
    };
    if !input.rung.disruptive() {
        return Verdict::Pass;
    }
    match input.fleet.watchdog {
        Some(at) if input.now.since(at) <= policy.watchdog_max_age => Verdict::Pass,
        Some(_) => Verdict::refuse(format!(
            "alert {name} was last delivered more than {} s ago",
            policy.watchdog_max_age.as_secs()
        )),
        None => Verdict::refuse(format!("alert {name} was not delivered since the start")),
    }
}
