//! Collector `stattree`: statistics of the hardserver and its modules.

use std::sync::Arc;

use nshield::runner;
use nshield::stattree::StatTree;
use tokio::time::{Instant, sleep_until};

use super::{Shared, cause, gone};
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
    let invocation = shared.installation.stattree();
    let program = invocation.program().to_owned();
    let run = runner::run(invocation).await;
    let took = started.elapsed();
    let printed = run
        .as_ref()
        .map(|run| run.stdout.as_slice())
        .unwrap_or_default();
    let tree = StatTree::parse(printed);
    let gaps = gaps(&tree);
    let failure = FailureReason::of(&run, None, gaps.is_empty());
    let cause = failure.map(|reason| cause::of_tool(&program, &run, reason, &gaps));
    {
        let mut state = shared.state();
        state
            .commands
            .entry(Command::Stattree)
            .or_default()
            .finished(took, failure);
        state.collector_ended(CollectorName::Stattree, cause.as_deref(), took);
        state.stattree_ended(failure.is_none().then_some(tree));
    }
    gone(run).await;
    drop(guard);
}

/// What the output lacks to be used; empty means whole.
fn gaps(tree: &StatTree) -> Vec<String> {
    let no_end = (!tree.final_newline).then_some("its last line has no end");
    let no_server = tree.server().is_none().then_some("no ServerGlobals");
    no_end
        .into_iter()
        .chain(no_server)
        .map(str::to_owned)
        .collect()
}
