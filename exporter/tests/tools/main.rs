//! The real program's tools: configuration check, capture, manual page, completions.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

mod capture;
mod configuration;
mod host;
mod printed;
