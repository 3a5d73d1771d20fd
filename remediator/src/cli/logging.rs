//! The log of the server: the flags of `vcm_telemetry`, and lines that name the host they are about.

use clap::Args;
use vcm_telemetry::logging::{LogFlags, Text};

/// How much is logged, and in which form.
#[derive(Debug, Args)]
pub(super) struct Logging {
    #[command(flatten)]
    flags: LogFlags,
}

impl Logging {
    /// Starts logging. A second call changes nothing.
    pub(super) fn start(&self) {
        // The host is a span around everything that is done about it, and errors carry sources.
        self.flags.start(Text::Spans);
    }
}
