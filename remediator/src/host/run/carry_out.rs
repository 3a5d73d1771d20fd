//! The steps of an attempt that was accepted, and what the site runs behind them.

use nshield::ModuleNumber;
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;

use crate::host::after_restart::Progress;
use crate::host::config::HostConfig;
use crate::host::document::chain;
use crate::host::journal::record::{Accepted, Record, StepExit, shown};
use crate::host::journal::story::Section;
use crate::host::journal::{self, Journal, JournalError};
use crate::host::steps::Steps;
use crate::host::{after_restart, clear, hooks};

/// The steps, to the last record.
///
/// # Errors
/// If the first of them could not be journalled. Nothing was done then, and where that can be written
/// down it is.
pub(super) async fn carry_out(
    config: &HostConfig,
    accepted: &Accepted,
    journal: Journal,
) -> Result<(), JournalError> {
    let log = journal::log_path(&config.state_dir, accepted.attempt);
    let mut steps = Steps::new(config, journal, log, 0, false);
    let came_of_it = run(config, &mut steps, accepted).await;
    let refused = |reason| Record::Refused {
        guard: None,
        reason,
    };
    match came_of_it {
        Ok(Ok(detail)) => steps.end(Record::Ended { detail }).await,
        Ok(Err(reason)) => steps.end(refused(reason)).await,
        Err(error) => {
            let _ = steps.end(refused(chain(&error))).await;
            Err(error)
        }
    }
}

async fn run(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    accepted: &Accepted,
) -> Result<CameOfIt, JournalError> {
    match (accepted.tier, accepted.module) {
        (Rung::Clear, Some(module)) => clear(config, steps, accepted, module).await,
        (Rung::Restart, _) => restart(config, steps, accepted).await,
        (Rung::Retry | Rung::Clear, _) => in_order(steps, &accepted.plan).await,
    }
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
    accepted: &Accepted,
) -> Result<CameOfIt, JournalError> {
    let detail = match in_order(steps, &accepted.plan).await? {
        Ok(detail) => detail,
        Err(reason) => return Ok(Err(reason)),
    };
    let end = after_restart::ensure_up(config, steps, Progress::default()).await?;
    let state = hooks::after(config, steps, Section::Restart, accepted, None, end).await;
    Ok(Ok(format!("{detail}; {state}")))
}

async fn clear(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    accepted: &Accepted,
    module: ModuleNumber,
) -> Result<CameOfIt, JournalError> {
    let end = match clear::run(config, steps, module, accepted.esn.clone()).await? {
        Ok(end) => end,
        Err(reason) => return Ok(Err(reason)),
    };
    let section = Section::Clear(module);
    Ok(Ok(hooks::after(
        config, steps, section, accepted, None, end,
    )
    .await))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nshield::runner::ProcessIdentity;
    use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};

    use super::*;
    use crate::host::document::Status;
    use crate::host::result;

    fn clear_of(module: ModuleNumber) -> Accepted {
        Accepted {
            attempt: AttemptId::from_bits(1),
            epoch: Epoch(1),
            store: StoreId::from_bits(1),
            tier: Rung::Clear,
            module: Some(module),
            esn: None,
            observation: ObservationId::from_bits(1),
            fresh: ObservationId::from_bits(2),
            approval: None,
            snapshot: None,
            plan: vec![Step::EnterMaintenance(module), Step::ClearModule(module)],
            runner: ProcessIdentity {
                pid: i32::MAX,
                start_ticks: 0,
            },
        }
    }

    /// The disk takes that `-M` starts and cannot sync it: no section is open that a resume would
    /// finish by `-c`.
    #[tokio::test]
    async fn a_first_step_that_could_not_be_journalled_is_refused_and_leaves_nothing_open() {
        static FAILED: AtomicBool = AtomicBool::new(false);
        let fails_once = |file: &File| match FAILED.swap(true, Ordering::Relaxed) {
            false => Err(io::Error::other("injected")),
            true => file.sync_all(),
        };
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("host.yaml");
        let directory = root.path().display();
        let text = format!("state_dir: {directory}\nnfast_root: {directory}\n");
        std::fs::write(&path, text).unwrap();
        let config = HostConfig::load(&path).unwrap();
        let accepted = clear_of(1.try_into().unwrap());
        let mut journal = Journal::create(root.path(), accepted.attempt).unwrap();
        let record = Record::Accepted(Box::new(accepted.clone()));
        journal.append(record).unwrap();
        let done = carry_out(&config, &accepted, journal.syncing_by(fails_once)).await;
        assert!(matches!(done, Err(JournalError::Write { .. })), "{done:?}");
        let status = result::result(root.path(), accepted.attempt).unwrap();
        assert!(matches!(status, Status::Refused(_)), "{status:?}");
        let story = result::story(root.path(), accepted.attempt).unwrap();
        assert_eq!(story.unwrap().open_section(), None);
    }
}
