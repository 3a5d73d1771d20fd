//! Runs the vendor's tools that only look, and says how they fared.

use std::time::Duration;

use nshield::enquiry::Enquiry;
use nshield::runner::{self, Ending, Exit, Invocation, Run, StartError};
use tokio::time::timeout;
use vcm_recovery::observation::SourceStatus;

use super::Depth;
use crate::host::config::HostConfig;
use crate::host::document::chain;

/// A full `enquiry` that takes longer than this is slow; `enquiry -m0` is then asked beside it, so
/// that a look at a host that is well costs one `enquiry` only.
const SLOW_AFTER: Duration = Duration::from_secs(2);

/// At most this many things that are missing are listed.
const GAPS_SHOWN: usize = 5;

/// The full `enquiry`, and `enquiry -m0` where it was slow.
pub(super) struct Asked {
    pub(super) full: Result<Run, StartError>,
    pub(super) server: Option<Result<Run, StartError>>,
}

pub(super) async fn enquiry(config: &HostConfig) -> Asked {
    let (program, deadlines) = (&config.tools.enquiry, config.deadlines);
    let full = runner::run(Invocation::new(program, [] as [&str; 0], deadlines.enquiry));
    tokio::pin!(full);
    if let Ok(full) = timeout(SLOW_AFTER, &mut full).await {
        return Asked { full, server: None };
    }
    let server = Invocation::new(program, ["-m0"], deadlines.enquiry_server);
    let (full, server) = tokio::join!(full, runner::run(server));
    Asked {
        full,
        server: Some(server),
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
    let ending = match run {
        Ok(run) => &run.ending,
        Err(StartError::PermissionDenied { .. }) => return SourceStatus::PermissionDenied,
        Err(error) => return SourceStatus::Failed(chain(error)),
    };
    match ending {
        Ending::Exited(Exit::Code(0)) => SourceStatus::Ok,
        Ending::Exited(Exit::Code(code)) => SourceStatus::Failed(format!("exit status {code}")),
        Ending::Exited(Exit::Signal(signal)) => {
            SourceStatus::Failed(format!("ended by signal {signal}"))
        }
        Ending::Exited(Exit::Unknown) => SourceStatus::Failed("ended unseen".to_owned()),
        Ending::TimedOut(_) => SourceStatus::TimedOut,
        Ending::OutputLimit(_) => SourceStatus::Failed("it printed too much".to_owned()),
    }
}
