//! `cap`: sliding caps across incidents, per target (retry), host (restart) or serial number
//! (clear). They are counted from the store, so a restart of the remediator forgets nothing.
//!
//! | attempts within a window | retry | restart | clear |
//! |---|---|---|---|
//! | fewer than the cap | pass | pass | pass |
//! | as many | refuse until the oldest leaves the window | same | same |
//! | as many, if a long time without the remediator is left out that nobody has confirmed | pass | refuse | refuse |
//!
//! In observe mode what would have been run counts like what was.

use super::{Input, because};
use crate::attempt::Attempt;
use crate::policy::{Cap, Mode};
use crate::tier::Rung;
use crate::time::Time;
use crate::verdict::{Verdict, times};

/// What the caps allow.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let caps = &input.site.policy.rung(input.rung).caps;
    caps.iter()
        .filter_map(|cap| reached(cap, input))
        .max()
        .map_or(Verdict::Pass, |(until, cap)| {
            let reason = format!(
                "{} may run {} in {} s{}",
                input.rung,
                times(usize::try_from(cap.attempts).unwrap_or(usize::MAX)),
                cap.window.as_secs(),
                because(input.unseen())
            );
            Verdict::refuse_until(until, reason)
        })
}

/// When a reached cap leaves room again.
fn reached(cap: &Cap, input: &Input<'_>) -> Option<(Time, Cap)> {
    // The program did not see what people did meanwhile, so that this time does not count.
    let window = cap.window + input.unseen();
    let mut made: Vec<Time> = input
        .state
        .attempts
        .values()
        .filter(|attempt| attempt.counts() && same_subject(attempt, input))
        .map(|attempt| attempt.reserved_at)
        .chain(shadows(input))
        .filter(|&at| input.now.since(at) < window)
        .collect();
    made.sort_unstable();
    let attempts = usize::try_from(cap.attempts).unwrap_or(usize::MAX);
    let first_in_the_way = made.len().checked_sub(attempts)?;
    let until = made
        .get(first_in_the_way)
        .map_or(Time::from_millis(i64::MAX), |at| at.after(window));
    Some((until, *cap))
}

/// When observe mode would have run this rung on the same subject.
fn shadows(input: &Input<'_>) -> impl Iterator<Item = Time> {
    let observing = input.site.mode() == Mode::Observe;
    let shadows = input.state.shadows.iter().filter(move |_| observing);
    shadows
        .filter(|shadow| {
            shadow.rung == input.rung
                && (input.rung == Rung::Restart || shadow.target == input.incident.target)
        })
        .map(|shadow| shadow.at)
}

/// Whether an earlier attempt was made on what this one would be made on.
fn same_subject(attempt: &Attempt, input: &Input<'_>) -> bool {
    let made = &attempt.intent;
    if made.rung != input.rung {
        return false;
    }
    let target = &input.incident.target;
    let esn = input
        .site
        .host
        .module_of(target)
        .and_then(|module| module.esn.as_ref());
    match input.rung {
        Rung::Retry => made.target == *target,
        Rung::Restart => true,
        Rung::Clear => made.target == *target || (esn.is_some() && made.esn.as_ref() == esn),
    }
}
