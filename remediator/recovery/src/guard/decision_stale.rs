//! `decision_stale`: a decision is only as good as what it was made on.
//!
//! | evidence | retry | restart | clear |
//! |---|---|---|---|
//! | none, or older than 30 s | refuse | refuse | refuse |
//! | on the host: other boot, or the host looks different now | refuse | refuse | refuse |
//! | fresh | pass | pass | pass |

use super::Input;
use crate::observation::Observation;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the age of the newest look allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let limit = input.site.policy.evidence_max_age;
    match input.evidence.newest() {
        Some(look) if input.now.since(look.at) <= limit => Verdict::Pass,
        Some(_) => Verdict::refuse(format!(
            "the newest observation is older than {} s",
            limit.as_secs()
        )),
        None => Verdict::refuse("there is no observation of the host"),
    }
}

/// Compares the look that was decided on with a fresh one on the host, under its lock.
///
/// `max_age_millis` is by the host's own boot time clock, from the end of the decided look to the
/// begin of the fresh one.
#[must_use]
pub fn between(
    rung: Rung,
    module: Option<nshield::ModuleNumber>,
    decided: &Observation,
    fresh: &Observation,
    max_age_millis: u64,
) -> Verdict {
    if decided.boot_id != fresh.boot_id {
        return Verdict::refuse("the host has rebooted since the decision");
    }
    let age = fresh
        .started_boottime
        .checked_sub(decided.finished_boottime);
    if age.is_none_or(|age| age > max_age_millis) {
        return Verdict::refuse(format!(
            "the observation decided on is not within {} s",
            max_age_millis / 1000
        ));
    }
    if decided.hardserver != fresh.hardserver {
        return Verdict::refuse("the hardserver looks different now");
    }
    if decided.condition(module) != fresh.condition(module) {
        return Verdict::refuse("the target looks different now");
    }
    if rung == Rung::Restart && decided.healthy_modules() != fresh.healthy_modules() {
        return Verdict::refuse("other modules look different now");
    }
    Verdict::Pass
}
