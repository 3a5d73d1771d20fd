//! `network_bad`: while the VCM does not answer, nothing is done; after it returns, the hardserver
//! first gets the time to reconnect by itself.
//!
//! | network of the target | retry | restart | clear |
//! |---|---|---|---|
//! | target is the host | n/a | n/a | n/a |
//! | bad | refuse | refuse | refuse |
//! | degraded | pass | refuse | refuse |
//! | good, but back for less than 60 s (remediator only) | refuse | refuse | refuse |
//! | good, but back for less than 10 min (remediator only) | pass | refuse | pass |
//! | good | pass | pass | pass |
//! | signed off as not checked | n/a | ask | ask |
//! | unknown, or module not seen | refuse | refuse | refuse |

use super::{HostView, Input};
use crate::observation::{Network, NetworkLook};
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let Some(module) = view.module else {
        return Verdict::NotApplicable("the host itself is not pinged".to_owned());
    };
    let Some(look) = view.seen.modules.get(&module) else {
        return Verdict::refuse(format!("module {module} was not seen"));
    };
    match (look.network.class(), view.rung) {
        (Network::Good, _) | (Network::Degraded, Rung::Retry) => Verdict::Pass,
        (Network::Bad | Network::Degraded, _) => Verdict::refuse(lost(&look.network)),
        (Network::Unknown, _) => Verdict::refuse("whether it answers is not known"),
        (Network::NotApplicable, Rung::Retry) => {
            Verdict::NotApplicable("reachability is signed off as not checked".to_owned())
        }
        (Network::NotApplicable, Rung::Restart | Rung::Clear) => Verdict::Ask(
            "reachability is signed off as not checked, so the network may be the cause".to_owned(),
        ),
    }
}

/// What the newest looks allow.
pub(super) fn verdict(input: &Input<'_>) -> Verdict {
    let Some(view) = input.host_view() else {
        return Verdict::refuse("there is no observation of the host");
    };
    let seen = on_host(&view);
    let back_at = match (
        input.incident.network_bad_since,
        input.incident.network_back_at,
    ) {
        (Some(_), Some(back_at)) if seen.passes() => back_at,
        _ => return seen,
    };
    let policy = input.site.policy;
    let wait = match input.rung {
        Rung::Restart => policy.network_settle_restart.max(policy.network_settle),
        Rung::Retry | Rung::Clear => policy.network_settle,
    };
    if input.now >= back_at.after(wait) {
        seen
    } else {
        Verdict::refuse_until(
            back_at.after(wait),
            format!("the network is back for less than {} s", wait.as_secs()),
        )
    }
}

/// How many answers came.
fn lost(look: &NetworkLook) -> String {
    match look {
        NetworkLook::Echo { sent, replies } => {
            format!("{replies} of {sent} echo requests were answered by the target")
        }
        NetworkLook::Tcp { .. } => "the TCP connection was not accepted".to_owned(),
        NetworkLook::NotApplicable | NetworkLook::Unknown(_) => "it does not answer".to_owned(),
    }
}
