//! `observation_incomplete`: output that was cut short, or lacks a module or a field, is shown but
//! not acted on.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down | n/a | n/a | n/a |
//! | enquiry incomplete | refuse | refuse | refuse |
//! | enquiry complete | pass | pass | pass |

use super::HostView;
use crate::observation::HardserverLook;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    if view.seen.hardserver == HardserverLook::SuspectedDown {
        return Verdict::NotApplicable("the hardserver looks down".to_owned());
    }
    if view.seen.complete {
        return Verdict::Pass;
    }
    Verdict::refuse(match view.seen.sources.enquiry.brief() {
        Some(brief) => format!("enquiry was not complete: {brief}"),
        None => "enquiry was not complete".to_owned(),
    })
}
