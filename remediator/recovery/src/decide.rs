//! The decision: what to record and what to do next on one host.
//!
//! [`decide`] is total and pure. It works on a draft of the state, to which every change it
//! proposes is applied at once by the same fold that applies stored events, so the program sees
//! exactly the state that the decision ended with.

use std::collections::BTreeSet;

use nshield::{Esn, ModuleNumber};

use crate::alert::AlertView;
use crate::attempt::{Attempt, Outcome, Report};
use crate::event::{Change, Entry};
use crate::evidence::Evidence;
use crate::fleet::FleetView;
use crate::guard::Guard;
use crate::ids::{AttemptId, HsmName, IncidentId, ObservationId, RequestId};
use crate::incident::{Ending, Incident, Latch, Standing};
use crate::inventory::Target;
use crate::observation::{Condition, Subject};
use crate::page::PageReason;
use crate::policy::Site;
use crate::state::HostState;
use crate::step::Step;
use crate::tier::{Rung, Tier};
use crate::time::Time;
use crate::verify;

mod asking;
pub mod explain;
mod ladder;
mod lifecycle;
mod pages;
mod summary;

/// What to record, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to record, in order.
    pub changes: Vec<Entry>,
    /// What each open incident comes to.
    pub actions: Vec<(Target, Action)>,
    /// The one attempt to start now, if any.
    pub proposal: Option<Proposal>,
    /// When to look at the host again and decide anew; `None` when nothing is open.
    pub next_wake: Option<Time>,
}

/// What an incident comes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Only look again.
    Observe,
    /// Start this rung.
    Act(Rung),
    /// Only a person may let this rung start.
    Ask(Rung),
    /// Something stands in the way, or runs.
    Wait,
    /// Finish the critical section of this attempt.
    Resume(AttemptId),
    /// Do nothing more without a person.
    Latch(Latch),
    /// It is over.
    Close(Ending),
}

/// An attempt that may be reserved now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The incident.
    pub incident: IncidentId,
    /// What it is about.
    pub target: Target,
    /// What is run.
    pub rung: Rung,
    /// The highest tier that the alerts permit now.
    pub ceiling: Tier,
    /// The serial number that the inventory has for the module.
    pub esn: Option<Esn>,
    /// The HSMs it touches.
    pub hsms: BTreeSet<Option<HsmName>>,
    /// The observation it is decided on.
    pub observation: ObservationId,
    /// The plan.
    pub steps: Vec<Step>,
    /// The modules that are healthy now.
    pub healthy_before: BTreeSet<ModuleNumber>,
    /// The request whose answer lets it start, where one is needed.
    pub approval: Option<RequestId>,
    /// The guards that the request was about; empty without one.
    pub asked: BTreeSet<Guard>,
}

/// Decides about one host.
#[must_use]
pub fn decide(
    state: &HostState,
    evidence: &Evidence,
    fleet: &FleetView,
    site: Site<'_>,
    now: Time,
) -> Decision {
    let mut draft = draft(state, evidence, fleet, site, now);
    draft.end_renumbered();
    draft.open_incidents();
    draft.record_look();
    let targets: Vec<Target> = draft.state.incidents.keys().cloned().collect();
    let mut actions: Vec<(Target, Action)> = Vec::new();
    for target in targets {
        let action = draft.incident(&target);
        draft.pages(&target);
        actions.push((target, action));
    }
    let proposal = draft.proposal(&actions);
    let next_wake = draft.next_wake();
    Decision {
        changes: draft.changes,
        actions,
        proposal,
        next_wake,
    }
}

fn draft<'a>(
    state: &HostState,
    evidence: &'a Evidence,
    fleet: &'a FleetView,
    site: Site<'a>,
    now: Time,
) -> Draft<'a> {
    Draft {
        state: state.clone(),
        changes: Vec::new(),
        evidence,
        fleet,
        site,
        now,
    }
}

/// A decision in the making.
struct Draft<'a> {
    state: HostState,
    changes: Vec<Entry>,
    evidence: &'a Evidence,
    fleet: &'a FleetView,
    site: Site<'a>,
    now: Time,
}

impl Draft<'_> {
    /// Records a change about `target` and applies it to the draft.
    fn push(&mut self, target: &Target, change: Change) {
        let open = self
            .state
            .incidents
            .get(target)
            .map(|incident| incident.id.clone());
        let opens = matches!(change, Change::IncidentOpened(_));
        let incident = if opens {
            Some(IncidentId::new(target, self.now))
        } else {
            open
        };
        self.state
            .apply_change(target, incident.as_ref(), &change, self.now);
        let host = Some(self.state.host.clone());
        self.changes.push(Entry {
            host,
            target: Some(target.clone()),
            incident,
            change,
        });
    }

    fn alert_view(&self, target: &Target) -> AlertView {
        self.state.alert_view(target, self.site.policy, self.now)
    }

    /// Whether the newest look is recent enough to conclude anything from.
    fn fresh(&self) -> bool {
        let limit = self.site.policy.evidence_max_age;
        self.evidence
            .newest()
            .is_some_and(|look| self.now.since(look.at) <= limit)
    }

    /// Whether nothing is known only because the next look is not in yet. What was ruled and paged
    /// stands until it is, or until it has been missing for so long that this is a trouble by itself.
    fn between_looks(&self, incident: &Incident) -> bool {
        let Some(newest) = self.evidence.newest() else {
            // Nobody has looked since the start; a look that fails is a look too.
            return true;
        };
        let since = newest.at.max(incident.opened_at);
        !self.fresh() && self.now.since(since) < self.site.policy.page_after.unknown
    }

    /// The module that the inventory has for the target, or the host.
    fn subject(&self, target: &Target) -> Subject<'_> {
        let module = self.site.host.module_of(target);
        Subject {
            module: target.module,
            esn: module.and_then(|module| module.esn.as_ref()),
        }
    }

    /// What the target looks like now; unknown without a fresh look.
    fn condition(&self, target: &Target) -> Condition {
        if self.fresh() {
            self.evidence.condition(self.subject(target))
        } else {
            Condition::Unknown
        }
    }

    /// Whether fresh looks agree on a condition over the agreement span.
    fn agreed(&self, target: &Target, condition: Condition) -> bool {
        let span = self.site.policy.agreement_span;
        self.fresh() && self.evidence.agree(self.subject(target), condition, span)
    }

    /// Brings one incident as far as it can be brought now.
    fn incident(&mut self, target: &Target) -> Action {
        let Some(incident) = self.state.incidents.get(target).cloned() else {
            return Action::Wait;
        };
        if let Some(attempt) = self.state.open_attempt(&incident).cloned()
            && let Some(action) = self.attempt(&incident, &attempt)
        {
            return action;
        }
        if let Some(ending) = self.close(target) {
            return Action::Close(ending);
        }
        self.latch(target);
        let latch = self
            .state
            .incidents
            .get(target)
            .and_then(|incident| incident.latch.as_ref().map(|(latch, _)| *latch));
        let action = latch.map_or_else(|| self.climb(target), Action::Latch);
        if let Action::Latch(_) = action {
            self.end_request(target, "nothing more is done without a person");
        }
        action
    }

    /// What an open attempt comes to; `None` when it is settled and the incident goes on.
    fn attempt(&mut self, incident: &Incident, attempt: &Attempt) -> Option<Action> {
        let rung = attempt.intent.rung;
        self.release_fleet_share(incident, attempt);
        let policy = self.site.policy;
        let Some(ended_at) = attempt.ended_at else {
            let late = self.now.since(attempt.reserved_at) >= policy.report_timeout;
            if late && attempt.outcome.is_none() {
                let reason = "its end was not reported in time".to_owned();
                self.settle(incident, attempt, Outcome::Unknown, reason);
            }
            self.record_ruling(&incident.target, Standing::Attempting(rung), Vec::new());
            return Some(if attempt.interrupted {
                Action::Resume(attempt.intent.attempt)
            } else {
                Action::Wait
            });
        };
        let verification = if self.is_of_another_module(attempt) {
            let reason = "the inventory has another ESN under its number now".to_owned();
            verify::Verification::Settled(Outcome::Unknown, reason)
        } else {
            verify::verify(attempt, ended_at, self.evidence, policy)
        };
        match verification {
            verify::Verification::Settled(outcome, reason)
                if attempt.outcome.is_none_or(|(known, _)| known != outcome) =>
            {
                self.settle(incident, attempt, outcome, reason);
                let open = self.state.open_attempt(incident).is_some();
                open.then_some(Action::Wait)
            }
            verify::Verification::Settled(..) | verify::Verification::Pending => {
                self.record_ruling(&incident.target, Standing::Attempting(rung), Vec::new());
                Some(Action::Wait)
            }
        }
    }

    /// Whether the attempt was made on another module than the one that the inventory has under its
    /// number now.
    fn is_of_another_module(&self, attempt: &Attempt) -> bool {
        let made_on = attempt.intent.esn.as_ref();
        let listed = self.subject(&attempt.intent.target).esn;
        matches!((made_on, listed), (Some(made_on), Some(listed)) if made_on != listed)
    }

    fn settle(&mut self, incident: &Incident, attempt: &Attempt, outcome: Outcome, reason: String) {
        let attempt = attempt.intent.attempt;
        let report = Report::Settled { outcome, reason };
        self.push(
            &incident.target,
            Change::AttemptReported { attempt, report },
        );
    }

    /// An attempt of unknown outcome keeps the fleet from restarts and clears until people have had
    /// time to look at it.
    fn release_fleet_share(&mut self, incident: &Incident, attempt: &Attempt) {
        let unknown = attempt
            .outcome
            .is_some_and(|(outcome, _)| outcome == Outcome::Unknown);
        if !unknown || attempt.released || !attempt.intent.rung.disruptive() {
            return;
        }
        let page = (incident.target.clone(), PageReason::AttemptUnknown);
        let paged_for = self
            .state
            .pages
            .get(&page)
            .map(|&since| self.now.since(since));
        if paged_for.is_some_and(|span| span >= self.site.policy.unknown_release) {
            let attempt = attempt.intent.attempt;
            self.push(&incident.target, Change::FleetShareReleased { attempt });
        }
    }

    /// The attempt to start: the lowest rung that is ready, of the first incident that has one.
    fn proposal(&self, actions: &[(Target, Action)]) -> Option<Proposal> {
        let ready = actions.iter().filter_map(|(target, action)| match action {
            Action::Act(rung) => Some((*rung, target)),
            Action::Observe
            | Action::Ask(_)
            | Action::Wait
            | Action::Resume(_)
            | Action::Latch(_)
            | Action::Close(_) => None,
        });
        let (rung, target) = ready.min()?;
        self.propose(rung, target)
    }

    fn propose(&self, rung: Rung, target: &Target) -> Option<Proposal> {
        let incident = self.state.incidents.get(target)?;
        let seen = self.evidence.observation()?;
        let module = self.site.host.module_of(target);
        let request = incident.request.as_ref();
        let approved = request.filter(|request| request.approved() == Some(rung));
        let steps = self.steps(rung, target)?;
        let asked = match approved {
            // A person's word is about the plan that was shown, and about no other.
            Some(request) => {
                let scope = &request.alternative(rung)?.scope;
                (scope.steps == steps).then(|| scope.asked.clone())?
            }
            None => BTreeSet::new(),
        };
        Some(Proposal {
            incident: incident.id.clone(),
            target: target.clone(),
            rung,
            ceiling: self.alert_view(target).ceiling?,
            esn: module.and_then(|module| module.esn.clone()),
            hsms: self.hsms(rung, target),
            observation: seen.observation_id,
            steps,
            healthy_before: seen.healthy_modules(),
            approval: approved.map(|request| request.id),
            asked,
        })
    }

    /// The plan of a rung, as the newest look wants it.
    fn steps(&self, rung: Rung, target: &Target) -> Option<Vec<Step>> {
        let hardserver = self.evidence.observation()?.hardserver_for_restart();
        let platform = self.site.host.platform;
        let wait = self.site.policy.clear_wait;
        Some(rung.steps(platform, target.module, hardserver, wait))
    }

    fn hsms(&self, rung: Rung, target: &Target) -> BTreeSet<Option<HsmName>> {
        self.site.host.hsms_touched(rung, target)
    }

    /// The time of the next look.
    fn next_wake(&self) -> Option<Time> {
        let permits = |target: &Target| self.alert_view(target).permits;
        let facts = self.state.facts.values().any(|fact| permits(&fact.target));
        if self.state.incidents.is_empty() && !facts {
            return None;
        }
        let Some(newest) = self.evidence.newest() else {
            return Some(self.now);
        };
        let policy = self.site.policy;
        let regular = newest.at.after(policy.observe_interval);
        let verify = self.state.unsettled().filter_map(|attempt| {
            let ended_at = attempt.ended_at?;
            let regular = verify::next_look(attempt, ended_at, newest.at, policy);
            // Health that holds is seen the moment it has held for long enough.
            let held = self
                .evidence
                .held_since(attempt.intent.target.module, Condition::Healthy);
            let proven = held.map(|held| held.max(ended_at).after(policy.healthy_for));
            let proven = proven.filter(|proven| *proven > newest.at);
            Some(proven.map_or(regular, |proven| proven.min(regular)))
        });
        let untils = self
            .state
            .incidents
            .values()
            .filter_map(|incident| self.until(incident));
        std::iter::once(regular).chain(verify).chain(untils).min()
    }
}
