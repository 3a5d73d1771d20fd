//! Where the prober shows what it does: the counters, its progress, and how to ask it for one echo.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::address::Address;
use super::prober::{Command, OneEcho, OneEnd};
use super::record::{Place, Sample, TargetRecord};
use super::target::{EchoConfig, current};
use crate::config::IcmpConfig;

/// What scrapes, pages and the watchdog see of the prober. Nothing here makes the prober wait.
#[derive(Debug, Clone)]
pub struct Board(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    started: Instant,
    records: Mutex<Arc<[Arc<TargetRecord>]>>,
    /// Nanoseconds after the start; 0 is never.
    completed: AtomicU64,
    took: AtomicU64,
    trouble: Mutex<Option<String>>,
    commands: Mutex<Option<UnboundedSender<Command>>>,
    /// One-off echoes that somebody waits for.
    waiting: AtomicUsize,
}

impl Board {
    /// Shows the configured targets before the first echo.
    #[must_use]
    pub fn new(config: &IcmpConfig) -> Self {
        let targets = current(config, &BTreeMap::new());
        let records = targets
            .iter()
            .map(|target| Arc::new(TargetRecord::new(target.key())));
        Self(Arc::new(Shown {
            started: Instant::now(),
            records: Mutex::new(records.collect()),
            completed: AtomicU64::new(0),
            took: AtomicU64::new(0),
            trouble: Mutex::new(None),
            commands: Mutex::new(None),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// Reads the counters of every target, in the order of its labels.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.records().iter().map(TargetRecord::sample).collect()
    }

    /// Returns when the prober last completed a slot, on the monotonic clock. It completes one at
    /// least every [`HEARTBEAT`](super::HEARTBEAT), whether there are targets or not.
    #[must_use]
    pub fn progress(&self) -> Option<Instant> {
        let completed = self.0.completed.load(Ordering::Relaxed);
        (completed > 0).then(|| self.0.started + Duration::from_nanos(completed))
    }

    /// Returns how long the sending of the newest slot with echoes took.
    #[must_use]
    pub fn took(&self) -> Duration {
        Duration::from_nanos(self.0.took.load(Ordering::Relaxed))
    }

    /// Returns why echoes cannot be sent to some target; `None` where all were sent.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        lock(&self.0.trouble).clone()
    }

    /// Returns where echoes to the targets of a name go; several modules may share one name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Place> {
        let records = self.records();
        let named = records.iter().find(|record| record.key().0 == name);
        named.map(|record| record.place())
    }

    /// Returns whether echoes go to an address.
    #[must_use]
    pub fn has_address(&self, address: &Address) -> bool {
        self.records().iter().any(|record| record.is_at(address))
    }

    /// Sends one echo beside those to the targets and waits for its end.
    ///
    /// # Errors
    ///
    /// If no prober runs, or as many as `limit` wait already.
    pub async fn echo(
        &self,
        address: Address,
        echo: EchoConfig,
        limit: usize,
    ) -> Result<OneEnd, OneError> {
        let _turn = Turn::take(&self.0.waiting, limit)?;
        let (answer, ended) = oneshot::channel();
        self.command(Command::Echo(OneEcho {
            address,
            echo,
            answer,
        }));
        ended.await.map_err(|_| OneError::NoProber)
    }

    /// Returns the counters of every target.
    #[must_use]
    pub fn records(&self) -> Arc<[Arc<TargetRecord>]> {
        Arc::clone(&lock(&self.0.records))
    }

    /// Shows exactly these from now on.
    pub fn show(&self, mut records: Vec<Arc<TargetRecord>>) {
        records.sort_by(|a, b| a.key().cmp(b.key()));
        *lock(&self.0.records) = records.into();
    }

    pub(super) fn slot_completed(&self, took: Option<Duration>) {
        let completed = nanos(self.0.started.elapsed()).max(1);
        self.0.completed.store(completed, Ordering::Relaxed);
        if let Some(took) = took {
            self.0.took.store(nanos(took), Ordering::Relaxed);
        }
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.0.trouble) = trouble;
    }

    pub(super) fn connect(&self, commands: UnboundedSender<Command>) {
        *lock(&self.0.commands) = Some(commands);
    }

    pub(super) fn disconnect(&self) {
        *lock(&self.0.commands) = None;
    }

    /// Hands something to the prober's thread. `false` where none runs.
    pub(super) fn command(&self, command: Command) -> bool {
        let commands = lock(&self.0.commands);
        commands
            .as_ref()
            .is_some_and(|commands| commands.send(command).is_ok())
    }
}

/// Why no echo was sent for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OneError {
    /// Collector icmp does not run.
    #[error("no prober runs")]
    NoProber,
    /// Too many wait already.
    #[error("too many one-off echoes at a time")]
    Busy,
}

/// One of those who wait, until it is dropped.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(waiting: &'a AtomicUsize, limit: usize) -> Result<Self, OneError> {
        let turn = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        if before < limit {
            Ok(turn)
        } else {
            Err(OneError::Busy)
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is locked here is replaced as a whole, so that a panic leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
