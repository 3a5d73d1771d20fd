//! What the exporter serves. No answer depends on the trouble of a device: that is what the
//! metrics say.

mod deadline;
mod landing;
mod metrics;
mod probe;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};

use crate::collect::{Schedule, Shared};
use crate::families::Exposition;
use crate::reload::Reloader;
use crate::service;

/// What handlers share.
#[derive(Debug)]
pub struct HttpState {
    /// The observations.
    pub shared: Arc<Shared>,
    /// Their exposition.
    pub exposition: Exposition,
    /// What reads the configuration again.
    pub reloader: Reloader,
    /// Path of the metrics.
    pub telemetry_path: String,
}

impl HttpState {
    /// Creates what handlers share: what is observed, and what reads its configuration again.
    #[must_use]
    pub fn new(reloader: Reloader, telemetry_path: String) -> Self {
        let shared = Arc::clone(reloader.shared());
        Self {
            exposition: Exposition::new(Arc::clone(&shared)),
            shared,
            reloader,
            telemetry_path,
        }
    }
}

/// Builds the routes: the metrics, one-off probes, a page for people, health, readiness and reload.
pub fn router(state: Arc<HttpState>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload).put(reload))
        .route(&state.telemetry_path, get(metrics::metrics))
        .route("/probe", get(probe::probe))
        .with_state(state)
}

async fn index(State(state): State<Arc<HttpState>>) -> Html<String> {
    Html(landing::page(&state))
}

async fn healthy() -> &'static str {
    "vcm-exporter is healthy.\n"
}

/// Ready once every tool has run, however its run ended; at once where tools run on scrape.
async fn ready(State(state): State<Arc<HttpState>>) -> (StatusCode, String) {
    let shared = &state.shared;
    let waiting = match shared.schedule {
        Schedule::OnScrape => None,
        Schedule::Every(_) => shared.state().not_run_yet(),
    };
    match waiting {
        None => (StatusCode::OK, "vcm-exporter is ready.\n".to_owned()),
        Some(name) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("The first run of {} has not ended yet.\n", name.as_str()),
        ),
    }
}

/// Reads the configuration again. Refused with every problem where it cannot be used.
async fn reload(State(state): State<Arc<HttpState>>) -> (StatusCode, String) {
    service::reloading();
    let result = state.reloader.reload().await;
    service::ready();
    match result {
        Ok(()) => (
            StatusCode::OK,
            "The configuration was read again.\n".to_owned(),
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "The old configuration stays in force.\n{}\n",
                error.lines().join("\n")
            ),
        ),
    }
}
