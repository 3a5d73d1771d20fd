//! `others_healthy`: one failed module of several is no reason to cut the clients of the others.
//!
//! | other modules of the host | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down | n/a | n/a | n/a |
//! | hardserver does not answer in time | n/a | ask, or pass by policy | n/a |
//! | none operational | n/a | pass | n/a |
//! | one operational, whatever its hardware status | n/a | skip, ask or pass by policy | n/a |
//! | one of unknown condition, or enquiry incomplete | n/a | refuse | n/a |
//! | no observation | refuse | refuse | refuse |

use std::collections::BTreeSet;

use nshield::{ModuleNumber, ModuleState};

use super::Input;
use crate::approval::listed;
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
    if seen.hardserver == HardserverLook::Unresponsive {
        let reason = "the hardserver does not answer, so other modules may work";
        return match input.site.policy.others_healthy {
            OthersHealthy::Skip | OthersHealthy::Ask => Verdict::Ask(reason.to_owned()),
            OthersHealthy::Allow => Verdict::Pass,
        };
    }
    if !seen.complete {
        return Verdict::refuse(
            "whether other modules work is not known: enquiry was not complete",
        );
    }
    let target = input.incident.target.module;
    let others = |chosen: &dyn Fn(&ModuleLook) -> bool| -> BTreeSet<ModuleNumber> {
        let others = seen
            .modules
            .iter()
            .filter(|&(&module, _)| Some(module) != target);
        others
            .filter(|(_, look)| chosen(look))
            .map(|(module, _)| *module)
            .collect()
    };
    let unknown = others(&|look| look.condition() == Condition::Unknown);
    if !unknown.is_empty() {
        let unknown = listed(&unknown);
        return Verdict::refuse(format!("the state of {unknown} is not known"));
    }
    // Also one that reports a hardware fault: while it is operational, somebody may use it.
    let working = others(&|look| look.state == ModuleState::Operational);
    if working.is_empty() {
        return Verdict::Pass;
    }
    let reason = format!(
        "a restart would cut the clients of healthy {}",
        listed(&working)
    );
    match input.site.policy.others_healthy {
        OthersHealthy::Skip => Verdict::Skip(reason),
        OthersHealthy::Ask => Verdict::Ask(reason),
        OthersHealthy::Allow => Verdict::Pass,
    }
}
