//! Model checks of the remediator's real functions.
//!
//! A model is a small estate together with everything that may go wrong in it. What the program
//! decides is not written down a second time: the model calls the program's own pure functions, and
//! only the shell around them (files, processes, the network) is modelled. [`check`](check::check)
//! visits every state that can be reached and asks every property in each.
//!
//! ```text
//! budgets   two hosts on two HSMs: reservations that race, unknown outcomes, storms
//! load      one HSM: load is taken and returns, its hook failing, the program dying
//! incident  one incident: the whole ladder, with everything around it failing
//! runner    one host: journal, fencing and resume, with an old, a new and a foreign remediator
//! ```

pub mod budgets;
pub mod check;
pub mod incident;
pub mod load;
pub mod runner;
mod scene;
mod ticks;

use check::Outcome;

/// How large an estate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What fits into every run of the tests.
    Quick,
    /// What is run by command, for the record.
    Full,
}

/// Checks one model in a size on a number of threads.
pub type Check = fn(Size, usize) -> Vec<Outcome>;

/// Every model by name.
pub const MODELS: &[(&str, Check)] = &[
    ("incident", incident::check),
    ("budgets", budgets::check),
    ("load", load::check),
    ("runner", runner::check),
];
