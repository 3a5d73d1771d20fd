//! The arguments of `vcm-remediator host ...`, and the one JSON document that each of them prints.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use nshield::{Esn, ModuleNumber};
use serde::Serialize;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::tier::Rung;

use super::approval::ApprovalName;
use super::config::{ConfigError, HostConfig};
use super::document::{Answered, Reported};
use super::fence::Caller;
use super::launch::{self, Detached, Launch, Purpose};
use super::observe::{self, Depth, kept};
use super::run::{self, Order};
use super::{result, resume, tombstone};

/// Exit code for a configuration that is wrong.
const EXIT_CONFIG: u8 = 78;

/// What a remediator may allow at most for the age of the observation that it decided on.
const MAX_AGE_MAX: Duration = Duration::from_secs(30);

/// The word for a serial number that is not known.
const UNCONFIRMED: &str = "unconfirmed";

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
    /// Says what became of an attempt.
    Result(ResultArgs),
    /// Finishes the open critical section of an attempt whose process died.
    Resume(KnownArgs),
    /// Finishes every open critical section of this host, as at boot; answers when it is done.
    ResumeOpen(ConfigArgs),
    /// Makes sure that an attempt never starts, unless it already has.
    Tombstone(KnownArgs),
    /// The detached process of `run`.
    #[command(hide = true)]
    RunDetached(DetachedArgs<RunArgs>),
    /// The detached process of `resume`.
    #[command(hide = true)]
    ResumeDetached(DetachedArgs<KnownArgs>),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The host's configuration.
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "/etc/vcm-remediator/host.yaml"
    )]
    file: PathBuf,
}

/// An order.
#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The attempt, a UUID.
    #[arg(long)]
    attempt: AttemptId,
    /// The start of the remediator that orders it.
    #[arg(long)]
    epoch: Epoch,
    /// The store of the remediator, a UUID.
    #[arg(long)]
    store: StoreId,
    /// What to run: retry, restart or clear.
    #[arg(long)]
    tier: Rung,
    /// The module; without it the order is about the host itself.
    #[arg(long)]
    module: Option<ModuleNumber>,
    /// The module's serial number, or "unconfirmed".
    #[arg(long, value_parser = esn)]
    esn: ExpectedEsn,
    /// The observation that was decided on, a UUID.
    #[arg(long)]
    observation: ObservationId,
    /// How old that observation may be, up to 30s.
    #[arg(long = "max-age", value_parser = max_age, value_name = "DURATION")]
    max_age: Duration,
    /// The request by which a person approved it, such as tenant-1#3: what is for a person to
    /// decide passes then. It is written down with the attempt.
    #[arg(long, value_name = "REQUEST")]
    approval: Option<ApprovalName>,
}

/// Which attempt.
#[derive(Debug, Args)]
struct ResultArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The attempt, a UUID.
    #[arg(long)]
    attempt: AttemptId,
}

/// Which attempt, and who asks.
#[derive(Debug, Args)]
struct KnownArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The attempt, a UUID.
    #[arg(long)]
    attempt: AttemptId,
    /// The start of the remediator that asks.
    #[arg(long)]
    epoch: Epoch,
    /// Its store, a UUID.
    #[arg(long)]
    store: StoreId,
}

/// The arguments of the command that a detached process runs for.
#[derive(Debug, Args)]
struct DetachedArgs<T: Args> {
    #[command(flatten)]
    of: T,
    /// The socket to answer to; without it the answer goes to standard output.
    #[arg(long = "answer-to", value_name = "SOCKET")]
    answer_to: Option<PathBuf>,
}

/// A serial number as an argument. A type of its own: clap reads `Option` as "may be left out".
#[derive(Clone, Debug)]
struct ExpectedEsn(Option<Esn>);

fn esn(text: &str) -> Result<ExpectedEsn, String> {
    if text == UNCONFIRMED {
        return Ok(ExpectedEsn(None));
    }
    let esn: Result<Esn, _> = text.parse();
    esn.map(|esn| ExpectedEsn(Some(esn)))
        .map_err(|error| format!("{error}, nor {UNCONFIRMED:?}"))
}

fn max_age(text: &str) -> Result<Duration, String> {
    let age = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if age <= MAX_AGE_MAX {
        Ok(age)
    } else {
        Err("at most 30s are allowed".to_owned())
    }
}

impl HostArgs {
    /// Does what is asked, prints the answer and returns the exit code: 0 when the document says
    /// what was asked, 78 for a bad configuration, 1 otherwise.
    pub async fn run(self) -> ExitCode {
        let error = match self.command.run().await {
            Ok(()) => return ExitCode::SUCCESS,
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
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Observe(arguments) => observe(&arguments).await,
            Self::Run(arguments) => {
                let config = HostConfig::load(&arguments.config.file)?;
                let words = arguments.words("run-detached");
                launch(&config, Purpose::Run, arguments.attempt, words).await
            }
            Self::Resume(arguments) => {
                let config = HostConfig::load(&arguments.config.file)?;
                let words = arguments.words("resume-detached");
                launch(&config, Purpose::Resume, arguments.attempt, words).await
            }
            Self::ResumeOpen(arguments) => resume_open(&arguments).await,
            Self::Result(ResultArgs { config, attempt }) => {
                let config = HostConfig::load(&config.file)?;
                Ok(print(&result::reported(&config.state_dir, attempt)?)?)
            }
            Self::Tombstone(arguments) => {
                let config = HostConfig::load(&arguments.config.file)?;
                let (attempt, caller) = (arguments.attempt, arguments.caller());
                let status = tombstone::tombstone(&config.state_dir, attempt, caller)?;
                Ok(print(&Reported::new(attempt, status))?)
            }
            Self::RunDetached(DetachedArgs { of, answer_to }) => {
                log();
                let detached = Detached::detach(answer_to.as_deref())?;
                let config = HostConfig::load(&of.config.file)?;
                Ok(run::run(&config, &of.order(), &detached).await?)
            }
            Self::ResumeDetached(DetachedArgs { of, answer_to }) => {
                log();
                let detached = Detached::detach(answer_to.as_deref())?;
                let config = HostConfig::load(&of.config.file)?;
                let caller = of.caller();
                Ok(resume::resume(&config, of.attempt, caller, &detached).await?)
            }
        }
    }
}

/// The detached process writes its log to the file of its attempt, which is its standard error.
fn log() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false);
    // Fails only where a log is there already.
    let _ = subscriber.try_init();
}

async fn observe(arguments: &ConfigArgs) -> anyhow::Result<()> {
    let config = HostConfig::load(&arguments.file)?;
    let observation = observe::observe(&config, Depth::Full).await?;
    kept::keep(&config.state_dir, &observation)?;
    Ok(print(&observation)?)
}

async fn resume_open(arguments: &ConfigArgs) -> anyhow::Result<()> {
    log();
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

impl RunArgs {
    fn order(&self) -> Order {
        Order {
            attempt: self.attempt,
            epoch: self.epoch,
            store: self.store,
            tier: self.tier,
            module: self.module,
            esn: self.esn.0.clone(),
            observation: self.observation,
            max_age: self.max_age,
            approval: self.approval.clone(),
        }
    }

    /// The same arguments again, from what was parsed.
    fn words(&self, command: &str) -> Vec<OsString> {
        let esn = &self.esn.0;
        let esn = esn.as_ref().map_or(UNCONFIRMED.to_owned(), Esn::to_string);
        let mut words = self.config.words(command);
        words.extend(flag("--attempt", self.attempt));
        words.extend(flag("--epoch", self.epoch));
        words.extend(flag("--store", self.store));
        words.extend(flag("--tier", self.tier));
        words.extend(self.module.into_iter().flat_map(|n| flag("--module", n)));
        words.extend(flag("--esn", esn));
        words.extend(flag("--observation", self.observation));
        words.extend(flag("--max-age", humantime::format_duration(self.max_age)));
        let approval = self.approval.iter();
        words.extend(approval.flat_map(|name| flag("--approval", name)));
        words
    }
}

impl KnownArgs {
    fn caller(&self) -> Caller {
        let &Self { epoch, store, .. } = self;
        Caller { epoch, store }
    }

    fn words(&self, command: &str) -> Vec<OsString> {
        let mut words = self.config.words(command);
        words.extend(flag("--attempt", self.attempt));
        words.extend(flag("--epoch", self.epoch));
        words.extend(flag("--store", self.store));
        words
    }
}

impl ConfigArgs {
    /// The child runs in the root directory, so that the path must not be relative.
    fn words(&self, command: &str) -> Vec<OsString> {
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        vec![command.into(), "--config.file".into(), file.into()]
    }
}

fn flag(name: &str, value: impl ToString) -> [OsString; 2] {
    [name.into(), value.to_string().into()]
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(subcommand)]
        command: HostCommand,
    }

    const ORDER: [&str; 20] = [
        "host",
        "run",
        "--config.file",
        "/etc/host.yaml",
        "--attempt",
        "01935bd4-0f3a-7c11-8000-00000000002a",
        "--epoch",
        "7",
        "--store",
        "01935bd4-0f3a-7c11-8000-000000000001",
        "--tier",
        "clear",
        "--esn",
        "1A2B-05E0-D947",
        "--observation",
        "01935bd4-0f3a-7c11-8000-000000000002",
        "--max-age",
        "29500ms",
        "--module=3",
        "--approval=tenant-1#3",
    ];

    fn parsed(words: &[OsString]) -> Result<HostCommand, clap::Error> {
        Program::try_parse_from(words).map(|program| program.command)
    }

    #[test]
    fn the_detached_process_gets_the_same_order() {
        let words: Vec<OsString> = ORDER.iter().map(Into::into).collect();
        let HostCommand::Run(given) = parsed(&words).unwrap() else {
            panic!("not run");
        };
        let mut again = vec!["host".into()];
        again.extend(given.words("run-detached"));
        let HostCommand::RunDetached(passed) = parsed(&again).unwrap() else {
            panic!("not run-detached");
        };
        let passed = passed.of.order();
        assert_eq!(passed, given.order());
        assert_eq!(passed.approval, "tenant-1#3".parse().ok());
        assert_eq!(passed.module, ModuleNumber::try_from(3).ok());
        assert_eq!(passed.max_age, Duration::from_millis(29_500));
    }

    #[test]
    fn refuses_whatever_is_not_exactly_an_order() {
        let replaced = [
            ("--module=3", "--module=3 -F"),
            ("--module=3", "--module=0"),
            ("--module=3", "--module=1,2"),
            ("--module=3", "--all"),
            ("clear", "load"),
            ("clear", "network"),
            ("29500ms", "31s"),
            ("1A2B-05E0-D947", "unknown"),
            ("--approval=tenant-1#3", "--approval="),
            ("--approval=tenant-1#3", "--approval=a b"),
            ("7", "-1"),
            ("01935bd4-0f3a-7c11-8000-00000000002a", "../../etc/passwd"),
        ];
        for (word, with) in replaced {
            let words = ORDER.map(|given| if given == word { with } else { given });
            let words: Vec<OsString> = words.iter().map(Into::into).collect();
            assert!(parsed(&words).is_err(), "{with}");
        }
    }
}
