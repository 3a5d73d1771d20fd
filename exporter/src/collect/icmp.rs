//! Collector `icmp`: one echo per target and interval, without pause.

use std::sync::Arc;
use std::time::Duration;

use nshield::icmp::{Echo, EchoError};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Shared, cause};
use crate::clock::UnixTime;
use crate::icmp::{EchoEnd, Target};
use crate::state::CollectorName;

/// Runs for ever. Echoes overlap: one that is lost delays no other.
pub async fn run(shared: Arc<Shared>) {
    let mut ticks = interval(shared.config().icmp.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = JoinSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let late = shared.config().icmp.late_window;
                rounds.spawn(round(Arc::clone(&shared), late));
            }
            Some(_) = rounds.join_next() => {}
        }
    }
}

/// Sends one echo to every target and waits for the end of each, not for late replies.
pub async fn once(shared: &Arc<Shared>) {
    round(Arc::clone(shared), Duration::ZERO).await;
}

async fn round(shared: Arc<Shared>, late: Duration) {
    let started = Instant::now();
    let targets = {
        let mut state = shared.state();
        let state = &mut *state;
        state.icmp.current(&state.modules)
    };
    let mut echoes = JoinSet::new();
    let mut late_replies = JoinSet::new();
    for target in targets {
        echoes.spawn(echo(Arc::clone(&shared), target, late));
    }
    let mut not_sent = None;
    while let Some(ended) = echoes.join_next().await {
        let Ok((failure, waiting)) = ended else {
            continue;
        };
        not_sent = not_sent.or(failure);
        if let Some(waiting) = waiting {
            late_replies.spawn(waiting);
        }
    }
    shared
        .state()
        .collector_ended(CollectorName::Icmp, not_sent.as_deref(), started.elapsed());
    while late_replies.join_next().await.is_some() {}
}

/// Sends one echo and counts its end. Returns why it could not be sent, and what waits for a late
/// reply.
async fn echo(
    shared: Arc<Shared>,
    target: Target,
    late: Duration,
) -> (
    Option<String>,
    Option<impl Future<Output = ()> + Send + 'static>,
) {
    let number = shared.state().icmp.record(&target).started();
    let wait = shared.config().icmp.timeout;
    let (echo, waiting) = shared
        .pinger
        .echo_watching_late(target.address, wait, late)
        .await;
    let end = EchoEnd::from(&echo);
    // Whatever else came back, it was sent: only an error of our own says nothing of the target.
    let failure = match &echo {
        Echo::Error(error) => Some(not_sent(&target, error)),
        Echo::Reply { .. }
        | Echo::Timeout
        | Echo::Unreachable { .. }
        | Echo::TimeExceeded { .. }
        | Echo::Other { .. } => None,
    };
    let socket = shared.pinger.socket_kind(target.address).ok();
    {
        let mut state = shared.state();
        let record = state.icmp.record(&target);
        record.socket = socket;
        record.finished(number, end, UnixTime::now());
    }
    let waiting = waiting.map(|waiting| async move {
        if waiting.arrived().await {
            shared.state().icmp.record(&target).late_replies += 1;
        }
    });
    (failure, waiting)
}

fn not_sent(target: &Target, error: &EchoError) -> String {
    format!("target {:?}: {}", target.name, cause::chain(error))
}
