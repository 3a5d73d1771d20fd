//! The log, on standard error.

use std::error::Error;
use std::fmt::{self, Write};

use clap::{Args, ValueEnum};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// The flags of the log.
#[derive(Debug, Clone, Copy, Args)]
pub struct LogFlags {
    /// Least severity that is logged.
    #[arg(long = "log.level", value_name = "LEVEL", value_enum, default_value_t = Level::Info)]
    level: Level,

    /// Form of the log.
    #[arg(long = "log.format", value_name = "FORMAT", value_enum, default_value_t = Format::Logfmt)]
    format: Format,
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Everything.
    Debug,
    /// State transitions.
    Info,
    /// What is degraded.
    Warn,
    /// What a human must act on.
    Error,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// `key=value` text.
    Logfmt,
    /// One JSON object per line.
    Json,
}

impl LogFlags {
    /// Starts logging. Later calls change nothing.
    pub fn start(self) {
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
            Format::Json => builder.json().try_init(),
            Format::Logfmt => builder.event_format(Logfmt).try_init(),
        };
    }
}

/// `key=value` pairs as Prometheus and its exporters log them: those of the event, and behind them
/// those of the spans around it.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("ts=")?;
        SystemTime.format_time(&mut writer)?;
        write!(
            writer,
            " level={}",
            event.metadata().level().as_str().to_ascii_lowercase()
        )?;
        let mut pairs = String::new();
        event.record(&mut Pairs(&mut pairs));
        writer.write_str(&pairs)?;
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
                write!(writer, " {fields}")?;
            }
        }
        writeln!(writer)
    }
}

struct Pairs<'a>(&'a mut String);

impl Visit for Pairs<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let key = if field.name() == "message" {
            "msg"
        } else {
            field.name()
        };
        let plain = !value.is_empty()
            && value
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\'));
        let _ = if plain {
            write!(self.0, " {key}={value}")
        } else {
            write!(self.0, " {key}={value:?}")
        };
    }

    /// An error with its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        log: LogFlags,
    }

    fn parsed(flags: &[&str]) -> Option<(Level, Format)> {
        let flags = std::iter::once(&"program").chain(flags);
        let program = Program::try_parse_from(flags).ok()?;
        Some((program.log.level, program.log.format))
    }

    #[test]
    fn flags_take_the_values_that_exporters_take_and_no_others() {
        Program::command().debug_assert();
        let (info, logfmt) = (Level::Info, Format::Logfmt);
        for (flags, expected) in [
            (&[][..], Some((info, logfmt))),
            (&["--log.level", "debug"], Some((Level::Debug, logfmt))),
            (&["--log.level", "info"], Some((info, logfmt))),
            (&["--log.level", "warn"], Some((Level::Warn, logfmt))),
            (&["--log.level", "error"], Some((Level::Error, logfmt))),
            (&["--log.format", "logfmt"], Some((info, logfmt))),
            (&["--log.format", "json"], Some((info, Format::Json))),
            (&["--log.level", "trace"], None),
            (&["--log.format", "text"], None),
        ] {
            assert_eq!(parsed(flags), expected, "{flags:?}");
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_one_line_of_pairs_and_quotes_what_needs_it() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(Logfmt)
            .finish();
        let refused = io::Error::other(fmt::Error);
        tracing::subscriber::with_default(subscriber, || {
            let _host = tracing::info_span!("host", host = %"tenant-1").entered();
            tracing::warn!(
                module = 1,
                from = "a b",
                to = "x\ny=\"z\"",
                ok = true,
                error = &refused as &dyn Error,
                "state changed"
            );
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once(" level=").unwrap();
        assert!(time.starts_with("ts=2"), "{time}");
        let pairs = r#"warn msg="state changed" module=1 from="a b" to="x\ny=\"z\"" ok=true"#;
        let error = fmt::Error.to_string();
        assert_eq!(rest, format!("{pairs} error={error:?} host=tenant-1\n"));
    }
}
