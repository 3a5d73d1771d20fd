//! `explain`, `replay` and `report` as an operator uses them, on a store that the core and the store
//! themselves have filled in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking, and the process under test is started here"
)]

mod explain;
mod record;
mod replay;
mod report;
