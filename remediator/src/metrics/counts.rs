//! Counters and histograms: what has happened since the program started.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use vcm_recovery::attempt::{Attempt, Outcome, Report};
use vcm_recovery::event::{Change, Closing, Event, Ruling};
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, Incident, Standing};
use vcm_recovery::inventory::{Inventory, Target};
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;
use vcm_telemetry::families::Labels;

use super::known::{Known, Seconds, target_labels, with};
use crate::store::counted::StoreOperation;
use crate::webhook::Rejection;

/// The one sender of the watchdog that is told apart: the configured receiver. Senders are a
/// closed set, never a text from a body.
pub(super) const SENDER: &str = "default";

/// The reason of alerts that Alertmanager cut off, so that we never saw them.
pub(super) const TRUNCATED: &str = "truncated";

/// The reasons of [`vcm_recovery::alert::Ignored`], and [`TRUNCATED`].
const IGNORED: [&str; 4] = ["unknown_target", "no_tier", "malformed", TRUNCATED];

/// The tier of a recovery before which no rung ran.
const NO_RUNG: &str = "none";

/// 1 ms to 8 s: a commit takes milliseconds, Alertmanager's patience is seconds.
const WEBHOOK_SECONDS: [f64; 14] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0,
];

/// 10 ms to 2 min: a decision waits for one observation, which takes seconds.
const LAG_SECONDS: [f64; 12] = [
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// 5 s to 2 h: from a retry that helps at once to a clear with all its verification.
const RECOVERY_SECONDS: [f64; 12] = [
    5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 5400.0, 7200.0,
];

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) webhooks: Counter,
    pub(super) webhooks_rejected: Known<Counter>,
    pub(super) webhook_duration: Histogram,
    pub(super) alerts: Counter,
    pub(super) alerts_ignored: Known<Counter>,
    pub(super) last_watchdog: Known<Seconds>,
    pub(super) store_errors: Known<Counter>,
    pub(super) decision_lag: Histogram,
    pub(super) config_loaded: Seconds,
    pub(super) config_loaded_at: Seconds,
    incidents_closed: Known<Counter>,
    attempts: Known<Counter>,
    attempts_failed: Known<Counter>,
    attempts_unknown: Known<Counter>,
    attempt_duration: Known<Histogram>,
    time_to_recovery: Known<Histogram>,
    verdict_changes: Known<Counter>,
}

impl Counts {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let counter = Counter::default;
        let recovery = || Histogram::new(RECOVERY_SECONDS);
        let attempts = || Known::new(attempt_series(inventory), counter);
        let rungs = || Rung::ALL.map(Rung::as_str);
        Self {
            webhooks: counter(),
            webhooks_rejected: Known::of("reason", Rejection::ALL.map(Rejection::as_str), counter),
            webhook_duration: Histogram::new(WEBHOOK_SECONDS),
            alerts: counter(),
            alerts_ignored: Known::of("reason", IGNORED, counter),
            last_watchdog: Known::of("sender", [SENDER], Seconds::default),
            store_errors: Known::of(
                "operation",
                StoreOperation::ALL.map(StoreOperation::as_str),
                counter,
            ),
            decision_lag: Histogram::new(LAG_SECONDS),
            config_loaded: Seconds::default(),
            config_loaded_at: Seconds::default(),
            incidents_closed: Known::new(closing_series(), counter),
            attempts: attempts(),
            attempts_failed: attempts(),
            attempts_unknown: attempts(),
            attempt_duration: Known::of("tier", rungs(), recovery),
            time_to_recovery: Known::of("tier", rungs().into_iter().chain([NO_RUNG]), recovery),
            verdict_changes: Known::new(verdict_series(), counter),
        }
    }

    /// Names them all; the registry adds the prefix and `_total`.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.register_webhook(registry);
        self.register_recovery(registry);
        registry.register(
            "store_errors",
            "Operations of the store that failed; nothing was accepted or started by them",
            self.store_errors.clone(),
        );
        registry.register(
            "config_last_reload_successful",
            "Whether the configuration in the file is the one in use",
            self.config_loaded.clone(),
        );
        registry.register(
            "config_last_reload_success_timestamp_seconds",
            "When the configuration in use was read",
            self.config_loaded_at.clone(),
        );
    }

    fn register_webhook(&self, registry: &mut Registry) {
        registry.register("webhooks", "Webhook bodies received", self.webhooks.clone());
        registry.register(
            "webhooks_rejected",
            "Webhook bodies refused; with reason store they are delivered again",
            self.webhooks_rejected.clone(),
        );
        registry.register(
            "webhook_duration_seconds",
            "From the receipt of a webhook body until its facts were durable",
            self.webhook_duration.clone(),
        );
        registry.register("alerts", "Alerts in accepted bodies", self.alerts.clone());
        registry.register(
            "alerts_ignored",
            "Alerts in accepted bodies that are not acted on",
            self.alerts_ignored.clone(),
        );
        registry.register(
            "last_watchdog_timestamp_seconds",
            "When the always-firing alert last came through Alertmanager; 0 is never",
            self.last_watchdog.clone(),
        );
        registry.register(
            "decision_lag_seconds",
            "From a durable firing of a target without incident to the first decision on it",
            self.decision_lag.clone(),
        );
    }

    fn register_recovery(&self, registry: &mut Registry) {
        registry.register(
            "incidents_closed",
            "Incidents closed, by how they ended and who brought the target back",
            self.incidents_closed.clone(),
        );
        registry.register(
            "attempts",
            "Attempts that the host runner accepted, or may have",
            self.attempts.clone(),
        );
        registry.register(
            "attempts_failed",
            "Attempts after which the target was still failed, or a healthy module was not",
            self.attempts_failed.clone(),
        );
        registry.register(
            "attempts_unknown",
            "Attempts whose outcome became unknown",
            self.attempts_unknown.clone(),
        );
        registry.register(
            "attempt_duration_seconds",
            "From the reservation of an attempt to its outcome",
            self.attempt_duration.clone(),
        );
        registry.register(
            "time_to_recovery_seconds",
            "From the first observed failure to healthy, by the last rung that ran",
            self.time_to_recovery.clone(),
        );
        registry.register(
            "verdict_changes",
            "Times that a guard began to refuse the rung at which a ladder stood",
            self.verdict_changes.clone(),
        );
    }

    /// Counts a stored event. `before` is the host's state without it.
    pub(super) fn event(&self, event: &Event, before: &HostState) {
        match &event.entry.change {
            Change::Decided(ruling) => self.decided(event.entry.target.as_ref(), ruling, before),
            Change::IncidentClosed(closing) => self.closed(closing),
            Change::AttemptReported { attempt, report } => {
                if let Some(attempt) = before.attempts.get(attempt) {
                    self.reported(attempt, report, event.time);
                }
            }
            Change::FactChanged(_)
            | Change::Observed(_)
            | Change::IncidentOpened
            | Change::IncidentLatched { .. }
            | Change::IntentReserved(_)
            | Change::PageRaised { .. }
            | Change::PageCleared { .. } => {}
        }
    }

    fn decided(&self, target: Option<&Target>, ruling: &Ruling, before: &HostState) {
        let incident = target.and_then(|target| before.incidents.get(target));
        let Some(rung) = stands_at(ruling.standing) else {
            return;
        };
        for given in ruling.verdicts.iter().filter(|given| given.rung == rung) {
            let refuses = matches!(given.verdict, Verdict::Refuse { .. });
            if refuses && !refused_before(incident, rung, given.guard) {
                let labels = [("guard", given.guard.as_str()), ("tier", rung.as_str())];
                self.verdict_changes.add(&labels, 1);
            }
        }
    }

    fn closed(&self, closing: &Closing) {
        let labels = [
            ("outcome", closing.ending.as_str()),
            ("actor", closing.actor.as_str()),
        ];
        self.incidents_closed.add(&labels, 1);
        if let Some(millis) = closing.recovery_millis {
            let tier = closing.rung.map_or(NO_RUNG, Rung::as_str);
            let took = Duration::from_millis(millis).as_secs_f64();
            self.time_to_recovery.observe(&[("tier", tier)], took);
        }
    }

    fn reported(&self, attempt: &Attempt, report: &Report, at: Time) {
        if !attempt.unsettled() {
            return;
        }
        let labels = attempt_labels(&attempt.intent.target, attempt.intent.rung);
        let count = |family: &Known<Counter>| family.get(&labels).map(Counter::inc);
        if starts(attempt, report) {
            count(&self.attempts);
        }
        let Report::Settled { outcome, .. } = report else {
            return;
        };
        match outcome {
            Outcome::Unknown if attempt.outcome.is_none() => {
                count(&self.attempts_unknown);
            }
            Outcome::Failed | Outcome::MadeWorse => {
                count(&self.attempts_failed);
                self.settled(attempt, at);
            }
            Outcome::Succeeded => self.settled(attempt, at),
            Outcome::Unknown | Outcome::Refused | Outcome::Cancelled => {}
        }
    }

    fn settled(&self, attempt: &Attempt, at: Time) {
        let took = at.since(attempt.reserved_at).as_secs_f64();
        self.attempt_duration
            .observe(&[("tier", attempt.intent.rung.as_str())], took);
    }
}

/// Whether this report is the first that says, or leaves open, that the attempt was started.
fn starts(attempt: &Attempt, report: &Report) -> bool {
    let known = attempt.accepted || attempt.ended_at.is_some() || attempt.outcome.is_some();
    let may_have_started = match report {
        Report::Accepted | Report::Ended { .. } | Report::Interrupted { .. } => true,
        Report::Settled { outcome, .. } => match outcome {
            Outcome::Succeeded | Outcome::Failed | Outcome::MadeWorse | Outcome::Unknown => true,
            Outcome::Refused | Outcome::Cancelled => false,
        },
    };
    !known && may_have_started
}

/// The rung that something stands in the way of.
pub(super) const fn stands_at(standing: Standing) -> Option<Rung> {
    match standing {
        Standing::Waiting(rung) | Standing::Asking(rung) => Some(rung),
        Standing::Observing
        | Standing::Ready(_)
        | Standing::Attempting(_)
        | Standing::OutOfRungs => None,
    }
}

fn refused_before(incident: Option<&Incident>, rung: Rung, guard: Guard) -> bool {
    incident.is_some_and(|incident| {
        stands_at(incident.standing) == Some(rung) && incident.blocked.contains_key(&guard)
    })
}

/// The labels of everything about attempts.
pub(super) fn attempt_labels(target: &Target, rung: Rung) -> Labels {
    with(target_labels(target), "tier", rung.as_str())
}

/// Every target of the inventory with every rung that can be run on it.
pub(super) fn attempt_series(inventory: &Inventory) -> impl Iterator<Item = Labels> {
    targets(inventory).flat_map(|target| {
        let rungs = Rung::ALL
            .into_iter()
            .filter(move |rung| target.module.is_some() || *rung == Rung::Restart);
        rungs
            .map(|rung| attempt_labels(&target, rung))
            .collect::<Vec<_>>()
    })
}

/// Every host and every module of the inventory.
pub(super) fn targets(inventory: &Inventory) -> impl Iterator<Item = Target> {
    inventory.hosts.values().flat_map(|host| {
        let modules = host
            .modules
            .keys()
            .map(|module| Target::module(host.name.clone(), *module));
        std::iter::once(Target::host(host.name.clone())).chain(modules)
    })
}

fn closing_series() -> impl Iterator<Item = Labels> {
    pairs(
        ("outcome", Ending::ALL.map(Ending::as_str)),
        ("actor", Actor::ALL.map(Actor::as_str)),
    )
}

fn verdict_series() -> impl Iterator<Item = Labels> {
    pairs(
        ("guard", Guard::ALL.map(Guard::as_str)),
        ("tier", Rung::ALL.map(Rung::as_str)),
    )
}

/// Every value of one label with every value of another.
fn pairs<const M: usize, const N: usize>(
    (outer, outer_values): (&'static str, [&'static str; M]),
    (inner, inner_values): (&'static str, [&'static str; N]),
) -> impl Iterator<Item = Labels> {
    outer_values.into_iter().flat_map(move |value| {
        let labels = vec![(outer, value.to_owned())];
        inner_values.map(|value| with(labels.clone(), inner, value))
    })
}
