//! Runs the tool that this executable is installed as, or the simulator's own command line.

use std::process::ExitCode;

use vcm_lab::sim::{command_line, tool, tool::Tool};

fn main() -> ExitCode {
    match std::env::current_exe()
        .ok()
        .and_then(|path| Tool::of_path(&path))
    {
        Some(tool) => tool::run(tool),
        None => command_line::run(),
    }
}
