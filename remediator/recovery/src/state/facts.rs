//! The alerts of a host: taken in, read, used up.

use std::collections::BTreeMap;

use super::HostState;
use crate::alert::{self, AlertView, Fact, FactRecord};
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
}
