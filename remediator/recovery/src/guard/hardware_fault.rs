//! `hardware_fault`: faulty hardware is for the vendor's support, never for us.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | `hardware status` of the target not OK, or mode error | refuse | refuse | refuse |
//! | line missing, other modules, no module | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::observation::Condition;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let look = view
        .module
        .and_then(|module| view.seen.modules.get(&module));
    match look {
        Some(look) if look.condition() == Condition::HardwareFault => Verdict::refuse(format!(
            "the hardware reports an error ({}): vendor support",
            look.printed
        )),
        _ => Verdict::Pass,
    }
}
