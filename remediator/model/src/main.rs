//! `vcm-model`: checks the models and prints what was visited and what holds. Exit code 1 if
//! anything does not.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use vcm_model::{MODELS, Size};

/// Checks models of the remediator's real functions in every state that can be reached.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Which model.
    #[arg(default_value = "all", value_parser = names())]
    model: String,
    /// The small estates that every run of the tests checks. This is the default.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The large ones: minutes and gigabytes.
    #[arg(long)]
    full: bool,
    /// How many threads; by default one for each processor.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

fn names() -> PossibleValuesParser {
    let models = MODELS.iter().map(|(name, _)| *name);
    models.chain(["all"]).collect::<Vec<_>>().into()
}

fn main() -> io::Result<ExitCode> {
    let Arguments {
        model,
        full,
        threads,
        ..
    } = Arguments::parse();
    let size = if full { Size::Full } else { Size::Quick };
    let threads = threads
        .or_else(|| available_parallelism().ok())
        .map_or(1, NonZeroUsize::get);
    let (mut states, mut passed) = (0, true);
    let chosen = MODELS
        .iter()
        .filter(|(name, _)| model == "all" || model == *name);
    for outcome in chosen.flat_map(|(_, check)| check(size, threads)) {
        states += outcome.unique;
        passed &= outcome.passed();
        writeln!(io::stdout(), "{outcome}")?;
    }
    writeln!(io::stdout(), "{states} states in all")?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
