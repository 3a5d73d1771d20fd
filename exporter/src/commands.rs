//! What the exporter knows about its own runs of the vendor's tools.

use std::collections::BTreeMap;
use std::time::Duration;

use nshield::hardserver::SocketProbe;
use nshield::runner::{Ending, Exit, Run, StartError};
use vcm_telemetry::histogram::Histogram;

use crate::state::CollectorName;

/// Upper bounds of the duration of a tool in seconds: 10 ms for a healthy host, 35 s for a command
/// held after a module dropped, 50 s for the deadline.
const DURATION_BOUNDS: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 35.0, 50.0,
];

/// A tool as it is run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// The full `enquiry`.
    Enquiry,
    /// `enquiry -m0`, beside a full one that is slow.
    EnquiryServer,
    /// The full `stattree`.
    Stattree,
}

impl Command {
    /// Every command, in the order exported.
    pub const ALL: [Self; 3] = [Self::Enquiry, Self::EnquiryServer, Self::Stattree];

    /// Returns the collector that runs it.
    #[must_use]
    pub const fn collector(self) -> CollectorName {
        match self {
            Self::Enquiry | Self::EnquiryServer => CollectorName::Enquiry,
            Self::Stattree => CollectorName::Stattree,
        }
    }

    /// Returns the value of the metric label `command`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enquiry => "enquiry",
            Self::EnquiryServer => "enquiry_server",
            Self::Stattree => "stattree",
        }
    }
}

/// Why a run gave no usable output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureReason {
    /// The tool could not be started.
    Spawn,
    /// The deadline passed.
    Timeout,
    /// A non-zero exit status, or a signal.
    ExitStatus,
    /// The output was not whole.
    Parse,
    /// More output than is kept.
    OutputLimit,
    /// We are not permitted to start the tool or to reach the hardserver.
    Permission,
}

impl FailureReason {
    /// Every reason, in the order exported.
    pub const ALL: [Self; 6] = [
        Self::Spawn,
        Self::Timeout,
        Self::ExitStatus,
        Self::Parse,
        Self::OutputLimit,
        Self::Permission,
    ];

    /// Returns the value of the metric label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Timeout => "timeout",
            Self::ExitStatus => "exit_status",
            Self::Parse => "parse",
            Self::OutputLimit => "output_limit",
            Self::Permission => "permission",
        }
    }

    /// Says why a run is not usable; `None` where it ended well and `whole` says that its output
    /// is all there.
    #[must_use]
    pub fn of(
        run: &Result<Run, StartError>,
        socket: Option<SocketProbe>,
        whole: bool,
    ) -> Option<Self> {
        let run = match run {
            Ok(run) => run,
            Err(StartError::PermissionDenied { .. }) => return Some(Self::Permission),
            Err(_) => return Some(Self::Spawn),
        };
        match &run.ending {
            Ending::Exited(Exit::Code(0)) => (!(whole && run.end_of_file)).then_some(Self::Parse),
            Ending::Exited(_) if socket == Some(SocketProbe::PermissionDenied) => {
                Some(Self::Permission)
            }
            Ending::Exited(_) => Some(Self::ExitStatus),
            Ending::TimedOut(_) => Some(Self::Timeout),
            Ending::OutputLimit(_) => Some(Self::OutputLimit),
        }
    }
}

/// The record of all runs of one command.
#[derive(Debug, Clone)]
pub struct CommandRecord {
    /// How long each finished run took, in seconds.
    pub duration: Histogram,
    /// Runs that gave no usable output.
    pub failures: BTreeMap<FailureReason, u64>,
    /// Processes alive now, also one that outlives its kill. Never more than one.
    pub running: u64,
}

impl Default for CommandRecord {
    fn default() -> Self {
        Self {
            duration: Histogram::new(&DURATION_BOUNDS),
            failures: FailureReason::ALL.map(|reason| (reason, 0)).into(),
            running: 0,
        }
    }
}

impl CommandRecord {
    /// Counts a finished run.
    pub fn finished(&mut self, took: Duration, failure: Option<FailureReason>) {
        self.duration.observe(took.as_secs_f64());
        if let Some(reason) = failure {
            *self.failures.entry(reason).or_default() += 1;
        }
    }
}
