//! `spacing`: after an attempt on a host nothing is started there for a while.
//!
//! | last attempt of the host began or ended | retry | restart | clear |
//! |---|---|---|---|
//! | less than the spacing ago | refuse | refuse | refuse |
//! | longer ago, or never | pass | pass | pass |
//! | longer ago, with a time in between that is not confirmed to count | pass | refuse | refuse |
//!
//! In observe mode the end of what would have been run counts like that of an attempt.
//!
//! Each attempt of the incident that never started makes the spacing one longer, up to
//! ten: what cannot be started is not tried every minute.

use super::{Input, because};
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
    let Some(last) = input.state.last_attempt_change().max(shadow) else {
        return Verdict::Pass;
    };
    let gap = input.unseen_since(last);
    let until = last.after(spacing + gap);
    if input.now >= until {
        return Verdict::Pass;
    }
    let seconds = spacing.as_secs();
    let because = because(gap);
    Verdict::refuse_until(
        until,
        format!("less than {seconds} s since the last attempt on this host{because}"),
    )
}
