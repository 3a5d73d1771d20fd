//! Why a whole body is refused.

use axum::http::StatusCode;

/// Why a body is refused. A closed set: it is the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// The bearer token is missing or wrong.
    Unauthorized,
    /// The engine has not started yet.
    NotReady,
    /// The body is larger than the limit, or has more alerts than are read.
    TooLarge,
    /// The body did not arrive in time.
    Timeout,
    /// The connection broke while the body was read.
    Aborted,
    /// The body is no JSON.
    Malformed,
    /// The body is JSON, but not Alertmanager's: a custom `payload`.
    Payload,
    /// The body is Alertmanager's, but of another version than "4".
    Version,
    /// The store could not take it.
    Store,
}

impl Rejection {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Unauthorized,
        Self::NotReady,
        Self::TooLarge,
        Self::Timeout,
        Self::Aborted,
        Self::Malformed,
        Self::Payload,
        Self::Version,
        Self::Store,
    ];

    /// The word used in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotReady => "not_ready",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Malformed => "malformed",
            Self::Payload => "payload",
            Self::Version => "version",
            Self::Store => "store",
        }
    }

    /// The status of the answer: 503 where the same body may work later, 4xx where it never will.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotReady | Self::Store => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Aborted | Self::Malformed | Self::Version => StatusCode::BAD_REQUEST,
            Self::Payload => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// A refused body. Its text is the answer, which Alertmanager logs: short and without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// Why, as a label value.
    pub why: Rejection,
    detail: String,
}

impl Refusal {
    /// A refusal with this text.
    pub fn new(why: Rejection, detail: impl Into<String>) -> Self {
        Self {
            why,
            detail: detail.into(),
        }
    }
}
