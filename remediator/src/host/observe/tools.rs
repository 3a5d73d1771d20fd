//! Runs the vendor's tools that only look, and says how they fared.

use std::time::Duration;

use nshield::enquiry::Enquiry;
use nshield::runner::{self, Ending, Exit, Invocation, Run, StartError};
use tokio::time::timeout;
use vcm_recovery::observation::SourceStatus;

use super::Depth;
use crate::host::config::HostConfig;
use crate::host::document::chain;
use crate::host::kernel;

/// A full `enquiry` that takes longer than this is slow; `enquiry -m0` is then asked beside it, so
/// that a look at a host that is well costs one `enquiry` only.
const SLOW_AFTER: Duration = Duration::from_secs(2);

/// At most this many things that are missing are listed.
const GAPS_SHOWN: usize = 5;

/// The longest line of a tool's standard error that is shown, in characters: enough for one
/// sentence, and it is kept with every observation.
const SAID_MAX: usize = 200;

/// The full `enquiry`, and `enquiry -m0` where it was slow.
pub(super) struct Asked {
    pub(super) full: Result<Run, StartError>,
    pub(super) server: Option<Result<Run, StartError>>,
    /// When the full one had answered, in milliseconds of the boot time clock.
    pub(super) answered_boottime: u64,
}

pub(super) async fn enquiry(config: &HostConfig) -> Asked {
    let (program, deadlines) = (&config.tools.enquiry, config.deadlines);
    let full = Invocation::new(program, [] as [&str; 0], deadlines.enquiry);
    let full = async { (runner::run(full).await, kernel::boottime_ms()) };
    tokio::pin!(full);
    if let Ok((full, answered_boottime)) = timeout(SLOW_AFTER, &mut full).await {
        return Asked {
            full,
            server: None,
            answered_boottime,
        };
    }
    let server = Invocation::new(program, ["-m0"], deadlines.enquiry_server);
    let ((full, answered_boottime), server) = tokio::join!(full, runner::run(server));
    Asked {
        full,
        server: Some(server),
        answered_boottime,
    }
}

pub(super) async fn stattree(config: &HostConfig, depth: Depth) -> Option<Result<Run, StartError>> {
    if depth == Depth::WithoutStatistics {
        return None;
    }
    let deadline = config.deadlines.stattree;
    let invocation = Invocation::new(&config.tools.stattree, [] as [&str; 0], deadline);
    Some(runner::run(invocation).await)
}

/// What the full `enquiry` lacks to be acted on; empty means complete.
pub(super) fn gaps(
    run: &Result<Run, StartError>,
    enquiry: &Enquiry,
    config: &HostConfig,
) -> Vec<String> {
    let mut gaps: Vec<String> = match run {
        Ok(run) if run.succeeded() && run.end_of_file => Vec::new(),
        Ok(run) if run.succeeded() => vec!["its output has no end".to_owned()],
        Ok(_) | Err(_) => vec!["it did not succeed".to_owned()],
    };
    gaps.extend(enquiry.gaps().iter().map(ToString::to_string));
    let missing = |number| enquiry.module(number).is_none();
    let missing = config.modules.keys().filter(|&&number| missing(number));
    gaps.extend(missing.map(|number| format!("module {number} is missing")));
    gaps
}

/// How the full `enquiry` fared; one that was not complete did not succeed.
pub(super) fn enquiry_status(run: &Result<Run, StartError>, gaps: &[String]) -> SourceStatus {
    let status = status(run);
    if status != SourceStatus::Ok || gaps.is_empty() {
        return status;
    }
    let shown: Vec<&str> = gaps.iter().take(GAPS_SHOWN).map(String::as_str).collect();
    SourceStatus::Failed(shown.join(", "))
}

pub(super) fn optional_status(run: Option<&Result<Run, StartError>>) -> SourceStatus {
    run.map_or(SourceStatus::NotAsked, status)
}

pub(super) fn status(run: &Result<Run, StartError>) -> SourceStatus {
    let run = match run {
        Ok(run) => run,
        Err(StartError::PermissionDenied { .. }) => return SourceStatus::PermissionDenied,
        Err(error) => return SourceStatus::Failed(chain(error)),
    };
    let failed = |what: String| SourceStatus::Failed(with_last_words(what, &run.stderr));
    match run.ending {
        Ending::Exited(Exit::Code(0)) => SourceStatus::Ok,
        Ending::Exited(Exit::Code(code)) => failed(format!("exit status {code}")),
        Ending::Exited(Exit::Signal(signal)) => failed(format!("ended by signal {signal}")),
        Ending::Exited(Exit::Unknown) => failed("ended unseen".to_owned()),
        Ending::TimedOut(_) => SourceStatus::TimedOut,
        Ending::OutputLimit(_) => SourceStatus::Failed("it printed too much".to_owned()),
    }
}

/// Adds the last line that a tool printed to standard error, for people: nothing matches on it.
fn with_last_words(what: String, stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let visible = |line: &str| -> String { line.chars().filter(|c| !c.is_control()).collect() };
    let mut lines = stderr.lines().rev().map(visible);
    match lines.find(|line| !line.trim().is_empty()) {
        Some(line) => {
            let said: String = line.trim().chars().take(SAID_MAX).collect();
            format!("{what}: {said}")
        }
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough that no healthy command reaches it on a loaded machine.
    const LONG: Duration = Duration::from_secs(30);

    async fn status_of(script: &str) -> SourceStatus {
        let invocation = Invocation::new("/bin/sh", ["-c", script], LONG);
        status(&runner::run(invocation).await)
    }

    #[tokio::test]
    async fn a_failing_tool_is_quoted_with_its_last_words() {
        for (script, expected) in [
            ("exit 99", "exit status 99"),
            ("echo printed; exit 99", "exit status 99"),
            (
                "echo usage >&2; echo ' no such option ' >&2; echo >&2; exit 99",
                "exit status 99: no such option",
            ),
            (
                r"printf 'a \033[31mred\007 line\r\n \033\n' >&2; exit 1",
                "exit status 1: a [31mred line",
            ),
            (
                r"printf 'not \377 text' >&2; exit 1",
                "exit status 1: not \u{fffd} text",
            ),
            ("echo dying >&2; kill -9 $$", "ended by signal 9: dying"),
        ] {
            let expected = SourceStatus::Failed(expected.to_owned());
            assert_eq!(status_of(script).await, expected, "{script}");
        }
        assert_eq!(status_of("echo warning >&2").await, SourceStatus::Ok);
    }

    #[test]
    fn the_last_words_are_cut_to_their_limit() {
        let long = "\u{e9}".repeat(SAID_MAX + 1);
        let said = with_last_words("failed".to_owned(), long.as_bytes());
        assert_eq!(said, format!("failed: {}", "\u{e9}".repeat(SAID_MAX)));
    }
}
