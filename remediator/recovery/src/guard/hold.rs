//! `hold`: an operator holds the host or the module, here or with a file on the host that works
//! without the remediator.
//!
//! | hold | retry | restart | clear |
//! |---|---|---|---|
//! | file of the host (also when it cannot be read), or a hold of the host here | refuse | refuse | refuse |
//! | file of the module, or a hold of the module here | refuse | refuse | refuse |
//! | file of or hold of another module of the host | pass | refuse | pass |
//! | one here whose time was not over when a time without the remediator began that nobody has confirmed | as above | as above | as above |
//! | not known: no observation | refuse | refuse | refuse |
//! | none, or its time is over | pass | pass | pass |

use super::{HostView, Input};
use crate::inventory::Target;
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What the files on the host allow.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    if let Some(text) = &view.seen.hold {
        return Verdict::refuse(format!("the host is held: {text}"));
    }
    let mut modules = view.seen.modules.iter();
    let held = modules.find_map(|(module, look)| {
        let about = view.rung == Rung::Restart || view.module == Some(*module);
        look.hold
            .as_ref()
            .filter(|_| about)
            .map(|text| (module, text))
    });
    match held {
        Some((module, text)) => Verdict::refuse(format!("module {module} is held: {text}")),
        None => Verdict::Pass,
    }
}

/// What the files and the recorded holds allow.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(view) = input.host_view() else {
        return Verdict::refuse("there is no observation of the host");
    };
    let seen = on_host(&view);
    if !seen.passes() {
        return seen;
    }
    let target = &input.incident.target;
    let about =
        |held: &Target| held == target || held.module.is_none() || input.rung == Rung::Restart;
    let mut holds = input.state.holds.iter();
    let accounted = input.fleet.accounted(input.now);
    let held = holds.find(|(held, hold)| about(held) && hold.active(accounted));
    match held {
        Some((held, hold)) => Verdict::Refuse {
            reason: format!("{held} is held by {}: {}", hold.by, hold.reason),
            until: hold.until,
        },
        None => Verdict::Pass,
    }
}
