//! `silenced`: who silences an alert knows of the trouble and may be at work on it.
//!
//! | the firing alerts of the target in Alertmanager | retry | restart | clear |
//! |---|---|---|---|
//! | Alertmanager is not asked | n/a | n/a | n/a |
//! | it could not be asked lately | refuse | refuse | refuse |
//! | one is silenced | refuse | refuse | refuse |
//! | none is silenced | pass | pass | pass |

use super::Input;
use crate::fleet::Silences;
use crate::verdict::Verdict;

/// What the silences allow.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let silenced = match &input.fleet.silences {
        Silences::NotAsked => {
            return Verdict::NotApplicable("no Alertmanager is asked for silences".to_owned());
        }
        Silences::Unknown(why) => {
            return Verdict::refuse(format!(
                "whether its alerts are silenced is not known: {why}"
            ));
        }
        Silences::Known(silenced) => silenced,
    };
    let about =
        |fact: &crate::alert::FactRecord| fact.target == input.incident.target && fact.firing();
    let facts = input.state.facts.iter().filter(|(_, fact)| about(fact));
    let by = facts
        .filter_map(|(fingerprint, fact)| Some((fact, silenced.get(fingerprint)?)))
        .next();
    match by {
        Some((fact, by)) => Verdict::refuse(format!("alert {} is silenced by {by}", fact.name)),
        None => Verdict::Pass,
    }
}
