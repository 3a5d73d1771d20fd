//! `esn_mismatch`: numbers can change, serial numbers do not. A wrong number would hit somebody
//! else's keys.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down | n/a | n/a | n/a |
//! | target is the host | pass | pass | pass |
//! | ESN found is the inventory's | pass | pass | pass |
//! | ESN found is another one | refuse | refuse | refuse |
//! | the inventory's ESN is on another number | refuse | refuse | refuse |
//! | no ESN found, or none in the inventory | pass | pass | ask |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::observation::HardserverLook;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    if view.seen.hardserver == HardserverLook::SuspectedDown {
        return Verdict::NotApplicable("the hardserver looks down".to_owned());
    }
    let Some(module) = view.module else {
        return Verdict::Pass;
    };
    let found = view
        .seen
        .modules
        .get(&module)
        .and_then(|look| look.esn.as_ref());
    let Some(expected) = view.expected_esn else {
        return unconfirmed(
            view.rung,
            format!("the inventory has no ESN for module {module}"),
        );
    };
    let elsewhere = view
        .seen
        .modules
        .iter()
        .find(|&(&number, look)| number != module && look.esn.as_ref() == Some(expected));
    match (found, elsewhere) {
        (_, Some((number, _))) => Verdict::refuse(format!(
            "ESN {expected}, which the inventory has as module {module}, is now module {number}"
        )),
        (Some(found), None) if found == expected => Verdict::Pass,
        (Some(found), None) => Verdict::refuse(format!(
            "module {module} has ESN {found}, the inventory says {expected}"
        )),
        (None, None) => unconfirmed(view.rung, format!("no ESN is printed for module {module}")),
    }
}

/// Without a confirmed ESN only a person may let keys be dropped.
fn unconfirmed(rung: Rung, reason: String) -> Verdict {
    match rung {
        Rung::Retry | Rung::Restart => Verdict::Pass,
        Rung::Clear => Verdict::Ask(reason),
    }
}
