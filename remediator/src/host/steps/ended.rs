//! How a command ended, as the journal says it.

use nshield::runner::{Ending, Exit, Fate, Outliving, Run};
use vcm_recovery::step::Step;

use super::log::Log;
use super::output;
use crate::host::journal::record::StepExit;

/// How a command ended, what it printed, and the process if it lives on.
pub(super) struct Ended {
    pub(super) exit: StepExit,
    printed: Vec<u8>,
    pub(super) log: Option<Log>,
    pub(super) outliving: Option<Outliving>,
}

impl Ended {
    pub(super) fn of(run: Run, log: Option<Log>) -> Self {
        let (exit, outliving) = match run.ending {
            Ending::Exited(exit) => (exit_of(exit), None),
            Ending::TimedOut(Fate::Gone) => (StepExit::TimedOut, None),
            Ending::OutputLimit(Fate::Gone) => (StepExit::TooMuchOutput, None),
            Ending::TimedOut(Fate::StillRunning(outliving))
            | Ending::OutputLimit(Fate::StillRunning(outliving)) => {
                (StepExit::StillRunning, Some(*outliving))
            }
        };
        let mut printed = run.stdout;
        printed.extend(run.stderr);
        Self {
            exit,
            printed,
            log,
            outliving,
        }
    }

    pub(super) fn never(reason: String) -> Self {
        Self {
            exit: StepExit::NeverStarted(reason),
            printed: Vec::new(),
            log: None,
            outliving: None,
        }
    }

    /// How it ended, and what is kept of what it printed.
    pub(super) fn into_parts(self) -> (StepExit, String) {
        let mut printed = self.printed;
        printed.extend(self.log.map(Log::read).unwrap_or_default());
        (self.exit, output::kept(&printed))
    }
}

/// Waits for the end of a command. What a start of the hardserver leaves behind is the hardserver.
pub(super) async fn gone(mut outliving: Outliving, step: Step) -> StepExit {
    let exit = match step {
        Step::RetryModule(_) | Step::EnterMaintenance(_) | Step::ClearModule(_) | Step::Wait(_) => {
            outliving.gone().await
        }
        Step::RestartHardserver
        | Step::StartHardserver
        | Step::StopService
        | Step::StartService => outliving.exited().await,
    };
    exit_of(exit)
}

fn exit_of(exit: Exit) -> StepExit {
    match exit {
        Exit::Code(code) => StepExit::Code(code),
        Exit::Signal(signal) => StepExit::Signal(signal),
        Exit::Unknown => StepExit::Unseen,
    }
}
