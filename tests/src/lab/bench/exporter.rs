//! `vcm-lab bench-exporter`: what vcm-exporter costs beside the exporters that one would otherwise
//! run. `tests/bench exporter` builds, makes a network namespace and calls it.
//!
//! The programs run one after the other, in turns, on otherwise idle loopback. One table row for
//! each question; a question that cannot be answered here says why in its row, and the others go on.

mod exposition;
mod fault;
mod hanging;
mod icmp;
mod idle;
mod probe;
mod programs;
mod scrape;
mod scraper;
mod table;
mod usage;

use std::{error::Error, time::Duration};

use super::{progress, show};
use crate::lab::LabError;
use table::Row;

/// The questions, each with the name that `--only` takes.
pub const QUESTIONS: [&str; 6] = ["icmp", "probe", "scrape", "hanging", "idle", "fault"];

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often each figure of processor time is taken; the table shows medians.
    runs: u32,
    /// How long echoes are sent before they count, and while they count.
    echoes: (Duration, Duration),
    /// One-off probes of one run.
    probes: u32,
    /// Scrapes of 8 modules, and of node_exporter, of one run.
    scrapes: u32,
    /// Scrapes of 10,000 series of one run, by all scrapers together.
    large_scrapes: u32,
    /// Rounds of 50 scrapers while a tool hangs.
    rounds: u32,
    /// How long the idle exporter is watched.
    idle: Duration,
    /// How many faults are timed.
    faults: u32,
}

impl Plan {
    /// What the published figures are taken with: about half an hour.
    #[must_use]
    pub fn full() -> Self {
        Self {
            runs: 3,
            echoes: (Duration::from_secs(10), Duration::from_secs(60)),
            probes: 1_000,
            scrapes: 1_000,
            large_scrapes: 500,
            rounds: 1_000,
            idle: Duration::from_secs(60),
            faults: 5,
        }
    }

    /// What shows that everything works: a few minutes, with figures that vary.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            runs: 1,
            echoes: (Duration::from_secs(4), Duration::from_secs(10)),
            probes: 200,
            scrapes: 200,
            large_scrapes: 50,
            rounds: 100,
            idle: Duration::from_secs(20),
            faults: 1,
        }
    }

    /// The same with another number of runs and of faults.
    #[must_use]
    pub fn with_runs(self, runs: u32) -> Self {
        Self {
            runs,
            faults: runs,
            ..self
        }
    }
}

/// Answers the questions named `only` (none: all) and prints a Markdown table, row by row.
///
/// # Errors
/// If this is no release build.
pub async fn run(plan: &Plan, only: &[String]) -> Result<(), LabError> {
    if cfg!(debug_assertions) {
        let remedy = "figures are of the release build: run tests/bench exporter".to_owned();
        return Err(LabError::NotPermitted(remedy));
    }
    show(table::HEAD);
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    for question in QUESTIONS.into_iter().filter(|name| wanted(name)) {
        progress(&format!("measuring: {question}"));
        let rows = answer(question, plan).await;
        let rows = rows.unwrap_or_else(|error| vec![Row::impossible(question, &chain(&error))]);
        rows.iter().for_each(|row| show(&row.to_string()));
    }
    Ok(())
}

async fn answer(question: &str, plan: &Plan) -> Result<Vec<Row>, LabError> {
    match question {
        "icmp" => icmp::rows(plan).await,
        "probe" => probe::rows(plan).await,
        "scrape" => scrape::rows(plan).await,
        "hanging" => hanging::rows(plan).await,
        "idle" => idle::rows(plan).await,
        "fault" => fault::rows(plan).await,
        other => Err(LabError::NotPermitted(format!("no question {other}"))),
    }
}

/// An error with its causes.
fn chain(error: &LabError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
