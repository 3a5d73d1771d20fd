//! A host as it was recorded, and what the other policy would do with it at the moment.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::alert::Fact;
use vcm_recovery::decide::{Decision, Proposal};
use vcm_recovery::evidence::{Evidence, Look};
use vcm_recovery::ids::{Fingerprint, HostName};
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use super::findings::Start;

/// The other policy is asked no more often than this when nothing was recorded: whatever it waits
/// for, a host is not looked at more often.
const STEP_MIN: Duration = Duration::from_secs(1);

/// A host as it was recorded.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) state: HostState,
    pub(super) evidence: Evidence,
    /// The newest fact of each alert: while it fires, it was delivered again and again.
    facts: BTreeMap<Fingerprint, Fact>,
    /// When the other policy is asked next, unless something is recorded before.
    pub(super) due: Time,
    /// What it wants to start.
    pub(super) proposed: Option<Proposed>,
    /// When it last wanted to start what it wants no more.
    proposed_last: BTreeMap<Start, Time>,
}

/// What the other policy wants to start.
#[derive(Clone)]
pub(super) struct Proposed {
    pub(super) start: Start,
    pub(super) target: Target,
    /// Since when without a break.
    pub(super) since: Time,
}

impl Host {
    pub(super) fn new(name: &HostName, now: Time) -> Self {
        Self {
            state: HostState::new(name.clone()),
            evidence: Evidence::default(),
            facts: BTreeMap::new(),
            due: now,
            proposed: None,
            proposed_last: BTreeMap::new(),
        }
    }

    pub(super) fn fact(&mut self, fact: &Fact) {
        self.facts.insert(fact.fingerprint, fact.clone());
    }

    /// The host looked the same, and its alerts were delivered again, until `now`.
    pub(super) fn goes_on(&mut self, now: Time) {
        let newest = self.evidence.newest().cloned();
        if let Some(newest) = newest.filter(|newest| newest.at < now) {
            self.evidence.push(Look { at: now, ..newest });
        }
        for fact in self.facts.values().filter(|fact| fact.firing) {
            self.state.deliver(&Fact {
                delivered_at: now,
                ..fact.clone()
            });
        }
    }

    /// Takes in what the other policy wants to start at `now`.
    pub(super) fn proposes(&mut self, proposal: Option<&Proposal>, now: Time) {
        let before = self.proposed.take();
        let Some(proposal) = proposal else {
            return;
        };
        let start = (proposal.incident.clone(), proposal.rung);
        self.proposed_last.insert(start.clone(), now);
        let since = before
            .filter(|before| before.start == start)
            .map_or(now, |before| before.since);
        self.proposed = Some(Proposed {
            start,
            target: proposal.target.clone(),
            since,
        });
    }

    /// Whether the other policy has wanted to start this within `span` before `now`.
    pub(super) fn proposed_within(&self, start: &Start, span: Duration, now: Time) -> bool {
        let last = self.proposed_last.get(start);
        last.is_some_and(|last| last.after(span) >= now)
    }
}

/// When the other policy is asked again that has decided at `now`: when it would look again itself,
/// and at least every `step`.
pub(super) fn next(decision: &Decision, now: Time, step: Duration) -> Time {
    let regular = now.after(step);
    let wake = decision.next_wake.map(|wake| wake.max(now.after(STEP_MIN)));
    wake.map_or(regular, |wake| wake.min(regular))
}
