//! `host run`, in its detached process: everything between an order and the first command, and the
//! steps.
//!
//! lock -> fence -> nothing else open -> `judge` (the host's own files, a look of our own, guards,
//! plan, permitted) -> files and fence once more -> journal `accepted` -> answer -> `carry_out`.
//! Whatever does not pass refuses, and nothing is done.

mod carry_out;
mod judge;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use nshield::runner::ProcessIdentity;
use nshield::{Esn, ModuleNumber};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::tier::Rung;

use super::approval::ApprovalName;
use super::config::HostConfig;
use super::document::{Answer, Answered, Refusal, chain};
use super::fence::{Caller, FenceError};
use super::journal::record::{Accepted, Record};
use super::journal::story::Blocking;
use super::journal::{self, Journal, JournalError, past};
use super::launch::Detached;
use super::lock::HostLock;
use super::{fence, kernel, liveness, result, tombstone};

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
    /// The attempt that this host has accepted last, as far as the store knows.
    pub newest: Option<AttemptId>,
    /// The request by which a person approved it, if one was asked.
    pub approval: Option<ApprovalName>,
    /// The guards that the person was asked about. What one of these only lets a person decide
    /// passes then; what it refuses, and what another one asks, never does.
    pub asked: BTreeSet<Guard>,
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
        Ok((journal, accepted)) => {
            answer(Answer::Accepted);
            carry_out::carry_out(config, &accepted, journal).await?;
            drop(lock);
        }
        Err(refusal) => {
            tracing::info!(guard = ?refusal.guard, reason = refusal.reason, "refused");
            // Whoever hears of it may order the next one at once.
            drop(lock);
            answer(Answer::Refused(refusal));
        }
    }
    Ok(())
}

/// Everything before the first step.
async fn accept(config: &HostConfig, order: &Order) -> Result<(Journal, Accepted), Refusal> {
    let state_dir = &config.state_dir;
    admit(state_dir, order)?;
    if let Some(known) = known(state_dir, order.attempt)? {
        return Err(known);
    }
    fence::agree(state_dir, order.newest).map_err(not_listened_to)?;
    nothing_open(state_dir, Some(order.attempt))?;
    forget_old(state_dir);
    let judged = match judge::judge(config, order).await {
        Ok(judged) => judged,
        Err(refusal) => return Err(keep_refusal(state_dir, order.attempt, refusal)),
    };
    // The look took its time: somebody newer may have been heard of, or a file put in place.
    judge::nobody_holds(config, order)
        .map_err(|refusal| keep_refusal(state_dir, order.attempt, refusal))?;
    judged
        .still_fresh(kernel::boottime_ms())
        .map_err(|refusal| keep_refusal(state_dir, order.attempt, refusal))?;
    fence::accept(state_dir, caller(order), order.newest, order.attempt)
        .map_err(not_listened_to)?;
    let runner = own_identity().map_err(Refusal::error)?;
    let journal = Journal::create(state_dir, order.attempt).map_err(Refusal::error)?;
    let accepted = Accepted {
        attempt: order.attempt,
        epoch: order.epoch,
        store: order.store,
        tier: order.tier,
        module: order.module,
        esn: order.esn.clone(),
        observation: order.observation,
        fresh: judged.fresh,
        approval: order.approval.clone(),
        snapshot: judged.snapshot,
        plan: judged.plan,
        runner,
    };
    begin(journal, accepted)
}

/// Reserves the space that the attempt needs to its end, and announces it.
fn begin(mut journal: Journal, accepted: Accepted) -> Result<(Journal, Accepted), Refusal> {
    let record = Record::Accepted(Box::new(accepted.clone()));
    let Err(error) = journal.reserve().and_then(|()| journal.append(record)) else {
        return Ok((journal, accepted));
    };
    // Without space this fails too, and the journal stays empty: nothing was started.
    let reason = chain(&error);
    let _ = journal.append(Record::Refused {
        guard: None,
        reason,
    });
    Err(Refusal::error(error))
}

fn admit(state_dir: &Path, order: &Order) -> Result<(), Refusal> {
    fence::admit(state_dir, caller(order)).map_err(not_listened_to)
}

fn caller(order: &Order) -> Caller {
    let &Order { epoch, store, .. } = order;
    Caller { epoch, store }
}

fn not_listened_to(error: FenceError) -> Refusal {
    if matches!(error, FenceError::OtherNewest { .. }) {
        Refusal::of(Guard::NotOwner, chain(&error))
    } else {
        Refusal::error(error)
    }
}

/// An attempt that is known starts no second time.
fn known(state_dir: &Path, attempt: AttemptId) -> Result<Option<Refusal>, Refusal> {
    let journals = journal::known(state_dir).map_err(Refusal::error)?;
    let past = past::load(state_dir).map_err(Refusal::error)?;
    let known = journals.contains(&attempt) || past.contains_key(&attempt);
    Ok(known.then(|| Refusal::plain("this attempt is known here: it starts no second time")))
}

/// While anything of another attempt than this one lives, or its critical section is open, nothing
/// else runs.
pub(super) fn nothing_open(state_dir: &Path, attempt: Option<AttemptId>) -> Result<(), Refusal> {
    let boot_id = kernel::boot_id().map_err(Refusal::error)?;
    for other in journal::known(state_dir).map_err(Refusal::error)? {
        let Some(story) = result::story(state_dir, other).map_err(Refusal::error)? else {
            continue;
        };
        if Some(other) == attempt {
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

/// Removes the journals of attempts that are long over, under the host's lock. Nothing depends on
/// it: what could not be removed goes next time.
fn forget_old(state_dir: &Path) {
    let ended = |attempt| result::story(state_dir, attempt).ok().flatten()?.end;
    let alone = tombstone::alone(state_dir);
    let pruned = match (&alone, kernel::Moment::now()) {
        (Ok(_alone), Ok(now)) => past::prune(state_dir, now.wall(), ended),
        (Err(_), _) | (_, Err(_)) => return,
    };
    match pruned {
        Ok(0) => {}
        Ok(attempts) => tracing::info!(attempts, "old journals were removed, their ids are kept"),
        Err(error) => tracing::warn!(error = chain(&error), "old journals cannot be removed"),
    }
}

/// This process, as it is recorded.
pub(super) fn own_identity() -> io::Result<ProcessIdentity> {
    i32::try_from(std::process::id())
        .ok()
        .and_then(ProcessIdentity::of)
        .ok_or_else(|| io::Error::other("this process cannot see itself in /proc"))
}
