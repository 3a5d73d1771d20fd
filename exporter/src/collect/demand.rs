//! Collection on scrape: a scrape asks for a run and waits for its end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A result as old as this still answers a scrape: replicas that scrape at nearly the same time
/// share a run, as each one leaves a line in the hardserver's log.
const FRESH: Duration = Duration::from_secs(1);

/// Between the scrapes that ask and the collector that runs. Whoever asks while a run is under way
/// shares it, so that there is never more than one.
#[derive(Debug)]
pub(super) struct Demand {
    stage: Mutex<Stage>,
    asked: Notify,
    ended: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Asked,
    Running,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            stage: Mutex::new(Stage::Idle),
            asked: Notify::new(),
            ended: watch::Sender::new(None),
        }
    }
}

impl Demand {
    /// Asks for a run and waits for the end of one.
    pub(super) async fn satisfied(&self) {
        let mut ended = self.ended.subscribe();
        let newest = *ended.borrow_and_update();
        if newest.is_some_and(|at| at.elapsed() <= FRESH) {
            return;
        }
        {
            let mut stage = self.stage();
            if *stage == Stage::Idle {
                *stage = Stage::Asked;
                self.asked.notify_one();
            }
        }
        // The sender lives as long as `self`.
        let _ = ended.changed().await;
    }

    /// Waits until a run is asked for, which is then under way.
    pub(super) async fn asked(&self) {
        loop {
            {
                let mut stage = self.stage();
                if *stage == Stage::Asked {
                    *stage = Stage::Running;
                    return;
                }
            }
            self.asked.notified().await;
        }
    }

    /// The result of a run is there. Its process may live on, and then no other is started yet.
    pub(super) fn answered(&self) {
        self.ended.send_replace(Some(Instant::now()));
    }

    /// Another run may be asked for.
    pub(super) fn idle(&self) {
        *self.stage() = Stage::Idle;
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::{sleep, timeout};

    use super::*;

    const RUN: Duration = Duration::from_secs(3);

    fn collector(demand: &Arc<Demand>) -> (JoinSet<()>, Arc<AtomicU32>) {
        let (demand, runs) = (Arc::clone(demand), Arc::new(AtomicU32::new(0)));
        let (counted, mut tasks) = (Arc::clone(&runs), JoinSet::new());
        tasks.spawn(async move {
            loop {
                demand.asked().await;
                counted.fetch_add(1, Ordering::Relaxed);
                sleep(RUN).await;
                demand.answered();
                demand.idle();
            }
        });
        (tasks, runs)
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_runs_unless_it_is_asked_for_and_scrapers_share_a_run() {
        let demand = Arc::new(Demand::default());
        let (_tasks, runs) = collector(&demand);
        sleep(RUN * 10).await;
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        let mut scrapes = JoinSet::new();
        for number in 0..50 {
            let demand = Arc::clone(&demand);
            scrapes.spawn(async move {
                sleep(Duration::from_millis(50 * number)).await;
                demand.satisfied().await;
            });
        }
        scrapes.join_all().await;
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_answers_for_a_second_and_no_longer() {
        let demand = Arc::new(Demand::default());
        let (_tasks, runs) = collector(&demand);
        demand.satisfied().await;
        demand.satisfied().await;
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        sleep(FRESH + Duration::from_millis(1)).await;
        demand.satisfied().await;
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_that_gives_up_leaves_nothing_behind() {
        let demand = Arc::new(Demand::default());
        let (_tasks, runs) = collector(&demand);
        assert!(timeout(RUN / 2, demand.satisfied()).await.is_err());
        sleep(RUN * 10).await;
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }
}
