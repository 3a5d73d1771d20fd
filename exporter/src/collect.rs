//! The collectors: each runs in the background, one run after the other.

mod cause;
pub mod enquiry;
pub mod icmp;
pub mod stattree;

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nshield::icmp::Pinger;
use nshield::runner::{Ending, Fate, Run, StartError};
use nshield::tools::Installation;
use tokio::sync::watch;

use crate::commands::Command;
use crate::config::Config;
use crate::icmp::Targets;
use crate::memory::{self, MemoryError};
use crate::modules::KnownModules;
use crate::state::State;

/// The time that may pass after a run should have ended before its result counts as stale: a
/// collector that waits for a process that cannot be killed ends no run.
const STALE_MARGIN: Duration = Duration::from_secs(5);

/// What collectors, scrapes and pages share.
#[derive(Debug)]
pub struct Shared {
    /// The installation that is observed.
    pub installation: Installation,
    /// The time between the starts of two runs of a tool.
    pub interval: Duration,
    config: watch::Sender<Arc<Config>>,
    memory: Option<PathBuf>,
    pinger: Pinger,
    state: Mutex<State>,
}

impl Shared {
    /// Creates the state before the first run.
    #[must_use]
    pub fn new(installation: Installation, config: Config, interval: Duration) -> Self {
        let targets = Targets::new(config.icmp.targets.clone(), config.icmp.discover);
        let state = Mutex::new(State::new(max_age(interval, &installation), targets));
        let pinger = Pinger::new();
        Self {
            installation,
            interval,
            config: watch::Sender::new(Arc::new(config)),
            memory: None,
            pinger,
            state,
        }
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

/// The longest that a result is shown: a held `enquiry` must not make its modules unknown before
/// it has had its time to answer.
fn max_age(interval: Duration, installation: &Installation) -> Duration {
    interval + installation.deadlines().enquiry + STALE_MARGIN
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

/// Waits until the process of a run is gone, so that a tool that cannot be killed is never started
/// a second time beside itself.
async fn gone(run: Result<Run, StartError>) {
    if let Ok(Run {
        ending:
            Ending::TimedOut(Fate::StillRunning(outliving))
            | Ending::OutputLimit(Fate::StillRunning(outliving)),
        ..
    }) = run
    {
        tracing::warn!(process = ?outliving.identity(), "a tool outlives its deadline");
        outliving.gone().await;
    }
}
