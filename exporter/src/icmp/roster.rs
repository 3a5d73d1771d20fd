//! The targets in their turn: when each is due, and what the prober remembers of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nshield::ModuleNumber;

use super::channels::ChannelId;
use super::engine::Fault;
use super::phases::{Phases, next_due};
use super::record::{Place, TargetRecord};
use super::target::{Target, TargetKey};
use super::transitions::{Line, Reach, Transitions};
use super::wheel::{Slot, Wheel};

/// Echoes in a row without a reply before another identifier is tried, however long the interval.
const UNANSWERED_MIN: u32 = 3;

/// How often the time to the next new identifier doubles while none of them helps: by default from
/// 30 s to 8 min.
const BACKOFF_MAX: u32 = 4;

/// A missed turn is made up where the next one is further away than this: a target of one echo a
/// minute would show nothing for two.
const MAKE_UP_BEFORE: Duration = Duration::from_secs(5);

/// A target of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TargetId(u32);

/// A target and what is remembered of it.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) target: Target,
    pub(super) record: Arc<TargetRecord>,
    pub(super) channel: Option<ChannelId>,
    pub(super) place: Place,
    pub(super) transitions: Transitions,
    /// Why the newest echo could not be sent.
    pub(super) fault: Option<Fault>,
    due: Duration,
    phase: Duration,
    unanswered: u32,
    /// The newest of the first echo, the newest reply and the newest identifier.
    silent_since: Duration,
    renewals: u32,
}

impl Probed {
    /// Takes in that an echo was answered or not.
    pub(super) fn answered(&mut self, replied: bool, now: Duration) {
        if replied {
            self.unanswered = 0;
            self.renewals = 0;
            self.silent_since = now;
        } else {
            self.unanswered = self.unanswered.saturating_add(1);
        }
    }

    /// Returns whether it has been lost for so long that another identifier is worth a try.
    pub(super) fn wants_renewal(&self, now: Duration, after: Duration) -> bool {
        let wait = after * (1 << self.renewals.min(BACKOFF_MAX));
        self.unanswered >= UNANSWERED_MIN && now >= self.silent_since + wait
    }

    /// Continues with another identifier.
    pub(super) fn renewed(&mut self, channel: ChannelId, now: Duration) {
        self.channel = Some(channel);
        self.silent_since = now;
        self.renewals += 1;
    }

    /// Logs that it is reachable or lost. That all is well from the start is no news: 1,000 targets
    /// would be 1,000 lines.
    pub(super) fn log(&self, line: &Line) {
        let name = &self.target.name;
        let module = self.target.module.map(ModuleNumber::get);
        let address = self.place.address.as_ref().map(tracing::field::display);
        let (from, to) = (line.from.as_str(), line.to.as_str());
        let (held_seconds, suppressed) = (line.held.as_secs(), line.suppressed);
        if (line.from, line.to) == (Reach::Unknown, Reach::Reachable) {
            tracing::debug!(
                icmp_target = name,
                module,
                address,
                from,
                to,
                "reachability"
            );
        } else {
            tracing::info!(
                icmp_target = name,
                module,
                address,
                from,
                to,
                held_seconds,
                suppressed,
                "reachability"
            );
        }
    }

    /// Notes where echoes go, where that has changed.
    pub(super) fn set_place(&mut self, place: Place) {
        if self.place != place {
            self.record.set_place(place.clone());
            self.place = place;
        }
    }
}

/// All targets of now.
#[derive(Debug, Default)]
pub(super) struct Roster {
    targets: BTreeMap<TargetId, Probed>,
    ids: BTreeMap<TargetKey, TargetId>,
    due: Wheel<TargetId>,
    phases: Phases,
    newest: u32,
}

impl Roster {
    /// Replaces the targets. What is counted and remembered of one that stays, stays; `records` are
    /// those shown so far.
    pub(super) fn replace(
        &mut self,
        targets: Vec<Target>,
        records: &[Arc<TargetRecord>],
        now: Duration,
    ) -> Vec<Arc<TargetRecord>> {
        let mut wanted: BTreeMap<TargetKey, Target> = targets
            .into_iter()
            .map(|target| (target.key(), target))
            .collect();
        let gone: Vec<TargetKey> = self
            .ids
            .keys()
            .filter(|key| !wanted.contains_key(key))
            .cloned()
            .collect();
        for key in gone {
            self.remove(&key);
        }
        for (key, id) in self.ids.clone() {
            if let Some(target) = wanted.remove(&key) {
                self.change(id, target, now);
            }
        }
        let shown: BTreeMap<&TargetKey, &Arc<TargetRecord>> = records
            .iter()
            .map(|record| (record.key(), record))
            .collect();
        for (key, target) in wanted {
            let record = shown.get(&key).map(|record| Arc::clone(record));
            let record = record.unwrap_or_else(|| Arc::new(TargetRecord::new(key)));
            self.add(target, record, now);
        }
        self.targets
            .values()
            .map(|probed| Arc::clone(&probed.record))
            .collect()
    }

    fn add(&mut self, target: Target, record: Arc<TargetRecord>, now: Duration) {
        self.newest += 1;
        let id = TargetId(self.newest);
        self.ids.insert(target.key(), id);
        let phase = self.phases.take(target.echo.interval);
        let due = next_due(Slot::current(now).begins(), target.echo.interval, phase);
        self.due.add(due, id);
        let probed = Probed {
            target,
            record,
            channel: None,
            place: Place::default(),
            transitions: Transitions::new(),
            fault: None,
            due,
            phase,
            unanswered: 0,
            silent_since: due,
            renewals: 0,
        };
        self.targets.insert(id, probed);
    }

    fn change(&mut self, id: TargetId, target: Target, now: Duration) {
        let Some(probed) = self.targets.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut probed.target, target).echo.interval;
        let interval = probed.target.echo.interval;
        if interval != before {
            self.phases.give_back(before, probed.phase);
            probed.phase = self.phases.take(interval);
            probed.due = next_due(Slot::current(now).begins(), interval, probed.phase);
            self.due.add(probed.due, id);
        }
    }

    fn remove(&mut self, key: &TargetKey) {
        let removed = self.ids.remove(key).and_then(|id| self.targets.remove(&id));
        if let Some(probed) = removed {
            self.phases
                .give_back(probed.target.echo.interval, probed.phase);
        }
    }

    /// Takes out the targets whose echo is due in this slot and gives each its next turn. Turns of
    /// slots that were missed are left out, unless the next one is far: sent together they would be
    /// a burst, and time-outs of it would say nothing about the targets.
    pub(super) fn take_due(&mut self, now: Slot) -> Vec<TargetId> {
        let mut due = Vec::new();
        while let Some((slot, ids)) = self.due.take(now) {
            for id in ids {
                let Some(probed) = self.targets.get_mut(&id) else {
                    continue;
                };
                // A turn from before its interval changed.
                if Slot::from(probed.due) != slot {
                    continue;
                }
                let taken = Duration::from_nanos(u64::from(slot == now));
                probed.due = next_due(
                    now.begins() + taken,
                    probed.target.echo.interval,
                    probed.phase,
                );
                self.due.add(probed.due, id);
                if slot == now || probed.due > now.begins() + MAKE_UP_BEFORE {
                    due.push(id);
                }
            }
        }
        due
    }

    /// Returns when a target is due next.
    pub(super) fn next(&self) -> Option<Slot> {
        self.due.next()
    }

    pub(super) fn get(&self, id: TargetId) -> Option<&Probed> {
        self.targets.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: TargetId) -> Option<&mut Probed> {
        self.targets.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Probed> {
        self.targets.values()
    }

    /// Returns the targets that are there, for a run that gives each one turn.
    pub(super) fn ids(&self) -> Vec<TargetId> {
        self.targets.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests;
