//! Which configuration file, and what is said when it is wrong.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Config, ConfigError};

/// Where the configuration is.
#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// The remediator's configuration.
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "/etc/vcm-remediator/remediator.yaml"
    )]
    pub(super) path: PathBuf,
}

impl ConfigFile {
    /// The checked configuration; says on stderr, a line each, everything that is wrong.
    pub(super) fn load(&self) -> Option<Config> {
        load(&self.path)
    }
}

/// The checked configuration at `path`; says on stderr, a line each, everything that is wrong.
#[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
pub(super) fn load(path: &Path) -> Option<Config> {
    let error = match Config::load(path) {
        Ok(config) => return Some(config),
        Err(error) => error,
    };
    match &error {
        ConfigError::Invalid { path, problems } => {
            for problem in problems {
                eprintln!("{}: {problem}", path.display());
            }
        }
        ConfigError::Yaml(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            let causes: String = causes.map(|cause| format!(": {cause}")).collect();
            eprintln!("{error}{causes}");
        }
    }
    None
}
