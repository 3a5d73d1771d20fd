//! The collectors: each runs in the background, one run after the other.

pub mod enquiry;
pub mod icmp;
pub mod stattree;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nshield::icmp::Pinger;
use nshield::runner::{Ending, Fate, Run, StartError};
use nshield::tools::Installation;

use crate::commands::Command;
use crate::config::Config;
use crate::icmp::Targets;
use crate::state::State;

/// The time that may pass after a run should have ended before its result counts as stale: a
/// collector that waits for a process that cannot be killed ends no run.
const STALE_MARGIN: Duration = Duration::from_secs(5);

/// What collectors, scrapes and pages share.
#[derive(Debug)]
pub struct Shared {
    /// The installation that is observed.
    pub installation: Installation,
    /// The checked configuration.
    pub config: Config,
    /// The time between the starts of two runs of a tool.
    pub interval: Duration,
    pinger: Pinger,
    state: Mutex<State>,
}

impl Shared {
    /// Creates the state before the first run.
    #[must_use]
    pub fn new(installation: Installation, config: Config, interval: Duration) -> Arc<Self> {
        let targets = Targets::new(config.icmp.targets.clone(), config.icmp.discover);
        let state = Mutex::new(State::new(max_age(interval, &installation), targets));
        Arc::new(Self {
            installation,
            config,
            interval,
            pinger: Pinger::new(),
            state,
        })
    }

    /// Locks the state. A panic while it was locked has ended the program's task already; what it
    /// holds is still consistent, because every change is one assignment after computing.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
