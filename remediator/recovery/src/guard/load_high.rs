//! `load_high`: an HSM that is overloaded is not given more to do; load is taken from it first.
//!
//! | load of the HSM | retry | restart | clear |
//! |---|---|---|---|
//! | the gate is off, or the target is the host | n/a | n/a | n/a |
//! | no figure and no alert, or an HSM of unknown name | n/a | n/a | n/a |
//! | high in no figure and no alert, but within `alert_ttl` of a start that does not know for how long the program was away | refuse | refuse | refuse |
//! | below the threshold | pass | pass | pass |
//! | at or above the threshold, or an alert says so | refuse | refuse | refuse |

use super::Input;
use crate::event::LoadClass;
use crate::verdict::Verdict;

/// What the load allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let not_applicable = |reason: &str| Verdict::NotApplicable(reason.to_owned());
    let Some(policy) = input.site.policy.load else {
        return not_applicable("the load gate is off");
    };
    let Some(module) = input.site.host.module_of(&input.incident.target) else {
        return not_applicable("the host itself has no load of an HSM");
    };
    let Some(hsm) = &module.hsm else {
        return not_applicable("the HSM of this module is not known");
    };
    let loads = &input.fleet.loads;
    let known = loads.hsms.get(hsm);
    if let Some(until) = loads.untold_until
        && known.is_none_or(|load| load.class != LoadClass::High)
    {
        let reason = format!(
            "how long the program was away is not known: an alert about the load of HSM {hsm} may not \
             have been told again yet"
        );
        return Verdict::refuse_until(until, reason);
    }
    match known {
        None => not_applicable("there is no figure of its load"),
        Some(load) if load.class == LoadClass::High => {
            let done = match load.shed_since {
                Some(_) => "load is being taken from it",
                None => "load is to be taken from it first",
            };
            let threshold = policy.threshold_percent;
            let seen = &load.seen;
            Verdict::refuse(format!(
                "HSM {hsm} is loaded at {threshold} % or more ({seen}): {done}"
            ))
        }
        Some(_) => Verdict::Pass,
    }
}
