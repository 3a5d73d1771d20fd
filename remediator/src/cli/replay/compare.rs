//! Compares what the other policy starts with what the record starts.

use vcm_recovery::attempt::Intent;
use vcm_recovery::decide::{Action, Decision};
use vcm_recovery::event::{Change, Ruling};
use vcm_recovery::ids::HostName;
use vcm_recovery::incident::Standing;
use vcm_recovery::inventory::Target;
use vcm_recovery::time::Time;

use super::host::{Proposed, next};
use super::unrecorded::{blocking, kept_back};
use super::walk::Replay;

impl Replay<'_> {
    /// Compares what the other policy wants to start with what the record has come to. What it has
    /// wanted without a break for longer than the record can lag behind is a difference.
    pub(super) fn compare(&mut self, name: &HostName, now: Time) {
        let tolerance = self.tolerance();
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let Some(Proposed {
            start,
            target,
            since,
        }) = host.proposed.clone()
        else {
            return;
        };
        if self.findings.is_told(&start) {
            return;
        }
        let recorded = host.state.incidents.get(&target);
        let standing = recorded.map_or(Standing::Observing, |incident| incident.standing);
        let same = standing == Standing::Ready(start.1);
        let policy = self.fleet.policy.as_deref();
        let kept_back = kept_back(host, &target, start.1, policy, now);
        if same || kept_back.is_some() {
            // From here on it may lag behind anew.
            host.proposed = None;
            if let Some(guards) = kept_back.filter(|_| !same) {
                self.findings.kept_back(start, guards);
            }
            return;
        }
        let deadline = since.after(tolerance);
        if now < deadline {
            host.due = host.due.min(deadline);
            return;
        }
        self.findings
            .would_have_started(start, since, &target, standing);
    }

    /// An attempt was reserved: would the other policy have, too?
    pub(super) fn intent(&mut self, name: &HostName, intent: &Intent, now: Time) {
        let start = (intent.incident.clone(), intent.rung);
        let tolerance = self.tolerance();
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        host.goes_on(now);
        let wanted = host.proposed_within(&start, tolerance, now);
        let instead = host
            .proposed
            .take()
            .filter(|proposed| proposed.start.0 == start.0 && proposed.start.1 != start.1);
        // Another rung of the same incident was about to start: the record has gone another way.
        if let Some(Proposed {
            start,
            target,
            since,
        }) = instead
            && !self.findings.is_told(&start)
        {
            let was = Standing::Ready(intent.rung);
            self.findings.would_have_started(start, since, &target, was);
        }
        self.findings.started(start);
        if now < self.findings.from {
            return;
        }
        let Some(decision) = self.decide(name, now) else {
            return;
        };
        self.findings.asked += 1;
        if wanted || starts(&decision, intent) || self.starts_soon(name, intent, &decision, now) {
            return;
        }
        let host = self.hosts.get(name);
        let incident = host.and_then(|host| host.state.incidents.get(&intent.target));
        let recorded = incident.and_then(|incident| incident.ruling.as_deref());
        let why = reasons(&decision, intent, recorded);
        self.findings
            .would_not_have_started(intent.rung, now, &intent.target, &why);
    }

    /// Whether the other policy would have started within the tolerance what the record has started,
    /// had the record not.
    fn starts_soon(
        &mut self,
        name: &HostName,
        intent: &Intent,
        decision: &Decision,
        now: Time,
    ) -> bool {
        let step = self.config.policy.observe_interval;
        let end = now.after(self.tolerance());
        let Some(kept) = self.hosts.get(name).cloned() else {
            return false;
        };
        let (mut at, mut due, mut found) = (now, next(decision, now, step), false);
        while !found && at < end {
            at = due.min(end);
            if let Some(host) = self.hosts.get_mut(name) {
                host.goes_on(at);
            }
            let Some(decision) = self.decide(name, at) else {
                break;
            };
            found = starts(&decision, intent);
            due = next(&decision, at, step);
        }
        self.hosts.insert(name.clone(), kept);
        found
    }
}

/// Whether a decision starts what was started.
fn starts(decision: &Decision, intent: &Intent) -> bool {
    let proposal = decision.proposal.as_ref();
    proposal
        .is_some_and(|proposal| (&proposal.target, proposal.rung) == (&intent.target, intent.rung))
}

/// Why the other policy does not start what was started.
fn reasons(decision: &Decision, intent: &Intent, recorded: Option<&Ruling>) -> String {
    let mut rulings = decision.changes.iter().filter_map(|entry| {
        let Change::Decided(ruling) = &entry.change else {
            return None;
        };
        (entry.target.as_ref() == Some(&intent.target)).then_some(ruling)
    });
    let starts = |(target, action): &(Target, Action)| {
        (target, *action == Action::Act(intent.rung)) == (&intent.target, true)
    };
    // A ruling that is the recorded one is no change.
    let ruling = rulings.next_back().or(recorded);
    let (Some(ruling), false) = (ruling, decision.actions.iter().any(starts)) else {
        return "it decides the same, and starts something else first".to_owned();
    };
    let reasons: Vec<String> = blocking(ruling, intent.rung)
        .map(|given| {
            let (word, reason) = (given.verdict.as_str(), given.verdict.reason());
            format!("{} {word}s: {reason}", given.guard)
        })
        .collect();
    match reasons.is_empty() {
        true => ruling.standing.to_string(),
        false => reasons.join("; "),
    }
}
