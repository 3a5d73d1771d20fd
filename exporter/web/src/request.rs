//! One request: what stands before the program's own router.
//!
//! In this order: rate limit, authentication, parallel requests. The last comes last, so that who
//! cannot log in cannot keep out who can.

mod caught;
mod rate;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tower::ServiceExt;

pub(crate) use self::rate::RateLimit;

use self::caught::caught;
use crate::auth::{Login, Verifier};
use crate::config::{Protection, WebConfig};
use crate::limits::Limits;

/// What all connections share.
pub(crate) struct Gate {
    config: WebConfig,
    limits: Limits,
    router: Router,
    /// One for each request that is being answered.
    requests: Semaphore,
    verifier: Verifier,
}

/// Why a request does not reach the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    RateLimit,
    Unauthorized,
    BusyWithLogins,
    TooManyRequests,
    TooSlow,
    Panicked,
}

impl Gate {
    pub(crate) fn new(config: WebConfig, limits: Limits, router: Router) -> Self {
        let requests = match limits.max_requests {
            0 => Semaphore::MAX_PERMITS,
            max => max.min(Semaphore::MAX_PERMITS),
        };
        Self {
            config,
            limits,
            router,
            requests: Semaphore::new(requests),
            verifier: Verifier::default(),
        }
    }

    pub(crate) fn config(&self) -> &WebConfig {
        &self.config
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let protection = self.config.current().await;
        let answered = timeout(self.limits.request_time, self.pass(&protection, request)).await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => refusal.into_response(),
            Err(_) => Refusal::TooSlow.into_response(),
        };
        protection.add_headers(response.headers_mut());
        response
    }

    async fn pass(
        &self,
        protection: &Protection,
        request: Request<Body>,
    ) -> Result<Response, Refusal> {
        let _permit = self.admit(protection, request.headers()).await?;
        let answer = self.router.clone().oneshot(request);
        match caught(answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(never)) => match never {},
            Err(_) => {
                tracing::error!("answering a request panicked");
                Err(Refusal::Panicked)
            }
        }
    }

    async fn admit(
        &self,
        protection: &Protection,
        headers: &HeaderMap,
    ) -> Result<SemaphorePermit<'_>, Refusal> {
        if !protection.rate_limit().is_none_or(RateLimit::take) {
            return Err(Refusal::RateLimit);
        }
        if let Some(users) = protection.users() {
            match self.verifier.verify(users, headers).await {
                Login::Accepted => {}
                Login::Refused => return Err(Refusal::Unauthorized),
                Login::Busy => return Err(Refusal::BusyWithLogins),
            }
        }
        let permit = self.requests.try_acquire();
        permit.map_err(|_| Refusal::TooManyRequests)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::RateLimit => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized\n"),
            Self::BusyWithLogins => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many logins are being checked, try again later.\n",
            ),
            Self::TooManyRequests => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Limit of concurrent requests reached, try again later.\n",
            ),
            Self::TooSlow => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The request took too long.\n",
            ),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n"),
        };
        let mut response = (status, text).into_response();
        if self == Self::Unauthorized {
            let basic = HeaderValue::from_static("Basic");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}
