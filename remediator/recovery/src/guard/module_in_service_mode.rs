//! `module_in_service_mode`: somebody works on it, or it is on its way back by itself.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down | n/a | n/a | n/a |
//! | target in maintenance, (pre-)initialisation, uninitialised | refuse | refuse | refuse |
//! | target offline | refuse | refuse | refuse |
//! | another module in one of these | pass | refuse | pass |
//! | otherwise | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::observation::{Condition, HardserverLook};
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    if view.seen.hardserver == HardserverLook::SuspectedDown {
        return Verdict::NotApplicable("the hardserver looks down".to_owned());
    }
    let touched = |module| view.rung == Rung::Restart || view.module == Some(module);
    for (&module, look) in view
        .seen
        .modules
        .iter()
        .filter(|&(&module, _)| touched(module))
    {
        let printed = &look.printed;
        match look.condition() {
            Condition::InService => {
                return Verdict::refuse(format!("somebody works on module {module} ({printed})"));
            }
            Condition::Recovering => {
                return Verdict::refuse(format!("module {module} is on its way back ({printed})"));
            }
            Condition::Healthy
            | Condition::Failed
            | Condition::HardwareFault
            | Condition::Unknown => {}
        }
    }
    Verdict::Pass
}
