//! `observation_unknown`: what is not known is never acted on.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | no observation, or the look failed | refuse | refuse | refuse |
//! | hardserver: permission denied, unknown | refuse | refuse | refuse |
//! | hardserver suspected down, target is a module | refuse | refuse | refuse |
//! | hardserver suspected down, target is the host | pass | pass | pass |
//! | module state unknown, or module not printed | refuse | refuse | refuse |
//! | not yet confirmed by a second look (remediator only) | pass | refuse | refuse |
//! | the second look is of another boot, or another start of the hardserver | pass | refuse | refuse |
//! | otherwise | pass | pass | pass |

use super::{HostView, Input};
use crate::observation::{Condition, HardserverLook};
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    match view.seen.hardserver {
        HardserverLook::Up | HardserverLook::Unresponsive => {}
        HardserverLook::SuspectedDown if view.module.is_none() => return Verdict::Pass,
        HardserverLook::SuspectedDown => {
            return Verdict::refuse(
                "the hardserver looks down: no module can be observed, and the host has its own incident",
            );
        }
        HardserverLook::PermissionDenied => {
            return Verdict::refuse("the vendor's tools may not be used here: permission denied");
        }
        HardserverLook::Unknown => {
            return Verdict::refuse("the hardserver could not be observed");
        }
    }
    let Some(module) = view.module else {
        return Verdict::Pass;
    };
    match view.seen.modules.get(&module) {
        None => Verdict::refuse(format!("enquiry printed no module {module}")),
        Some(look) if look.condition() == Condition::Unknown => {
            let printed = &look.printed;
            Verdict::refuse(format!(
                "the state of module {module} is not known ({printed})"
            ))
        }
        Some(_) => Verdict::Pass,
    }
}

/// What the newest looks allow: restart and clear need two that agree.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(view) = input.host_view() else {
        let why = input
            .evidence
            .newest()
            .and_then(|look| look.seen.as_ref().err());
        return Verdict::refuse(match why {
            Some(why) => format!("the host could not be observed: {why}"),
            None => "there is no observation of the host".to_owned(),
        });
    };
    let once = on_host(&view);
    if !once.passes() || input.rung == Rung::Retry {
        return once;
    }
    let module = input.incident.target.module;
    let span = input.site.policy.agreement_span;
    if input
        .evidence
        .agree(module, input.evidence.condition(module), span)
    {
        Verdict::Pass
    } else {
        Verdict::refuse(format!(
            "a second observation at least {} s later must agree",
            span.as_secs()
        ))
    }
}
