//! The HTTP client of everything that the remediator calls by itself: the load hook and
//! Alertmanager's API.
//!
//! It sends one request and reads one answer, within a deadline and a size. It follows no redirect,
//! uses no proxy, keeps no connection and repeats nothing: whether a request is sent again is its
//! caller's decision. TLS is rustls with ring.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

mod address;
mod credentials;
mod trust;

pub use address::{Address, AddressError};
pub use credentials::{Credentials, CredentialsError};
pub use trust::{Trust, TrustError};

/// What it says of itself.
const USER_AGENT: &str = concat!("vcm-remediator/", env!("CARGO_PKG_VERSION"));

/// A client for one peer or several that are trusted alike.
#[derive(Clone, Debug)]
pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    credentials: Option<Credentials>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Where it goes.
    pub uri: Uri,
    /// Headers beside those that every request has.
    pub headers: HeaderMap,
    /// Its body, empty for none.
    pub body: Bytes,
}

/// What one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From looking up the name to the last byte of the answer.
    pub timeout: Duration,
    /// Most of the answer's body that is read, in bytes.
    pub body: usize,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; cut at the limit, see [`complete`](Self::complete).
    pub body: Bytes,
    /// Whether the body was read to its end.
    pub complete: bool,
}

/// Why there is no answer. Names no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The credentials cannot be read now.
    #[error("the credentials cannot be used")]
    Credentials(#[from] CredentialsError),
    /// The request was never sent: no such name, nobody listens, or TLS failed.
    #[error("cannot connect")]
    Connect(#[source] legacy::Error),
    /// The connection broke after the request may have been sent.
    #[error("the connection broke")]
    Broken(#[source] legacy::Error),
    /// It took too long; the request may have been received.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The request itself is none that can be sent.
    #[error("the request cannot be built")]
    Request(#[source] axum::http::Error),
}

impl Client {
    /// A client that trusts as `trust` says and shows `credentials` to everybody it calls.
    ///
    /// # Errors
    /// [`TrustError`] if the authorities cannot be read.
    pub fn new(trust: &Trust, credentials: Option<Credentials>) -> Result<Self, TrustError> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust.client_config()?)
            .https_or_http()
            .enable_http1()
            .build();
        // Calls are rare: a connection of the last one is more likely stale than useful.
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { http, credentials })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// [`CallError`] if there is none within the limits.
    pub async fn send(&self, call: Call, limits: Limits) -> Result<Answer, CallError> {
        let exchange = self.exchange(call, limits.body);
        match tokio::time::timeout(limits.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(CallError::Timeout(limits.timeout)),
        }
    }

    async fn exchange(&self, call: Call, limit: usize) -> Result<Answer, CallError> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.uri)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(call.body))
            .map_err(CallError::Request)?;
        request.headers_mut().extend(call.headers);
        if let Some(credentials) = &self.credentials {
            let value = credentials.read().await?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let response = self.http.request(request).await.map_err(|error| {
            if error.is_connect() {
                CallError::Connect(error)
            } else {
                CallError::Broken(error)
            }
        })?;
        let status = response.status();
        let (body, complete) = read(response.into_body(), limit).await;
        Ok(Answer {
            status,
            body,
            complete,
        })
    }
}

/// The first `limit` bytes of a body, and whether that was all of it.
async fn read(mut body: hyper::body::Incoming, limit: usize) -> (Bytes, bool) {
    let mut bytes = Vec::new();
    let complete = loop {
        match body.frame().await {
            None => break true,
            Some(Err(_broken)) => break false,
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                let room = limit - bytes.len();
                bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
                if data.len() > room {
                    break false;
                }
            }
        }
    };
    (bytes.into(), complete)
}

#[cfg(test)]
pub(crate) mod tests;
