//! The log, on standard error. Nothing that logs waits for it to be read.

use std::error::Error;
use std::fmt::{self, Write};
use std::io::{self, stderr};
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::{LookupSpan, Scope};

use line_writer::{LINES_MAX, LineWriter};

mod line_writer;

pub use line_writer::LogGuard;

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
    /// Starts logging, until what this returns is dropped. Later calls change nothing.
    ///
    /// Without the thread that writes, whoever logs writes.
    pub fn start(self) -> LogGuard {
        let level = match self.level {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        };
        let format = self.format;
        let loss = move |lost| format.loss(lost);
        let (dispatch, guard) = match LineWriter::start(stderr(), LINES_MAX, loss) {
            Ok((lines, guard)) => (format.dispatch(level, lines), guard),
            Err(_) => (format.dispatch(level, stderr), LogGuard::of_nothing()),
        };
        let _started_before = dispatcher::set_global_default(dispatch);
        guard
    }
}

impl Format {
    fn dispatch<W>(self, level: LevelFilter, writer: W) -> Dispatch
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let builder = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(writer)
            .with_ansi(false)
            .with_target(false);
        match self {
            Self::Json => Dispatch::new(builder.json().finish()),
            Self::Logfmt => Dispatch::new(builder.event_format(Logfmt).finish()),
        }
    }

    /// The line that stands in the place of lost ones, whatever level is logged: a gap in the log
    /// must not look like silence.
    fn loss(self, lost: u64) -> Vec<u8> {
        let line = Line::default();
        let writer = line.clone();
        let dispatch = self.dispatch(LevelFilter::WARN, move || writer.clone());
        dispatcher::with_default(&dispatch, || {
            tracing::warn!(
                lines = lost,
                "log lines lost: standard error was not read in time"
            );
        });
        line.take()
    }
}

/// What one event is made into.
#[derive(Debug, Clone, Default)]
struct Line(Arc<Mutex<Vec<u8>>>);

impl Line {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

    #[test]
    fn writes_one_line_of_pairs_and_quotes_what_needs_it() {
        let line = Line::default();
        let writer = line.clone();
        let dispatch = Format::Logfmt.dispatch(LevelFilter::INFO, move || writer.clone());
        let refused = io::Error::other(fmt::Error);
        dispatcher::with_default(&dispatch, || {
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
        let text = String::from_utf8(line.take()).unwrap();
        let (time, rest) = text.split_once(" level=").unwrap();
        assert!(time.starts_with("ts=2"), "{time}");
        let pairs = r#"warn msg="state changed" module=1 from="a b" to="x\ny=\"z\"" ok=true"#;
        let error = fmt::Error.to_string();
        assert_eq!(rest, format!("{pairs} error={error:?} host=tenant-1\n"));
    }

    #[test]
    fn loss_is_one_warning_in_the_form_of_the_log() {
        let message = "log lines lost: standard error was not read in time";
        for (format, start, end) in [
            (
                Format::Logfmt,
                "ts=2",
                format!(" level=warn msg={message:?} lines=7\n"),
            ),
            (
                Format::Json,
                "{\"timestamp\":\"2",
                format!(
                    ",\"level\":\"WARN\",\"fields\":{{\"message\":{message:?},\"lines\":7}}}}\n"
                ),
            ),
        ] {
            let text = String::from_utf8(format.loss(7)).unwrap();
            assert!(text.starts_with(start) && text.ends_with(&end), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}
