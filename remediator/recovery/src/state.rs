//! The state of one host, folded from its events. The fold applies what was recorded and never
//! decides anew, so replay and live running are the same function.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::FactRecord;
use crate::approval::{Answer, Choice};
use crate::attempt::{Attempt, Intent, Outcome, Report};
use crate::control::{Hold, Resolution, Resolved};
use crate::event::{Change, Closing, Event, Ruling, RungVerdict, Summary};
use crate::guard::Guard;
use crate::ids::{AttemptId, Fingerprint, HostName, IncidentId, RequestId};
use crate::incident::{Actor, Ending, Incident, IncidentState, Latch, Shadow, Standing};
use crate::inventory::Target;
use crate::observation::{Condition, Network};
use crate::page::{Called, PageReason};
use crate::tier::Rung;
use crate::time::Time;
use crate::verdict::Verdict;

mod facts;

/// Settled attempts are kept this long for the caps; the longest cap window is 48 h.
const ATTEMPT_MEMORY: Duration = Duration::from_secs(48 * 3600);

/// And the newest restarts and clears of a host are kept however old they are: after a long time
/// without the remediator they still count.
const DISRUPTIVE_KEPT: usize = 100;

/// First failures are kept this long for storms and flapping; the longest window is a day.
const FAILURE_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// Everything that is known about one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostState {
    /// The host.
    pub host: HostName,
    /// What was delivered, by fingerprint.
    pub facts: BTreeMap<Fingerprint, FactRecord>,
    /// The starts up to which closed incidents have used facts up.
    pub spent: BTreeMap<Fingerprint, Time>,
    /// The targets whose newest incident a person closed, and when. Taken out when another is opened.
    pub dismissed: BTreeMap<Target, Time>,
    /// The open incidents.
    pub incidents: BTreeMap<Target, Incident>,
    /// Unsettled attempts, and settled ones for the caps.
    pub attempts: BTreeMap<AttemptId, Attempt>,
    /// Open pages and since when.
    pub pages: BTreeMap<(Target, PageReason), Time>,
    /// The holds of the host and of its modules, also those whose time is over.
    pub holds: BTreeMap<Target, Hold>,
    /// When each target was first seen failed, incident by incident.
    pub failures: BTreeMap<Target, Vec<Time>>,
    /// What observe mode would have run lately, oldest first.
    pub shadows: Vec<Shadow>,
    /// The number of the newest request for approval.
    pub last_request: RequestId,
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
            dismissed: BTreeMap::new(),
            incidents: BTreeMap::new(),
            attempts: BTreeMap::new(),
            pages: BTreeMap::new(),
            holds: BTreeMap::new(),
            failures: BTreeMap::new(),
            shadows: Vec::new(),
            last_request: RequestId(0),
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
            Change::IncidentOpened(esn) => {
                let id = incident
                    .cloned()
                    .unwrap_or_else(|| IncidentId::new(target, time));
                let incident = Incident {
                    id,
                    esn: esn.clone(),
                    ..Incident::open(target.clone(), time)
                };
                self.incidents.insert(target.clone(), incident);
                self.dismissed.remove(target);
                // The last summary may be old: only a look made from now on counts for it.
                self.last_summary = None;
            }
            Change::IncidentLatched { latch, reason } => {
                if let Some(incident) = self.incidents.get_mut(target) {
                    incident.latch = Some((*latch, reason.clone()));
                }
            }
            Change::HealthHeld { .. } => {
                if let Some(incident) = self.incidents.get_mut(target) {
                    incident.health_held = true;
                }
            }
            Change::IncidentClosed(closing) => self.closed(target, closing, time),
            Change::IntentReserved(intent) => self.reserved(intent, time),
            Change::AttemptReported { attempt, report } => self.reported(*attempt, report, time),
            Change::PageRaised { reason, .. } => {
                self.pages.entry((target.clone(), *reason)).or_insert(time);
                if let Some(incident) = self.incidents.get_mut(target) {
                    incident.called.raised(*reason);
                }
            }
            Change::PageCleared { reason, .. } => {
                self.pages.remove(&(target.clone(), *reason));
            }
            Change::ApprovalAsked(request) => {
                self.last_request = self.last_request.max(request.id);
                if let Some(incident) = self.incidents.get_mut(target) {
                    incident.request = Some(request.clone());
                }
            }
            Change::ApprovalAnswered { request, answer } => {
                self.answered(target, *request, answer);
            }
            Change::ApprovalUsed { request, .. } | Change::ApprovalExpired { request, .. } => {
                self.request_ended(target, *request);
            }
            Change::Held(hold) => {
                self.holds.insert(target.clone(), hold.clone());
            }
            Change::Released(_) => {
                self.holds.remove(target);
            }
            Change::HumanResolved(resolution) => self.resolved(target, resolution, time),
            Change::ShadowStarted(shadow) => {
                self.shadows
                    .retain(|old| time.since(old.until) < ATTEMPT_MEMORY);
                self.shadows.push(shadow.clone());
            }
            Change::FleetShareReleased { attempt } => {
                if let Some(attempt) = self.attempts.get_mut(attempt) {
                    attempt.released = true;
                }
            }
            // These belong to the fleet.
            Change::Paused(_)
            | Change::Resumed(_)
            | Change::LoadShed(_)
            | Change::LoadRestored(_)
            | Change::LoadReported(_)
            | Change::PolicyLoaded(_)
            | Change::GapFound { .. }
            | Change::Started(_)
            | Change::ClockStepped { .. } => {}
        }
    }

    /// The hold that counts for `target` at `now`: its own, or its host's.
    #[must_use]
    pub fn hold_of(&self, target: &Target, now: Time) -> Option<&Hold> {
        let host = Target::host(target.host.clone());
        [target, &host]
            .into_iter()
            .filter_map(|held| self.holds.get(held))
            .find(|hold| hold.active(now))
    }

    /// How often `target` was first seen failed within `window`.
    #[must_use]
    pub fn failures_within(&self, target: &Target, window: Duration, now: Time) -> Vec<Time> {
        let times = self.failures.get(target).into_iter().flatten();
        times
            .copied()
            .filter(|&at| now.since(at) < window)
            .collect()
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

    /// When steps on the host were last heard to have ended, or were given up as of unknown outcome.
    #[must_use]
    pub fn steps_ended(&self) -> Option<Time> {
        let attempts = self.attempts.values();
        let started = attempts.filter(|attempt| attempt.counts());
        let ended = started.filter_map(|attempt| {
            let settled = attempt.outcome.map(|(_, at)| at);
            attempt.ended_at.or(settled)
        });
        ended.max()
    }

    /// The attempts that the ladder of an incident counts: those since it began anew.
    pub fn ladder_attempts(
        &self,
        incident: &Incident,
    ) -> impl DoubleEndedIterator<Item = &Attempt> {
        let from = incident.reopened_at;
        self.attempts_of(incident)
            .filter(move |attempt| from.is_none_or(|from| attempt.reserved_at >= from))
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
            let (condition, network) = match target.module {
                None => (summary.host, Network::NotApplicable),
                Some(module) => summary
                    .modules
                    .iter()
                    .find(|seen| seen.module == module)
                    .map_or((Condition::Unknown, Network::Unknown), |seen| {
                        (seen.condition, seen.network)
                    }),
            };
            if incident.observed(condition, network, time) {
                let times = self.failures.entry(target.clone()).or_default();
                times.retain(|&old| time.since(old) < FAILURE_MEMORY);
                times.push(time);
            }
        }
        self.last_summary = Some(summary.clone());
    }

    /// The answer counts for the open request only; a denial also leaves out what was asked for.
    fn answered(&mut self, target: &Target, request: RequestId, answer: &Answer) {
        let Some(incident) = self.incidents.get_mut(target) else {
            return;
        };
        let Some(open) = incident.request.as_mut().filter(|open| open.id == request) else {
            return;
        };
        incident.called.answered();
        match answer.choice {
            Choice::Approve(_) => open.answer = Some(answer.clone()),
            Choice::Deny => {
                let rungs: Vec<Rung> = open.alternatives.iter().map(|a| a.scope.rung).collect();
                let denied = rungs
                    .into_iter()
                    .map(|rung| (rung, format!("{} decided against it", answer.by)));
                incident.denied.extend(denied);
                incident.request = None;
            }
        }
    }

    fn request_ended(&mut self, target: &Target, request: RequestId) {
        if let Some(incident) = self.incidents.get_mut(target)
            && incident
                .request
                .as_ref()
                .is_some_and(|open| open.id == request)
        {
            incident.request = None;
        }
    }

    fn resolved(&mut self, target: &Target, resolution: &Resolution, time: Time) {
        match resolution.what {
            Resolved::Attempt { attempt, outcome } => {
                if let Some(attempt) = self.attempts.get_mut(&attempt)
                    && attempt.unsettled()
                {
                    attempt.outcome = Some((outcome, time));
                    attempt.resolved = true;
                    attempt.reason = format!("{}: {}", resolution.by, resolution.reason);
                }
            }
            Resolved::Reopened => {
                if let Some(incident) = self.incidents.get_mut(target) {
                    incident.latch = None;
                    incident.request = None;
                    incident.denied.clear();
                    incident.called = Called::default();
                    incident.reopened_at = Some(time);
                }
            }
            // The incident's own end follows as an event of its own.
            Resolved::Closed | Resolved::GapConfirmed => {}
        }
    }

    fn ruled(&mut self, target: &Target, ruling: &Ruling, time: Time) {
        let ruling = self.shared(ruling);
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
        let blocked: BTreeMap<Guard, Time> = ruling
            .verdicts
            .iter()
            .filter(stands_in_the_way)
            .map(|given| {
                let since = incident.blocked.get(&given.guard).copied().unwrap_or(time);
                (given.guard, since)
            })
            .collect();
        incident.blocked = blocked;
        incident.standing = ruling.standing;
        incident.ruling = Some(ruling);
    }

    /// This ruling, or the equal one of another incident: they are most of what a state holds.
    fn shared(&self, ruling: &Ruling) -> Arc<Ruling> {
        let mut known = self.incidents.values().filter_map(|i| i.ruling.as_ref());
        let same = known.find(|known| ***known == *ruling);
        same.map_or_else(|| Arc::new(ruling.clone()), Arc::clone)
    }

    fn closed(&mut self, target: &Target, closing: &Closing, time: Time) {
        self.incidents.remove(target);
        if closing.ending == Ending::Ended && closing.actor == Actor::Manual {
            self.dismissed.insert(target.clone(), time);
        }
        for (fingerprint, start) in &closing.spent {
            let known = self.spent.entry(*fingerprint).or_insert(*start);
            *known = (*known).max(*start);
        }
    }

    /// A restart of the hardserver counts for every open incident of the host: it was done to
    /// all of its modules.
    fn reserved(&mut self, intent: &Intent, time: Time) {
        self.forget_attempts(time);
        for incident in self.incidents.values_mut() {
            if incident.id == intent.incident || intent.rung == Rung::Restart {
                incident.attempts.push(intent.attempt);
            }
        }
        // An answer is used once, whatever comes of the attempt.
        if let Some(request) = intent.approval {
            self.request_ended(&intent.target, request);
        }
        let attempt = Attempt {
            intent: intent.clone(),
            reserved_at: time,
            accepted: false,
            interrupted: false,
            ended_at: None,
            outcome: None,
            reason: String::new(),
            resolved: false,
            released: false,
        };
        self.attempts.insert(intent.attempt, attempt);
    }

    /// Forgets what no cap and no open incident counts any more.
    fn forget_attempts(&mut self, time: Time) {
        let mut disruptive: Vec<Time> = self
            .attempts
            .values()
            .filter(|attempt| attempt.intent.rung.disruptive())
            .map(|attempt| attempt.reserved_at)
            .collect();
        disruptive.sort_unstable_by(|a, b| b.cmp(a));
        let oldest_kept = disruptive.get(DISRUPTIVE_KEPT - 1).copied();
        let incidents = &self.incidents;
        self.attempts.retain(|id, attempt| {
            let among_the_newest =
                attempt.intent.rung.disruptive() && Some(attempt.reserved_at) >= oldest_kept;
            attempt.unsettled()
                || among_the_newest
                || time.since(attempt.last_change()) < ATTEMPT_MEMORY
                || incidents
                    .values()
                    .any(|incident| incident.attempts.contains(id))
        });
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
