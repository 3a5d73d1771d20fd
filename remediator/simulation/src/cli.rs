//! The command line. `main` parses it and calls [`Arguments::run`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::campaign::{self, Failure, Outcome, TAIL};
use crate::episode::{BEGINNING, Episode};
use crate::history::clock;
use crate::report::{NOT_FROM_THE_FIELD, Report};
use crate::storm::{self, LIMIT_PERCENT};

/// The seeds of a run that names none.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// Incidents of a run that names none, and of a quick one.
const INCIDENTS: usize = 10_000;
const INCIDENTS_QUICK: usize = 1_000;

/// The recovery core in virtual time over a simulated estate: many incidents, each step judged.
///
/// Exit codes: 0 every property held, 1 one did not (with --limits: or a figure is beyond its limit),
/// 2 wrong arguments.
#[derive(Debug, Parser)]
#[command(name = "vcm-simulation", version = env!("CARGO_PKG_VERSION"))]
pub struct Arguments {
    /// How many incidents at least, shared by the streams [default: 10000]
    #[arg(long, value_name = "N")]
    incidents: Option<usize>,

    /// The seeds of the streams [default: 1,2,3,4]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    seeds: Vec<u64>,

    /// One more stream with a seed that is drawn now, and printed
    #[arg(long)]
    random_seed: bool,

    /// Only 1,000 incidents
    #[arg(long, conflicts_with = "incidents")]
    quick: bool,

    /// How many streams side by side [default: as many as processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Also writes the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Also fails when a figure is beyond its limit, over the streams whose seeds are not drawn now
    #[arg(long)]
    limits: bool,

    /// Runs the storm instead: 1,000 VCMs of 20 HSMs fail at once
    #[arg(long, conflicts_with_all = ["incidents", "random_seed", "quick", "jobs", "json", "seed"])]
    storm: bool,

    /// Replays one episode instead
    #[arg(long, value_name = "N", conflicts_with_all = ["incidents", "seeds", "random_seed", "quick", "jobs", "json"])]
    seed: Option<u64>,

    /// With --seed: prints its whole history
    #[arg(long, requires = "seed")]
    verbose: bool,
}

impl Arguments {
    /// Does what is asked and returns the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match self.seed {
            Some(seed) => replay(seed, self.verbose),
            None if self.storm => storms(&self.seeds, self.limits),
            None => self.campaign(),
        };
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "vcm-simulation: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn campaign(self) -> std::io::Result<bool> {
        let mut out = std::io::stdout();
        let mut seeds = if self.seeds.is_empty() {
            SEEDS.to_vec()
        } else {
            self.seeds
        };
        let fixed = seeds.len();
        if self.random_seed {
            let seed = RandomState::new().build_hasher().finish();
            writeln!(out, "random seed: {seed}")?;
            seeds.push(seed);
        }
        let incidents = match (self.incidents, self.quick) {
            (Some(incidents), _) => incidents,
            (None, true) => INCIDENTS_QUICK,
            (None, false) => INCIDENTS,
        };
        let jobs = self
            .jobs
            .or_else(|| std::thread::available_parallelism().ok());
        let outcomes = campaign::run(&seeds, incidents, jobs.unwrap_or(NonZeroUsize::MIN));
        let outcome = Outcome::joined(&outcomes);
        let report = Report::of(&outcome.tally, &seeds);
        writeln!(out, "{}", report.table())?;
        if let Some(file) = self.json {
            std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
        }
        for failure in &outcome.failures {
            print(&mut out, failure)?;
        }
        if let Some(first) = outcome.failures.first() {
            writeln!(out, "\nThe history of the first:")?;
            history(&mut out, first.seed)?;
        }
        // What is drawn now must keep every property; by the limits it would pass or fail by chance.
        let limited = Outcome::joined(&outcomes[..fixed]);
        let beyond = Report::of(&limited.tally, &seeds[..fixed]).beyond_limits();
        for line in &beyond {
            writeln!(out, "BEYOND ITS LIMIT: {line}")?;
        }
        let holds = outcome.failures.is_empty();
        if holds {
            writeln!(
                out,
                "every property held in {} incidents",
                report.all.incidents
            )?;
        }
        Ok(holds && (beyond.is_empty() || !self.limits))
    }
}

/// The storm of each seed.
fn storms(seeds: &[u64], limits: bool) -> std::io::Result<bool> {
    let mut out = std::io::stdout();
    writeln!(out, "{NOT_FROM_THE_FIELD}\n")?;
    let mut holds = true;
    for &seed in if seeds.is_empty() { &SEEDS[..1] } else { seeds } {
        let storm = storm::run(seed);
        let (took, least) = (storm.took.as_secs_f64(), storm.least.total().as_secs_f64());
        writeln!(
            out,
            "seed {seed}: {} of {} VCMs recovered with {} retries, at most {} at a time on one HSM",
            storm.recovered, storm.failed, storm.retries, storm.most_on_hsm
        )?;
        let of = storm.least;
        writeln!(
            out,
            "    took {took:.0} s; least {least:.0} s = {} s alert + {} s wait + {} rounds x {} s; ratio {:.2}, limit {:.2}",
            of.alert.as_secs(),
            of.wait.as_secs(),
            of.rounds,
            of.attempt.as_secs(),
            took / least,
            f64::from(LIMIT_PERCENT) / 100.0,
        )?;
        writeln!(
            out,
            "    an attempt held its budgets for {:.1} s; idle: {:.0} s before the first, {:.0} s for each place of the HSM that was ready last",
            storm.held.as_secs_f64(),
            storm.idle_before.as_secs_f64(),
            storm.idle_between.as_secs_f64(),
        )?;
        for violation in &storm.violations {
            writeln!(out, "VIOLATED {violation}")?;
        }
        holds &= storm.holds() && (storm.in_time() || !limits);
    }
    Ok(holds)
}

/// One episode again.
fn replay(seed: u64, verbose: bool) -> std::io::Result<bool> {
    let mut out = std::io::stdout();
    let episode = if verbose {
        history(&mut out, seed)?
    } else {
        let mut episode = Episode::new(seed, false);
        episode.run(TAIL);
        episode
    };
    let failure = campaign::failure(&episode);
    if let Some(failure) = &failure {
        print(&mut out, failure)?;
    }
    let incidents = episode.checker().results().len();
    writeln!(
        out,
        "{incidents} incidents, {} events",
        episode.events().len()
    )?;
    Ok(failure.is_none())
}

fn history(out: &mut impl std::io::Write, seed: u64) -> std::io::Result<Episode> {
    let mut episode = Episode::new(seed, true);
    for setting in episode.knobs.settings() {
        writeln!(out, "{}: {}", setting.knob, setting.value)?;
    }
    episode.run(TAIL);
    for line in episode.history().lines() {
        writeln!(out, "{line}")?;
    }
    Ok(episode)
}

fn print(out: &mut impl std::io::Write, failure: &Failure) -> std::io::Result<()> {
    for violation in &failure.violations {
        let at = clock(violation.at, BEGINNING);
        writeln!(
            out,
            "VIOLATED {}: {} (at {at})",
            violation.property, violation.text
        )?;
    }
    writeln!(
        out,
        "    replay: vcm-simulation --seed {} --verbose",
        failure.seed
    )
}
