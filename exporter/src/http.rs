//! What the exporter serves. No answer depends on the trouble of a device: that is what the
//! metrics say.

mod landing;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tower_http::compression::CompressionLayer;
use vcm_telemetry::exposition::Format;

use crate::collect::Shared;
use crate::families::Exposition;
use crate::state::CollectorName;

/// What handlers share.
#[derive(Debug)]
pub struct HttpState {
    /// The observations.
    pub shared: Arc<Shared>,
    /// Their exposition.
    pub exposition: Exposition,
    /// Path of the metrics.
    pub telemetry_path: String,
}

/// Builds the routes: the metrics, a page for people, health and readiness. Answers are compressed
/// for whoever accepts it.
pub fn router(state: Arc<HttpState>) -> Router {
    Router::new()
        .route(&state.telemetry_path, get(metrics))
        .route("/", get(index))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .layer(CompressionLayer::new())
        .with_state(state)
}

async fn metrics(State(state): State<Arc<HttpState>>, headers: HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept);
    match state.exposition.encode(format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot encode the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn index(State(state): State<Arc<HttpState>>) -> Html<String> {
    Html(landing::page(&state))
}

async fn healthy() -> &'static str {
    "vcm-exporter is healthy.\n"
}

/// Ready once the first run of `enquiry` has ended, however it ended.
async fn ready(State(state): State<Arc<HttpState>>) -> (StatusCode, &'static str) {
    let record = state
        .shared
        .state()
        .collectors
        .get(&CollectorName::Enquiry)
        .copied();
    match record.and_then(|record| record.success) {
        Some(_) => (StatusCode::OK, "vcm-exporter is ready.\n"),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The first run of enquiry has not ended yet.\n",
        ),
    }
}
