//! Walks the record in the order of time, and asks the other policy beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::attempt::Intent;
use vcm_recovery::decide::{Decision, decide};
use vcm_recovery::event::{Change, Event};
use vcm_recovery::evidence::Look;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::{Epoch, HostName, ObservationId};
use vcm_recovery::incident::Standing;
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Site;
use vcm_recovery::time::Time;

use super::findings::Findings;
use super::host::{Host, Proposed, next};
use super::unrecorded::{blocking, kept_back};
use crate::config::Config;
use crate::store::StoreError;
use crate::store::reader::Reader;

/// What the look before a start may take, with the way to the host and back. It takes a second or
/// two; on a busy host whose module fails, several.
const LOOK: Duration = Duration::from_secs(10);

/// The record as it goes on, and the other policy beside it.
pub(super) struct Replay<'a> {
    config: &'a Config,
    reader: &'a Reader,
    hosts: BTreeMap<HostName, Host>,
    fleet: FleetState,
    /// The newest event: of which start of the program, and when.
    newest: Option<(Epoch, Time)>,
    findings: Findings,
}

impl<'a> Replay<'a> {
    pub(super) fn new(config: &'a Config, reader: &'a Reader, from: Time) -> Self {
        Self {
            config,
            reader,
            hosts: BTreeMap::new(),
            fleet: FleetState::default(),
            newest: None,
            findings: Findings::new(from),
        }
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<(), StoreError> {
        self.pass_to(event);
        let Some(name) = &event.entry.host else {
            self.fleet.apply(event);
            return Ok(());
        };
        let now = event.time;
        if now >= self.findings.from && !self.config.inventory.hosts.contains_key(name) {
            self.findings.not_listed.insert(name.clone());
        }
        let host = self.hosts.entry(name.clone());
        let host = host.or_insert_with(|| Host::new(name, now));
        // What was due while no incident was open is not asked for any more.
        host.due = host.due.max(now);
        let change = &event.entry.change;
        if let Change::FactChanged(fact) = change {
            host.fact(fact);
        }
        if let Change::Observed(summary) = change {
            let seen = seen(self.reader, summary.observation)?;
            host.evidence.push(Look { at: now, seen });
        }
        if let Change::IntentReserved(intent) = change {
            // The look that it was decided on is kept, also when it showed nothing new.
            let seen = seen(self.reader, Some(intent.observation))?;
            if seen.is_ok() {
                host.evidence.push(Look { at: now, seen });
            }
            self.intent(name, intent, now);
        }
        if let Some(host) = self.hosts.get_mut(name) {
            host.state.apply(event);
        }
        if matches!(change, Change::Observed(_) | Change::Decided(_)) {
            self.ask(name, now);
        }
        Ok(())
    }

    /// What was found, when there are no more events.
    pub(super) fn ended(mut self) -> Findings {
        if let Some((_, end)) = self.newest {
            self.run_ended(end);
            self.findings.end = Some(end);
        }
        self.findings.tolerance = self.tolerance();
        self.findings
    }

    /// Lets time pass up to `event`. A start of the program says that it did not run before, and not
    /// since when: nothing is asked after the last record of the run before.
    fn pass_to(&mut self, event: &Event) {
        match self.newest {
            Some((epoch, end)) if epoch != event.epoch => {
                self.run_ended(end);
                for host in self.hosts.values_mut() {
                    host.due = host.due.max(event.time);
                }
            }
            _ => self.pass_until(event.time),
        }
        self.newest = Some((event.epoch, event.time));
    }

    fn run_ended(&mut self, end: Time) {
        self.pass_until(end);
        for host in self.hosts.values_mut() {
            if let Some(proposed) = host.proposed.take() {
                self.findings.cut_off(proposed.start);
            }
        }
    }

    /// Asks about every host, in the order of time, what is due before `end`. Nothing was recorded
    /// meanwhile: the hosts looked the same.
    fn pass_until(&mut self, end: Time) {
        while let Some((due, name)) = self.due_before(end) {
            self.ask(&name, due);
        }
    }

    fn due_before(&self, end: Time) -> Option<(Time, HostName)> {
        let listed = |name: &HostName| self.config.inventory.hosts.contains_key(name);
        let due = self.hosts.iter().filter(|(name, host)| {
            host.due < end && !host.state.incidents.is_empty() && listed(name)
        });
        let first = due.min_by_key(|(_, host)| host.due);
        first.map(|(name, host)| (host.due, name.clone()))
    }

    /// Asks the other policy about a host as it was at `now`.
    fn ask(&mut self, name: &HostName, now: Time) {
        let step = self.config.policy.observe_interval;
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        host.goes_on(now);
        host.due = now.after(step);
        if now < self.findings.from {
            return;
        }
        let Some(decision) = self.decide(name, now) else {
            return;
        };
        self.findings.asked += 1;
        if let Some(host) = self.hosts.get_mut(name) {
            host.due = next(&decision, now, step);
            host.proposes(decision.proposal.as_ref(), now);
        }
        self.compare(name, now);
    }

    /// Compares what the other policy wants to start with what the record has come to. What it has
    /// wanted without a break for longer than the record can lag behind is a difference.
    fn compare(&mut self, name: &HostName, now: Time) {
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
    fn intent(&mut self, name: &HostName, intent: &Intent, now: Time) {
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
        let why = reasons(&decision, intent);
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

    fn decide(&self, name: &HostName, now: Time) -> Option<Decision> {
        let site = Site {
            host: self.config.inventory.hosts.get(name)?,
            policy: &self.config.policy,
        };
        let states = self.hosts.values().map(|host| &host.state);
        let (inventory, policy) = (&self.config.inventory, &self.config.policy);
        let fleet = FleetView {
            // Neither the watchdog nor silences are recorded: they are taken to have been in order.
            watchdog: Some(now),
            ..FleetView::new(states, &self.fleet, inventory, policy, now)
        };
        let host = self.hosts.get(name)?;
        Some(decide(&host.state, &host.evidence, &fleet, site, now))
    }

    /// How far a recorded start may lie from where the other policy is seen to start and still be the
    /// same one.
    ///
    /// What lets a rung start is noticed at a look, which comes up to one `observe_interval` later,
    /// and the rung starts when one more look at the host has shown the same. That is as exactly as
    /// the record can tell, of whichever of the two policies looks more rarely. What is further apart
    /// has another reason, and is told.
    fn tolerance(&self) -> Duration {
        let recorded = self.fleet.policy.as_ref();
        let recorded = recorded.map(|policy| policy.observe_interval);
        let own = self.config.policy.observe_interval;
        own.max(recorded.unwrap_or_default()) + LOOK
    }
}

/// A kept look, or why there is none.
fn seen(
    reader: &Reader,
    observation: Option<ObservationId>,
) -> Result<Result<Observation, String>, StoreError> {
    let seen = match observation {
        Some(id) => reader.observation(id)?,
        None => None,
    };
    Ok(seen.ok_or_else(|| "it is not kept".to_owned()))
}

/// Whether a decision starts what was started.
fn starts(decision: &Decision, intent: &Intent) -> bool {
    let proposal = decision.proposal.as_ref();
    proposal
        .is_some_and(|proposal| (&proposal.target, proposal.rung) == (&intent.target, intent.rung))
}

/// Why the other policy does not start what was started.
fn reasons(decision: &Decision, intent: &Intent) -> String {
    let mut rulings = decision.changes.iter().filter_map(|entry| {
        let Change::Decided(ruling) = &entry.change else {
            return None;
        };
        (entry.target.as_ref() == Some(&intent.target)).then_some(ruling)
    });
    let Some(ruling) = rulings.next_back() else {
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
