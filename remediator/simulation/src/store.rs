//! The store in memory: the same operations as the real one, and it can fail like one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vcm_recovery::alert::{Fact, FactRecord};
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::event::{Change, EVENT_SCHEMA, Entry, Event};
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, Fingerprint, HostName, HsmName};
use vcm_recovery::policy::Budgets;
use vcm_recovery::start::Boot;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use crate::dice::Dice;
use crate::knobs::Storage;
use crate::recovery;

/// How often the program writes down that it runs.
const ALIVE_EVERY: Duration = Duration::from_secs(60);

/// Why a store operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing of it was kept.
    #[error("the database failed")]
    Refused,
    /// It was kept, and the program dies before it knows.
    #[error("the program died with the transaction committed")]
    DiedCommitted,
}

/// The answer to a reservation.
#[derive(Clone, Debug)]
pub enum Reservation {
    /// Budgets and intent are kept: these are the stored events.
    Reserved(Vec<Event>),
    /// A budget is used up.
    Refused(Guard),
}

/// Durable facts and events.
#[derive(Debug)]
pub struct Store {
    events: Vec<Event>,
    facts: BTreeMap<(HostName, Fingerprint), FactRecord>,
    held: BTreeMap<AttemptId, Intent>,
    known: BTreeSet<AttemptId>,
    /// Of those held, the ones that no longer keep others of the fleet.
    released: BTreeSet<AttemptId>,
    epoch: Epoch,
    last: Time,
    knob: Storage,
    /// Whether the disk is full now.
    pub(crate) full: bool,
    dice: Dice,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub const fn new(knob: Storage, dice: Dice) -> Self {
        Self {
            events: Vec::new(),
            facts: BTreeMap::new(),
            held: BTreeMap::new(),
            known: BTreeSet::new(),
            released: BTreeSet::new(),
            epoch: Epoch(0),
            last: Time::from_millis(0),
            knob,
            full: false,
            dice,
        }
    }

    /// Begins the next epoch.
    pub(crate) const fn open(&mut self) {
        self.epoch.0 += 1;
    }

    /// The epoch of this start.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The program ran until then, and wrote that down once a minute.
    pub(crate) fn ran_until(&mut self, time: Time) {
        if !self.full {
            self.last = self.last.max(time.before(ALIVE_EVERY));
        }
    }

    /// The newest instant in it.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        (self.last > Time::from_millis(0)).then_some(self.last)
    }

    /// Every event.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Joins facts; an event for each that began or ended to fire.
    pub(crate) fn accept(&mut self, facts: &[Fact], now: Time) -> Result<Vec<Event>, StoreError> {
        let dies = self.fails()?;
        self.last = self.last.max(now);
        let mut events = Vec::new();
        for fact in facts {
            let key = (fact.target.host.clone(), fact.fingerprint);
            let before = self.facts.get(&key).cloned();
            let mut after = before.clone().unwrap_or_else(|| FactRecord::new(fact));
            after.join(fact);
            if began(before.as_ref()) != began(Some(&after)) {
                events.push(self.push(recovery::fact_entry(fact), now));
            }
            self.facts.insert(key, after);
        }
        died(dies, events)
    }

    /// Appends entries, all or none.
    pub(crate) fn append(
        &mut self,
        entries: Vec<Entry>,
        now: Time,
    ) -> Result<Vec<Event>, StoreError> {
        let dies = self.fails()?;
        let events = entries
            .into_iter()
            .map(|entry| self.push(entry, now))
            .collect();
        died(dies, events)
    }

    /// Appends an intent if the budgets allow it, counted here and now.
    pub(crate) fn reserve(
        &mut self,
        entry: Entry,
        intent: &Intent,
        budgets: Budgets,
        now: Time,
    ) -> Result<Reservation, StoreError> {
        let dies = self.fails()?;
        if let Some(guard) = self.used_up(intent, budgets) {
            return Ok(Reservation::Refused(guard));
        }
        if !self.known.insert(intent.attempt) {
            return Err(StoreError::Refused);
        }
        self.held.insert(intent.attempt, intent.clone());
        let used = intent.approval.map(|request| Entry {
            change: Change::ApprovalUsed {
                request,
                attempt: intent.attempt,
            },
            ..entry.clone()
        });
        let entries = std::iter::once(entry).chain(used);
        let events = entries.map(|entry| self.push(entry, now)).collect();
        died(dies, Reservation::Reserved(events))
    }

    /// The boot of the program's machine that the last start has recorded.
    pub(crate) fn last_boot(&self) -> Option<&Boot> {
        let mut events = self.events.iter().rev();
        events.find_map(|event| {
            let Change::Started(start) = &event.entry.change else {
                return None;
            };
            start.boot.as_ref()
        })
    }

    /// Every host's state: its events folded, joined with its facts.
    pub(crate) fn load(&self, names: &[HostName]) -> (Vec<HostState>, FleetState) {
        let (mut states, fleet) = recovery::fold(names, &self.events);
        for state in &mut states {
            let of_host = self
                .facts
                .iter()
                .filter(|((host, _), _)| *host == state.host);
            state.facts = of_host
                .map(|((_, fingerprint), record)| (*fingerprint, record.clone()))
                .collect();
        }
        (states, fleet)
    }

    fn push(&mut self, entry: Entry, now: Time) -> Event {
        if let Change::AttemptReported {
            attempt,
            report: Report::Settled { outcome, .. },
        } = &entry.change
            && *outcome != Outcome::Unknown
        {
            self.held.remove(attempt);
        }
        if matches!(&entry.change, Change::Started(start) if !start.away_known) {
            for record in self.facts.values_mut() {
                record.last_firing_delivery = None;
            }
        }
        if let Change::FleetShareReleased { attempt } = &entry.change {
            self.released.insert(*attempt);
        }
        self.last = self.last.max(now);
        let event = Event {
            seq: u64::try_from(self.events.len()).unwrap_or(u64::MAX) + 1,
            schema: EVENT_SCHEMA,
            time: self.last,
            epoch: self.epoch,
            entry,
        };
        self.events.push(event.clone());
        event
    }

    /// The first budget that has no place left. Counted from what is held, not from any state.
    fn used_up(&self, intent: &Intent, budgets: Budgets) -> Option<Guard> {
        let count = |counts: &dyn Fn(&Intent) -> bool| {
            u32::try_from(self.held.values().filter(|held| counts(held)).count())
                .unwrap_or(u32::MAX)
        };
        if count(&|held| held.target.host == intent.target.host) >= budgets.host {
            return Some(Guard::BudgetHost);
        }
        if intent.rung.disruptive() {
            let fleet =
                count(&|held| held.rung.disruptive() && !self.released.contains(&held.attempt));
            return (fleet >= budgets.fleet_disruptive).then_some(Guard::BudgetFleet);
        }
        let on = |hsm: &Option<HsmName>| {
            count(&|held| !held.rung.disruptive() && held.hsms.contains(hsm))
        };
        let full = intent.hsms.iter().any(|hsm| on(hsm) >= budgets.hsm_retry);
        full.then_some(Guard::BudgetHsm)
    }

    /// Whether this operation is refused, or else ends with the program's death.
    fn fails(&mut self) -> Result<bool, StoreError> {
        let refused = match self.knob {
            Storage::Works | Storage::AnswerLost => false,
            Storage::Refuses => self.dice.per_cent(3),
            Storage::Full => self.full,
        };
        if refused {
            return Err(StoreError::Refused);
        }
        Ok(self.knob == Storage::AnswerLost && self.dice.per_cent(1))
    }
}

fn died<T>(dies: bool, done: T) -> Result<T, StoreError> {
    if dies {
        Err(StoreError::DiedCommitted)
    } else {
        Ok(done)
    }
}

/// Since when the alert has been firing this time; `None` when it does not.
fn began(record: Option<&FactRecord>) -> Option<Time> {
    record
        .filter(|record| record.firing())
        .and_then(|record| record.newest_start)
}
