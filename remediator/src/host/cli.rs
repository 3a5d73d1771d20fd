//! The arguments of `vcm-remediator host ...`, and the one JSON document that each of them prints.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::config::{ConfigError, HostConfig};
use super::observe::{self, Depth, kept};

/// Exit code for a configuration that is wrong.
const EXIT_CONFIG: u8 = 78;

/// `vcm-remediator host`: what runs on the tenant host.
#[derive(Debug, Args)]
pub struct HostArgs {
    #[command(subcommand)]
    command: HostCommand,
}

/// What is asked of the host runner.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Looks at the host, keeps what was seen and prints it.
    Observe(ConfigArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The host's configuration.
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "/etc/vcm-remediator/host.yaml"
    )]
    file: PathBuf,
}

impl HostArgs {
    /// Does what is asked, prints the answer and returns the exit code: 0 when the document says
    /// what was asked, 78 for a bad configuration, 1 otherwise.
    pub async fn run(self) -> ExitCode {
        match self.command.run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let code = if error.is::<ConfigError>() {
                    EXIT_CONFIG
                } else {
                    1
                };
                let text = format!("{error:#}");
                match print(&Failure { error: &text }) {
                    Ok(()) | Err(_) => ExitCode::from(code),
                }
            }
        }
    }
}

impl HostCommand {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Observe(config) => observe(&config).await,
        }
    }
}

async fn observe(config: &ConfigArgs) -> anyhow::Result<()> {
    let config = HostConfig::load(&config.file)?;
    let observation = observe::observe(&config, Depth::Full).await?;
    kept::keep(&config.state_dir, &observation)?;
    print(&observation)?;
    Ok(())
}

/// What is printed when there is no other answer.
#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
}

/// Prints one document on one line.
fn print(document: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(document)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line)
}
