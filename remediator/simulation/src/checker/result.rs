//! What became of an incident, for the report.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::event::Closing;
use vcm_recovery::ids::IncidentId;
use vcm_recovery::incident::{Actor, Ending};
use vcm_recovery::page::PageReason;
use vcm_recovery::tier::Rung;
use vcm_recovery::time::Time;

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// A rung brought the target back.
    ByUs,
    /// It failed and came back without us, or by people.
    Otherwise,
    /// It was never seen failed.
    NeverFailed,
    /// It was given to people before it came back.
    HandedOver,
    /// It is not closed.
    Open,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentResult {
    /// Which.
    pub id: IncidentId,
    /// When it was opened.
    pub opened_at: Time,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// How it ended.
    pub way: Way,
    /// From the first observed failure to the first of the healthy looks, in milliseconds.
    pub recovery_millis: Option<u64>,
    /// Rungs whose first command was started, and whether that was unnecessary.
    pub acts: Vec<(Rung, bool)>,
    /// Pages raised, as people are told: what is raised again soon is one page.
    pub pages: Vec<PageReason>,
    /// Of these, such as outrank the limit on pages.
    pub at_once: usize,
    /// Pages raised, each time.
    pub raised: usize,
    /// Pages for want of an observation while there was one, or before it was missing for 5 min.
    pub early_pages: usize,
    /// When each reason last ended.
    ended: BTreeMap<PageReason, Time>,
}

/// `keep_firing_for` of `VcmRemediatorNeedsHuman`: a page that is raised again within this time tells
/// nobody anew.
const KEEP_FIRING: Duration = Duration::from_secs(300);

impl IncidentResult {
    pub(super) const fn new(id: IncidentId, opened_at: Time) -> Self {
        Self {
            id,
            opened_at,
            closed_at: None,
            way: Way::Open,
            recovery_millis: None,
            acts: Vec::new(),
            pages: Vec::new(),
            at_once: 0,
            raised: 0,
            early_pages: 0,
            ended: BTreeMap::new(),
        }
    }

    pub(super) fn page(&mut self, reason: PageReason, at: Time) {
        self.raised += 1;
        let soon = self
            .ended
            .get(&reason)
            .is_some_and(|ended| at.since(*ended) <= KEEP_FIRING);
        if !soon {
            self.pages.push(reason);
            self.at_once += usize::from(super::AT_ONCE.contains(&reason));
        }
    }

    pub(super) fn page_ends(&mut self, reason: PageReason, at: Time) {
        self.ended.insert(reason, at);
    }

    pub(super) fn close(&mut self, closing: &Closing, at: Time) {
        self.closed_at = Some(at);
        self.recovery_millis = closing.recovery_millis;
        self.way = match (closing.ending, closing.actor) {
            (Ending::Recovered, Actor::None) => Way::Otherwise,
            (Ending::Recovered, _) => Way::ByUs,
            (Ending::Ended, _) => Way::NeverFailed,
            (Ending::HandedOver | Ending::Exhausted, _) => Way::HandedOver,
        };
    }

    /// Acts that take something away from users that still work.
    #[must_use]
    pub fn disruptive_acts(&self) -> usize {
        self.acts
            .iter()
            .filter(|(rung, _)| rung.disruptive())
            .count()
    }

    /// Acts on a module that worked, or would have worked again within the rung's wait.
    #[must_use]
    pub fn unnecessary_acts(&self) -> usize {
        self.acts
            .iter()
            .filter(|(_, unnecessary)| *unnecessary)
            .count()
    }
}
