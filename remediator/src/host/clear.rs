//! The critical section of a clear: from `-M` until `-c` is done or given up.
//!
//! Once `-M` may have been issued, the module may be out of service, so that what follows runs to
//! its end whatever happens, and `host resume` takes it up again after a crash: wait the vendor's
//! 30 s, look, `-c` unless the module works; look again, and repeat `-c` while it stays in
//! maintenance. What to do is decided in [`decide`], which is pure.
//!
//! The wait is counted from the end of `-M`, and nothing is issued beside a command that lives: a
//! `-M` that takes its effect behind a `-c` would leave the module in maintenance. Behind sudo a
//! command that ignores its end cannot be ended by us, and is waited for without a limit. People
//! hear of it all the same: `host result` says `still_running`, and the remediator raises the page
//! `critical_section` when a clear has not ended 60 s after its wait should have been over.

use std::time::Duration;

use nshield::{Esn, ModuleNumber, ModuleState};
use vcm_recovery::observation::{Condition, HardserverLook, ModuleLook, Observation};
use vcm_recovery::step::{CLEAR_WAIT_MIN, Step};

use super::config::HostConfig;
use super::journal::JournalError;
use super::journal::record::StepExit;
use super::journal::story::Story;
use super::kernel::{self, Moment};
use super::observe::{Depth, observe};
use super::section::SectionEnd;
use super::steps::Steps;

/// `-c` is issued at most this often for one `-M`. Nothing is left to lose, but a module that stays
/// in maintenance after three is for a person.
pub const CLEARS_MAX: usize = 3;

/// Time between two `-c`, as between `-M` and the first.
pub const CLEAR_SPACING: Duration = CLEAR_WAIT_MIN;

/// How far a section has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The module.
    pub module: ModuleNumber,
    /// Its serial number, where it is known.
    pub esn: Option<Esn>,
    /// How many `-c` were issued.
    pub clears: usize,
    /// From when on the next look decides, in milliseconds of the boot time clock.
    pub look_at: u64,
}

/// What one look showed of the module of the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It works.
    Operational,
    /// It is in maintenance.
    Maintenance,
    /// It is in a mode that only a person selects.
    SomebodyElses(ModuleState),
    /// Its number belongs to another module now.
    Renumbered,
    /// It is failed, offline or reports a fault.
    Other(ModuleState),
    /// It could not be seen.
    Unknown,
}

/// What to do after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Issue `-c`.
    Clear,
    /// Look again [`CLEAR_SPACING`] after the last `-c`.
    Wait,
    /// The section is over.
    Stop(SectionEnd),
}

/// What to do after a look, `clears` times `-c`, and, behind a `-c`, having `waited` or not.
#[must_use]
pub fn decide(seen: Seen, clears: usize, waited: bool) -> Next {
    let stop = |reason: String| Next::Stop(SectionEnd::given_up(reason));
    let works = |reason: &str| Next::Stop(SectionEnd::works(reason));
    match (seen, clears) {
        (Seen::Operational, 0) => {
            works("the module was operational before -c: somebody else cleared it")
        }
        (Seen::Operational, _) => works("the module is operational"),
        (Seen::Renumbered, _) => stop(
            "the number belongs to another module now: -c was not issued, a person must look"
                .to_owned(),
        ),
        (Seen::SomebodyElses(state), _) => {
            stop(format!("the module is in {state}: somebody works on it"))
        }
        (Seen::Maintenance | Seen::Unknown | Seen::Other(_), 0) => Next::Clear,
        (Seen::Other(state), _) => stop(format!("the module is {state} after -c")),
        (Seen::Maintenance | Seen::Unknown, _) if !waited => Next::Wait,
        (Seen::Maintenance | Seen::Unknown, clears) if clears < CLEARS_MAX => Next::Clear,
        (Seen::Maintenance, clears) => stop(format!(
            "the module is still in maintenance after {clears} times -c: a person must look"
        )),
        (Seen::Unknown, clears) => stop(format!(
            "the module could not be seen after {clears} times -c: a person must look"
        )),
    }
}

/// What a look showed of a module. Whatever else was not printed, a serial number that was printed
/// says whose number this is now, and the state of a module that was printed is its state.
#[must_use]
pub fn seen(look: &Observation, module: ModuleNumber, esn: Option<&Esn>) -> Seen {
    if look.hardserver != HardserverLook::Up {
        return Seen::Unknown;
    }
    if renumbered(look, module, esn) {
        return Seen::Renumbered;
    }
    look.modules.get(&module).map_or(Seen::Unknown, state)
}

/// Whether the number is another module's now, or ours has another number.
fn renumbered(look: &Observation, module: ModuleNumber, esn: Option<&Esn>) -> bool {
    let Some(ours) = esn else { return false };
    look.modules
        .iter()
        .filter_map(|(&number, at)| Some((number, at.esn.as_ref()?)))
        .any(|(number, found)| (number == module) != (found == ours))
}

fn state(at: &ModuleLook) -> Seen {
    match at.state {
        ModuleState::Operational => match at.condition() {
            Condition::Healthy => Seen::Operational,
            Condition::HardwareFault => Seen::Other(ModuleState::Error),
            Condition::Failed
            | Condition::Recovering
            | Condition::InService
            | Condition::Unknown => Seen::Unknown,
        },
        ModuleState::Maintenance | ModuleState::PreMaintenance => Seen::Maintenance,
        ModuleState::Initialization
        | ModuleState::PreInitialization
        | ModuleState::Uninitialized => Seen::SomebodyElses(at.state),
        ModuleState::Failed | ModuleState::Offline | ModuleState::Error => Seen::Other(at.state),
        ModuleState::Unknown => Seen::Unknown,
    }
}

/// How far the section of a story has come, at `now`: what is not known in this boot counts from
/// now.
#[must_use]
pub fn progress(story: &Story, module: ModuleNumber, wait: Duration, now: &Moment) -> Progress {
    let clears: Vec<_> = story
        .steps
        .iter()
        .filter(|step| step.step == Step::ClearModule(module))
        .collect();
    let entered = story
        .steps
        .iter()
        .rfind(|step| step.step == Step::EnterMaintenance(module));
    let (last, wait) = match clears.last() {
        Some(clear) => (Some(*clear), CLEAR_SPACING),
        None => (entered, wait.max(CLEAR_WAIT_MIN)),
    };
    // Earlier versions wrote that a step lives on as its end. Whoever asks has seen that nothing of
    // it lives any more, but not since when.
    let ended = last
        .and_then(|step| step.finished.as_ref())
        .filter(|finished| finished.exit != StepExit::StillRunning);
    let since = ended.and_then(|ended| ended.at.until(now)).unwrap_or(0);
    Progress {
        module,
        esn: story
            .accepted
            .as_ref()
            .and_then(|accepted| accepted.esn.clone()),
        clears: clears.len(),
        look_at: now
            .boottime_ms
            .saturating_add(millis(wait).saturating_sub(since)),
    }
}

/// Runs a whole clear. Returns what came of it, or the reason why `-M` certainly never ran.
///
/// # Errors
/// If `-M` could not be journalled, and then nothing was done.
pub async fn run(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    module: ModuleNumber,
    esn: Option<Esn>,
) -> Result<Result<SectionEnd, String>, JournalError> {
    let entered = steps.command(Step::EnterMaintenance(module)).await?;
    if let StepExit::NeverStarted(reason) = entered {
        return Ok(Err(reason));
    }
    let wait = millis(config.clear_wait.max(CLEAR_WAIT_MIN));
    let look_at = kernel::boottime_ms().saturating_add(wait);
    let progress = Progress {
        module,
        esn,
        clears: 0,
        look_at,
    };
    finish(config, steps, progress).await.map(Ok)
}

/// Brings a section to its end. Returns what came of it.
///
/// # Errors
/// Never once a command may have run.
pub async fn finish(
    config: &HostConfig,
    steps: &mut Steps<'_>,
    mut progress: Progress,
) -> Result<SectionEnd, JournalError> {
    let Progress { module, .. } = progress;
    // Behind a `-c` the first look is taken at once: a module that works needs no wait.
    let mut waited = false;
    loop {
        if progress.clears == 0 || waited {
            let left = progress.look_at.saturating_sub(kernel::boottime_ms());
            steps.wait(Step::Wait(left), progress.look_at).await?;
        }
        let look = observe(config, Depth::WithoutStatistics).await.ok();
        let seen = look.map_or(Seen::Unknown, |look| {
            seen(&look, module, progress.esn.as_ref())
        });
        tracing::info!(%module, ?seen, clears = progress.clears, "looked at the module");
        match decide(seen, progress.clears, waited) {
            Next::Stop(end) => return Ok(end),
            Next::Wait => waited = true,
            Next::Clear => {
                steps.command(Step::ClearModule(module)).await?;
                progress.clears += 1;
                progress.look_at = kernel::boottime_ms().saturating_add(millis(CLEAR_SPACING));
                waited = false;
            }
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
