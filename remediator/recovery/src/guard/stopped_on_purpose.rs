//! `stopped_on_purpose`: a hardserver that somebody stopped is not started behind their back.
//!
//! | seen | retry | restart | clear |
//! |---|---|---|---|
//! | hardserver not down | n/a | n/a | n/a |
//! | down, no sign of purpose | n/a | pass | n/a |
//! | down, stopped on purpose | n/a | ask | n/a |
//! | down, signs could not be read | n/a | ask | n/a |
//! | suspected down, not proven (remediator only) | n/a | refuse | n/a |

use super::{HostView, Input};
use crate::observation::{HardserverLook, StopSign};
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    if view.seen.hardserver != HardserverLook::SuspectedDown || view.rung != Rung::Restart {
        return Verdict::NotApplicable("no hardserver would be started".to_owned());
    }
    match &view.seen.stop {
        StopSign::None => Verdict::Pass,
        StopSign::OnPurpose(sign) => Verdict::Ask(format!(
            "the hardserver seems to be stopped on purpose: {sign}"
        )),
        StopSign::Unknown(why) => Verdict::Ask(format!(
            "whether the hardserver was stopped on purpose is not known: {why}"
        )),
    }
}

/// What the newest looks allow: down is proven by two of them.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(view) = input.host_view() else {
        return Verdict::refuse("there is no observation of the host");
    };
    let seen = on_host(&view);
    let starts =
        view.seen.hardserver == HardserverLook::SuspectedDown && input.rung == Rung::Restart;
    if starts
        && !input
            .evidence
            .hardserver_down(input.site.policy.agreement_span)
    {
        return Verdict::refuse("the hardserver looks down, but that is not proven yet");
    }
    seen
}
