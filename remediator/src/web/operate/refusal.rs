//! Why an order is not carried out, and with which status that is answered.

use std::error::Error;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::error::Category;
use vcm_recovery::command::OrderError;
use vcm_recovery::ids::{AttemptId, HostName};
use vcm_recovery::inventory::Target;
use vcm_telemetry::logging::chain;

use super::span::SpanError;
use crate::engine::OrderFailure;
use crate::store::StoreError;
use crate::web::named::NamedError;

/// An order that is not carried out. Its text, with the causes, is the answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// A page of another site sent it.
    #[error("the request comes from a page of another site")]
    CrossSite,
    /// Nobody may order anything here.
    #[error(
        "nobody may give orders: name people in the configuration under web.operators, each with a \
         name and a token_file"
    )]
    NoOperators,
    /// It does not show whose order it is.
    #[error("the bearer token of an operator is missing or wrong")]
    Unauthorized,
    /// There is no engine that could take it yet.
    #[error("the program is still starting")]
    Starting,
    /// The body is not said to be JSON.
    #[error("the header Content-Type must be application/json")]
    ContentType,
    /// The body is larger than any order.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {} s", super::body::BODY_TIMEOUT.as_secs())]
    Slow,
    /// The connection broke.
    #[error("the body could not be read")]
    Aborted,
    /// The body is no JSON, or not what this order needs.
    #[error("the body cannot be used")]
    Body(#[from] serde_json::Error),
    /// A part of the address is no text.
    #[error("the address cannot be read")]
    Path,
    /// A name in the body or the address is none.
    #[error("the name cannot be used")]
    Named(#[from] NamedError),
    /// The time in the body is none.
    #[error("the time cannot be used")]
    Span(#[from] SpanError),
    /// The answer to a request fits neither choice.
    #[error("approve needs a rung, deny has none")]
    Choice,
    /// The identifier of an attempt is none.
    #[error("{0:?} is no identifier of an attempt")]
    AttemptId(String),
    /// Nothing of that name is known.
    #[error("host {0} is not in the inventory")]
    UnknownHost(String),
    /// Nothing of that name is known.
    #[error("{0} is not in the inventory")]
    UnknownTarget(Target),
    /// Nothing of that name is known.
    #[error("attempt {0} is not known, or was settled more than two days ago")]
    UnknownAttempt(AttemptId),
    /// It cannot be carried out now.
    #[error(transparent)]
    Order(OrderError),
    /// It could not be recorded.
    #[error("the order could not be recorded; give it again")]
    Store(#[source] StoreError),
    /// Whether it was recorded is not known.
    #[error("the program is ending; look whether the order was recorded")]
    Ended,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite | Self::NoOperators => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Starting | Self::Store(_) | Self::Ended => StatusCode::SERVICE_UNAVAILABLE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Aborted | Self::Path | Self::AttemptId(_) => StatusCode::BAD_REQUEST,
            Self::Body(error) => match error.classify() {
                Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
                Category::Io | Category::Syntax | Category::Eof => StatusCode::BAD_REQUEST,
            },
            Self::Named(_) | Self::Span(_) | Self::Choice => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnknownHost(_) | Self::UnknownTarget(_) | Self::UnknownAttempt(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Order(error) => of_order(error),
        }
    }

    /// The text with its causes. What failed inside the store is for the log.
    fn text(&self) -> String {
        if let Self::Store(_) = self {
            return self.to_string();
        }
        chain(self)
    }
}

/// 422 for what can never work as it was given, 404 for what does not exist, 409 for what cannot be
/// done as things stand.
fn of_order(error: &OrderError) -> StatusCode {
    match error {
        OrderError::Reason | OrderError::Past | OrderError::Outcome => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        OrderError::UnknownTarget { .. } => StatusCode::NOT_FOUND,
        OrderError::NoRequest { .. }
        | OrderError::Answered { .. }
        | OrderError::NotOffered { .. }
        | OrderError::NotHeld { .. }
        | OrderError::NotUnknown { .. }
        | OrderError::NoIncident { .. }
        | OrderError::Latched { .. }
        | OrderError::NotLatched { .. }
        | OrderError::AttemptOpen
        | OrderError::StillFailed { .. }
        | OrderError::NotPaused
        | OrderError::NoGap => StatusCode::CONFLICT,
    }
}

impl From<OrderFailure> for Refusal {
    fn from(failure: OrderFailure) -> Self {
        match failure {
            OrderFailure::Order(error) => Self::Order(error),
            OrderFailure::UnknownHost(host) => Self::unknown_host(&host),
            OrderFailure::Store(error) => Self::Store(error),
            OrderFailure::Ended => Self::Ended,
        }
    }
}

impl Refusal {
    pub(super) fn unknown_host(host: &HostName) -> Self {
        Self::UnknownHost(host.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let detail: &dyn Error = &self;
        if status.is_server_error() {
            tracing::error!(error = detail, "an order could not be carried out");
        } else {
            tracing::warn!(
                error = detail,
                status = status.as_u16(),
                "an order is refused"
            );
        }
        let body = Json(serde_json::json!({ "error": self.text() }));
        match status {
            StatusCode::UNAUTHORIZED => {
                (status, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response()
            }
            status => (status, body).into_response(),
        }
    }
}
