//! `observation_incomplete`: output that was cut short, or lacks a module or a field, is shown but
//! not acted on.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver looks down | n/a | n/a | n/a |
//! | hardserver does not answer in time | refuse | n/a | refuse |
//! | enquiry incomplete | refuse | refuse | refuse |
//! | enquiry complete | pass | pass | pass |
//! | no observation | refuse | refuse | refuse |
//!
//! A hardserver that does not answer never completes an `enquiry`; whether it may be restarted all
//! the same is for `hardserver_unresponsive` to say.

use super::HostView;
use crate::observation::HardserverLook;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    match (view.seen.hardserver, view.rung) {
        (HardserverLook::SuspectedDown, _) => {
            return Verdict::NotApplicable("the hardserver looks down".to_owned());
        }
        (HardserverLook::Unresponsive, Rung::Restart) => {
            return Verdict::NotApplicable("the hardserver does not answer at all".to_owned());
        }
        _ => {}
    }
    if view.seen.complete {
        return Verdict::Pass;
    }
    Verdict::refuse(match view.seen.sources.enquiry.brief() {
        Some(brief) => format!("enquiry was not complete: {brief}"),
        None => "enquiry was not complete".to_owned(),
    })
}
