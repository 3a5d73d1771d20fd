//! How much and how long a client may take. Chosen for a handful of scrapers and people, and so
//! that nobody who can only connect can keep the others out for long.

use std::time::Duration;

/// What clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests answered at the same time; more get 503. 0 is no limit. Default 100: an answer is
    /// cheap, and scrapers that wait for one slow tool together must not be refused for it.
    pub max_requests: usize,
    /// Open connections; more wait in the backlog of the kernel. At least 1. Default 256: each may
    /// hold some 64 KiB, so that all of them together stay a bounded part of a small host.
    pub max_connections: usize,
    /// Time for a TLS handshake, seconds in the network included. Default 10 s.
    pub handshake_time: Duration,
    /// Time for the head of a request, from the end of the one before: who sends it slower, or
    /// stays idle for longer (over HTTP/2 up to twice as long), is cut off. Default 20 s: a scraper
    /// at 15 s keeps its connection, and one at 30 s or 60 s never meets the moment of closing.
    pub head_time: Duration,
    /// Time for the answer to a request; then 503. Default 30 s, three of Prometheus' default
    /// scrape time-outs: nobody waits for a later answer.
    pub request_time: Duration,
    /// Time without any of it in which a client must take more of what it was sent, and time for
    /// the rest once its connection counts as idle; then it is cut off. Default 30 s.
    pub write_time: Duration,
    /// Time for open requests to end after the end was asked for. Default 5 s.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_requests: 100,
            max_connections: 256,
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(20),
            request_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(5),
        }
    }
}

/// Largest head of a request, in bytes (431 beyond). Go's servers take 1 MiB; no scraper or browser
/// without cookies of ours sends more than a few KiB.
pub(crate) const HEAD_SIZE_MAX: usize = 32 * 1024;

/// Requests at once on one HTTP/2 connection, announced to the client.
pub(crate) const HTTP2_STREAMS_MAX: u32 = 32;

/// Time between pings on an HTTP/2 connection, and for the answer: finds clients that are gone.
pub(crate) const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

/// Pause after an accept that failed for want of resources: they come back when others let go of
/// them, and asking without a pause would burn a CPU meanwhile.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Failures of accept that follow one another faster than this are one trouble, and one line in the
/// log: under a lack of resources an accept succeeds now and then.
pub(crate) const ACCEPT_QUIET: Duration = Duration::from_secs(60);
