//! The hook that is a service: one POST per request, repeated with growing pauses while that may
//! help.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use bytes::Bytes;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    HookCall, HttpFailure, LoadAction, LoadHook, LoadHookError, LoadRequest, excerpt, rfc_3339,
};
use crate::config::load::Http;
use crate::outward::{Address, Call, Client, Limits, TrustError};

/// The header that names a request, as the IETF's draft "The Idempotency-Key HTTP Header Field" has
/// it and payment services use it.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Most of an answer that is read, in bytes: only its beginning is shown.
const ANSWER_MAX: usize = 4 << 10;

/// Longest pause between two requests.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A service that sheds and restores.
#[derive(Debug)]
pub(super) struct HttpHook {
    config: Http,
    client: Client,
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    action: &'static str,
    hsm: &'a str,
    key: &'a str,
    since: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    incidents: &'a [vcm_recovery::ids::IncidentId],
}

impl HttpHook {
    pub(super) fn new(config: Http) -> Result<Self, TrustError> {
        let client = Client::new(&config.trust, config.credentials.clone())?;
        Ok(Self { config, client })
    }

    const fn address(&self, action: LoadAction) -> &Address {
        match action {
            LoadAction::Shed => &self.config.shed,
            LoadAction::Restore => &self.config.restore,
        }
    }

    async fn ask(&self, request: &LoadRequest) -> Result<(), LoadHookError> {
        let address = self.address(request.action);
        let call = self.message(address.uri(), request);
        let until = Instant::now() + self.config.deadline;
        let mut pause = self.config.backoff;
        let mut requests = 1;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Err(failure) = self.once(call.clone(), left).await else {
                return Ok(());
            };
            let in_time = Instant::now() + pause < until;
            if requests >= self.config.attempts || !in_time || !failure.may_pass() {
                return Err(LoadHookError::Http {
                    host: address.host().to_owned(),
                    requests,
                    source: failure,
                });
            }
            tracing::debug!(host = %address, requests, error = %failure, "load hook is asked again");
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            requests += 1;
        }
    }

    async fn once(&self, call: Call, left: Duration) -> Result<(), HttpFailure> {
        let limits = Limits {
            timeout: self.config.timeout.min(left),
            body: ANSWER_MAX,
        };
        let answer = self.client.send(call, limits).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(HttpFailure::Status {
            status: answer.status,
            body: excerpt(&answer.body),
        })
    }

    /// Made once for all repetitions.
    fn message(&self, uri: &Uri, request: &LoadRequest) -> Call {
        let body = Body {
            action: request.action.as_str(),
            hsm: request.hsm.as_str(),
            key: request.key.as_str(),
            since: rfc_3339(request.since),
            incidents: &request.incidents,
        };
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        // A key holds only what a header may.
        if let Ok(key) = HeaderValue::from_str(request.key.as_str()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        Call {
            method: self.config.method.clone(),
            uri: uri.clone(),
            headers,
            body: Bytes::from(serde_json::json!(body).to_string()),
        }
    }
}

impl LoadHook for HttpHook {
    fn call<'a>(&'a self, request: &'a LoadRequest) -> HookCall<'a> {
        Box::pin(self.ask(request))
    }
}
