//! `host run`, in its detached process: everything between an order and the first command, and the
//! steps.
//!
//! lock -> fence -> nothing else open -> the host's own configuration -> the observation decided on
//! -> a look of our own -> guards -> plan -> permitted -> journal `accepted` -> answer -> steps.
//! Whatever does not pass refuses, and nothing is done.

use std::io;
use std::path::Path;
use std::time::Duration;

use nshield::runner::ProcessIdentity;
use nshield::{Esn, ModuleNumber};
use vcm_recovery::guard::{Guard, HostView, decision_stale};
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::observation::{HardserverLook, Observation};
use vcm_recovery::step::{Hardserver, Step};
use vcm_recovery::tier::Rung;

use super::after_restart::Progress;
use super::config::HostConfig;
use super::document::{Answer, Answered, Refusal, chain};
use super::journal::record::{Accepted, Record, StepExit, shown};
use super::journal::story::Blocking;
use super::journal::{self, Journal, JournalError};
use super::launch::Detached;
use super::lock::HostLock;
use super::observe::{Depth, kept, observe};
use super::steps::Steps;
use super::{after_restart, clear, fence, kernel, liveness, permitted, result};

/// An attempt as it is ordered: a tier, a parsed number and ids; never a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The attempt.
    pub attempt: AttemptId,
    /// The start of the remediator that orders it.
    pub epoch: Epoch,
    /// Its store.
    pub store: StoreId,
    /// What to run.
    pub tier: Rung,
    /// The module; absent when it is about the host itself.
    pub module: Option<ModuleNumber>,
    /// The serial number that the remediator's inventory has for the module.
    pub esn: Option<Esn>,
    /// The observation it was decided on.
    pub observation: ObservationId,
    /// How old that may be.
    pub max_age: Duration,
}

/// Runs an attempt, or refuses it. The answer goes out as soon as it is certain.
///
/// # Errors
/// If nothing could be journalled; nothing was done then.
pub async fn run(
    config: &HostConfig,
    order: &Order,
    detached: &Detached,
) -> Result<(), JournalError> {
    let answer = |answer| {
        let attempt = order.attempt;
        detached.answer(&Answered { attempt, answer });
    };
    let lock = match HostLock::take(&config.state_dir) {
        Ok(lock) => lock,
        Err(error) => {
            answer(Answer::Refused(Refusal::error(error)));
            return Ok(());
        }
    };
    match accept(config, order).await {
        Ok((journal, plan)) => {
            answer(Answer::Accepted);
            carry_out(config, order, journal, &plan).await?;
        }
        Err(refusal) => {
            tracing::info!(guard = ?refusal.guard, reason = refusal.reason, "refused");
            answer(Answer::Refused(refusal));
        }
    }
    drop(lock);
    Ok(())
}

/// Everything before the first step.
async fn accept(config: &HostConfig, order: &Order) -> Result<(Journal, Vec<Step>), Refusal> {
    let state_dir = &config.state_dir;
    admit(state_dir, order)?;
    if let Some(known) = known(state_dir, order.attempt)? {
        return Err(known);
    }
    nothing_open(state_dir, order.attempt)?;
    let judged = match judge(config, order).await {
        Ok(judged) => judged,
        Err(refusal) => return Err(keep_refusal(state_dir, order.attempt, refusal)),
    };
    // The look took its time: somebody newer may have been heard of meanwhile.
    admit(state_dir, order)?;
    let runner = own_identity().map_err(Refusal::error)?;
    let mut journal = Journal::create(state_dir, order.attempt).map_err(Refusal::error)?;
    let accepted = Accepted {
        attempt: order.attempt,
        epoch: order.epoch,
        store: order.store,
        tier: order.tier,
        module: order.module,
        esn: order.esn.clone(),
        observation: order.observation,
        fresh: judged.fresh,
        approval: None,
        snapshot: None,
        plan: judged.plan.clone(),
        runner,
    };
    let accepted = Record::Accepted(Box::new(accepted));
    match journal.reserve().and_then(|()| journal.append(accepted)) {
        Ok(()) => Ok((journal, judged.plan)),
        Err(error) => {
            // Without space this fails too, and the journal stays empty: nothing was started.
            let reason = chain(&error);
            let _ = journal.append(Record::Refused {
                guard: None,
                reason,
            });
            Err(Refusal::error(error))
        }
    }
}

fn admit(state_dir: &Path, order: &Order) -> Result<(), Refusal> {
    fence::admit(state_dir, order.epoch, Some(order.store)).map_err(Refusal::error)
}

/// An attempt that is known starts no second time.
fn known(state_dir: &Path, attempt: AttemptId) -> Result<Option<Refusal>, Refusal> {
    let known = journal::known(state_dir).map_err(Refusal::error)?;
    Ok(known
        .contains(&attempt)
        .then(|| Refusal::plain("this attempt is known here: it starts no second time")))
}

/// While anything of another attempt lives, or its critical section is open, nothing else runs.
fn nothing_open(state_dir: &Path, attempt: AttemptId) -> Result<(), Refusal> {
    let boot_id = kernel::boot_id().map_err(Refusal::error)?;
    for other in journal::known(state_dir).map_err(Refusal::error)? {
        let Some(story) = result::story(state_dir, other).map_err(Refusal::error)? else {
            continue;
        };
        if other == attempt {
            continue;
        }
        match story.blocks(|| liveness::lives(&story, &boot_id)) {
            None => {}
            Some(Blocking::Lives) => {
                return Err(Refusal::plain(format!(
                    "a command of attempt {other} still runs"
                )));
            }
            Some(Blocking::Open(_)) => {
                return Err(Refusal::plain(format!(
                    "the critical section of attempt {other} is not finished"
                )));
            }
        }
    }
    Ok(())
}

/// What the host itself says to an order.
struct Judged {
    fresh: ObservationId,
    plan: Vec<Step>,
}

async fn judge(config: &HostConfig, order: &Order) -> Result<Judged, Refusal> {
    agree(config, order)?;
    let decided = kept::load(&config.state_dir, order.observation)
        .map_err(|error| Refusal::of(Guard::DecisionStale, chain(&error)))?;
    let fresh = observe(config, Depth::WithoutStatistics)
        .await
        .map_err(|error| Refusal::of(Guard::ObservationUnknown, chain(&error)))?;
    kept::keep(&config.state_dir, &fresh).map_err(Refusal::error)?;
    ask_guards(order, &decided, &fresh)?;
    let plan = plan(config, order, &fresh)?;
    match permitted::hindrance(config, &plan).await {
        Some(reason) => Err(Refusal::plain(reason)),
        None => Ok(Judged {
            fresh: fresh.observation_id,
            plan,
        }),
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

/// Every guard that the host can see. There is no approval here, so that everything but a pass
/// refuses, also what only a person may decide.
fn ask_guards(order: &Order, decided: &Observation, fresh: &Observation) -> Result<(), Refusal> {
    let max_age = u64::try_from(order.max_age.as_millis()).unwrap_or(u64::MAX);
    let stale = decision_stale::between(order.tier, order.module, decided, fresh, max_age);
    let view = HostView {
        rung: order.tier,
        module: order.module,
        expected_esn: order.esn.as_ref(),
        seen: fresh,
    };
    let on_host = Guard::ON_HOST
        .into_iter()
        .map(|guard| (guard, guard.on_host(&view)));
    for (guard, verdict) in [(Guard::DecisionStale, Some(stale))]
        .into_iter()
        .chain(on_host)
    {
        match verdict {
            Some(verdict) if verdict.passes() => {}
            Some(verdict) => return Err(Refusal::of(guard, verdict.reason())),
            None => return Err(Refusal::of(guard, "it cannot be asked on the host")),
        }
    }
    Ok(())
}

fn plan(config: &HostConfig, order: &Order, fresh: &Observation) -> Result<Vec<Step>, Refusal> {
    let hardserver = match fresh.hardserver {
        HardserverLook::Up => Hardserver::Running,
        HardserverLook::SuspectedDown => Hardserver::Down,
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

/// A refusal by the host's own judgement is kept, so that `host result` can tell it later.
fn keep_refusal(state_dir: &Path, attempt: AttemptId, refusal: Refusal) -> Refusal {
    let Refusal { guard, reason } = refusal.clone();
    let kept = Journal::create(state_dir, attempt)
        .and_then(|mut journal| journal.append(Record::Refused { guard, reason }));
    if let Err(error) = kept {
        tracing::warn!(error = chain(&error), "the refusal could not be kept");
    }
    refusal
}

/// The steps, to the last record.
async fn carry_out(
    config: &HostConfig,
    order: &Order,
    journal: Journal,
    plan: &[Step],
) -> Result<(), JournalError> {
    let log = journal::log_path(&config.state_dir, order.attempt);
    let mut steps = Steps::new(config, journal, log, 0, false);
    let came_of_it = match (order.tier, order.module) {
        (Rung::Clear, Some(module)) => {
            clear::run(config, &mut steps, module, order.esn.clone()).await?
        }
        (Rung::Restart, _) => restart(config, &mut steps, plan).await?,
        (Rung::Retry | Rung::Clear, _) => in_order(&mut steps, plan).await?,
    };
    let record = match came_of_it {
        Ok(detail) => Record::Ended { detail },
        Err(reason) => Record::Refused {
            guard: None,
            reason,
        },
    };
    steps.end(record).await
}

/// What came of it, or why nothing was certainly done.
type CameOfIt = Result<String, String>;

async fn in_order(steps: &mut Steps<'_>, plan: &[Step]) -> Result<CameOfIt, JournalError> {
    let mut detail = Vec::new();
    for &step in plan {
        let exit = steps.command(step).await?;
        if let (StepExit::NeverStarted(reason), true) = (&exit, detail.is_empty()) {
            return Ok(Err(reason.clone()));
        }
        detail.push(format!("{}: {exit}", shown(step)));
    }
    Ok(Ok(detail.join(", ")))
}

async fn restart(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    plan: &[Step],
) -> Result<CameOfIt, JournalError> {
    match in_order(steps, plan).await? {
        Ok(detail) => {
            let state = after_restart::ensure_up(config, steps, Progress::default()).await?;
            Ok(Ok(format!("{detail}; {state}")))
        }
        Err(reason) => Ok(Err(reason)),
    }
}

/// This process, as it is recorded.
pub(super) fn own_identity() -> io::Result<ProcessIdentity> {
    i32::try_from(std::process::id())
        .ok()
        .and_then(ProcessIdentity::of)
        .ok_or_else(|| io::Error::other("this process cannot see itself in /proc"))
}
