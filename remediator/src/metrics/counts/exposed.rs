//! Under which names the counts are exposed.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use vcm_telemetry::families::Families;
use vcm_telemetry::metric::{Counter, Described, Gauge, Histogram};

use super::Counts;
use crate::metrics::attempts::{Tallies, Tally};

const WEBHOOKS: Counter<0> = Counter::new(
    "vcm_remediator_webhooks_total",
    &[],
    "Webhook bodies received",
);
const WEBHOOKS_REJECTED: Counter<1> = Counter::new(
    "vcm_remediator_webhooks_rejected_total",
    &["reason"],
    "Webhook bodies refused; with reason store they are delivered again",
);
const WEBHOOK_DURATION: Histogram<0> = Histogram::new(
    "vcm_remediator_webhook_duration_seconds",
    &[],
    "From the receipt of a webhook body until its facts were durable",
);
const ALERTS: Counter<0> = Counter::new(
    "vcm_remediator_alerts_total",
    &[],
    "Alerts in accepted bodies",
);
const ALERTS_IGNORED: Counter<1> = Counter::new(
    "vcm_remediator_alerts_ignored_total",
    &["reason"],
    "Alerts in accepted bodies that are not acted on",
);
const LAST_WATCHDOG: Gauge<1> = Gauge::new(
    "vcm_remediator_last_watchdog_timestamp_seconds",
    &["sender"],
    "When the always-firing alert last came through Alertmanager; 0 is never",
);
const DECISION_LAG: Histogram<0> = Histogram::new(
    "vcm_remediator_decision_lag_seconds",
    &[],
    "From a durable firing of a target without incident to the first decision on it",
);
const INCIDENTS_CLOSED: Counter<2> = Counter::new(
    "vcm_remediator_incidents_closed_total",
    &["outcome", "actor"],
    "Incidents closed, by how they ended and who brought the target back",
);
const ATTEMPTS: Counter<3> = Counter::new(
    "vcm_remediator_attempts_total",
    &["host", "module", "tier"],
    "Attempts that the host runner accepted, or may have",
);
const ATTEMPTS_FAILED: Counter<3> = Counter::new(
    "vcm_remediator_attempts_failed_total",
    &["host", "module", "tier"],
    "Attempts after which the target was still failed, or a healthy module was not",
);
const ATTEMPTS_UNKNOWN: Counter<3> = Counter::new(
    "vcm_remediator_attempts_unknown_total",
    &["host", "module", "tier"],
    "Attempts whose outcome became unknown",
);
const ATTEMPT_DURATION: Histogram<1> = Histogram::new(
    "vcm_remediator_attempt_duration_seconds",
    &["tier"],
    "From the reservation of an attempt to its outcome",
);
const TIME_TO_RECOVERY: Histogram<1> = Histogram::new(
    "vcm_remediator_time_to_recovery_seconds",
    &["tier"],
    "From the first observed failure to healthy, by the last rung that ran",
);
const VERDICT_CHANGES: Counter<2> = Counter::new(
    "vcm_remediator_verdict_changes_total",
    &["guard", "tier"],
    "Times that a guard began to refuse the rung at which a ladder stood",
);
const STORE_ERRORS: Counter<1> = Counter::new(
    "vcm_remediator_store_errors_total",
    &["operation"],
    "Operations of the store that failed; nothing was accepted or started by them",
);
const NOTIFICATIONS: Counter<1> = Counter::new(
    "vcm_remediator_notifications_total",
    &["channel"],
    "Calls of the load hook, to shed or to restore; one with its retries counts once",
);
const NOTIFICATIONS_FAILED: Counter<2> = Counter::new(
    "vcm_remediator_notifications_failed_total",
    &["channel", "reason"],
    "Calls of the load hook that were not answered with yes, by what came of the last try",
);
const CONFIG_LOADED: Gauge<0> = Gauge::new(
    "vcm_remediator_config_last_reload_successful",
    &[],
    "Whether the configuration in the file is the one in use",
);
const CONFIG_LOADED_AT: Gauge<0> = Gauge::new(
    "vcm_remediator_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration in use was read",
);

/// Every metric here, in the order written.
pub(in crate::metrics) const METRICS: &[&dyn Described] = &[
    &WEBHOOKS,
    &WEBHOOKS_REJECTED,
    &WEBHOOK_DURATION,
    &ALERTS,
    &ALERTS_IGNORED,
    &LAST_WATCHDOG,
    &DECISION_LAG,
    &INCIDENTS_CLOSED,
    &ATTEMPTS,
    &ATTEMPTS_FAILED,
    &ATTEMPTS_UNKNOWN,
    &ATTEMPT_DURATION,
    &TIME_TO_RECOVERY,
    &VERDICT_CHANGES,
    &STORE_ERRORS,
    &NOTIFICATIONS,
    &NOTIFICATIONS_FAILED,
    &CONFIG_LOADED,
    &CONFIG_LOADED_AT,
];

/// The counts as a scrape sees them.
#[derive(Debug)]
pub(in crate::metrics) struct Exposed(pub(in crate::metrics) Arc<Counts>);

impl Collector for Exposed {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut Families::new(encoder);
        write_webhook(&self.0, out)?;
        write_recovery(&self.0, out)?;
        out.counter(&STORE_ERRORS, self.0.store_errors.counts())?;
        out.counter(&NOTIFICATIONS, self.0.notifications.counts())?;
        let failed = self.0.notifications_failed.counts();
        out.counter(&NOTIFICATIONS_FAILED, failed)?;
        out.gauge(&CONFIG_LOADED, [([], self.0.config_loaded.get())])?;
        out.gauge(&CONFIG_LOADED_AT, [([], self.0.config_loaded_at.get())])
    }
}

fn write_webhook(counts: &Counts, out: &mut Families<'_>) -> fmt::Result {
    out.counter(&WEBHOOKS, [([], counts.webhooks.get())])?;
    out.counter(&WEBHOOKS_REJECTED, counts.webhooks_rejected.counts())?;
    let took = counts.webhook_duration.now();
    out.histogram(&WEBHOOK_DURATION, [([], took)])?;
    out.counter(&ALERTS, [([], counts.alerts.get())])?;
    out.counter(&ALERTS_IGNORED, counts.alerts_ignored.counts())?;
    out.gauge(&LAST_WATCHDOG, counts.last_watchdog.seconds())?;
    out.histogram(&DECISION_LAG, [([], counts.decision_lag.now())])
}

fn write_recovery(counts: &Counts, out: &mut Families<'_>) -> fmt::Result {
    out.counter(&INCIDENTS_CLOSED, counts.incidents_closed.counts())?;
    write_attempts(&counts.attempts, out)?;
    out.histogram(&ATTEMPT_DURATION, counts.attempt_duration.histograms())?;
    out.histogram(&TIME_TO_RECOVERY, counts.time_to_recovery.histograms())?;
    out.counter(&VERDICT_CHANGES, counts.verdict_changes.counts())
}

fn write_attempts(attempts: &Tallies, out: &mut Families<'_>) -> fmt::Result {
    let now = attempts.now();
    let mut write = |metric, count: fn(Tally) -> u64| {
        let series = now.series(attempts.inventory());
        out.counter(metric, series.map(|(labels, tally)| (labels, count(tally))))
    };
    write(&ATTEMPTS, |tally| tally.started)?;
    write(&ATTEMPTS_FAILED, |tally| tally.failed)?;
    write(&ATTEMPTS_UNKNOWN, |tally| tally.unknown)
}
