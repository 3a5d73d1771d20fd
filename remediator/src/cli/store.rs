//! `vcm-remediator store`: what an operator does to the store while the program does not run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use vcm_recovery::ids::{Epoch, Person};
use vcm_telemetry::logging::chain;

use super::EXIT_FAILURE;
use crate::store::epoch;

/// The arguments of `store`.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// After a copy of the store was restored: raises its epoch past everything that hosts have
    /// heard of, so that they listen to its next start again.
    ///
    /// Nothing starts afterwards until `resume`: what was attempted since the copy was made is not
    /// in it, so caps and budgets would count too few. Refused while the program runs on the store.
    BumpEpoch(BumpEpochArgs),
}

#[derive(Debug, Args)]
struct BumpEpochArgs {
    /// The store's file, `store.path` of the configuration.
    #[arg(long = "store", value_name = "FILE")]
    store: PathBuf,
    /// The highest epoch that a host has named when it refused. Only needed when that is further
    /// away than the million by which the epoch is raised in any case.
    #[arg(long = "at-least", value_name = "EPOCH")]
    at_least: Option<Epoch>,
    /// Who does it; recorded with the pause.
    #[arg(long = "by", value_name = "PERSON")]
    by: Person,
}

impl StoreArgs {
    /// 0 when it was done, 1 when it was refused or failed; then nothing was changed.
    pub(super) fn run(&self) -> ExitCode {
        match &self.verb {
            Verb::BumpEpoch(arguments) => arguments.run(),
        }
    }
}

impl BumpEpochArgs {
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    fn run(&self) -> ExitCode {
        match epoch::bump(&self.store, self.at_least, self.by.clone()) {
            Ok(done) => {
                let next = done.after.0 + 1;
                println!(
                    "store {}: epoch {} -> {}; the next start has epoch {next}",
                    done.store_id, done.before, done.after
                );
                println!("paused: look at the hosts, start the program, then resume");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("vcm-remediator: {}", chain(&error));
                ExitCode::from(EXIT_FAILURE)
            }
        }
    }
}
