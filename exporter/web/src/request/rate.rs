//! The token bucket of `rate_limit`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets `burst` requests through at once and one more after each `interval`.
#[derive(Debug)]
pub(crate) struct RateLimit {
    interval: Duration,
    burst: u32,
    /// When the bucket is full again. One instant is the whole state: each request moves it by
    /// `interval`, and it may be at most `burst` intervals away.
    full_at: Mutex<Instant>,
}

impl RateLimit {
    pub(crate) fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval,
            burst,
            full_at: Mutex::new(Instant::now()),
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&self) -> bool {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let then = (*full_at).max(now) + self.interval;
        let allowed = then.duration_since(now) <= self.interval.saturating_mul(self.burst);
        if allowed {
            *full_at = then;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lets_a_burst_through_and_then_one_an_interval() {
        let limit = RateLimit::new(Duration::from_secs(1), 3);
        let allowed = (0..5).filter(|_| limit.take()).count();
        assert_eq!(allowed, 3);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(!limit.take());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(limit.take());
        assert!(!limit.take());
        tokio::time::advance(Duration::from_secs(3600)).await;
        let allowed = (0..5).filter(|_| limit.take()).count();
        assert_eq!(allowed, 3, "tokens beyond the burst are not saved");
    }
}
