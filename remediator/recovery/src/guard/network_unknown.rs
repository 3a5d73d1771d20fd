//! `network_unknown`: whether the VCM answers could not be found out, so the gate is not passed.
//!
//! | network of the target | retry | restart | clear |
//! |---|---|---|---|
//! | target is the host, which looks down | n/a | n/a | n/a |
//! | target is the host, no module known to answer, one not known | refuse | refuse | refuse |
//! | target is the host, otherwise | pass | pass | pass |
//! | unknown, or module not seen | refuse | refuse | refuse |
//! | known, or signed off | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::observation::{HardserverLook, Network, NetworkLook, Observation};
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let Some(module) = view.module else {
        return of_host(view.seen);
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

/// What the modules of a host allow that is itself the target.
fn of_host(seen: &Observation) -> Verdict {
    if seen.hardserver == HardserverLook::SuspectedDown {
        return Verdict::NotApplicable("the hardserver looks down".to_owned());
    }
    let any = |class| {
        let mut looks = seen.modules.values();
        looks.any(|look| look.network.class() == class)
    };
    if any(Network::Unknown) && !any(Network::Good) {
        return Verdict::refuse("whether any module of this host answers is not known");
    }
    Verdict::Pass
}
