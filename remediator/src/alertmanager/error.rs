//! What can be wrong with a peer.

use axum::http::StatusCode;
use vcm_recovery::alert::Ignored;

use crate::outward::CallError;

/// What is wrong with a peer. Shows no credentials.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It did not answer.
    #[error("no answer")]
    NoAnswer(#[from] CallError),
    /// It answered, but with no alerts: 401 or 403 for wrong credentials, 400 for matchers that it
    /// does not understand, 404 for an address that is not an Alertmanager's.
    #[error("the answer was {status}: {body}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The body, cut short.
        body: String,
    },
    /// The answer did not end, or is larger than the limit.
    #[error("the answer was cut short after {bytes} bytes")]
    CutShort {
        /// What came of it.
        bytes: usize,
    },
    /// The answer is no list of alerts.
    #[error("the answer is no list of alerts")]
    Json(#[from] serde_json::Error),
    /// Alerts in it cannot be read; the others count.
    #[error("{alerts} alerts cannot be read")]
    Unreadable {
        /// How many.
        alerts: usize,
        /// Why the first one cannot.
        #[source]
        first: Ignored,
    },
}
