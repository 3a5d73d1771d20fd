//! Walks the record in the order of time, and asks the other policy beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::decide::{Decision, decide};
use vcm_recovery::event::{Change, Event};
use vcm_recovery::evidence::Look;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::{Epoch, HostName, ObservationId};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Site;
use vcm_recovery::time::Time;

use super::findings::Findings;
use super::host::{Host, next};
use crate::config::Config;
use crate::store::StoreError;
use crate::store::reader::Reader;

/// What the look before a start may take, with the way to the host and back. It takes a second or
/// two; on a busy host whose module fails, several.
const LOOK: Duration = Duration::from_secs(10);

/// The record as it goes on, and the other policy beside it.
pub(super) struct Replay<'a> {
    pub(super) config: &'a Config,
    reader: &'a Reader,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) fleet: FleetState,
    /// The newest event: of which start of the program, and when.
    newest: Option<(Epoch, Time)>,
    pub(super) findings: Findings,
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

    pub(super) fn decide(&self, name: &HostName, now: Time) -> Option<Decision> {
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
    pub(super) fn tolerance(&self) -> Duration {
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
