//! What the service manager is told, where there is one (`Type=notify`).
//!
//! The watchdog is fed by the collectors' own progress: a program that still serves and no longer
//! observes is restarted. A tool that cannot be killed is no standstill: a restart would only start
//! it a second time beside itself.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::collect::Shared;
use crate::state::CollectorName;

/// The program serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] follows.
pub fn reloading() {
    // A manager of version 253 or later wants the time with it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end was asked for.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the manager's watchdog as long as every collector moves on; comes back at once where no
/// watchdog is asked for.
pub async fn feed_watchdog(shared: &Shared) {
    if let Some(patience) = sd_notify::watchdog_enabled() {
        feed(shared, patience, || tell(&[NotifyState::Watchdog])).await;
    }
}

/// Looks four times within the manager's patience, so that one look at a bad moment, such as the
/// first one after the machine stood still, is no reason for a restart.
async fn feed(shared: &Shared, patience: Duration, mut feed: impl FnMut()) {
    let mut ticks = interval(patience / 4);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let still: Vec<CollectorName> = shared.state().standing_still().collect();
        if still.is_empty() {
            feed();
        } else {
            tracing::error!(collectors = ?still, "collectors stand still: the watchdog is not fed");
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}

#[cfg(test)]
mod tests {
    use nshield::tools::Installation;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::collect::Schedule;
    use crate::config::Config;

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_until_a_collector_stands_still() {
        let shared = Shared::new(
            Installation::default(),
            Config::default(),
            Schedule::OnScrape,
        );
        let stops_at = Instant::now() + Duration::from_secs(45);
        shared
            .state()
            .progress(CollectorName::Stattree, Some(stops_at));
        let mut fed = Vec::new();
        let started = Instant::now();
        let feeding = feed(&shared, Duration::from_secs(20), || {
            fed.push(started.elapsed().as_secs());
        });
        timeout(Duration::from_secs(300), feeding)
            .await
            .unwrap_err();
        assert_eq!(fed, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_look_at_a_bad_moment_does_not_starve_the_watchdog() {
        let shared = Shared::new(
            Installation::default(),
            Config::default(),
            Schedule::OnScrape,
        );
        let patience = Duration::from_secs(120);
        let progress = |due| shared.state().progress(CollectorName::Enquiry, due);
        let late_for_a_moment = async {
            tokio::time::sleep(patience - Duration::from_secs(1)).await;
            progress(Some(Instant::now()));
            tokio::time::sleep(Duration::from_secs(2)).await;
            progress(None);
            std::future::pending::<()>().await;
        };
        let mut fed = vec![Instant::now()];
        let feeding = feed(&shared, patience, || fed.push(Instant::now()));
        let both = async { tokio::join!(feeding, late_for_a_moment) };
        timeout(patience * 5, both).await.unwrap_err();
        let pauses = fed.windows(2).map(|two| two[1] - two[0]);
        assert!(pauses.max().unwrap() < patience * 3 / 4, "{fed:?}");
    }
}
