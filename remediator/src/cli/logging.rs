//! The log, on standard error.

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;

/// How much is logged, and in which form.
#[derive(Debug, Args)]
pub(super) struct Logging {
    /// The least important messages that are logged.
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        value_enum,
        default_value = "info"
    )]
    level: Level,
    /// The form of a message.
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        value_enum,
        default_value = "logfmt"
    )]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Logfmt,
    Json,
}

impl Logging {
    /// Starts logging. A second call changes nothing.
    pub(super) fn start(&self) {
        let level = match self.level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        };
        let builder = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_target(false);
        let _started_before = match self.format {
            Format::Logfmt => builder.try_init(),
            Format::Json => builder.json().try_init(),
        };
    }
}
