//! Asking the lab's programs over HTTP.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::{LabError, process::Process, wait};

/// How long one request may take; everything is on this machine.
const REQUEST: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// A client for one program.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where the program listens.
    pub address: SocketAddr,
    http: reqwest::Client,
}

impl Client {
    /// A client for the program at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            http: client(),
        }
    }

    /// Gets `path`, with query parameters.
    ///
    /// # Errors
    /// If nothing answers.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, LabError> {
        let url = self.url(path, query);
        let request = self.http.get(url.clone()).timeout(REQUEST);
        Self::send(url, request).await
    }

    /// Posts `body` as JSON to `path`; it need not be JSON.
    ///
    /// # Errors
    /// If nothing answers.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> Result<Answer, LabError> {
        let url = self.url(path, &[]);
        let request = self
            .http
            .post(url.clone())
            .header("Content-Type", "application/json")
            .body(body.into())
            .timeout(REQUEST);
        Self::send(url, request).await
    }

    /// Gets `path` and parses its body, which must be an answer of 200 in JSON.
    ///
    /// # Errors
    /// If nothing answers, or something else.
    pub async fn json(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, LabError> {
        let answer = self.get(path, query).await?;
        let wrong = |answer: Answer| LabError::Answer {
            asked: format!("GET http://{}{path}", self.address),
            answer: format!("{} {}", answer.status, answer.body),
        };
        match serde_json::from_str(&answer.body) {
            Ok(value) if answer.status == 200 => Ok(value),
            Ok(_) | Err(_) => Err(wrong(answer)),
        }
    }

    /// Waits until `path` answers 200, as long as `process` runs.
    ///
    /// # Errors
    /// If it does not in time, or the process ends.
    pub async fn ready(
        &self,
        path: &str,
        process: &mut Process,
        patience: Duration,
    ) -> Result<(), LabError> {
        let what = format!("http://{}{path} to answer 200", self.address);
        wait::until(&what, patience, async || {
            process.must_run()?;
            Ok(self
                .get(path, &[])
                .await
                .ok()
                .filter(|answer| answer.status == 200))
        })
        .await
        .map(drop)
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let plain = format!("http://{}{path}", self.address);
        if query.is_empty() {
            return plain;
        }
        reqwest::Url::parse_with_params(&plain, query).map_or(plain, String::from)
    }

    async fn send(url: String, request: reqwest::RequestBuilder) -> Result<Answer, LabError> {
        let failed = |url: &str| {
            let url = url.to_owned();
            |source| LabError::Http { url, source }
        };
        let response = request.send().await.map_err(failed(&url))?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(failed(&url))?;
        Ok(Answer { status, body })
    }
}

/// A client for programs of this machine, which do without TLS. `reqwest::Client::new()` sets TLS up
/// all the same: it panics without a provider, and fails where the machine has no authorities.
#[expect(clippy::expect_used, reason = "reqwest's own constructor panics too")]
pub(super) fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls);
    client.build().expect("reqwest takes this rustls")
}
