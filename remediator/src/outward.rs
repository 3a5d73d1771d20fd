//! The HTTP client of everything that the remediator calls by itself: the load hook and
//! Alertmanager's API.
//!
//! It sends one request and reads one answer, within a deadline and a size. It follows no redirect,
//! uses no proxy, keeps no connection and repeats nothing: whether a request is sent again is its
//! caller's decision. It is reqwest, handed a configuration of rustls with ring.

use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use bytes::Bytes;
use reqwest::{Response, redirect, retry};

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
    http: reqwest::Client,
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

/// Why there is no answer. Names no credentials and no path.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The credentials cannot be read now.
    #[error("the credentials cannot be used")]
    Credentials(#[from] CredentialsError),
    /// The request was never sent: no such name, nobody listens, or TLS failed.
    #[error("cannot connect")]
    Connect(#[source] reqwest::Error),
    /// The connection broke after the request may have been sent.
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
    /// It took too long; the request may have been received.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The request itself is none that can be sent.
    #[error("the request cannot be built")]
    Request(#[source] reqwest::Error),
}

impl Client {
    /// A client that trusts as `trust` says and shows `credentials` to everybody it calls.
    ///
    /// # Errors
    /// [`TrustError`] if the authorities cannot be read, or TLS cannot be set up.
    pub fn new(trust: &Trust, credentials: Option<Credentials>) -> Result<Self, TrustError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.client_config()?)
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            // Calls are rare: a connection of the last one is more likely stale than useful.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(TrustError::Client)?;
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
        let mut headers = call.headers;
        if let Some(credentials) = &self.credentials {
            headers.insert(header::AUTHORIZATION, credentials.read().await?);
        }
        let request = self.http.request(call.method, call.uri.to_string());
        let request = request.headers(headers).body(call.body);
        let response = request.send().await.map_err(CallError::of)?;
        let status = response.status();
        let (body, complete) = read(response, limit).await;
        Ok(Answer {
            status,
            body,
            complete,
        })
    }
}

impl CallError {
    /// What an error of reqwest's means here. A path or a query may be a secret: the URL goes.
    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_builder() {
            Self::Request(error)
        } else if error.is_connect() {
            Self::Connect(error)
        } else {
            Self::Broken(error)
        }
    }
}

/// The first `limit` bytes of a body, and whether that was all of it.
async fn read(mut response: Response, limit: usize) -> (Bytes, bool) {
    let mut bytes = Vec::new();
    let complete = loop {
        match response.chunk().await {
            Ok(None) => break true,
            Err(_broken) => break false,
            Ok(Some(chunk)) => {
                let room = limit - bytes.len();
                bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if chunk.len() > room {
                    break false;
                }
            }
        }
    };
    (bytes.into(), complete)
}

#[cfg(test)]
pub(crate) mod tests;
