//! Why a hook did not say yes.

use std::time::Duration;

use axum::http::StatusCode;
use nshield::runner::{Exit, StartError};

use crate::outward::CallError;

/// A hook did not say yes. Shows no path, query or token.
#[derive(Debug, thiserror::Error)]
pub enum LoadHookError {
    /// The service did not, or said no.
    #[error("{host} was asked {requests} times without success")]
    Http {
        /// Host and port of the service.
        host: String,
        /// Requests that were sent, or tried to be.
        requests: u32,
        /// What came of the last one.
        #[source]
        source: HttpFailure,
    },
    /// The command was never started.
    #[error("the command of the load hook could not be started")]
    Start(#[source] StartError),
    /// The command ended, but not with 0.
    #[error("the command of the load hook failed, {exit}: {message}")]
    Failed {
        /// How.
        exit: Exit,
        /// What it printed, cut short.
        message: String,
    },
    /// The command did not end by its time-out.
    #[error("the command of the load hook did not end within {}{}", humantime::format_duration(*.after), lives_on(*.still_running))]
    TimedOut {
        /// The time-out.
        after: Duration,
        /// Whether it lives on, as it is not ours to end.
        still_running: bool,
    },
    /// The command was stopped because it did not stop printing.
    #[error("the command of the load hook printed more than {limit} bytes")]
    PrintedTooMuch {
        /// The limit.
        limit: usize,
    },
}

/// What came of one request to a service.
#[derive(Debug, thiserror::Error)]
pub enum HttpFailure {
    /// There was no answer.
    #[error("no answer")]
    NoAnswer(#[from] CallError),
    /// It was answered, but not with yes.
    #[error("the answer was {status}: {body}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The body, cut short.
        body: String,
    },
}

impl HttpFailure {
    /// Whether the same request may succeed later: not after a redirect, which is not followed, nor
    /// after a 4xx that is about the request itself.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer(CallError::Request(_)) => false,
            Self::NoAnswer(_) => true,
            Self::Status { status, .. } => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
            }
        }
    }
}

fn lives_on(yes: bool) -> &'static str {
    if yes { " and is still running" } else { "" }
}
