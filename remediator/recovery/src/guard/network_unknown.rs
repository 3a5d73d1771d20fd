//! `network_unknown`: whether the VCM answers could not be found out, so the gate is not passed.
//!
//! | network of the target | retry | restart | clear |
//! |---|---|---|---|
//! | target is the host | n/a | n/a | n/a |
//! | unknown, or module not seen | refuse | refuse | refuse |
//! | known, or signed off | pass | pass | pass |

use super::HostView;
use crate::observation::{Network, NetworkLook};
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let Some(module) = view.module else {
        return Verdict::NotApplicable("the host itself is not pinged".to_owned());
    };
    let Some(look) = view.seen.modules.get(&module) else {
        return Verdict::refuse(format!("module {module} was not seen"));
    };
    match (&look.network, look.network.class()) {
        (NetworkLook::Unknown(why), _) => Verdict::refuse(format!(
            "whether module {module} answers is not known: {why}"
        )),
        (_, Network::Unknown) => Verdict::refuse(format!(
            "too few echo requests were sent to module {module}"
        )),
        _ => Verdict::Pass,
    }
}
