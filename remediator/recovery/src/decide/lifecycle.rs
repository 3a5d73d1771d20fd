//! Opening, closing and latching of incidents.

use std::collections::BTreeSet;

use crate::attempt::{Attempt, Outcome};
use crate::event::{Change, Closing};
use crate::evidence::LOOK_MEMORY;
use crate::incident::{Actor, Ending, Incident, Latch};
use crate::inventory::Target;
use crate::observation::{Condition, ServiceCheck};
use crate::page::PageReason;
use crate::time::Time;

use super::Draft;

impl Draft<'_> {
    /// Opens an incident for every target with a valid alert that no closed incident has used up,
    /// or with a used-up one while the target is seen failed again, or its hardware at fault, or has not
    /// been seen for long.
    pub(super) fn open_incidents(&mut self) {
        let targets: BTreeSet<Target> = self
            .state
            .facts
            .values()
            .map(|fact| fact.target.clone())
            .collect();
        let site = self.site;
        for target in targets.into_iter().filter(|target| site.lists(target)) {
            let view = self.alert_view(&target);
            let again = view.permits && self.may_have_failed(&target);
            if (view.fresh || again) && !self.state.incidents.contains_key(&target) {
                let esn = self.subject(&target).esn.cloned();
                self.push(&target, Change::IncidentOpened(esn));
            }
        }
    }

    /// Whether the target has failed by the newest look, or nothing speaks against what an alert says.
    fn may_have_failed(&self, target: &Target) -> bool {
        match self.condition(target) {
            Condition::Failed | Condition::HardwareFault => true,
            Condition::Unknown => self.fresh() && self.unseen_for_long(target),
            Condition::Healthy | Condition::Recovering | Condition::InService => false,
        }
    }

    /// Whether no look has shown the target for so long that a person would be called, other than since
    /// before one closed its incident: they know.
    fn unseen_for_long(&self, target: &Target) -> bool {
        let subject = self.subject(target);
        let dismissed = self.state.dismissed.get(target);
        let known = dismissed.is_some_and(|at| self.evidence.seen_at(target.module) <= Some(*at));
        // Looks are not remembered for as long as `page_after` may be set to.
        let long = self.site.policy.page_after.unknown.min(LOOK_MEMORY / 2);
        let unseen = self.evidence.held_since(subject, Condition::Unknown);
        !known && unseen.is_some_and(|since| self.now.since(since) >= long)
    }

    /// Closes the incident when its target has been healthy for long enough.
    pub(super) fn close(&mut self, target: &Target) -> Option<Ending> {
        let incident = self.state.incidents.get(target)?.clone();
        if self.condition(target) != Condition::Healthy {
            return None;
        }
        let since = self
            .evidence
            .held_since(self.subject(target), Condition::Healthy)?;
        let newest = self.evidence.newest()?.at;
        let policy = self.site.policy;
        let (ending, needed) = match (
            incident.latch.as_ref().map(|(latch, _)| *latch),
            incident.first_failed_at,
        ) {
            (Some(Latch::Exhausted), _) => (Ending::Exhausted, policy.latch_release_after),
            (Some(Latch::HandedOver), _) => (Ending::HandedOver, policy.latch_release_after),
            (None, Some(_)) => (Ending::Recovered, policy.healthy_for),
            (None, None) if self.alert_view(target).permits => {
                (Ending::Ended, policy.stale_alert_after)
            }
            (None, None) => (Ending::Ended, policy.healthy_for),
        };
        if newest.since(since) < needed {
            return None;
        }
        if let Some(why) = self.kept_open(&incident) {
            if incident.first_failed_at.is_some() && !incident.health_held {
                let why = why.to_owned();
                self.push(target, Change::HealthHeld { why });
            }
            return None;
        }
        self.clear_pages(target, &BTreeSet::new());
        let closing = self.closing(&incident, ending, since);
        self.push(target, Change::IncidentClosed(closing));
        Some(ending)
    }

    /// Why an incident stays open although its target is healthy.
    fn kept_open(&self, incident: &Incident) -> Option<&'static str> {
        if self.harm_remains(incident) {
            Some("a module that a rung took away is not back")
        } else if self.service_fails() {
            Some("the service check does not pass")
        } else {
            None
        }
    }

    /// Ends every incident that was opened of another module than the one that the inventory has
    /// under its number now: what was tried on that one says nothing of this one. Not while an attempt
    /// is open, nor where a rung did harm: those are for people to end.
    pub(super) fn end_renumbered(&mut self) {
        let incidents = self.state.incidents.values();
        let renumbered: Vec<Incident> = incidents
            .filter(|incident| self.is_about_another_module(incident))
            .cloned()
            .collect();
        for incident in renumbered {
            let target = &incident.target;
            self.end_request(target, "the inventory has another ESN");
            self.clear_pages(target, &BTreeSet::new());
            let closing = Closing {
                ending: Ending::Ended,
                actor: Actor::None,
                rung: None,
                recovery_millis: None,
                reason: "the inventory has another ESN under its number now".to_owned(),
                spent: self.state.spent_by(target),
            };
            self.push(target, Change::IncidentClosed(closing));
        }
    }

    fn is_about_another_module(&self, incident: &Incident) -> bool {
        let own = |attempt: &&Attempt| attempt.intent.incident == incident.id;
        let attempts: Vec<&Attempt> = self.state.attempts_of(incident).filter(own).collect();
        // One of an older version knows its module by what was tried on it.
        let tried = attempts.iter().find_map(|a| a.intent.esn.as_ref());
        let about = incident.esn.as_ref().or(tried);
        let listed = self.subject(&incident.target).esn;
        let another = matches!((about, listed), (Some(about), Some(listed)) if about != listed);
        let for_people =
            |a: &&Attempt| a.unsettled() || matches!(a.outcome, Some((Outcome::MadeWorse, _)));
        another && !attempts.iter().any(for_people)
    }

    /// Whether the site's own check does not say that the service works. Without one the modules are
    /// all that is asked about.
    pub(super) fn service_fails(&self) -> bool {
        let seen = self.evidence.observation();
        let check = seen.and_then(|seen| seen.service_check.as_ref());
        check.is_some_and(|check| *check != ServiceCheck::Passed)
    }

    /// Whether a rung of this incident took a healthy module away that is not back.
    fn harm_remains(&self, incident: &Incident) -> bool {
        let Some(healthy) = self
            .evidence
            .observation()
            .map(|seen| seen.healthy_modules())
        else {
            return true;
        };
        let made_worse =
            |attempt: &&Attempt| matches!(attempt.outcome, Some((Outcome::MadeWorse, _)));
        self.state
            .attempts_of(incident)
            .filter(made_worse)
            .any(|attempt| !attempt.intent.healthy_before.is_subset(&healthy))
    }

    fn closing(&self, incident: &Incident, ending: Ending, healthy_since: Time) -> Closing {
        let last = self
            .state
            .attempts_of(incident)
            .rfind(|attempt| attempt.counts());
        let recovery = incident
            .first_failed_at
            .map(|failed| healthy_since.since(failed));
        let seconds = self.now.since(healthy_since).as_secs();
        Closing {
            ending,
            actor: last.map_or(Actor::None, actor_of),
            rung: last.map(|attempt| attempt.intent.rung),
            recovery_millis: recovery.and_then(|span| u64::try_from(span.as_millis()).ok()),
            reason: match ending {
                Ending::Recovered => format!("healthy for {seconds} s on end"),
                Ending::Ended => format!("never seen failed; healthy for {seconds} s on end"),
                Ending::HandedOver | Ending::Exhausted => {
                    format!("healthy again for {seconds} s on end, not by us")
                }
            },
            spent: self.state.spent_by(&incident.target),
        }
    }

    /// Latches the incident when somebody works on the target, the hardware is at fault, or a
    /// rung made something worse.
    pub(super) fn latch(&mut self, target: &Target) {
        let Some(incident) = self.state.incidents.get(target) else {
            return;
        };
        if incident.latch.is_some() {
            return;
        }
        // What a restart for another module of this host does to this one is our own doing.
        if self.state.attempts_of(incident).any(Attempt::unsettled) {
            return;
        }
        let made_worse = self.state.ladder_attempts(incident).any(|attempt| {
            attempt.intent.incident == incident.id
                && matches!(attempt.outcome, Some((Outcome::MadeWorse, _)))
        });
        let reason = if made_worse {
            "a rung took a healthy module away"
        } else if self.agreed(target, Condition::InService) {
            "somebody works on the module"
        } else if self.agreed(target, Condition::HardwareFault) {
            "the hardware reports an error: vendor support"
        } else {
            return;
        };
        let change = Change::IncidentLatched {
            latch: Latch::HandedOver,
            reason: reason.to_owned(),
        };
        self.push(target, change);
    }

    /// Clears the open pages of `target` that are not in `keep`.
    pub(super) fn clear_pages(&mut self, target: &Target, keep: &BTreeSet<PageReason>) {
        let open: Vec<PageReason> = self
            .state
            .pages
            .keys()
            .filter(|(about, reason)| about == target && !keep.contains(reason))
            .map(|(_, reason)| *reason)
            .collect();
        for reason in open {
            self.push(target, Change::PageCleared { reason, hsm: None });
        }
    }
}

/// Who brought a target back whose last attempt was this one.
fn actor_of(last: &Attempt) -> Actor {
    let succeeded = matches!(last.outcome, Some((Outcome::Succeeded, _)));
    match (succeeded, last.resolved, last.intent.approval) {
        (false, _, _) => Actor::None,
        (true, true, _) => Actor::Manual,
        (true, false, Some(_)) => Actor::Approved,
        (true, false, None) => Actor::Automatic,
    }
}
