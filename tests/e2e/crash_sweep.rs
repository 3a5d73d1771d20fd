//! The crash sweep: `kill -9` after every record of the host runner's journal, before and after
//! every effect and at every commit of the store, each on a simulated host of its own; then
//! whatever died is started again, and the properties S2, S8, S11, L2 and L4 are judged by the
//! simulator's log of calls, the journals and the store's chain.
//!
//! The real programs run, and the points are exact: strace delivers SIGKILL at the n-th sync of a
//! process, between the record that is being synced and the effect that it announces, and the
//! simulated tools kill who called them. Stage `crash_sweep` of tests/run; it needs root.

mod chain;
mod host;
mod journal;
mod judge;
mod kill;
mod ladder;
mod sweep;

use ladder::{CLEAR, LEFT_DOWN, RESTART, RETRY};

#[test]
fn a_clear_is_finished_once_wherever_it_is_cut() {
    sweep::sweep(&CLEAR);
}

#[test]
fn a_hardserver_that_a_restart_left_down_is_started_wherever_that_is_cut() {
    sweep::sweep(&LEFT_DOWN);
}

#[test]
fn a_restart_is_run_once_wherever_it_is_cut() {
    sweep::sweep(&RESTART);
}

#[test]
fn a_retry_is_run_once_wherever_it_is_cut() {
    sweep::sweep(&RETRY);
}
