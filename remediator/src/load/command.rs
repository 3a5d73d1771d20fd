//! The hook that is a program on this machine.
//!
//! It gets its fixed arguments and, as the last one, the HSM's name; everything else stands in its
//! environment. It runs once per call: a program knows better than we whether and how to try again,
//! and one that outlived its time-out must not meet a second one.

use nshield::runner::{self, Ending, Exit, Fate, Invocation, Run};

use super::{HookCall, LoadAction, LoadHook, LoadHookError, LoadRequest, excerpt, rfc_3339};
use crate::config::load::Command;

/// Most output, in bytes: only its beginning is shown, and who prints more has lost its way.
const OUTPUT_MAX: usize = 1 << 20;

/// A program that sheds and restores.
#[derive(Debug)]
pub(super) struct CommandHook {
    config: Command,
}

impl CommandHook {
    pub(super) const fn new(config: Command) -> Self {
        Self { config }
    }

    fn invocation(&self, request: &LoadRequest) -> Invocation {
        let vector = match request.action {
            LoadAction::Shed => &self.config.shed,
            LoadAction::Restore => &self.config.restore,
        };
        // The configuration has checked that there is a program.
        let (program, fixed) = vector
            .split_first()
            .map_or(("", &[][..]), |(program, fixed)| (program.as_str(), fixed));
        let arguments = fixed.iter().map(String::as_str);
        let incidents: Vec<&str> = request.incidents.iter().map(|id| id.as_str()).collect();
        Invocation::new(
            program,
            arguments.chain([request.hsm.as_str()]),
            self.config.timeout,
        )
        .with_env("VCM_LOAD_ACTION", request.action.as_str())
        .with_env("VCM_LOAD_HSM", request.hsm.as_str())
        .with_env("VCM_LOAD_KEY", request.key.as_str())
        .with_env("VCM_LOAD_SINCE", rfc_3339(request.since))
        .with_env("VCM_LOAD_INCIDENTS", incidents.join(" "))
        .with_output_limit(OUTPUT_MAX)
    }

    async fn run(&self, request: &LoadRequest) -> Result<(), LoadHookError> {
        let run = runner::run(self.invocation(request))
            .await
            .map_err(LoadHookError::Start)?;
        match &run.ending {
            Ending::Exited(Exit::Code(0)) => Ok(()),
            Ending::Exited(exit) => Err(LoadHookError::Failed {
                exit: *exit,
                message: said(&run),
            }),
            Ending::TimedOut(fate) => Err(LoadHookError::TimedOut {
                after: self.config.timeout,
                still_running: matches!(fate, Fate::StillRunning(_)),
            }),
            Ending::OutputLimit(_) => Err(LoadHookError::PrintedTooMuch { limit: OUTPUT_MAX }),
        }
    }
}

/// What it printed to standard error, or else to standard output.
fn said(run: &Run) -> String {
    let text = [&run.stderr, &run.stdout]
        .into_iter()
        .map(|text| excerpt(text))
        .find(|text| !text.is_empty());
    text.unwrap_or_else(|| "no output".to_owned())
}

impl LoadHook for CommandHook {
    fn call<'a>(&'a self, request: &'a LoadRequest) -> HookCall<'a> {
        Box::pin(self.run(request))
    }
}
