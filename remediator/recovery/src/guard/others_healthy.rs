//! `others_healthy`: one failed module of several is no reason to cut the clients of the others.
//!
//! | other modules of the host | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down, or target is the host | n/a | n/a | n/a |
//! | none operational | n/a | pass | n/a |
//! | one operational, whatever its hardware status | n/a | skip, ask or pass by policy | n/a |
//! | one of unknown condition, or enquiry incomplete | n/a | refuse | n/a |
//! | no observation | refuse | refuse | refuse |

use nshield::ModuleState;

use super::Input;
use crate::observation::{Condition, HardserverLook, ModuleLook};
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
    let others = |chosen: &dyn Fn(&ModuleLook) -> bool| -> Vec<String> {
        let others = seen
            .modules
            .iter()
            .filter(|&(&module, _)| Some(module) != target);
        others
            .filter(|(_, look)| chosen(look))
            .map(|(module, _)| module.to_string())
            .collect()
    };
    let unknown = others(&|look| look.condition() == Condition::Unknown);
    if !seen.complete || !unknown.is_empty() {
        return Verdict::refuse(format!(
            "whether module {} works is not known",
            unknown.join(", ")
        ));
    }
    // Also one that reports a hardware fault: while it is operational, somebody may use it.
    let working = others(&|look| look.state == ModuleState::Operational);
    if working.is_empty() {
        return Verdict::Pass;
    }
    let reason = format!(
        "a restart would cut the clients of healthy module {}",
        working.join(", ")
    );
    match input.site.policy.others_healthy {
        OthersHealthy::Skip => Verdict::Skip(reason),
        OthersHealthy::Ask => Verdict::Ask(reason),
        OthersHealthy::Allow => Verdict::Pass,
    }
}
