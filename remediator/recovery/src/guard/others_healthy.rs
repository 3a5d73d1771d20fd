//! `others_healthy`: one failed module of several is no reason to cut the clients of the others.
//!
//! | other modules of the host | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down, or target is the host | n/a | n/a | n/a |
//! | none healthy | pass | pass | pass |
//! | one healthy | n/a | skip, ask or pass by policy | n/a |
//! | one of unknown condition | n/a | refuse | n/a |
//! | no observation | refuse | refuse | refuse |

use super::Input;
use crate::observation::{Condition, HardserverLook};
use crate::policy::OthersHealthy;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the newest look allows.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(seen) = input.evidence.observation() else {
        return Verdict::refuse("there is no observation of the host");
    };
    if input.rung != Rung::Restart {
        return Verdict::NotApplicable("only a restart touches other modules".to_owned());
    }
    if seen.hardserver == HardserverLook::SuspectedDown {
        return Verdict::NotApplicable("the hardserver looks down: nothing works".to_owned());
    }
    let target = input.incident.target.module;
    let others = |condition: Condition| -> Vec<String> {
        let modules = seen.modules.keys().copied();
        modules
            .filter(|&module| Some(module) != target && seen.module_condition(module) == condition)
            .map(|module| module.to_string())
            .collect()
    };
    let unknown = others(Condition::Unknown);
    if !unknown.is_empty() {
        return Verdict::refuse(format!(
            "whether module {} works is not known",
            unknown.join(", ")
        ));
    }
    let healthy = others(Condition::Healthy);
    if healthy.is_empty() {
        return Verdict::Pass;
    }
    let reason = format!(
        "a restart would cut the clients of healthy module {}",
        healthy.join(", ")
    );
    match input.site.policy.others_healthy {
        OthersHealthy::Skip => Verdict::Skip(reason),
        OthersHealthy::Ask => Verdict::Ask(reason),
        OthersHealthy::Allow => Verdict::Pass,
    }
}
