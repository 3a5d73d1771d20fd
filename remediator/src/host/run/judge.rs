//! What the host itself says to an order: its own configuration and files, a look of its own, and
//! the guards that it can ask.

use std::time::Duration;

use nshield::{Esn, ModuleNumber};
use vcm_recovery::guard::{Guard, HostView, decision_stale};
use vcm_recovery::ids::ObservationId;
use vcm_recovery::observation::{HardserverLook, Observation};
use vcm_recovery::step::{Hardserver, Step};
use vcm_recovery::tier::Rung;
use vcm_recovery::verdict::Verdict;

use super::Order;
use crate::host::config::HostConfig;
use crate::host::document::{Refusal, chain};
use crate::host::observe::{Depth, holds, kept, look};
use crate::host::permitted;
use crate::host::snapshot::Snapshot;

/// The oldest that the host's own look may be when the attempt begins: as old as the evidence of a
/// decision may be, because it stands for it.
const FRESH_MAX: Duration = Duration::from_secs(30);

/// What the host itself says to an order that it takes.
pub(super) struct Judged {
    /// The look that it was judged on.
    pub(super) fresh: ObservationId,
    /// When that look was answered, in milliseconds of the boot time clock.
    answered_boottime: u64,
    /// What worked then; absent for a retry.
    pub(super) snapshot: Option<Snapshot>,
    /// What is to be run.
    pub(super) plan: Vec<Step>,
}

pub(super) async fn judge(config: &HostConfig, order: &Order) -> Result<Judged, Refusal> {
    agree(config, order)?;
    nobody_holds(config, order)?;
    let decided = kept::load(&config.state_dir, order.observation)
        .map_err(|error| Refusal::of(Guard::DecisionStale, chain(&error)))?;
    let disrupts = order.tier != Rung::Retry;
    let depth = if disrupts {
        Depth::Full
    } else {
        Depth::WithoutStatistics
    };
    let look = look(config, depth)
        .await
        .map_err(|error| Refusal::of(Guard::ObservationUnknown, chain(&error)))?;
    let fresh = look.seen;
    kept::keep(&config.state_dir, &fresh).map_err(Refusal::error)?;
    ask_guards(order, &decided, &fresh)?;
    let plan = plan(config, order, &fresh)?;
    match permitted::hindrance(config, &plan).await {
        Some(reason) => Err(Refusal::plain(reason)),
        None => Ok(Judged {
            fresh: fresh.observation_id,
            answered_boottime: look.answered_boottime,
            snapshot: disrupts.then(|| Snapshot::of(&fresh)),
            plan,
        }),
    }
}

impl Judged {
    /// Asked last: what was seen grows old while statistics are read and sudo is asked, and without a
    /// limit while this process or its machine stands still.
    pub(super) fn still_fresh(&self, now_boottime: u64) -> Result<(), Refusal> {
        let age = now_boottime.saturating_sub(self.answered_boottime);
        let age = Duration::from_millis(age);
        if age <= FRESH_MAX {
            return Ok(());
        }
        let reason = format!(
            "the host's own look was {} s old before the first command, more than {} s",
            age.as_secs(),
            FRESH_MAX.as_secs()
        );
        Err(Refusal::of(Guard::DecisionStale, reason))
    }
}

/// The remediator's inventory and the host's own must be the same about the target.
fn agree(config: &HostConfig, order: &Order) -> Result<(), Refusal> {
    let Some(module) = order.module else {
        return match &order.esn {
            None => Ok(()),
            Some(esn) => {
                let reason = format!("ESN {esn} is given, but no module");
                Err(Refusal::of(Guard::EsnMismatch, reason))
            }
        };
    };
    let Some(listed) = config.modules.get(&module) else {
        let reason = format!("this host's own configuration does not list module {module}");
        return Err(Refusal::of(Guard::Kind, reason));
    };
    if listed.esn == order.esn {
        return Ok(());
    }
    let name = |esn: &Option<Esn>| esn.as_ref().map_or("no ESN".to_owned(), Esn::to_string);
    let reason = format!(
        "module {module} has {} in this host's own configuration, and {} in the order",
        name(&listed.esn),
        name(&order.esn)
    );
    Err(Refusal::of(Guard::EsnMismatch, reason))
}

/// The files that keep this host or a module of it as it is. A restart is about every module, so
/// that any of them holds it.
pub(super) fn nobody_holds(config: &HostConfig, order: &Order) -> Result<(), Refusal> {
    if let Some(text) = holds::text(&config.pause_file) {
        let reason = format!("everything is paused on this host: {text}");
        return Err(Refusal::of(Guard::Paused, reason));
    }
    if let Some(text) = holds::text(&config.hold_file) {
        let reason = format!("the host is held: {text}");
        return Err(Refusal::of(Guard::Hold, reason));
    }
    let restart = order.tier == Rung::Restart;
    let concerned = |module: &&ModuleNumber| restart || order.module == Some(**module);
    for module in config.modules.keys().filter(concerned) {
        if let Some(text) = holds::text(&holds::of_module(&config.hold_file, *module)) {
            let reason = format!("module {module} is held: {text}");
            return Err(Refusal::of(Guard::Hold, reason));
        }
    }
    Ok(())
}

/// Every guard that the host can see.
fn ask_guards(order: &Order, decided: &Observation, fresh: &Observation) -> Result<(), Refusal> {
    let max_age = u64::try_from(order.max_age.as_millis()).unwrap_or(u64::MAX);
    let stale = decision_stale::between(order.tier, order.module, decided, fresh, max_age);
    let view = HostView {
        rung: order.tier,
        module: order.module,
        expected_esn: order.esn.as_ref(),
        seen: fresh,
    };
    let on_host = Guard::ON_HOST.map(|guard| (guard, guard.on_host(&view)));
    for (guard, verdict) in [(Guard::DecisionStale, Some(stale))]
        .into_iter()
        .chain(on_host)
    {
        match verdict {
            Some(verdict) if lets_through(guard, &verdict, order) => {}
            Some(verdict) => return Err(Refusal::of(guard, verdict.reason())),
            None => return Err(Refusal::of(guard, "it cannot be asked on the host")),
        }
    }
    Ok(())
}

/// A person's word stands for what they were asked about, and for nothing else: not for what has
/// come up since.
fn lets_through(guard: Guard, verdict: &Verdict, order: &Order) -> bool {
    match verdict {
        Verdict::Pass | Verdict::NotApplicable(_) => true,
        Verdict::Ask(_) => answered(guard, order),
        Verdict::Skip(_) | Verdict::Refuse { .. } => false,
    }
}

fn answered(guard: Guard, order: &Order) -> bool {
    order.approval.is_some() && order.asked.contains(&guard)
}

fn plan(config: &HostConfig, order: &Order, fresh: &Observation) -> Result<Vec<Step>, Refusal> {
    let hardserver = match fresh.hardserver {
        HardserverLook::Up => Hardserver::Running,
        HardserverLook::SuspectedDown => Hardserver::Down,
        HardserverLook::Unresponsive
            if order.tier == Rung::Restart && answered(Guard::HardserverUnresponsive, order) =>
        {
            Hardserver::Running
        }
        HardserverLook::Unresponsive
        | HardserverLook::PermissionDenied
        | HardserverLook::Unknown => {
            let reason = "the hardserver is neither up nor down";
            return Err(Refusal::of(Guard::ObservationUnknown, reason));
        }
    };
    let wait = config.clear_wait;
    let plan = order
        .tier
        .steps(config.platform, order.module, hardserver, wait);
    if plan.is_empty() {
        return Err(Refusal::of(
            Guard::Kind,
            "there is nothing to run for this target",
        ));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use vcm_recovery::ids::{AttemptId, Epoch, StoreId};

    use super::*;

    fn order(approved: bool, asked: &[Guard]) -> Order {
        Order {
            attempt: AttemptId::from_bits(1),
            epoch: Epoch(1),
            store: StoreId::from_bits(1),
            tier: Rung::Restart,
            module: None,
            esn: None,
            observation: ObservationId::from_bits(1),
            max_age: Duration::ZERO,
            newest: None,
            approval: approved.then(|| "tenant-1#3".parse().unwrap()),
            asked: BTreeSet::from_iter(asked.iter().copied()),
        }
    }

    #[test]
    fn a_look_of_more_than_thirty_seconds_begins_nothing() {
        let judged = Judged {
            fresh: ObservationId::from_bits(1),
            answered_boottime: 1_000,
            snapshot: None,
            plan: Vec::new(),
        };
        assert!(judged.still_fresh(1_000).is_ok());
        assert!(judged.still_fresh(31_000).is_ok());
        let refused = judged.still_fresh(31_001).unwrap_err();
        assert_eq!(refused.guard, Some(Guard::DecisionStale), "{refused:?}");
    }

    #[test]
    fn an_approval_stands_for_the_guards_that_asked_and_for_nothing_else() {
        let guard = Guard::StoppedOnPurpose;
        let alone = order(false, &[]);
        let without = order(false, &[guard]);
        let other = order(true, &[Guard::OthersHealthy, Guard::EsnMismatch]);
        let shown = order(true, &[Guard::OthersHealthy, guard]);
        let reason = || "r".to_owned();
        for (verdict, unasked, approved) in [
            (Verdict::Pass, true, true),
            (Verdict::NotApplicable(reason()), true, true),
            (Verdict::Ask(reason()), false, true),
            (Verdict::Skip(reason()), false, false),
            (Verdict::refuse("r"), false, false),
        ] {
            for order in [&alone, &without, &other] {
                assert_eq!(lets_through(guard, &verdict, order), unasked, "{order:?}");
            }
            assert_eq!(
                lets_through(guard, &verdict, &shown),
                approved,
                "{verdict:?}"
            );
        }
    }
}
