//! Command line of `vcm-exporter`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use vcm_exporter::app::{self, EXIT_CONFIG};
use vcm_exporter::args::{Action, Args};
use vcm_exporter::config::Config;
use vcm_exporter::generate;
use vcm_web::WebConfig;

// Two threads are plenty on any machine: nothing here computes for long.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let args = Args::parse();
    args.log.start();
    if let Some(action) = args.action {
        return act(action);
    }
    let config = match args
        .config_file
        .as_deref()
        .map_or(Ok(Config::default()), Config::load)
    {
        Ok(config) => config,
        Err(error) => return bad_config(error.lines()),
    };
    let web = match WebConfig::load(args.web.config_file.as_deref()) {
        Ok(web) => web,
        Err(error) => return bad_config(error.lines()),
    };
    if args.config_check {
        let _ = writeln!(std::io::stdout(), "configuration is valid");
        return ExitCode::SUCCESS;
    }
    match app::run(args, config, web).await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "vcm-exporter failed");
            ExitCode::FAILURE
        }
    }
}

fn act(action: Action) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let done = match action {
        Action::Completions { shell } => generate::completions(shell, &mut out),
        Action::Man => generate::man(&mut out),
    };
    match done.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "cannot write to standard output");
            ExitCode::FAILURE
        }
    }
}

/// One line per problem, for people and for the log of a service.
fn bad_config(problems: impl Iterator<Item = String>) -> ExitCode {
    let mut stderr = std::io::stderr();
    for line in problems {
        let _ = writeln!(stderr, "{line}");
    }
    ExitCode::from(EXIT_CONFIG)
}
