//! What the program does in place of publishing metrics.

use std::io::{self, Write};

use anyhow::Context;
use clap::Subcommand;
use clap_complete::Shell;
use nshield::tools::Installation;

use crate::capture::{self, CaptureArgs};
use crate::generate;

/// A subcommand.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Write what the vendor's tools print here into one redacted file, for a report of an error.
    ///
    /// Runs enquiry, enquiry -m0 and stattree, reads kmdata/config/config, and writes their
    /// output, exit status and duration into one text file. A tool that is missing, fails or hangs
    /// is a part of it too.
    ///
    /// Replaced, the same value by the same placeholder everywhere: serial numbers by
    /// C0DE-0000-0001, addresses by those of the documentation ranges, hashes, key material and
    /// UUIDs by counters, names of hosts by host1. In what nobody knows (values of unknown labels
    /// and settings, comments, paths outside /opt/nfast) letters become x and digits 9; only numbers
    /// of up to six digits and words such as none and yes stay there, and statistics that are plain
    /// numbers. In error messages, words with both letters and digits count as names of hosts. A
    /// name that is an ordinary word cannot be recognised: read the file before you pass it on.
    Capture(CaptureArgs),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page (for `man -l -`).
    Man,
}

impl Action {
    /// Does it.
    ///
    /// # Errors
    ///
    /// If the result cannot be written.
    pub async fn run(&self, installation: &Installation) -> anyhow::Result<()> {
        let mut out = io::stdout();
        let written = match self {
            Self::Capture(args) => return capture::run(args, installation).await,
            Self::Completions { shell } => generate::completions(*shell, &mut out),
            Self::Man => generate::man(&mut out),
        };
        let written = written.and_then(|()| out.flush());
        written.context("cannot write to standard output")
    }
}
