//! `kind`: only a VCM is ever cleared (a clear of a network HSM hits other hosts), and a host has
//! no module to retry or clear.
//!
//! | target | retry | restart | clear |
//! |---|---|---|---|
//! | VCM | pass | pass | pass |
//! | network HSM, card | pass | pass | skip |
//! | module that the host's own inventory does not list | refuse | refuse | refuse |
//! | host | skip | pass | skip |
//! | no observation | refuse | refuse | refuse |

use super::HostView;
use crate::inventory::Kind;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let Some(module) = view.module else {
        return match view.rung {
            Rung::Restart => Verdict::Pass,
            Rung::Retry | Rung::Clear => Verdict::Skip("the host itself is no module".to_owned()),
        };
    };
    let kind = view.seen.modules.get(&module).and_then(|look| look.kind);
    match (kind, view.rung) {
        (None, _) => Verdict::refuse(format!(
            "the host's own inventory does not list module {module}"
        )),
        (Some(Kind::Vcm), _) | (Some(_), Rung::Retry | Rung::Restart) => Verdict::Pass,
        (Some(kind), Rung::Clear) => Verdict::Skip(format!(
            "module {module} is of kind {}, not vcm",
            kind.as_str()
        )),
    }
}
