//! End to end: the real programs, Debian's Prometheus and Alertmanager, and a simulated estate.
//!
//! Judged by the simulator's log of calls, which no program under test can write. Every test has a
//! lab of its own, so they run side by side (`RUST_TEST_THREADS` decides how many).

#![expect(clippy::expect_used, reason = "a test fails by a panic")]

mod crash;
mod crash_sweep;
mod dashboard;
mod lab_itself;
mod limits;
mod people;
mod scenarios;
mod webhook;

use vcm_lab::lab::LabError;

/// The value, or a panic that tells the whole chain of causes. A panic keeps the lab's files.
fn must<T>(result: Result<T, LabError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{:#}", anyhow::Error::from(error)),
    }
}
