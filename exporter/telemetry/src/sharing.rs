//! Work whose result is shared by everybody who asked before it began.
//!
//! While one run goes on, those who come wait together for the next: nobody is handed what was
//! true before they asked, and however many ask, one run at a time does the work.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Runs a piece of work for whoever asks, on the threads of tokio that may block.
pub struct Sharing<T>(Arc<Line<T>>);

struct Line<T> {
    work: Box<dyn Fn() -> T + Send + Sync>,
    waiting: Mutex<Waiting<T>>,
}

struct Waiting<T> {
    /// Whether somebody runs the work, and so will look here again.
    running: bool,
    askers: Vec<oneshot::Sender<T>>,
}

impl<T: Clone + Send + 'static> Sharing<T> {
    /// Shares the results of `work`.
    #[must_use]
    pub fn new(work: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let waiting = Waiting {
            running: false,
            askers: Vec::new(),
        };
        Self(Arc::new(Line {
            work: Box::new(work),
            waiting: Mutex::new(waiting),
        }))
    }

    /// Returns the result of a run that begins after this call; `None` where the work panicked.
    /// It must be called within a tokio runtime.
    pub async fn next(&self) -> Option<T> {
        let (asker, answer) = oneshot::channel();
        if self.0.ask(asker) {
            let line = Arc::clone(&self.0);
            spawn_blocking(move || line.run());
        }
        answer.await.ok()
    }
}

impl<T> fmt::Debug for Sharing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharing").finish_non_exhaustive()
    }
}

impl<T> Line<T> {
    /// Returns whether the caller has to run the work.
    fn ask(&self, asker: oneshot::Sender<T>) -> bool {
        let mut waiting = self.waiting();
        waiting.askers.push(asker);
        !std::mem::replace(&mut waiting.running, true)
    }

    /// Runs the work as long as somebody waits. A panic is the answer of those who waited for that
    /// run alone.
    fn run(&self)
    where
        T: Clone,
    {
        while let Some(askers) = self.take() {
            let Ok(result) = catch_unwind(AssertUnwindSafe(&self.work)) else {
                continue;
            };
            for asker in askers {
                // Who has gone meanwhile needs no answer.
                let _ = asker.send(result.clone());
            }
        }
    }

    /// Returns those who wait, without those who have gone; `None` ends the running.
    fn take(&self) -> Option<Vec<oneshot::Sender<T>>> {
        let mut waiting = self.waiting();
        let mut askers = std::mem::take(&mut waiting.askers);
        askers.retain(|asker| !asker.is_closed());
        waiting.running = !askers.is_empty();
        waiting.running.then_some(askers)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
