//! The way of an alert: rules, Alertmanager, webhook, store, mailboxes.

use std::time::Duration;

use vcm_recovery::alert::{Alert, Fact};
use vcm_recovery::time::Time;

use super::{Episode, Happening};
use crate::alerting::About;
use crate::alerting::alertmanager::{Delivery, GROUP_INTERVAL, REPEAT_INTERVAL, alert};
use crate::knobs::Alertmanager as Knob;
use crate::recovery;
use crate::store::StoreError;

/// How often one notification is tried within its flush.
const TRIES_MAX: u32 = 8;

/// How often, in per cent, a body carries an alert that names nothing of the inventory.
const FOREIGN: u32 = 2;

/// Labels that no target has.
const FOREIGN_LABELS: [(&str, &str); 4] = [
    ("module", "99"),
    ("module", "1 --all"),
    ("host", "tenant-00001;reboot"),
    ("esn", "FFFF-FFFF-FFFF"),
];

impl Episode {
    pub(super) fn plan_evaluation(&mut self, host: usize, at: Time) {
        if self.evaluations[host].is_none_or(|planned| at < planned) {
            self.evaluations[host] = Some(at);
            self.queue.at(at, Happening::Evaluate(host));
        }
    }

    pub(super) fn evaluate_all(&mut self) {
        for host in 0..self.world.hosts.len() {
            let now = self.now();
            self.plan_evaluation(host, now);
        }
    }

    pub(super) fn evaluate(&mut self, host: usize) {
        let now = self.now();
        if self.evaluations[host].is_none_or(|planned| planned > now) {
            return;
        }
        self.evaluations[host] = None;
        let (told, again) = self.prometheus.evaluate(&self.world, host, now);
        if let Some(at) = again {
            self.plan_evaluation(host, at);
        }
        for told in told {
            self.hear(told);
        }
        if !std::mem::replace(&mut self.repeating, true) {
            self.queue.after(GROUP_INTERVAL, Happening::Repeat);
        }
    }

    /// Prometheus repeats what fires; Alertmanager may have forgotten it.
    pub(super) fn repeat(&mut self) {
        self.repeating = self.tell_all();
        if self.repeating {
            self.queue.after(GROUP_INTERVAL, Happening::Repeat);
        }
    }

    fn tell_all(&mut self) -> bool {
        let firing: Vec<_> = self.prometheus.firing().collect();
        let any = !firing.is_empty();
        for told in firing {
            self.hear(told);
        }
        any
    }

    fn hear(&mut self, told: crate::alerting::Told) {
        let now = self.now();
        if let Some(at) = self.alertmanager.hear(told, now) {
            self.queue.at(at, Happening::Tick(told.about));
        }
    }

    pub(super) fn alertmanager_starts(&mut self) {
        self.alertmanager.up = true;
        self.tell_all();
    }

    pub(super) fn tick(&mut self, about: About) {
        let now = self.now();
        let (deliveries, goes_on) = self.alertmanager.tick(about, now);
        for (at, delivery) in deliveries {
            self.queue.at(at, Happening::Deliver(Box::new(delivery)));
        }
        if goes_on {
            self.queue.after(GROUP_INTERVAL, Happening::Tick(about));
        }
    }

    /// The always-firing alert arrives, or does not.
    pub(super) fn watchdog(&mut self) {
        let lost = self.knobs.alertmanager == Knob::Lossy && self.fate.per_cent(33);
        let arrives = self.alertmanager.up && !lost && !self.stands_still();
        let now = self.time();
        if let Some(running) = self.running.as_mut().filter(|_| arrives) {
            running.around.watchdog = Some(now);
        }
        let again = if arrives {
            REPEAT_INTERVAL
        } else {
            GROUP_INTERVAL
        };
        if !self.is_over() {
            self.queue.after(again, Happening::Watchdog);
        }
    }

    /// A notification arrives at the webhook: 2xx only when it is stored.
    pub(super) fn deliver(&mut self, mut delivery: Delivery) {
        let taken = self.running.is_some() && self.webhook(&delivery);
        let now = self.now();
        if taken {
            self.alertmanager.delivered(&delivery, now);
        } else if delivery.tries < TRIES_MAX {
            delivery.tries += 1;
            let wait = Duration::from_secs(1 << delivery.tries.min(5));
            self.queue
                .after(wait, Happening::Deliver(Box::new(delivery)));
        }
    }

    fn webhook(&mut self, delivery: &Delivery) -> bool {
        let now = self.time();
        let names = &self.site.names;
        let told = delivery.alerts.iter();
        let mut alerts: Vec<Alert> = told
            .filter_map(|told| alert(told, &names[told.about.0]))
            .collect();
        if self.fate.per_cent(FOREIGN) {
            alerts.extend(alerts.first().cloned().map(|alert| self.foreign(alert)));
        }
        let resolve = |alert: &Alert| {
            alert
                .resolve(&self.site.inventory, &self.site.policy, now)
                .ok()
        };
        let facts: Vec<Fact> = alerts.iter().filter_map(resolve).collect();
        let seq = self.store.events().len();
        let accepted = self.store.accept(&facts, now);
        if accepted != Err(StoreError::Refused) {
            self.checker.delivered(&delivery.alerts, now);
        }
        self.check_stored(seq);
        let events = match accepted {
            Ok(events) => events,
            Err(StoreError::Refused) => return false,
            Err(StoreError::DiedCommitted) => {
                self.crash("the program died in the middle of a transaction");
                return false;
            }
        };
        self.note(|| {
            format!(
                "webhook: {} alerts about {:?}",
                alerts.len(),
                delivery.group
            )
        });
        let facts = facts
            .into_iter()
            .filter_map(|fact| Some((self.site.index(&fact.target.host)?, fact)))
            .collect();
        let events = events
            .into_iter()
            .filter_map(|event| Some((self.site.index(recovery::host_of(&event)?)?, event)))
            .collect();
        let woken = self
            .running
            .as_mut()
            .map(|running| running.deliver(facts, events));
        for host in woken.unwrap_or_default() {
            self.nudge(host);
        }
        true
    }

    /// An alert with a label that nothing of the inventory has.
    fn foreign(&mut self, mut alert: Alert) -> Alert {
        let (name, value) = self.fate.one_of(&FOREIGN_LABELS);
        alert.labels.insert(name.to_owned(), value.to_owned());
        alert
    }
}
