//! The whole ladder in virtual time: a scripted host, the real decisions, no I/O.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test's script is fixed, and it looks for single kinds of event"
)]

mod anew;
mod approvals;
mod control;
mod forgotten;
mod history;
mod lab;
mod observe;
mod outcomes;
mod pages;
mod safety;
mod scenarios;
mod shown;
mod storm;
