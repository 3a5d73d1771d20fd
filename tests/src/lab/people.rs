//! Stands in for the pager, the ticket system and the outside watchdog: takes every webhook that
//! Alertmanager sends to people, and remembers it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::LabError;

/// One alert that reached somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The receiver's name in the shipped routing: `pager`, `tickets`, `watchdog`.
    pub receiver: String,
    /// The alert as Alertmanager sent it.
    pub alert: Value,
    /// When it came, in milliseconds since 1970.
    pub time_ms: u64,
}

type Notices = Arc<Mutex<Vec<Notice>>>;

/// The stand-in. Dropping it closes its listener.
#[derive(Debug)]
pub struct People {
    /// Where it listens.
    pub address: SocketAddr,
    notices: Notices,
    server: JoinHandle<()>,
}

impl People {
    /// Starts to listen.
    ///
    /// # Errors
    /// If there is no free port.
    #[expect(
        clippy::disallowed_methods,
        reason = "aborted on drop; the lab has no task set"
    )]
    pub async fn start() -> Result<Self, LabError> {
        let failed = |source| LabError::File {
            doing: "listening on",
            path: "127.0.0.1:0".into(),
            source,
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let notices = Notices::default();
        let router = Router::new()
            .route("/{receiver}", post(take))
            .with_state(Arc::clone(&notices));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self {
            address,
            notices,
            server,
        })
    }

    /// What has reached a receiver with alerts of this name so far, firing ones only.
    #[must_use]
    pub fn told(&self, receiver: &str, alertname: &str) -> Vec<Notice> {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices
            .iter()
            .filter(|notice| notice.receiver == receiver)
            .filter(|notice| notice.alert["labels"]["alertname"] == alertname)
            .filter(|notice| notice.alert["status"] == "firing")
            .cloned()
            .collect()
    }
}

impl Drop for People {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State(notices): State<Notices>,
    Path(receiver): Path<String>,
    Json(body): Json<Value>,
) -> StatusCode {
    let time_ms = super::clock::now_ms();
    let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
    let fresh = alerts.into_iter().map(|alert| Notice {
        receiver: receiver.clone(),
        alert,
        time_ms,
    });
    notices
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(fresh);
    StatusCode::OK
}
