//! The remediator's own metrics: names, help texts and series are public interface.
//!
//! Gauges are derived from the board, the inventory and the policy while a scrape is answered, so
//! they cannot drift from what they describe. Counters and histograms are fed by the webhook, by
//! the store's wrapper and, for everything that is an event, by [`Metrics::observe_event`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use vcm_recovery::alert::Ignored;
use vcm_recovery::event::Event;
use vcm_recovery::inventory::Inventory;
use vcm_recovery::policy::Policy;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;
use vcm_telemetry::exposition::{Scrapes, render};
use vcm_telemetry::metric::Descriptor;
use vcm_telemetry::process::{self, Process};

use crate::board::Board;
use crate::clock::Clock;
use crate::store::counted::StoreOperation;
use crate::webhook::Rejection;

mod attempts;
mod counts;
mod fleet;
mod gauges;
mod known;
mod lag;
mod load_hook;

pub use load_hook::CountedHook;
pub use vcm_telemetry::exposition::{Coding, EncodeError, Encoding, Format};

/// Describes every metric that can be exported, in the order written.
#[must_use]
pub fn reference() -> Vec<Descriptor> {
    let own = [counts::METRICS, gauges::METRICS, fleet::METRICS];
    own.into_iter()
        .chain([process::METRICS])
        .flatten()
        .map(|metric| metric.descriptor())
        .collect()
}

/// All metrics of the program.
pub struct Metrics {
    registry: Arc<Registry>,
    scrapes: Scrapes,
    counts: Arc<counts::Counts>,
    lag: lag::Lag,
}

impl Metrics {
    /// The metrics of a program that serves this inventory. Every series that can exist for it
    /// starts at 0.
    #[must_use]
    pub fn new(
        inventory: &Arc<Inventory>,
        policy: &Arc<Policy>,
        board: &Arc<Board>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let mut registry = Registry::default();
        let counts = Arc::new(counts::Counts::new(inventory));
        registry.register_collector(Box::new(counts::Exposed(Arc::clone(&counts))));
        registry.register_collector(Box::new(gauges::Gauges {
            inventory: Arc::clone(inventory),
            policy: Arc::clone(policy),
            board: Arc::clone(board),
            clock: Arc::clone(clock),
        }));
        registry.register_collector(Box::new(Process));
        let registry = Arc::new(registry);
        Self {
            scrapes: Scrapes::new(&registry),
            registry,
            counts,
            lag: lag::Lag::default(),
        }
    }

    /// Everything as it is known at some moment after this call, encoded once for all who scrape
    /// at the same time. It must be called within a tokio runtime.
    ///
    /// # Errors
    /// When it cannot be written or compressed, which would be a defect.
    pub async fn encoded(
        &self,
        format: Format,
        coding: Coding,
    ) -> Result<Encoding, Arc<EncodeError>> {
        self.scrapes.encoded(format, coding).await
    }

    /// Everything that is known now, in the format that was asked for.
    ///
    /// # Errors
    /// When a metric cannot be formatted, which would be a defect.
    pub fn exposition(&self, format: Format) -> Result<String, fmt::Error> {
        render(&self.registry, format)
    }

    /// Counts a stored event. `before` is the host's state without it.
    pub fn observe_event(&self, event: &Event, before: &HostState) {
        self.counts.event(event, before);
        if let Some(lag) = self.lag.observe(event, before) {
            self.counts.decision_lag.observe(lag.as_secs_f64());
        }
    }

    /// Counts a webhook body that was received.
    pub fn webhook_received(&self) {
        self.counts.webhooks.inc();
    }

    /// Counts a webhook body that was refused.
    pub fn webhook_rejected(&self, why: Rejection) {
        self.counts.webhooks_rejected.add([why.as_str()], 1);
    }

    /// Counts the alerts of an accepted body, and the time from its receipt until it was durable.
    pub fn webhook_accepted(&self, alerts: u64, took: Duration) {
        self.counts.alerts.inc_by(alerts);
        self.counts.webhook_duration.observe(took.as_secs_f64());
    }

    /// Counts alerts that are not acted on.
    pub fn alerts_ignored(&self, why: &Ignored, alerts: u64) {
        self.counts.alerts_ignored.add([why.as_str()], alerts);
    }

    /// Counts alerts that Alertmanager cut off a body (`max_alerts`).
    pub fn alerts_truncated(&self, alerts: u64) {
        self.counts.alerts_ignored.add([counts::TRUNCATED], alerts);
    }

    /// Records that the watchdog came.
    pub fn watchdog_heard(&self, at: Time) {
        self.counts.last_watchdog.set([counts::SENDER], seconds(at));
    }

    /// Counts an operation of the store that failed.
    pub fn store_error(&self, operation: StoreOperation) {
        self.counts.store_errors.add([operation.as_str()], 1);
    }

    /// Records that the configuration was read and is in use.
    pub fn configuration_loaded(&self, at: Time) {
        self.counts.config_loaded.set(1.0);
        self.counts.config_loaded_at.set(seconds(at));
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// An instant as Prometheus has it.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact to the millisecond for 285,000 years"
)]
fn seconds(at: Time) -> f64 {
    at.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests;
