//! `network_bad`: while the VCM does not answer, nothing is done; after it returns, the hardserver
//! first gets the time to reconnect by itself.
//!
//! | network of the target | retry | restart | clear |
//! |---|---|---|---|
//! | target is the host, which looks down | n/a | n/a | n/a |
//! | target is the host, one of its modules good | pass | pass | pass |
//! | target is the host, every module signed off as not checked | n/a | ask | ask |
//! | target is the host, none good, one not known | n/a | n/a | n/a |
//! | target is the host, otherwise | refuse | refuse | refuse |
//! | bad | refuse | refuse | refuse |
//! | degraded | pass | refuse | refuse |
//! | good, but back for less than 60 s (remediator only) | refuse | refuse | refuse |
//! | good, but back for less than 10 min (remediator only) | pass | refuse | pass |
//! | good | pass | pass | pass |
//! | signed off as not checked | n/a | ask | ask |
//! | unknown, or module not seen | n/a | n/a | n/a |
//! | no observation | refuse | refuse | refuse |
//!
//! What is not known is for `network_unknown` to refuse: two guards that say the same would page twice
//! for one trouble.

use super::{HostView, Input};
use crate::observation::{HardserverLook, Network, NetworkLook, Observation};
use crate::tier::Rung;
use crate::verdict::Verdict;

/// What one look allows.
pub(super) fn on_host(view: &HostView<'_>) -> Verdict {
    let Some(module) = view.module else {
        return of_host(view.seen, view.rung);
    };
    let Some(look) = view.seen.modules.get(&module) else {
        return not_known();
    };
    match (look.network.class(), view.rung) {
        (Network::Good, _) | (Network::Degraded, Rung::Retry) => Verdict::Pass,
        (Network::Bad | Network::Degraded, _) => Verdict::refuse(lost(&look.network)),
        (Network::Unknown, _) => not_known(),
        (Network::NotApplicable, rung) => not_checked(rung),
    }
}

/// A host is gated by its modules as long as its hardserver is not down: one of them must answer.
fn of_host(seen: &Observation, rung: Rung) -> Verdict {
    if seen.hardserver == HardserverLook::SuspectedDown {
        return Verdict::NotApplicable("the hardserver looks down".to_owned());
    }
    let classes: Vec<Network> = seen
        .modules
        .values()
        .map(|look| look.network.class())
        .collect();
    if classes.contains(&Network::Good) {
        return Verdict::Pass;
    }
    let signed_off = classes.iter().all(|class| *class == Network::NotApplicable);
    if signed_off && !classes.is_empty() {
        return not_checked(rung);
    }
    if classes.contains(&Network::Unknown) {
        return not_known();
    }
    Verdict::refuse("no module of this host answers well")
}

fn not_known() -> Verdict {
    Verdict::NotApplicable("whether it answers is not known".to_owned())
}

/// Where a person signed off that nothing is checked, only a person lets anything be disrupted.
fn not_checked(rung: Rung) -> Verdict {
    match rung {
        Rung::Retry => {
            Verdict::NotApplicable("reachability is signed off as not checked".to_owned())
        }
        Rung::Restart | Rung::Clear => Verdict::Ask(
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
    // What the looks in memory show counts too: a look may have come while nothing could be recorded.
    let module = input.incident.target.module;
    let looked = module.and_then(|module| input.evidence.network_back_at(module));
    let recorded = input
        .incident
        .network_bad_since
        .and(input.incident.network_back_at);
    let Some(back_at) = recorded.max(looked).filter(|_| seen.passes()) else {
        return seen;
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
            format!(
                "the network has been back for less than {} s",
                wait.as_secs()
            ),
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
