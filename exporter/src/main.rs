//! Command line of `vcm-exporter`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tokio::runtime::Builder;
use vcm_exporter::app::{self, EXIT_CONFIG};
use vcm_exporter::args::Args;
use vcm_exporter::config::{FilesError, load_files};

/// Plenty on any machine: nothing here computes for long.
const THREADS: usize = 2;

/// How long the end waits for threads that read or write a file. One on a file system that hangs
/// would hold it for ever.
const LAST_FILES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = Args::parse();
    let log = args.log.start();
    let ended = run_to_end(args);
    // What was logged stands before what is said about the end.
    drop(log);
    ended.unwrap_or_else(|error| failed(&error))
}

fn run_to_end(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(run(args));
    runtime.shutdown_timeout(LAST_FILES);
    ended
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(action) = &args.action {
        action.run(&args.installation()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let (ours, web) = (args.config_file.as_deref(), args.web.config_file.as_deref());
    let loaded = match load_files(ours, web) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(bad_config(&error)),
    };
    if args.config_check {
        for file in ours.iter().chain(&web) {
            let _ = writeln!(std::io::stdout(), "{}: valid", file.display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (config, web) = loaded;
    let ended = app::run(args, config, web).await;
    Ok(ended.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "vcm-exporter failed");
        ExitCode::FAILURE
    }))
}

/// For the person who typed the command; the log is for services.
fn failed(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "vcm-exporter: {error:#}");
    ExitCode::FAILURE
}

/// One line per problem, for people and for the log of a service.
fn bad_config(error: &FilesError) -> ExitCode {
    let mut stderr = std::io::stderr();
    for line in error.lines() {
        let _ = writeln!(stderr, "{line}");
    }
    ExitCode::from(EXIT_CONFIG)
}
