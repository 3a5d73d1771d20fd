//! What the program serves: the webhook, its own metrics, health, the API and a page for people.
//!
//! One router; handlers parse, ask and map. `serve` runs it on its listener.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tower_http::compression::CompressionLayer;
use vcm_recovery::inventory::Inventory;
use vcm_recovery::policy::Policy;
use vcm_telemetry::exposition::EncodingBody;
use vcm_telemetry::logging::chain;

use crate::board::Board;
use crate::clock::Clock;
use crate::config::operators::Operators;
use crate::engine::Door;
use crate::metrics::{Coding, Format, Metrics};
use crate::store::Store;
use crate::webhook::{self, Receiver};

mod attempts;
mod fleet;
mod incidents;
pub(crate) mod named;
mod operate;
mod page;
mod pieces;
mod readiness;
mod recent;
pub mod server;

pub use readiness::{Part, Readiness};
pub use recent::{RECENT_MAX, Recent};

/// Events that one answer holds at most.
const EVENTS_MAX: u32 = 1000;

/// Events that one answer holds unless another number is asked for.
const EVENTS_DEFAULT: u32 = 100;

/// The page loads nothing and runs nothing.
const PAGE_HEADERS: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What the handlers share.
pub struct App {
    /// The webhook's part.
    pub receiver: Arc<Receiver>,
    /// The newest states.
    pub board: Arc<Board>,
    /// The newest events.
    pub recent: Arc<Recent>,
    /// The program's metrics.
    pub metrics: Arc<Metrics>,
    /// Where events are read.
    pub store: Arc<dyn Store>,
    /// What is not ready.
    pub readiness: Arc<Readiness>,
    /// Which hosts exist.
    pub inventory: Arc<Inventory>,
    /// What is permitted.
    pub policy: Arc<Policy>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who may order something.
    pub operators: Operators,
    /// Who carries orders out; empty until the engine has started.
    pub orders: OnceLock<Arc<Door>>,
    /// Where the program listens, for the commands that the page shows.
    pub address: SocketAddr,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

/// All routes. Answers are compressed for those who accept it.
pub fn router(app: Arc<App>) -> Router {
    let webhook = Router::new()
        .route("/api/v1/alerts/webhook", post(webhook::receive))
        .with_state(Arc::clone(&app.receiver));
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/api/v1/incidents", get(open_incidents))
        .route("/api/v1/attempts", get(known_attempts))
        .route("/api/v1/fleet", get(whole_fleet))
        .route("/api/v1/events", get(events))
        .with_state(Arc::clone(&app))
        .merge(webhook)
        .merge(operate::router(app))
        .layer(CompressionLayer::new())
}

async fn index(State(app): State<Arc<App>>) -> Response {
    let page = pieces::body(page::render(&app).map(Ok::<_, Infallible>));
    (PAGE_HEADERS, Html(page)).into_response()
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let asked = |name| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok())
    };
    let format = Format::accepted(asked(header::ACCEPT));
    let coding = Coding::accepted(asked(header::ACCEPT_ENCODING));
    let encoding = match app.metrics.encoded(format, coding).await {
        Ok(encoding) => encoding,
        Err(error) => {
            tracing::error!(error = chain(&*error), "the metrics cannot be encoded");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = Body::new(EncodingBody::from(encoding)).into_response();
    let described = response.headers_mut();
    let mut describe = |name, value| described.insert(name, HeaderValue::from_static(value));
    describe(header::CONTENT_TYPE, format.content_type());
    describe(header::VARY, "Accept, Accept-Encoding");
    if let Some(coding) = coding.content_encoding() {
        describe(header::CONTENT_ENCODING, coding);
    }
    response
}

async fn healthy() -> &'static str {
    "vcm-remediator is healthy.\n"
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let missing = app.readiness.missing();
    if missing.is_empty() {
        return "vcm-remediator is ready.\n".into_response();
    }
    let lines: String = missing
        .iter()
        .map(|(part, why)| format!("{part}: {why}\n"))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

async fn open_incidents(State(app): State<Arc<App>>) -> Response {
    let body = pieces::body(incidents::list(&app));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn known_attempts(State(app): State<Arc<App>>) -> Json<attempts::List> {
    Json(attempts::list(&app))
}

async fn whole_fleet(State(app): State<Arc<App>>) -> Json<fleet::Shown> {
    Json(fleet::shown(&app))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

async fn events(
    State(app): State<Arc<App>>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Query(query) = match query {
        Ok(query) => query,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let limit = query.limit.unwrap_or(EVENTS_DEFAULT).clamp(1, EVENTS_MAX);
    match app.store.events_after(query.after, limit).await {
        Ok(events) => Json(serde_json::json!({ "events": events })).into_response(),
        Err(error) => {
            let detail: &dyn std::error::Error = &error;
            tracing::error!(error = detail, "events cannot be read");
            problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "the store cannot be read now",
            )
        }
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(serde_json::json!({ "error": detail }))).into_response()
}
