//! `spacing`: after an attempt on a host nothing is started there for a while.
//!
//! | last attempt of the host began or ended | retry | restart | clear |
//! |---|---|---|---|
//! | less than the spacing ago | refuse | refuse | refuse |
//! | longer ago, or never | pass | pass | pass |
//!
//! In observe mode the end of what would have been run counts like that of an attempt.
//!
//! Each attempt of the incident that never started makes the spacing one longer, up to
//! ten: what cannot be started is not tried every minute.

use super::Input;
use crate::attempt::Outcome;
use crate::policy::Mode;
use crate::verdict::Verdict;

/// Most spacings that refusals add up to.
const REFUSALS_MAX: usize = 9;

/// What the time allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let refused = |outcome| matches!(outcome, Some((Outcome::Refused | Outcome::Cancelled, _)));
    let attempts = input.state.attempts_of(input.incident);
    let refusals = attempts
        .filter(|attempt| refused(attempt.outcome))
        .count()
        .min(REFUSALS_MAX);
    let spacing = input.site.policy.spacing * u32::try_from(1 + refusals).unwrap_or(1);
    let shadows = input.state.shadows.iter();
    let shadow = shadows
        .filter(|_| input.site.mode() == Mode::Observe)
        .map(|shadow| shadow.until)
        .max();
    match input.state.last_attempt_change().max(shadow) {
        Some(last) if input.now < last.after(spacing) => Verdict::refuse_until(
            last.after(spacing),
            format!(
                "less than {} s since the last attempt on this host",
                spacing.as_secs()
            ),
        ),
        _ => Verdict::Pass,
    }
}
