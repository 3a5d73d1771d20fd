//! How often an incident calls a person. Kept by the fold in [`Incident`](crate::incident::Incident),
//! asked by the decision before it raises or clears a page.
//!
//! A page belongs to its incident: a person who was called stays called until the incident is over, so
//! that what comes and goes calls nobody twice. The page keeps the reason for which it was raised;
//! where the incident stands now is said by its verdicts.

use std::collections::BTreeSet;

use super::{Demand, PageReason};

/// Pages of one incident, those that ask for a person [at once](Demand::AtOnce) not counted. Two, so
/// that whoever was called to look is called once more to decide or to take over.
pub const CALLS_MAX: usize = 2;

/// The calls of an incident since it was opened, or since a person had it begin anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Called {
    /// The reasons that count for [`CALLS_MAX`], oldest first.
    reasons: Vec<PageReason>,
    /// Whether a person has answered what the newest one asked.
    answered: bool,
}

impl Called {
    /// A page was raised.
    pub(crate) fn raised(&mut self, reason: PageReason) {
        if reason.demand() < Demand::AtOnce {
            self.reasons.push(reason);
            self.answered = false;
        }
    }

    /// A person has answered a request for approval.
    pub(crate) fn answered(&mut self) {
        let asked = self.reasons.last().map(|reason| reason.demand());
        self.answered |= asked == Some(Demand::Decide);
    }

    /// The pages to have open from now on, where `open` are and `wanted` have a cause.
    ///
    /// What asks for a person at once is told as it is. Of the others one is open at a time:
    ///
    /// - it gives way to one that demands more, while the incident has a call left;
    /// - its cause may go and another one come: it stays, until the incident is over;
    /// - only an answered request ends before, if a call is left for the next one.
    #[must_use]
    pub fn settle(
        &self,
        open: &BTreeSet<PageReason>,
        wanted: &BTreeSet<PageReason>,
    ) -> BTreeSet<PageReason> {
        let at_once = wanted.iter().filter(|reason| at_once(**reason));
        let mut settled: BTreeSet<PageReason> = at_once.copied().collect();
        let stays = most_demanding(open).filter(|page| wanted.contains(page) || self.holds(*page));
        let next = most_demanding(wanted).filter(|next| {
            let above = stays.is_none_or(|page| page.demand() < next.demand());
            let left = self.reasons.len() < CALLS_MAX || stays.is_none();
            above && left && settled.is_empty()
        });
        settled.extend(next.or(stays));
        settled
    }

    /// Whether an open page stays although its cause is gone.
    fn holds(&self, page: PageReason) -> bool {
        let is_last = self.reasons.last() == Some(&page);
        is_last && (!self.answered || self.reasons.len() >= CALLS_MAX)
    }
}

fn at_once(reason: PageReason) -> bool {
    reason.demand() == Demand::AtOnce
}

/// The one that demands most of those that do not ask for a person at once.
fn most_demanding(reasons: &BTreeSet<PageReason>) -> Option<PageReason> {
    let counted = reasons.iter().copied().filter(|reason| !at_once(*reason));
    counted.min_by_key(|reason| (std::cmp::Reverse(reason.demand()), *reason))
}

#[cfg(test)]
mod tests;
