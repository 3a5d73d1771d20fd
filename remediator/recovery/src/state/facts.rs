//! The alerts of a host: taken in, read, used up, forgotten.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::HostState;
use crate::alert::{self, AlertView, FACT_MEMORY, Fact, FactRecord, OLD_FACTS_MAX};
use crate::fleet::Silences;
use crate::ids::Fingerprint;
use crate::inventory::Target;
use crate::policy::Policy;
use crate::time::Time;

impl HostState {
    /// Joins a delivered fact. Order and repetition do not matter.
    pub fn deliver(&mut self, fact: &Fact) {
        self.facts
            .entry(fact.fingerprint)
            .and_modify(|record| record.join(fact))
            .or_insert_with(|| FactRecord::new(fact));
    }

    /// Takes in what the store knows of a fingerprint. Order and repetition do not matter.
    pub fn learn(&mut self, fingerprint: Fingerprint, record: &FactRecord) {
        self.facts
            .entry(fingerprint)
            .and_modify(|known| known.join_known(record))
            .or_insert_with(|| record.clone());
    }

    /// What the valid facts of `target` say.
    #[must_use]
    pub fn alert_view(&self, target: &Target, policy: &Policy, now: Time) -> AlertView {
        alert::view(&self.facts, &self.spent, target, policy, now)
    }

    /// What closing an incident of `target` uses up: the newest start of each of its facts.
    #[must_use]
    pub fn spent_by(&self, target: &Target) -> BTreeMap<Fingerprint, Time> {
        let facts = self.facts.iter();
        facts
            .filter(|(_, fact)| fact.target == *target)
            .filter_map(|(fingerprint, fact)| Some((*fingerprint, fact.newest_start?)))
            .collect()
    }

    /// The facts that no decision can depend on any more; [`Self::learn`] brings one back whole when it
    /// is delivered again.
    ///
    /// What has ended counts for nothing, and is remembered for [`FACT_MEMORY`] only for who looks. What
    /// fires and was not delivered for so long still counts in two ways: while the incident of its target
    /// is open, whose end will use it up, and while it is silenced, for the guard; of those the newest
    /// [`OLD_FACTS_MAX`] of each target stay. Used up is used up: `spent` is not touched.
    #[must_use]
    pub fn outlived_facts(
        &self,
        policy: &Policy,
        silences: impl FnOnce() -> Silences,
        now: Time,
    ) -> Vec<Fingerprint> {
        let memory = FACT_MEMORY.max(policy.alert_ttl);
        let is_old = |fact: &FactRecord| {
            let heard = fact.last_heard();
            heard.is_none_or(|heard| now.since(heard) > memory)
        };
        let old = self.facts.iter().filter(|(_, fact)| is_old(fact));
        let mut old: Vec<(&Fingerprint, &FactRecord)> = old.collect();
        if old.is_empty() {
            return Vec::new();
        }
        let silences = silences();
        old.sort_by_key(|(_, fact)| Reverse(fact.last_heard()));
        let mut kept: BTreeMap<&Target, usize> = BTreeMap::new();
        old.retain(|(fingerprint, fact)| {
            let needed = fact.firing()
                && (self.incidents.contains_key(&fact.target)
                    || may_be_silenced(&silences, fingerprint));
            let kept = kept.entry(&fact.target).or_default();
            *kept += usize::from(needed);
            !needed || *kept > OLD_FACTS_MAX
        });
        old.into_iter()
            .map(|(fingerprint, _)| *fingerprint)
            .collect()
    }

    /// Forgets these facts.
    pub fn forget_facts(&mut self, fingerprints: &[Fingerprint]) {
        for fingerprint in fingerprints {
            self.facts.remove(fingerprint);
        }
    }
}

fn may_be_silenced(silences: &Silences, fingerprint: &Fingerprint) -> bool {
    match silences {
        Silences::NotAsked => false,
        Silences::Unknown(_) => true,
        Silences::Known(silenced) => silenced.contains_key(fingerprint),
    }
}
