//! `vcm-remediator check-config`

use std::process::ExitCode;

use clap::Args;

use super::EXIT_CONFIG;
use super::config_file::ConfigFile;

/// The arguments of `check-config`.
#[derive(Debug, Args)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    config: ConfigFile,
}

impl CheckConfigArgs {
    /// 0 when `serve` would start with it, 78 otherwise. Loosened values are named either way.
    #[expect(clippy::print_stdout, reason = "the answer of the command")]
    pub(super) fn run(&self) -> ExitCode {
        let Some(config) = self.config.load() else {
            return ExitCode::from(EXIT_CONFIG);
        };
        for line in config.loosened() {
            println!("loosened: {line}");
        }
        let hosts = config.inventory.hosts.len();
        let modules: usize = config
            .inventory
            .hosts
            .values()
            .map(|host| host.modules.len())
            .sum();
        let mode = config.policy.mode.as_str();
        println!(
            "{}: ok: {hosts} hosts, {modules} modules, mode {mode}",
            self.config.path.display()
        );
        ExitCode::SUCCESS
    }
}
