//! The budgets' rule: how many attempts may be in flight. The store counts so inside the transaction
//! that reserves; the model check and the tests of the store hold it to this function.

use crate::attempt::{Attempt, Intent};
use crate::guard::Guard;
use crate::policy::Budgets;
use crate::tier::Rung;

/// The first budget that has no place left for `intent`, if there is one. `attempts` are those of the
/// whole fleet; only the unsettled ones count, and an attempt of unknown outcome is one of them.
pub fn used_up<'a>(
    intent: &Intent,
    attempts: impl Iterator<Item = &'a Attempt>,
    budgets: Budgets,
) -> Option<Guard> {
    let in_flight: Vec<&Attempt> = attempts.filter(|attempt| attempt.unsettled()).collect();
    let count = |counts: &dyn Fn(&Attempt) -> bool| {
        let open = in_flight.iter().filter(|attempt| counts(attempt)).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    };
    let host = &intent.target.host;
    if count(&|open| open.intent.target.host == *host) >= budgets.host {
        return Some(Guard::BudgetHost);
    }
    if intent.rung.disruptive() {
        let open = count(&|open| open.intent.rung.disruptive() && !open.released);
        return (open >= budgets.fleet_disruptive).then_some(Guard::BudgetFleet);
    }
    let full = intent.hsms.iter().any(|hsm| {
        let retry =
            |open: &Attempt| open.intent.rung == Rung::Retry && open.intent.hsms.contains(hsm);
        count(&retry) >= budgets.hsm_retry
    });
    full.then_some(Guard::BudgetHsm)
}
