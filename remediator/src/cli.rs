//! The command line. `main` parses it and calls [`Arguments::run`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::host::cli::HostArgs;

mod audit;
mod check_config;
mod client;
mod config_file;
mod explain;
mod opened;
mod operate;
mod replay;
mod report;
mod serve;
mod store;

/// The exit code of a failure at run time.
const EXIT_FAILURE: u8 = 1;

/// The exit code of wrong arguments, as clap has it.
const EXIT_USAGE: u8 = 2;

/// The exit code of a bad configuration (`EX_CONFIG` of sysexits.h).
const EXIT_CONFIG: u8 = 78;

/// Receives Alertmanager webhooks and runs the vendor's recovery for failed nShield VCMs, one
/// proven step at a time.
///
/// Exit codes: 0 done, 1 failed at run time, 2 wrong arguments, 78 bad configuration.
#[derive(Debug, Parser)]
#[command(name = "vcm-remediator", version = env!("CARGO_PKG_VERSION"))]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receives alerts and acts on them.
    Serve(serve::ServeArgs),
    /// Checks the configuration and says everything that is wrong with it.
    CheckConfig(check_config::CheckConfigArgs),
    /// Says what would be decided about an alert, with the verdict of every guard. Changes nothing.
    Explain(explain::ExplainArgs),
    /// Says what another policy would have decided about what is recorded. Changes nothing.
    Replay(replay::ReplayArgs),
    /// Says what observe mode would have run, and what came of what was run.
    Report(report::ReportArgs),
    /// Checks the record of what was decided and done.
    Audit(audit::AuditArgs),
    /// Works on the store while the program does not run.
    Store(store::StoreArgs),
    /// Lets one rung of a request start, once, if nothing refuses it.
    Approve(operate::ApproveArgs),
    /// Decides for nothing: what a request offers is left out for its incident.
    Deny(operate::DenyArgs),
    /// Nothing starts anywhere from now on. Observing goes on, critical sections finish.
    Pause(operate::PauseArgs),
    /// Ends the pause.
    Resume(operate::ResumeArgs),
    /// Nothing starts on a host or module from now on.
    Hold(operate::HoldArgs),
    /// Ends a hold.
    Release(operate::ReleaseArgs),
    /// Shows attempts, and resolves those of unknown outcome.
    Attempts(operate::AttemptsArgs),
    /// Shows incidents, and has one go on or end.
    Incidents(operate::IncidentsArgs),
    /// Says that a long time in which the remediator did not run counts for the caps on restart
    /// and clear.
    ConfirmGap(operate::ConfirmGapArgs),
    /// Works on this host: looks at it, or runs what the remediator has decided.
    Host(HostArgs),
}

impl Arguments {
    /// Does what is asked and returns the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::CheckConfig(arguments) => arguments.run(),
            Command::Serve(arguments) => arguments.run(),
            Command::Explain(arguments) => arguments.run(),
            Command::Replay(arguments) => arguments.run(),
            Command::Report(arguments) => arguments.run(),
            Command::Audit(arguments) => arguments.run(),
            Command::Store(arguments) => arguments.run(),
            Command::Approve(arguments) => block_on(arguments.run()),
            Command::Deny(arguments) => block_on(arguments.run()),
            Command::Pause(arguments) => block_on(arguments.run()),
            Command::Resume(arguments) => block_on(arguments.run()),
            Command::Hold(arguments) => block_on(arguments.run()),
            Command::Release(arguments) => block_on(arguments.run()),
            Command::Attempts(arguments) => block_on(arguments.run()),
            Command::Incidents(arguments) => block_on(arguments.run()),
            Command::ConfirmGap(arguments) => block_on(arguments.run()),
            Command::Host(arguments) => block_on(arguments.run()),
        }
    }
}

/// For what ends soon, such as a call of the host runner: one thread is enough and quicker to start.
fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => no_runtime(&error),
    }
}

#[expect(clippy::print_stderr, reason = "for the person who typed it")]
fn no_runtime(error: &std::io::Error) -> ExitCode {
    eprintln!("vcm-remediator: cannot start: {error}");
    ExitCode::from(EXIT_FAILURE)
}
