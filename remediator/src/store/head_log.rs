//! Logs the head of the chain, so that a copy of the log tells when the chain was cut off or
//! written anew. `serve` calls it.

use std::convert::Infallible;
use std::time::Duration;

use super::Store;

/// How often the head is logged while the program runs. What happened since the last time can be
/// cut off without `audit verify --head` telling.
pub const LOGGED_EVERY: Duration = Duration::from_secs(3600);

/// Logs the head now; `when` says why now. What the line holds is what `audit verify --head` takes.
pub async fn log_head(store: &dyn Store, when: &'static str) {
    match store.head().await {
        Ok(head) => tracing::info!(when, %head, "head of the chain of events"),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                when,
                error,
                "the head of the chain of events cannot be read"
            );
        }
    }
}

/// Logs the head now and every hour from now on. Never comes back.
pub async fn log_hourly(store: &dyn Store) -> Infallible {
    log_head(store, "start").await;
    loop {
        tokio::time::sleep(LOGGED_EVERY).await;
        log_head(store, "hourly").await;
    }
}
