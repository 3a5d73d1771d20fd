//! Collector `icmp`: keeps the prober's thread running and tells it of changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nshield::ModuleNumber;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Shared;
use crate::icmp::{HEARTBEAT, Lookup, Prober, Start};
use crate::state::CollectorName;

/// Time between two looks at the prober's progress and at the modules' addresses.
const LOOK_SPACING: Duration = Duration::from_secs(1);

/// Time between two attempts to start the prober.
const START_SPACING: Duration = Duration::from_secs(10);

/// Without a completed slot for this long the prober stands still.
const STANDSTILL: Duration = HEARTBEAT.saturating_mul(2);

/// Runs until the prober's thread ends, which it does not by itself.
pub async fn run(shared: Arc<Shared>) {
    // Before the configuration is read, so that no change goes unseen.
    let mut changes = shared.config_changes();
    let (mut prober, mut modules) = started(&shared).await;
    let started = Instant::now();
    let mut reported = None;
    let mut looks = interval(LOOK_SPACING);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = prober.ended() => return,
            changed = changes.changed() => {
                if changed.is_ok() {
                    prober.reconfigure(shared.config().icmp.clone());
                }
            }
            _ = looks.tick() => {
                let now = addresses(&shared);
                if now != modules {
                    prober.follow(now.clone());
                    modules = now;
                }
                report(&shared, started, &mut reported);
            }
        }
    }
}

/// Starts the prober, again and again: without it the tools still show what they show.
async fn started(shared: &Shared) -> (Prober, BTreeMap<ModuleNumber, IpAddr>) {
    loop {
        let modules = addresses(shared);
        let error = match Prober::start(start(shared, modules.clone())) {
            Ok(prober) => return (prober, modules),
            Err(error) => format!("cannot start the prober: {error}"),
        };
        shared
            .state()
            .collector_ended(CollectorName::Icmp, Some(&error), Duration::ZERO);
        sleep(START_SPACING).await;
    }
}

/// Sends one echo to every target and waits for the end of each, not for late replies.
pub async fn once(shared: &Arc<Shared>) {
    let begun = Instant::now();
    let failure = match Prober::once(start(shared, addresses(shared))) {
        Ok(mut prober) => {
            prober.ended().await;
            shared.icmp.trouble()
        }
        Err(error) => Some(error.to_string()),
    };
    let mut state = shared.state();
    state.collector_ended(CollectorName::Icmp, failure.as_deref(), begun.elapsed());
}

fn start(shared: &Shared, modules: BTreeMap<ModuleNumber, IpAddr>) -> Start {
    Start {
        board: shared.icmp.clone(),
        config: shared.config().icmp.clone(),
        modules,
        lookup: Lookup::default(),
    }
}

/// A module that loses its address keeps the last known one.
fn addresses(shared: &Shared) -> BTreeMap<ModuleNumber, IpAddr> {
    let state = shared.state();
    let modules = state.modules.iter();
    modules
        .filter_map(|(number, identity)| Some((number, identity.address?)))
        .collect()
}

/// Reports each completed slot as a run of the collector, and a standstill as one that failed, which
/// also starves the watchdog.
fn report(shared: &Shared, started: Instant, reported: &mut Option<Instant>) {
    let progress = shared.icmp.progress();
    let newest = progress.unwrap_or(started);
    let due = newest + STANDSTILL + LOOK_SPACING;
    shared
        .state()
        .progress(CollectorName::Icmp, Some(due.into()));
    let silent = newest.elapsed();
    let failure = if silent > STANDSTILL {
        Some(format!(
            "no echo was sent or waited for in {} s",
            silent.as_secs()
        ))
    } else if progress == *reported {
        return;
    } else {
        shared.icmp.trouble()
    };
    *reported = progress;
    let mut state = shared.state();
    state.collector_ended(CollectorName::Icmp, failure.as_deref(), shared.icmp.took());
}
