//! Collector `stattree`: statistics of the hardserver and its modules.

use std::sync::Arc;

use nshield::runner;
use nshield::stattree::StatTree;
use tokio::time::{Instant, sleep_until};

use super::{Shared, gone};
use crate::commands::{Command, FailureReason};
use crate::state::CollectorName;

/// Runs for ever, one run per interval.
pub async fn run(shared: Arc<Shared>) {
    loop {
        let started = Instant::now();
        once(&shared).await;
        sleep_until(started + shared.interval).await;
    }
}

/// Runs `stattree` to its end.
pub async fn once(shared: &Arc<Shared>) {
    let guard = shared.running(Command::Stattree);
    let started = Instant::now();
    let run = runner::run(shared.installation.stattree()).await;
    let took = started.elapsed();
    let printed = run
        .as_ref()
        .map(|run| run.stdout.as_slice())
        .unwrap_or_default();
    let tree = StatTree::parse(printed);
    let whole = tree.final_newline && tree.server().is_some();
    let failure = FailureReason::of(&run, None, whole);
    {
        let mut state = shared.state();
        state
            .commands
            .entry(Command::Stattree)
            .or_default()
            .finished(took, failure);
        state.collector_ended(CollectorName::Stattree, failure.is_none(), took);
        state.stattree_ended(failure.is_none().then_some(tree));
    }
    gone(run).await;
    drop(guard);
}
