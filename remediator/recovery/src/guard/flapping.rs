//! `flapping`: what fails again and again is not cured by doing the same again.
//!
//! | first failures of the target within 6 h, this incident's included | retry | restart | clear |
//! |---|---|---|---|
//! | fewer than 3 | pass | pass | pass |
//! | 3 or more | refuse until the oldest leaves the window | same | same |
//!
//! No failure on record counts as none: `not_before` refuses then.

use super::Input;
use crate::verdict::Verdict;

/// What the target's history allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let limit = input.site.policy.flapping;
    let target = &input.incident.target;
    let failures = input.state.failures_within(target, limit.window, input.now);
    let allowed = usize::try_from(limit.incidents.saturating_sub(1)).unwrap_or(usize::MAX);
    // Sorted, as they were recorded in the order of time.
    let Some(in_the_way) = failures.len().checked_sub(allowed + 1) else {
        return Verdict::Pass;
    };
    let until = failures.get(in_the_way).map(|at| at.after(limit.window));
    Verdict::Refuse {
        reason: format!(
            "it has failed {} times in {} s: the cause has to be found",
            failures.len(),
            limit.window.as_secs()
        ),
        until,
    }
}
