//! `vcm-remediator replay`: what another policy would have decided about what is recorded.
//!
//! The recorded events are folded as they are; nothing is decided anew for the record. Beside them,
//! at every moment at which something was recorded about an open incident and whenever the other
//! policy itself would look again, the other policy is asked. What it says differently is printed: a
//! rung that it would have started, once for each incident, and a rung that was started and that it
//! would not have started. What the host would have done then, nobody knows: after the first
//! difference the record goes on as it was.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use vcm_telemetry::logging::chain;

use self::walk::Replay;
use super::config_file::load;
use super::{EXIT_CONFIG, EXIT_FAILURE, opened};
use crate::clock::{Clock as _, SystemClock};

mod compare;
mod findings;
mod host;
mod unrecorded;
mod walk;

/// What `--help` says beyond the options; the result repeats it in a line of its own.
const TAKEN_FOR_GRANTED: &str = "\
What is not recorded is taken to have been in order: the watchdog was heard of, nothing was silenced, the
store was this program's own, alerts were delivered again while they fired, the host looked the same
between two recorded looks, and the wall clock was right. A rung that the record refused for nothing
but that is counted in a line of its own and is no difference. From the last record of a run of the program to
its next start nothing is asked, nor after the last record of all.

A host is looked at from time to time, so that a start is the same one when it comes within one
observe_interval and a look (10s) of the recorded one.

A recorded host that the policy file's inventory does not have is named; nothing is asked about it.

Exit codes: 0 the other policy was asked, 1 it could not be asked about anything or the store cannot be read,
2 wrong arguments, 78 bad configuration.";

/// The arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_long_help = TAKEN_FOR_GRANTED)]
pub(super) struct ReplayArgs {
    /// The other configuration: its policy and inventory decide.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The store's file, `store.path` of the configuration. May be in use.
    #[arg(long = "store", value_name = "FILE")]
    store: PathBuf,
    /// How far back; evidence is kept for 90 days.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = humantime::parse_duration)]
    since: Duration,
}

impl ReplayArgs {
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    pub(super) fn run(&self) -> ExitCode {
        let Some(config) = load(&self.policy) else {
            return ExitCode::from(EXIT_CONFIG);
        };
        let from = SystemClock::resume(None, None).now().before(self.since);
        let opened = match opened::open(&self.store) {
            Ok(opened) => opened,
            Err(error) => {
                eprintln!("vcm-remediator: {}", chain(&error));
                return ExitCode::from(EXIT_FAILURE);
            }
        };
        let mut replay = Replay::new(&config, &opened.reader, from);
        let mut failed = None;
        let walked = opened.reader.events(|event| {
            if failed.is_none() {
                failed = replay.event(&event).err();
            }
        });
        if let Some(error) = failed.or(walked.err()) {
            eprintln!("vcm-remediator: {}", chain(&error));
            return ExitCode::from(EXIT_FAILURE);
        }
        let findings = replay.ended();
        for host in &findings.not_listed {
            let file = self.policy.display();
            eprintln!("vcm-remediator: {host} is recorded, and {file} does not list it");
        }
        print!("{findings}");
        match findings.nothing_asked() {
            None => ExitCode::SUCCESS,
            Some(why) => {
                eprintln!("vcm-remediator: nothing could be asked: {why}");
                ExitCode::from(EXIT_FAILURE)
            }
        }
    }
}
