//! vcm-simulation: many incidents in virtual time, judged by an independent checker.

use std::process::ExitCode;

use clap::Parser as _;
use vcm_simulation::cli::Arguments;

fn main() -> ExitCode {
    Arguments::parse().run()
}
