//! Collector `stattree`: statistics of the hardserver and its modules.

use std::sync::Arc;

use nshield::stattree::StatTree;

use super::Shared;
use super::tool::{Ended, Turns};
use crate::commands::Command;
use crate::state::CollectorName;

/// Runs for ever, as the schedule says.
pub async fn run(shared: Arc<Shared>) {
    let deadline = shared.installation.deadlines().stattree;
    let mut turns = Turns::of(&shared, CollectorName::Stattree, deadline).await;
    loop {
        once(&shared).await;
        turns.next(None).await;
    }
}

/// Runs `stattree` to its end.
pub async fn once(shared: &Arc<Shared>) {
    let invocation = shared.installation.stattree();
    let ended = Ended::run(shared, Command::Stattree, invocation).await;
    let tree = StatTree::parse(ended.stdout());
    {
        let mut state = shared.state();
        let whole = ended.record(&mut state, CollectorName::Stattree, None, &gaps(&tree));
        state.stattree_ended(whole.then_some(tree));
    }
    shared.answered(CollectorName::Stattree);
    ended.gone().await;
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
