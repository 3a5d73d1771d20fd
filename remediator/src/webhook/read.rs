//! Reads a request's body: never more of it in memory than the limit, never longer than the
//! time-out.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::header;

use super::{Refusal, Rejection};

/// How much of a body that is too large is read and thrown away, so that the sender gets to read
/// the answer instead of a reset: 64 MiB, a quarter of a second on a gigabit network.
const DISCARD_MAX: usize = 64 << 20;

/// The body, of at most `limit` bytes, within `timeout`.
pub(super) async fn body(
    request: Request,
    limit: usize,
    timeout: Duration,
) -> Result<Vec<u8>, Refusal> {
    let announced = announced(&request);
    let mut reader = Reader {
        body: request.into_body(),
        bytes: Vec::new(),
        limit,
    };
    let read = reader.read(announced);
    match tokio::time::timeout(timeout, read).await {
        Ok(Ok(())) => Ok(reader.bytes),
        Ok(Err(refusal)) => Err(refusal),
        Err(_elapsed) => Err(Refusal::new(
            Rejection::Timeout,
            format!("the body did not arrive within {} s", timeout.as_secs()),
        )),
    }
}

/// What the header `Content-Length` says.
fn announced(request: &Request) -> Option<usize> {
    request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

struct Reader {
    body: Body,
    bytes: Vec<u8>,
    limit: usize,
}

impl Reader {
    async fn read(&mut self, announced: Option<usize>) -> Result<(), Refusal> {
        if announced.is_some_and(|length| length > self.limit) {
            return self.discard(0).await;
        }
        self.bytes.reserve(announced.unwrap_or(0));
        while let Some(data) = self.next().await? {
            if self.bytes.len() + data.len() > self.limit {
                let seen = self.bytes.len() + data.len();
                self.bytes = Vec::new();
                return self.discard(seen).await;
            }
            self.bytes.extend_from_slice(&data);
        }
        Ok(())
    }

    /// Reads on without keeping anything, then refuses.
    async fn discard(&mut self, mut seen: usize) -> Result<(), Refusal> {
        while seen < DISCARD_MAX
            && let Some(data) = self.next().await?
        {
            seen += data.len();
        }
        let limit = self.limit;
        Err(Refusal::new(
            Rejection::TooLarge,
            format!("the body is larger than {limit} bytes"),
        ))
    }

    async fn next(&mut self) -> Result<Option<axum::body::Bytes>, Refusal> {
        loop {
            match poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => {
                    let detail = format!("the body could not be read: {error}");
                    return Err(Refusal::new(Rejection::Aborted, detail));
                }
            }
        }
    }
}
