//! Finds connections on which nothing happens. HTTP/1.1 has its time for the next head; an HTTP/2
//! connection would stay for as long as its client answers pings, and so would an answer that is
//! taken byte by byte.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    open: AtomicUsize,
}

/// A request that is being answered, until dropped.
pub(super) struct Open<'a>(&'a Activity);

impl Activity {
    /// Notes that a request began.
    pub(super) fn request(&self) -> Open<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// Returns after at least `limit`, and at most twice that, without a request.
    pub(super) async fn idle(&self, limit: Duration) {
        let mut before = None;
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            if before == Some(begun) && self.open.load(Ordering::Relaxed) == 0 {
                return;
            }
            before = Some(begun);
            sleep(limit).await;
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle() {
        let begin = Instant::now();
        Activity::default().idle(LIMIT).await;
        assert_eq!(begin.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_an_open_request_is_not_idle() {
        let activity = Activity::default();
        let open = activity.request();
        assert!(timeout(10 * LIMIT, activity.idle(LIMIT)).await.is_err());
        drop(open);
        assert!(timeout(2 * LIMIT, activity.idle(LIMIT)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_a_request_now_and_then_is_not_idle() {
        let activity = Activity::default();
        let now_and_then = async {
            for _ in 0..20 {
                sleep(LIMIT - Duration::from_millis(1)).await;
                drop(activity.request());
            }
        };
        tokio::select! {
            () = activity.idle(LIMIT) => panic!("taken for idle"),
            () = now_and_then => {}
        }
    }
}
