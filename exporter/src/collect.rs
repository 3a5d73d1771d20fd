//! The collectors: each runs in the background, one run after the other.

mod cause;
mod demand;
pub mod enquiry;
pub mod icmp;
pub mod stattree;
mod tool;

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nshield::tools::Installation;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::commands::Command;
use crate::config::Config;
use crate::icmp::Board;
use crate::memory::{self, MemoryError};
use crate::modules::KnownModules;
use crate::state::{CollectorName, State};
use demand::Demand;

/// When tools are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// In the background, with this time between the starts of two runs of a tool.
    Every(Duration),
    /// When somebody scrapes, who waits for the result.
    OnScrape,
}

impl Schedule {
    /// The time between two runs of one tool at which nobody minds the lines it leaves in the
    /// hardserver's log.
    const USUAL: Duration = Duration::from_secs(15);

    /// Returns the least time between two runs that nobody asked for.
    fn spacing(self) -> Duration {
        match self {
            Self::Every(interval) => interval,
            Self::OnScrape => Self::USUAL,
        }
    }
}

/// What collectors, scrapes and pages share.
#[derive(Debug)]
pub struct Shared {
    /// The installation that is observed.
    pub installation: Installation,
    /// When tools are run.
    pub schedule: Schedule,
    /// What the prober shows.
    pub icmp: Board,
    demands: [Demand; CollectorName::ALL.len()],
    config: watch::Sender<Arc<Config>>,
    memory: Option<PathBuf>,
    state: Mutex<State>,
}

impl Shared {
    /// Creates the state before the first run.
    #[must_use]
    pub fn new(installation: Installation, config: Config, schedule: Schedule) -> Self {
        let state = Mutex::new(State::new(schedule.spacing()));
        Self {
            installation,
            schedule,
            icmp: Board::new(&config.icmp),
            demands: CollectorName::ALL.map(|_| Demand::default()),
            config: watch::Sender::new(Arc::new(config)),
            memory: None,
            state,
        }
    }

    /// Leaves a collector out: it never runs, and nothing is exported of it.
    #[must_use]
    pub fn without(self, name: CollectorName) -> Self {
        self.state().switch_off(name);
        self
    }

    /// Returns whether a collector runs.
    pub fn runs(&self, name: CollectorName) -> bool {
        self.state().runs(name)
    }

    /// Waits, where tools are run on scrape, until each has run for this scrape or the deadline
    /// has passed; what a tool showed before is dropped then, as it is no answer to this scrape.
    pub async fn collected(&self, deadline: Instant) {
        if self.schedule != Schedule::OnScrape {
            return;
        }
        let asked = Instant::now();
        let one = async |name| {
            if self.runs(name)
                && timeout_at(deadline, self.demand(name).satisfied())
                    .await
                    .is_err()
            {
                self.state().overdue(name, asked);
            }
        };
        tokio::join!(one(CollectorName::Enquiry), one(CollectorName::Stattree));
    }

    /// Takes in that a run's result is there: scrapes that wait for it go on. What follows, a disk
    /// that is slow or a process that is not gone yet, is no standstill of ours.
    fn answered(&self, name: CollectorName) {
        self.demand(name).answered();
        self.state().progress(name, None);
    }

    fn demand(&self, name: CollectorName) -> &Demand {
        &self.demands[name as usize]
    }

    /// Returns the configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// Returns what tells of every change of the configuration.
    pub fn config_changes(&self) -> watch::Receiver<Arc<Config>> {
        self.config.subscribe()
    }

    /// Puts another configuration in force.
    pub fn reconfigure(&self, config: Config) {
        self.config.send_replace(Arc::new(config));
    }

    /// Starts with what a file keeps about modules, and keeps it there from now on. A file that
    /// cannot be used is reported and replaced at the next change.
    #[must_use]
    pub fn remembering(mut self, file: PathBuf) -> Self {
        match memory::load(&file) {
            Ok(modules) => self.state().modules = modules,
            Err(error) => warn(&error, "what was known about modules is lost"),
        }
        self.memory = Some(file);
        self
    }

    /// Locks the state. A panic while it was locked has ended the program's task already; what it
    /// holds is still consistent, because every change is one assignment after computing.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is known about modules, where a file is configured and something changed.
    async fn remember(&self, before: &KnownModules) {
        let Some(file) = self.memory.clone() else {
            return;
        };
        let modules = self.state().modules.clone();
        if modules == *before {
            return;
        }
        let saved = tokio::task::spawn_blocking(move || memory::save(&file, &modules)).await;
        if let Ok(Err(error)) = saved {
            warn(&error, "what is known about modules is not kept");
        }
    }

    /// Counts a process as running until the guard is dropped.
    fn running(self: &Arc<Self>, command: Command) -> RunningGuard {
        self.state().commands.entry(command).or_default().running += 1;
        RunningGuard {
            shared: Arc::clone(self),
            command,
        }
    }
}

fn warn(error: &MemoryError, consequence: &'static str) {
    let cause = error.source().map(ToString::to_string);
    tracing::warn!(%error, cause, "{consequence}");
}

struct RunningGuard {
    shared: Arc<Shared>,
    command: Command,
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let record = state.commands.entry(self.command).or_default();
        record.running = record.running.saturating_sub(1);
    }
}
