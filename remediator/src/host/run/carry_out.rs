//! The steps of an attempt that was accepted, and what the site runs behind them.

use nshield::ModuleNumber;
use vcm_recovery::step::Step;
use vcm_recovery::tier::Rung;

use crate::host::after_restart::Progress;
use crate::host::config::HostConfig;
use crate::host::journal::record::{Accepted, Record, StepExit, shown};
use crate::host::journal::story::Section;
use crate::host::journal::{self, Journal, JournalError};
use crate::host::steps::Steps;
use crate::host::{after_restart, clear, hooks};

/// The steps, to the last record.
pub(super) async fn carry_out(
    config: &HostConfig,
    accepted: &Accepted,
    journal: Journal,
) -> Result<(), JournalError> {
    let log = journal::log_path(&config.state_dir, accepted.attempt);
    let mut steps = Steps::new(config, journal, log, 0, false);
    let came_of_it = match (accepted.tier, accepted.module) {
        (Rung::Clear, Some(module)) => clear(config, &mut steps, accepted, module).await?,
        (Rung::Restart, _) => restart(config, &mut steps, accepted).await?,
        (Rung::Retry | Rung::Clear, _) => in_order(&mut steps, &accepted.plan).await?,
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
