//! Counters and histograms: what has happened since the program started.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use vcm_recovery::attempt::{Attempt, Outcome, Report};
use vcm_recovery::event::{Change, Closing, Event, Ruling};
use vcm_recovery::guard::Guard;
use vcm_recovery::incident::{Actor, Ending, Incident, Standing};
use vcm_recovery::inventory::{Inventory, Target};
use vcm_recovery::state::HostState;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;
use vcm_recovery::verdict::Verdict;

use super::attempts::{Tallies, Tally};
use super::known::{Known, Observations, Seconds};
use super::load_hook;
use crate::store::counted::StoreOperation;
use crate::webhook::Rejection;

mod exposed;

pub(super) use exposed::{Exposed, METRICS};

/// The one sender of the watchdog that is told apart: the configured receiver. Senders are a
/// closed set, never a text from a body.
pub(super) const SENDER: &str = "default";

/// The reason of alerts that Alertmanager cut off, so that we never saw them.
pub(super) const TRUNCATED: &str = "truncated";

/// The reasons of [`vcm_recovery::alert::Ignored`], and [`TRUNCATED`].
const IGNORED: [&str; 5] = [
    "unknown_target",
    "no_tier",
    "malformed",
    "too_many",
    TRUNCATED,
];

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
    pub(super) webhooks_rejected: Known<Counter, 1>,
    pub(super) webhook_duration: Observations,
    pub(super) alerts: Counter,
    pub(super) alerts_ignored: Known<Counter, 1>,
    pub(super) last_watchdog: Known<Seconds, 1>,
    pub(super) store_errors: Known<Counter, 1>,
    pub(super) notifications: Known<Counter, 1>,
    pub(super) notifications_failed: Known<Counter, 2>,
    pub(super) decision_lag: Observations,
    pub(super) config_loaded: Seconds,
    pub(super) config_loaded_at: Seconds,
    incidents_closed: Known<Counter, 2>,
    attempts: Tallies,
    attempt_duration: Known<Observations, 1>,
    time_to_recovery: Known<Observations, 1>,
    verdict_changes: Known<Counter, 2>,
}

impl Counts {
    pub(super) fn new(inventory: &Arc<Inventory>) -> Self {
        let counter = Counter::default;
        let recovery = || Observations::new(&RECOVERY_SECONDS);
        let rungs = || Rung::ALL.map(Rung::as_str);
        let operations = StoreOperation::ALL.map(StoreOperation::as_str);
        Self {
            webhooks: counter(),
            webhooks_rejected: Known::of(Rejection::ALL.map(Rejection::as_str), counter),
            webhook_duration: Observations::new(&WEBHOOK_SECONDS),
            alerts: counter(),
            alerts_ignored: Known::of(IGNORED, counter),
            last_watchdog: Known::of([SENDER], Seconds::default),
            store_errors: Known::of(operations, counter),
            notifications: Known::of([load_hook::CHANNEL], counter),
            notifications_failed: Known::new(notification_series(), counter),
            decision_lag: Observations::new(&LAG_SECONDS),
            config_loaded: Seconds::default(),
            config_loaded_at: Seconds::default(),
            incidents_closed: Known::new(closing_series(), counter),
            attempts: Tallies::new(inventory),
            attempt_duration: Known::of(rungs(), recovery),
            time_to_recovery: Known::of(rungs().into_iter().chain([NO_RUNG]), recovery),
            verdict_changes: Known::new(verdict_series(), counter),
        }
    }

    /// Counts a stored event. `before` is the host's state without it.
    pub(super) fn event(&self, event: &Event, before: &HostState) {
        if let Change::Decided(ruling) = &event.entry.change {
            self.decided(event.entry.target.as_ref(), ruling, before);
        }
        if let Change::IncidentClosed(closing) = &event.entry.change {
            self.closed(closing);
        }
        if let Change::AttemptReported { attempt, report } = &event.entry.change
            && let Some(attempt) = before.attempts.get(attempt)
        {
            self.reported(attempt, report, event.time);
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
                let labels = [given.guard.as_str(), rung.as_str()];
                self.verdict_changes.add(labels, 1);
            }
        }
    }

    fn closed(&self, closing: &Closing) {
        let labels = [closing.ending.as_str(), closing.actor.as_str()];
        self.incidents_closed.add(labels, 1);
        if let Some(millis) = closing.recovery_millis {
            let tier = closing.rung.map_or(NO_RUNG, Rung::as_str);
            let took = Duration::from_millis(millis).as_secs_f64();
            self.time_to_recovery.observe([tier], took);
        }
    }

    fn reported(&self, attempt: &Attempt, report: &Report, at: Time) {
        if !attempt.unsettled() {
            return;
        }
        let (target, rung) = (&attempt.intent.target, attempt.intent.rung);
        let count = |add: fn(&mut Tally)| self.attempts.count(target, rung, add);
        if starts(attempt, report) {
            count(|tally| tally.started += 1);
        }
        let Report::Settled { outcome, .. } = report else {
            return;
        };
        match outcome {
            Outcome::Unknown if attempt.outcome.is_none() => {
                count(|tally| tally.unknown += 1);
            }
            Outcome::Failed | Outcome::MadeWorse => {
                count(|tally| tally.failed += 1);
                self.settled(attempt, at);
            }
            Outcome::Succeeded => self.settled(attempt, at),
            Outcome::Unknown | Outcome::Refused | Outcome::Cancelled => {}
        }
    }

    fn settled(&self, attempt: &Attempt, at: Time) {
        let took = at.since(attempt.reserved_at).as_secs_f64();
        self.attempt_duration
            .observe([attempt.intent.rung.as_str()], took);
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

fn closing_series() -> impl Iterator<Item = [&'static str; 2]> {
    pairs(
        Ending::ALL.map(Ending::as_str),
        Actor::ALL.map(Actor::as_str),
    )
}

fn notification_series() -> impl Iterator<Item = [&'static str; 2]> {
    pairs([load_hook::CHANNEL], load_hook::REASONS)
}

fn verdict_series() -> impl Iterator<Item = [&'static str; 2]> {
    pairs(Guard::ALL.map(Guard::as_str), Rung::ALL.map(Rung::as_str))
}

/// Every value of one label with every value of another.
fn pairs<const M: usize, const N: usize>(
    outer: [&'static str; M],
    inner: [&'static str; N],
) -> impl Iterator<Item = [&'static str; 2]> {
    outer
        .into_iter()
        .flat_map(move |first| inner.map(|second| [first, second]))
}
