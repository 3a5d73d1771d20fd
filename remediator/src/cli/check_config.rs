//! `vcm-remediator check-config`

use std::process::ExitCode;

use clap::Args;

use super::EXIT_CONFIG;
use super::config_file::ConfigFile;
use crate::config::{Config, HostFiles};

/// The arguments of `check-config`.
#[derive(Debug, Args)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    config: ConfigFile,
}

impl CheckConfigArgs {
    /// 0 when `serve` would start with it and the hosts' own files agree with it, 78 otherwise.
    /// Loosened values and remarks are named either way.
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    pub(super) fn run(&self) -> ExitCode {
        let Some(config) = self.config.load() else {
            return ExitCode::from(EXIT_CONFIG);
        };
        for line in config.loosened() {
            println!("loosened: {line}");
        }
        let files = config.host_files();
        for line in config.remarks().iter().chain(&files.remarks) {
            println!("remark: {line}");
        }
        for (host, file) in &files.looked_at {
            println!("host {host}: its own file is {}", file.display());
        }
        if self.say_problems(&files) {
            return ExitCode::from(EXIT_CONFIG);
        }
        println!("{}: ok: {}", self.config.path.display(), summary(&config));
        ExitCode::SUCCESS
    }

    /// Whether there are any.
    #[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
    fn say_problems(&self, files: &HostFiles) -> bool {
        for problem in &files.problems {
            eprintln!("{}: {problem}", self.config.path.display());
        }
        !files.problems.is_empty()
    }
}

fn summary(config: &Config) -> String {
    let hosts = &config.inventory.hosts;
    let modules: usize = hosts.values().map(|host| host.modules.len()).sum();
    let mode = config.policy.mode.as_str();
    format!("{} hosts, {modules} modules, mode {mode}", hosts.len())
}
