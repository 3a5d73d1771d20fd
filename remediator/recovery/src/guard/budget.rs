//! `budget_host`, `budget_hsm`, `budget_fleet`: how many attempts may be in flight. An attempt of
//! unknown outcome is still in flight. What stands here is a hint; the reservation counts again in
//! its own transaction.
//!
//! | in flight | retry | restart | clear |
//! |---|---|---|---|
//! | one on this host | refuse | refuse | refuse |
//! | two retries on this HSM | refuse | n/a | n/a |
//! | one restart or clear in the fleet | n/a | refuse | refuse |
//! | fewer | pass | pass | pass |

use std::fmt::Display;

use super::Input;
use crate::ids::HsmName;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What this host's budget allows.
pub(super) fn host(input: &Input<'_>) -> Verdict {
    let in_flight = input.state.unsettled().count();
    let limit = input.site.policy.budgets.host;
    if u32::try_from(in_flight).is_ok_and(|n| n < limit) {
        return Verdict::Pass;
    }
    Verdict::refuse(full_on_host(in_flight, limit))
}

/// What the HSM's budget allows.
pub(super) fn hsm(input: &Input<'_>) -> Verdict {
    if input.rung != Rung::Retry {
        return Verdict::NotApplicable("restart and clear count for the fleet".to_owned());
    }
    let hsm = input
        .site
        .host
        .module_of(&input.incident.target)
        .and_then(|module| module.hsm.clone());
    let in_flight = input.fleet.retries.get(&hsm).copied().unwrap_or(0);
    let limit = input.site.policy.budgets.hsm_retry;
    if in_flight < limit {
        return Verdict::Pass;
    }
    Verdict::refuse(full_on_hsm(hsm.as_ref(), in_flight, limit))
}

/// What the fleet's budget allows.
pub(super) fn fleet(input: &Input<'_>) -> Verdict {
    if !input.rung.disruptive() {
        return Verdict::NotApplicable("a retry counts for its HSM".to_owned());
    }
    let in_flight = input.fleet.disruptive;
    let limit = input.site.policy.budgets.fleet_disruptive;
    if in_flight < limit {
        return Verdict::Pass;
    }
    Verdict::refuse(full_in_fleet(in_flight, limit))
}

/// That the host's budget has no place left, also as the reservation says it.
#[must_use]
pub fn full_on_host(in_flight: impl Display, limit: u32) -> String {
    format!("open attempts on this host: {in_flight} (at most {limit})")
}

/// That the HSM's budget has no place left, also as the reservation says it.
#[must_use]
pub fn full_on_hsm(hsm: Option<&HsmName>, in_flight: impl Display, limit: u32) -> String {
    let name = hsm.map_or("of unknown name", HsmName::as_str);
    format!("open retries on HSM {name}: {in_flight} (at most {limit})")
}

/// That the fleet's budget has no place left, also as the reservation says it.
#[must_use]
pub fn full_in_fleet(in_flight: impl Display, limit: u32) -> String {
    format!("open restarts and clears in the fleet: {in_flight} (at most {limit})")
}
