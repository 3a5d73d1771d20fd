//! The body of an order: JSON that says so, small, complete in time, and without a key that is not
//! known, because an order that is half understood is not the one that was given.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// Largest accepted body in bytes: the longest reason has 500 characters of at most 12 bytes each
/// (`\ud83d\ude00`).
pub(super) const BODY_MAX: usize = 16 << 10;

/// An order must have arrived this long after its headers; whoever needs longer holds one of few
/// connections.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A body of exactly this shape. The shapes refuse unknown keys.
#[derive(Debug)]
pub(super) struct Strict<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Strict<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::ContentType);
        }
        let reading = Bytes::from_request(request, state);
        let read = tokio::time::timeout(BODY_TIMEOUT, reading).await;
        let bytes = read
            .map_err(|_elapsed| Refusal::Slow)?
            .map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge { limit: BODY_MAX },
                _ => Refusal::Aborted,
            })?;
        Ok(Self(serde_json::from_slice(&bytes)?))
    }
}

/// `application/json`, with or without parameters. A page of another site cannot send that without
/// being allowed to.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}
