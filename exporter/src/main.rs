//! Command line of `vcm-exporter`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use vcm_exporter::app::{self, EXIT_CONFIG};
use vcm_exporter::args::Args;
use vcm_exporter::config::{FilesError, load_files};

// Two threads are plenty on any machine: nothing here computes for long.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let args = Args::parse();
    args.log.start();
    if let Some(action) = &args.action {
        return match action.run(&args.installation()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    let (ours, web) = (args.config_file.as_deref(), args.web.config_file.as_deref());
    let loaded = match load_files(ours, web) {
        Ok(loaded) => loaded,
        Err(error) => return bad_config(&error),
    };
    if args.config_check {
        for file in ours.iter().chain(&web) {
            let _ = writeln!(std::io::stdout(), "{}: valid", file.display());
        }
        return ExitCode::SUCCESS;
    }
    let (config, web) = loaded;
    app::run(args, config, web).await.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "vcm-exporter failed");
        ExitCode::FAILURE
    })
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
