//! The state of one host, folded from its events. The fold applies what was recorded and never
//! decides anew, so replay and live running are the same function.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alert::{self, AlertView, Fact, FactRecord};
use crate::attempt::{Attempt, Intent, Outcome, Report};
use crate::event::{Change, Closing, Event, Ruling, RungVerdict, Summary};
use crate::ids::{AttemptId, Fingerprint, HostName, IncidentId};
use crate::incident::{Incident, IncidentState, Latch, Standing};
use crate::inventory::Target;
use crate::observation::Network;
use crate::page::PageReason;
use crate::policy::Policy;
use crate::tier::Rung;
use crate::time::Time;
use crate::verdict::Verdict;

/// Settled attempts are kept this long for the caps; the longest cap window is 24 h.
const ATTEMPT_MEMORY: Duration = Duration::from_secs(48 * 3600);

/// Everything that is known about one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostState {
    /// The host.
    pub host: HostName,
    /// What was delivered, by fingerprint.
    pub facts: BTreeMap<Fingerprint, FactRecord>,
    /// The starts up to which closed incidents have used facts up.
    pub spent: BTreeMap<Fingerprint, Time>,
    /// The open incidents.
    pub incidents: BTreeMap<Target, Incident>,
    /// Unsettled attempts, and settled ones for the caps.
    pub attempts: BTreeMap<AttemptId, Attempt>,
    /// Open pages and since when.
    pub pages: BTreeMap<(Target, PageReason), Time>,
    /// The newest recorded summary of a look.
    pub last_summary: Option<Summary>,
}

impl HostState {
    /// The state of a host about which nothing is known.
    #[must_use]
    pub const fn new(host: HostName) -> Self {
        Self {
            host,
            facts: BTreeMap::new(),
            spent: BTreeMap::new(),
            incidents: BTreeMap::new(),
            attempts: BTreeMap::new(),
            pages: BTreeMap::new(),
            last_summary: None,
        }
    }

    /// Applies one stored event.
    pub fn apply(&mut self, event: &Event) {
        if let Some(target) = &event.entry.target {
            let incident = event.entry.incident.as_ref();
            self.apply_change(target, incident, &event.entry.change, event.time);
        } else if let Change::Observed(summary) = &event.entry.change {
            self.observed(summary, event.time);
        }
    }

    /// Applies one change to `target` at `time`; `incident` names the one that it opens.
    pub(crate) fn apply_change(
        &mut self,
        target: &Target,
        incident: Option<&IncidentId>,
        change: &Change,
        time: Time,
    ) {
        match change {
            Change::FactChanged(fact) => self.deliver(fact),
            Change::Observed(summary) => self.observed(summary, time),
            Change::Decided(ruling) => self.ruled(target, ruling, time),
            Change::IncidentOpened => {
                let id = incident
                    .cloned()
                    .unwrap_or_else(|| IncidentId::new(target, time));
                let incident = Incident {
                    id,
                    ..Incident::open(target.clone(), time)
                };
                self.incidents.insert(target.clone(), incident);
                // The last summary may be old: only a look made from now on counts for it.
                self.last_summary = None;
            }
            Change::IncidentLatched { latch, reason } => {
                if let Some(incident) = self.incidents.get_mut(target) {
                    incident.latch = Some((*latch, reason.clone()));
                }
            }
            Change::IncidentClosed(closing) => self.closed(target, closing),
            Change::IntentReserved(intent) => self.reserved(intent, time),
            Change::AttemptReported { attempt, report } => self.reported(*attempt, report, time),
            Change::PageRaised { reason, .. } => {
                self.pages.entry((target.clone(), *reason)).or_insert(time);
            }
            Change::PageCleared { reason } => {
                self.pages.remove(&(target.clone(), *reason));
            }
        }
    }

    /// Joins a delivered fact. Order and repetition do not matter.
    pub fn deliver(&mut self, fact: &Fact) {
        self.facts
            .entry(fact.fingerprint)
            .and_modify(|record| record.join(fact))
            .or_insert_with(|| FactRecord::new(fact));
    }

    /// What the valid facts of `target` say.
    #[must_use]
    pub fn alert_view(&self, target: &Target, policy: &Policy, now: Time) -> AlertView {
        alert::view(&self.facts, &self.spent, target, policy, now)
    }

    /// The attempts that still hold a budget.
    pub fn unsettled(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().filter(|attempt| attempt.unsettled())
    }

    /// The unsettled attempt of an incident, if any.
    #[must_use]
    pub fn open_attempt(&self, incident: &Incident) -> Option<&Attempt> {
        self.unsettled()
            .find(|attempt| attempt.intent.incident == incident.id)
    }

    /// The attempts that count for an incident, oldest first.
    pub fn attempts_of(&self, incident: &Incident) -> impl DoubleEndedIterator<Item = &Attempt> {
        incident
            .attempts
            .iter()
            .filter_map(|id| self.attempts.get(id))
    }

    /// The newest attempt of the host that was reserved or ended last.
    #[must_use]
    pub fn last_attempt_change(&self) -> Option<Time> {
        self.attempts.values().map(Attempt::last_change).max()
    }

    /// The word shown for an incident.
    #[must_use]
    pub fn incident_state(&self, incident: &Incident) -> IncidentState {
        match self.open_attempt(incident) {
            Some(attempt) if attempt.outcome.is_some() => return IncidentState::Unknown,
            Some(attempt) if attempt.ended_at.is_some() => return IncidentState::Verifying,
            Some(attempt) if attempt.intent.rung == Rung::Clear => return IncidentState::Critical,
            Some(_) => return IncidentState::Acting,
            None => {}
        }
        let latch = incident.latch.as_ref().map(|(latch, _)| *latch);
        match (latch, incident.standing) {
            (Some(Latch::Exhausted), _) => IncidentState::Exhausted,
            (Some(Latch::HandedOver), _) => IncidentState::HandedOver,
            (None, Standing::Observing) => IncidentState::Observing,
            (None, Standing::Asking(_)) => IncidentState::AwaitingHuman,
            (
                None,
                Standing::Ready(_)
                | Standing::Waiting(_)
                | Standing::Attempting(_)
                | Standing::OutOfRungs,
            ) => IncidentState::Waiting,
        }
    }

    fn observed(&mut self, summary: &Summary, time: Time) {
        for (target, incident) in &mut self.incidents {
            match target.module {
                None => incident.observed(summary.host, Network::NotApplicable, time),
                Some(module) => {
                    if let Some(seen) = summary.modules.iter().find(|seen| seen.module == module) {
                        incident.observed(seen.condition, seen.network, time);
                    }
                }
            }
        }
        self.last_summary = Some(summary.clone());
    }

    fn ruled(&mut self, target: &Target, ruling: &Ruling, time: Time) {
        let Some(incident) = self.incidents.get_mut(target) else {
            return;
        };
        let standing_at = match ruling.standing {
            Standing::Waiting(rung) | Standing::Asking(rung) => Some(rung),
            Standing::Observing
            | Standing::Ready(_)
            | Standing::Attempting(_)
            | Standing::OutOfRungs => None,
        };
        let stands_in_the_way = |given: &&RungVerdict| {
            let blocks = matches!(given.verdict, Verdict::Refuse { .. } | Verdict::Ask(_));
            blocks && standing_at == Some(given.rung)
        };
        incident.blocked = ruling
            .verdicts
            .iter()
            .filter(stands_in_the_way)
            .map(|given| {
                let since = incident.blocked.get(&given.guard).copied().unwrap_or(time);
                (given.guard, since)
            })
            .collect();
        incident.standing = ruling.standing;
        incident.ruling = Some(ruling.clone());
    }

    fn closed(&mut self, target: &Target, closing: &Closing) {
        self.incidents.remove(target);
        for (fingerprint, start) in &closing.spent {
            let known = self.spent.entry(*fingerprint).or_insert(*start);
            *known = (*known).max(*start);
        }
    }

    /// A restart of the hardserver counts for every open incident of the host: it was done to
    /// all of its modules.
    fn reserved(&mut self, intent: &Intent, time: Time) {
        let incidents = &self.incidents;
        self.attempts.retain(|id, attempt| {
            attempt.unsettled()
                || time.since(attempt.last_change()) < ATTEMPT_MEMORY
                || incidents
                    .values()
                    .any(|incident| incident.attempts.contains(id))
        });
        for incident in self.incidents.values_mut() {
            if incident.id == intent.incident || intent.rung == Rung::Restart {
                incident.attempts.push(intent.attempt);
            }
        }
        let attempt = Attempt {
            intent: intent.clone(),
            reserved_at: time,
            accepted: false,
            interrupted: false,
            ended_at: None,
            outcome: None,
            reason: String::new(),
        };
        self.attempts.insert(intent.attempt, attempt);
    }

    /// An outcome other than unknown is final; a later report changes nothing.
    fn reported(&mut self, id: AttemptId, report: &Report, time: Time) {
        let Some(attempt) = self
            .attempts
            .get_mut(&id)
            .filter(|attempt| attempt.unsettled())
        else {
            return;
        };
        match report {
            Report::Accepted => {
                attempt.accepted = true;
                attempt.interrupted = false;
            }
            Report::Interrupted { .. } => attempt.interrupted = true,
            Report::Ended { .. } => attempt.ended_at = attempt.ended_at.or(Some(time)),
            Report::Settled { outcome, reason } => {
                let known_unknown = *outcome == Outcome::Unknown && attempt.outcome.is_some();
                if !known_unknown {
                    attempt.outcome = Some((*outcome, time));
                    attempt.reason.clone_from(reason);
                }
            }
        }
    }
}
