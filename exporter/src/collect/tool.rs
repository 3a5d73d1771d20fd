//! What the collectors of tools have in common: when they run, and what is recorded of a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nshield::hardserver::SocketProbe;
use nshield::runner::{self, Ending, Fate, GRACE, Invocation, KILL_WAIT, Run, StartError};
use tokio::time::{Instant, sleep_until};

use super::{RunningGuard, Schedule, Shared, cause};
use crate::commands::{Command, FailureReason};
use crate::state::{CollectorName, State};

/// What a run may take beyond its deadline: ending the process, draining its output, recording.
const AFTER_DEADLINE: Duration = GRACE.saturating_add(KILL_WAIT.saturating_mul(3));

/// The turns of a collector: one run after the other, as the schedule says.
pub(super) struct Turns {
    shared: Arc<Shared>,
    name: CollectorName,
    /// The longest that a run takes.
    run_time: Duration,
    started: Instant,
}

impl Turns {
    /// Begins with the first turn, of runs with this deadline.
    pub(super) async fn of(shared: &Arc<Shared>, name: CollectorName, deadline: Duration) -> Self {
        let mut turns = Self {
            shared: Arc::clone(shared),
            name,
            run_time: deadline + AFTER_DEADLINE,
            started: Instant::now(),
        };
        turns.begin().await;
        turns
    }

    /// Ends a turn and waits for the next one, which comes `at_the_latest` if it cannot wait.
    pub(super) async fn next(&mut self, at_the_latest: Option<Instant>) {
        self.shared.demand(self.name).idle();
        if let Schedule::Every(interval) = self.shared.schedule {
            let turn = self.started + interval;
            let next = at_the_latest.map_or(turn, |latest| latest.min(turn));
            self.progress(Some(next + AFTER_DEADLINE));
            sleep_until(next).await;
        }
        self.begin().await;
    }

    async fn begin(&mut self) {
        if self.shared.schedule == Schedule::OnScrape {
            self.progress(None);
            self.shared.demand(self.name).asked().await;
        }
        self.started = Instant::now();
        self.progress(Some(self.started + self.run_time));
    }

    fn progress(&self, due: Option<Instant>) {
        self.shared.state().progress(self.name, due);
    }
}

/// A run whose result is there. Its process may live on.
pub(super) struct Ended {
    pub(super) run: Result<Run, StartError>,
    pub(super) took: Duration,
    program: PathBuf,
    command: Command,
    _running: RunningGuard,
}

impl Ended {
    /// Runs a tool until it ends or its deadline passes.
    pub(super) async fn run(
        shared: &Arc<Shared>,
        command: Command,
        invocation: Invocation,
    ) -> Self {
        let running = shared.running(command);
        let started = Instant::now();
        let program = invocation.program().to_owned();
        let run = runner::run(invocation).await;
        Self {
            run,
            took: started.elapsed(),
            program,
            command,
            _running: running,
        }
    }

    /// What the tool printed.
    pub(super) fn stdout(&self) -> &[u8] {
        let run = self.run.as_ref();
        run.map(|run| run.stdout.as_slice()).unwrap_or_default()
    }

    /// Records the run of the command and of its collector; `gaps` is what the output lacks.
    /// Returns whether it is usable.
    pub(super) fn record(
        &self,
        state: &mut State,
        name: CollectorName,
        socket: Option<SocketProbe>,
        gaps: &[String],
    ) -> bool {
        let failure = self.count(state, socket, gaps.is_empty());
        let cause = failure.map(|reason| cause::of_tool(&self.program, &self.run, reason, gaps));
        state.collector_ended(name, cause.as_deref(), self.took);
        failure.is_none()
    }

    /// Records the run of the command alone.
    pub(super) fn count(
        &self,
        state: &mut State,
        socket: Option<SocketProbe>,
        whole: bool,
    ) -> Option<FailureReason> {
        let failure = FailureReason::of(&self.run, socket, whole);
        let record = state.commands.entry(self.command).or_default();
        record.finished(self.took, failure);
        failure
    }

    /// Waits until the process is gone, so that a tool that cannot be killed is never started a
    /// second time beside itself.
    pub(super) async fn gone(self) {
        if let Ok(Run {
            ending:
                Ending::TimedOut(Fate::StillRunning(outliving))
                | Ending::OutputLimit(Fate::StillRunning(outliving)),
            ..
        }) = self.run
        {
            tracing::warn!(process = ?outliving.identity(), "a tool outlives its deadline");
            outliving.gone().await;
        }
    }
}
