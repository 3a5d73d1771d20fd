//! `hold`: an operator holds the host, with a file that works without the remediator.
//!
//! | hold file | retry | restart | clear |
//! |---|---|---|---|
//! | present (also when it cannot be read) | refuse | refuse | refuse |
//! | absent | pass | pass | pass |

use super::HostView;
use crate::verdict::Verdict;

/// What the host allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    match &view.seen.hold {
        Some(text) => Verdict::refuse(format!("the host is held: {text}")),
        None => Verdict::Pass,
    }
}
