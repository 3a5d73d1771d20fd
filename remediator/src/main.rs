//! vcm-remediator: Alertmanager webhooks in, proven recovery of nShield VCMs out.

use std::process::ExitCode;

use clap::Parser as _;
use vcm_remediator::cli::Arguments;

fn main() -> ExitCode {
    Arguments::parse().run()
}
