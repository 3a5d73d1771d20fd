//! The simulator as real processes: tools, hardserver and `ctl` against each other.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test that calls them"
)]

mod commands;
mod hardserver;
mod harness;
mod lies;
mod network;
mod tools;
