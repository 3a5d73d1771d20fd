//! The HTTP side with real sockets, real certificates and real clients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests panic and print like tests"
)]

mod activation;
mod answers;
mod authentication;
mod certificates;
mod client;
mod client_certificates;
mod configuration;
mod curl;
mod key_formats;
mod limits;
mod listening;
mod logging;
mod reload;
mod server;
mod tls;
