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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tempfile::TempDir;
    use tokio::time::advance;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::clock::SystemClock;
    use crate::store::open::open;
    use crate::store::sqlite::SqliteStore;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Log {
        fn heads(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let heads = text.lines().filter(|line| line.contains("head="));
            heads.map(str::to_owned).collect()
        }
    }

    /// Ten hours of the runtime's own time, which goes on only as it is told to.
    #[tokio::test(start_paused = true)]
    async fn the_head_is_logged_at_the_start_and_every_hour() {
        let directory = TempDir::new().unwrap();
        let opened = open(&directory.path().join("store.sqlite")).unwrap();
        let store = SqliteStore::start(opened, Arc::new(SystemClock::resume(None, None))).unwrap();
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .finish();
        let _until_the_end = tracing::subscriber::set_default(subscriber);
        // Paused time runs ahead of a runtime that waits for another thread, unless that is its own.
        let (over, wait) = std::sync::mpsc::channel::<()>();
        let waits = tokio::task::spawn_blocking(move || wait.recv());
        let mut logging = tokio::task::JoinSet::new();
        logging.spawn(async move { log_hourly(&store).await });
        for hour in 0..=10 {
            while log.heads().len() <= hour {
                tokio::task::yield_now().await;
            }
            let heads = log.heads();
            let when = if hour == 0 { "start" } else { "hourly" };
            assert_eq!(heads.len(), hour + 1, "{heads:?}");
            assert!(heads[hour].contains(when), "{heads:?}");
            advance(LOGGED_EVERY - Duration::from_secs(1)).await;
            assert_eq!(log.heads().len(), hour + 1, "an hour is not over");
            advance(Duration::from_secs(1)).await;
        }
        logging.shutdown().await;
        drop(over);
        assert!(waits.await.unwrap().is_err());
    }
}
