//! `vcm-lab`: the lab's program. `tests/demo` and `tests/bench` run it; `guard` is for the lab itself.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, builder::PossibleValuesParser};
use vcm_lab::lab::{
    bench::{
        self,
        exporter::{self, Plan, QUESTIONS},
    },
    demo, guard,
    scenario::{SCENARIOS, Scenario},
};

#[derive(Parser)]
#[command(about = "The lab of the VCM monitoring and recovery suite", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Breaks a simulated VCM and shows, live, how it is recovered. Exits 0 only when the expected
    /// end was really reached.
    Demo {
        /// What breaks.
        #[arg(long, default_value = "retry", value_parser = scenario_names())]
        scenario: String,
        /// Leaves everything running afterwards and prints the addresses to open.
        #[arg(long)]
        keep: bool,
    },
    /// Measures the time from a webhook to the first vendor command, and prints a Markdown table.
    Bench {
        /// How often.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        runs: u32,
    },
    /// Measures what vcm-exporter costs beside Debian's exporters, and prints a Markdown table.
    BenchExporter {
        /// Fewer and shorter runs: shows that everything works, in a few minutes.
        #[arg(long)]
        quick: bool,
        /// How often each figure is taken.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
        runs: Option<u32>,
        /// Only these questions.
        #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(QUESTIONS))]
        only: Vec<String>,
    },
    /// Lists the scenarios.
    Scenarios,
    /// Reads from standard input what a lab has started, and ends it when the input closes.
    #[command(hide = true)]
    Guard {
        /// The lab's directory.
        workspace: PathBuf,
    },
}

fn scenario_names() -> PossibleValuesParser {
    SCENARIOS
        .iter()
        .map(|scenario| scenario.name)
        .collect::<Vec<_>>()
        .into()
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Demo { scenario, keep } => {
            // The command line has checked the name.
            let scenario = Scenario::named(&scenario).unwrap_or(&SCENARIOS[0]);
            finish(demo::run(scenario, keep))
        }
        Command::Bench { runs } => finish(bench::run(runs)),
        Command::BenchExporter { quick, runs, only } => {
            let plan = if quick { Plan::quick() } else { Plan::full() };
            let plan = match runs {
                Some(runs) => plan.with_runs(runs),
                None => plan,
            };
            finish(exporter::run(&plan, &only))
        }
        Command::Scenarios => {
            list();
            ExitCode::SUCCESS
        }
        Command::Guard { workspace } => {
            guard::run(&workspace, std::io::stdin().lock());
            ExitCode::SUCCESS
        }
    }
}

#[expect(clippy::print_stderr, reason = "the end of a program for people")]
fn finish<E: Into<anyhow::Error>>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    let result = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(work).map_err(Into::into));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vcm-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn list() {
    for scenario in SCENARIOS {
        println!("{:<20} {}", scenario.name, scenario.story);
    }
}
