//! What operators order: the routes through the whole router with the real engine and store behind
//! them, and the command line against the running program.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod cli;
mod ladder;
mod page;
mod process;
mod program;
mod refusals;
mod routes;
mod runner;
