//! The store on real files: opening, damage, the lock, group commit, budgets, the chain and what
//! an operator does to it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod audit;
mod budget_rule;
mod budgets;
mod opening;
mod order;
mod ownership;
mod place;
mod places;
mod processes;
mod restored;
mod retention;
mod upgrade;
mod writing;
