//! The webhook through the whole router: what Alertmanager and anybody else may send.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod alerts;
mod answers;
mod bodies;
mod bound;
mod many;
mod order;
mod program;
