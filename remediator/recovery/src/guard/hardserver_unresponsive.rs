//! `hardserver_unresponsive`: a hardserver that does not answer in time may be busy holding
//! commands for a lost module. That is no proof of anything.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | unresponsive | refuse | ask | refuse |
//! | anything else | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::observation::HardserverLook;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    if view.seen.hardserver != HardserverLook::Unresponsive {
        return Verdict::Pass;
    }
    let reason = "the hardserver does not answer in time";
    match view.rung {
        Rung::Restart => Verdict::Ask(reason.to_owned()),
        Rung::Retry | Rung::Clear => Verdict::refuse(reason),
    }
}
