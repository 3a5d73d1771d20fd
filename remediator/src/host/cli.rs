//! The arguments of `vcm-remediator host ...`, and the one JSON document that each of them prints.

mod log;
mod order;
mod ssh;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use vcm_recovery::ids::{AttemptId, StoreId};

use super::check;
use super::config::{ConfigError, HostConfig};
use super::document::{Answered, NewestTold, Reported};
use super::launch::{self, Detached, Launch, Purpose};
use super::observe::{self, Depth, kept};
use super::pin::{self, Reason};
use super::sudoers::{self, UserName};
use super::{fence, result, resume, run, tombstone};
use order::{ConfigArgs, DetachedArgs, KnownArgs, ResultArgs, RunArgs, TombstoneArgs};

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
enum HostCommand {
    /// Looks at the host, keeps what was seen and prints it.
    Observe(ConfigArgs),
    /// Runs an attempt in a detached process; answers as soon as it is accepted or refused.
    Run(RunArgs),
    /// Says which attempt was accepted last, which each order has to name.
    Newest(ConfigArgs),
    /// Says what became of an attempt.
    Result(ResultArgs),
    /// Finishes the open critical section of an attempt whose process died.
    Resume(KnownArgs),
    /// Finishes every open critical section of this host, as at boot; answers when it is done.
    ResumeOpen(ConfigArgs),
    /// Makes sure that an attempt never starts, unless it already has.
    Tombstone(TombstoneArgs),
    /// Has this host obey another store, when the one that it obeys is lost for good. Only as root on
    /// the host itself, and never while an attempt or its critical section is open.
    Pin(PinArgs),
    /// Checks every prerequisite and says what to do about each one that is not there. Changes
    /// nothing. Exits with 0 only when all of them are.
    Check(CheckArgs),
    /// Prints the sudo rules that let an ordinary user run the steps of this host, and nothing else.
    PrintSudoers(SudoersArgs),
    /// The forced command of an SSH key: reads what the client asked for from SSH_ORIGINAL_COMMAND and
    /// does it, if it is observe, newest, run, result, resume or tombstone. There is no shell behind it.
    Ssh(ConfigArgs),
    /// The detached process of `run`.
    #[command(hide = true)]
    RunDetached(DetachedArgs<RunArgs>),
    /// The detached process of `resume`.
    #[command(hide = true)]
    ResumeDetached(DetachedArgs<KnownArgs>),
}

/// Which store, and why.
#[derive(Debug, Args)]
struct PinArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The store to obey from now on, a UUID: the new remediator logs it at its start, and the
    /// refusals of this host name it.
    #[arg(long)]
    store: StoreId,
    /// Why. It is written down on this host.
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
}

/// How prerequisites are shown.
#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As lines for people, or as one JSON document.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A way to show something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// For whom the rules are.
#[derive(Debug, Args)]
struct SudoersArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The user that the host runner runs as.
    user: UserName,
}

impl HostArgs {
    /// Does what is asked, prints the answer and returns the exit code: 0 when the document says
    /// what was asked and every prerequisite that was asked after is there, 78 for a bad
    /// configuration, 1 otherwise.
    pub async fn run(self) -> ExitCode {
        let error = match self.command.run().await {
            Ok(code) => return code,
            Err(error) => error,
        };
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

impl HostCommand {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check(arguments) => return check(&arguments).await,
            Self::Observe(arguments) => observe(&arguments).await?,
            Self::Ssh(config) => return Box::pin(ssh::asked(&config)?.run()).await,
            Self::Run(arguments) => {
                let config = HostConfig::load(&arguments.config.file)?;
                let words = arguments.words("run-detached");
                launch(&config, Purpose::Run, arguments.attempt, words).await?;
            }
            Self::Resume(arguments) => {
                let config = HostConfig::load(&arguments.config.file)?;
                let words = arguments.words("resume-detached");
                launch(&config, Purpose::Resume, arguments.attempt, words).await?;
            }
            Self::ResumeOpen(arguments) => resume_open(&arguments).await?,
            Self::PrintSudoers(arguments) => print_sudoers(&arguments)?,
            Self::Newest(arguments) => {
                let config = HostConfig::load(&arguments.file)?;
                let newest = fence::newest(&config.state_dir)?;
                print(&NewestTold { newest })?;
            }
            Self::Result(ResultArgs { config, attempt }) => {
                let config = HostConfig::load(&config.file)?;
                print(&result::reported(&config.state_dir, attempt)?)?;
            }
            Self::Tombstone(arguments) => {
                let TombstoneArgs { known, observation } = arguments;
                let config = HostConfig::load(&known.config.file)?;
                let (attempt, caller) = (known.attempt, known.caller());
                let status = tombstone::tombstone(&config.state_dir, attempt, observation, caller)?;
                print(&Reported::new(attempt, status))?;
            }
            Self::Pin(arguments) => pin(&arguments)?,
            Self::RunDetached(DetachedArgs { of, answer_to }) => {
                log::init();
                let detached = Detached::detach(answer_to.as_deref())?;
                let config = HostConfig::load(&of.config.file)?;
                run::run(&config, &of.order(), &detached).await?;
            }
            Self::ResumeDetached(DetachedArgs { of, answer_to }) => {
                log::init();
                let detached = Detached::detach(answer_to.as_deref())?;
                let config = HostConfig::load(&of.config.file)?;
                let caller = of.caller();
                resume::resume(&config, of.attempt, caller, &detached).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn observe(arguments: &ConfigArgs) -> anyhow::Result<()> {
    let config = HostConfig::load(&arguments.file)?;
    let observation = observe::observe(&config, Depth::Full).await?;
    kept::keep(&config.state_dir, &observation)?;
    Ok(print(&observation)?)
}

async fn check(arguments: &CheckArgs) -> anyhow::Result<ExitCode> {
    let config = HostConfig::load(&arguments.config.file)?;
    let checked = check::check(&config).await;
    match arguments.format {
        Format::Text => print_text(&checked)?,
        Format::Json => print(&checked)?,
    }
    Ok(if checked.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn pin(arguments: &PinArgs) -> anyhow::Result<()> {
    pin::by_hand()?;
    let config = HostConfig::load(&arguments.config.file)?;
    // What sudo says; root itself where it says nothing.
    let by = std::env::var("SUDO_USER").unwrap_or_else(|_| "root".to_owned());
    let PinArgs { store, reason, .. } = arguments;
    let pinned = pin::pin(&config.state_dir, *store, &by, reason)?;
    Ok(print(&Pinned { pinned })?)
}

fn print_sudoers(arguments: &SudoersArgs) -> anyhow::Result<()> {
    let config = HostConfig::load(&arguments.config.file)?;
    let rules = sudoers::rules(&config, &arguments.user)?;
    Ok(print_text(&rules.trim_end())?)
}

async fn resume_open(arguments: &ConfigArgs) -> anyhow::Result<()> {
    log::init();
    let _handled = launch::handle_signals()?;
    let config = HostConfig::load(&arguments.file)?;
    let resumed = resume::resume_open(&config).await?;
    Ok(print(&Resumed { resumed })?)
}

/// Starts the detached process and prints its answer.
async fn launch(
    config: &HostConfig,
    purpose: Purpose,
    attempt: AttemptId,
    arguments: Vec<OsString>,
) -> anyhow::Result<()> {
    let launch = Launch {
        purpose,
        attempt,
        arguments,
    };
    Ok(print(&launch::launch(config, launch).await?)?)
}

/// A pin that was moved.
#[derive(Serialize)]
struct Pinned {
    pinned: pin::Moved,
}

/// What came of finishing every open section.
#[derive(Serialize)]
struct Resumed {
    resumed: Vec<Answered>,
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

/// Prints text for people.
fn print_text(text: &impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}
