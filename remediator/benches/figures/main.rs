//! The figures of the remediator as Markdown rows: durable acceptance over HTTP, many open
//! incidents, how soon a pause and a hold count, growth of the store. `tests/bench remediator` runs
//! it and adds the table's head.
//!
//! Everything is measured on the disk under `target/`, and on the shipped program unless it is said
//! otherwise. Figures only: nothing here passes or fails by how long it takes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints, and one that cannot be set up has nothing to say"
)]

use std::time::Duration;

use tokio::runtime::Builder;

mod acceptance;
mod alertmanager;
mod disk;
mod growth;
mod program;
mod stop;

/// How much is measured.
#[derive(Clone, Copy)]
struct Extent {
    /// How long alerts are delivered at a fixed rate.
    paced: Duration,
    /// How long they are delivered as fast as they are answered.
    unpaced: Duration,
    /// Simulated days of the store's growth, more than its evidence is kept.
    days: u32,
}

const FULL: Extent = Extent {
    paced: Duration::from_secs(120),
    unpaced: Duration::from_secs(20),
    days: 300,
};

const QUICK: Extent = Extent {
    paced: Duration::from_secs(30),
    unpaced: Duration::from_secs(5),
    days: 120,
};

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let extent = if quick { QUICK } else { FULL };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(acceptance::measure(extent));
    let workers = Builder::new_multi_thread().enable_all().build().unwrap();
    workers.block_on(stop::measure());
    runtime.block_on(growth::measure(extent.days));
}

/// A row of the table.
fn row(what: &str, figure: &str, how: &str) {
    println!("| {what} | {figure} | {how} |");
}
