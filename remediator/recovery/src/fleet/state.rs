//! What belongs to no host, folded from the events without one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control::{Pause, Resolved};
use crate::event::{Change, Event};
use crate::ids::HsmName;
use crate::page::PageReason;
use crate::policy::Policy;
use crate::time::Time;

use super::load::{self, Shed};

/// A time without the remediator that is longer than this frees no cap on restart or clear and ends
/// no hold or pause by itself: it may be a clock that is wrong and no time at all, and nobody looked. An
/// upgrade or a reboot takes less.
pub const GAP_MIN: Duration = Duration::from_secs(3600);

/// The fleet's own state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetState {
    /// The pause, also one whose time is over.
    pub pause: Option<Pause>,
    /// For how long in all the remediator did not run, not confirmed by anybody.
    pub unconfirmed_gap: Duration,
    /// When the oldest of those times began.
    pub unconfirmed_since: Option<Time>,
    /// When the newest such time ended.
    pub unconfirmed_until: Option<Time>,
    /// When the program was last started without knowing how long it had been away.
    pub away_unknown_at: Option<Time>,
    /// Where load is shed, or was asked to be.
    pub sheds: BTreeMap<HsmName, Shed>,
    /// When load was last to return: it is not taken again at once.
    pub restored: BTreeMap<HsmName, Time>,
    /// Open pages that are about no target, and since when.
    pub pages: BTreeMap<(Option<HsmName>, PageReason), Time>,
    /// The policy that was recorded last.
    pub policy: Option<Box<Policy>>,
}

impl FleetState {
    /// Applies one stored event; those of a host change nothing here.
    pub fn apply(&mut self, event: &Event) {
        if event.entry.host.is_none() {
            self.apply_change(&event.entry.change, event.time, event.seq);
        }
    }

    /// The last instant up to which time is accounted for: what ends by itself ends by this clock.
    #[must_use]
    pub fn accounted(&self, now: Time) -> Time {
        self.unconfirmed_since.map_or(now, |since| since.min(now))
    }

    /// The pause that counts at `now`.
    #[must_use]
    pub fn open_pause(&self, now: Time) -> Option<Pause> {
        let accounted = self.accounted(now);
        self.pause.clone().filter(|pause| pause.active(accounted))
    }

    fn apply_change(&mut self, change: &Change, time: Time, seq: u64) {
        match change {
            Change::Paused(pause) => self.pause = Some(pause.clone()),
            Change::Resumed(_) => self.pause = None,
            Change::GapFound { since } => {
                let gap = time.since(*since);
                self.unconfirmed_gap = self.unconfirmed_gap.saturating_add(gap);
                self.unconfirmed_since.get_or_insert(*since);
                self.unconfirmed_until = Some(time);
            }
            Change::HumanResolved(resolution) => {
                if resolution.what == Resolved::GapConfirmed {
                    self.unconfirmed_gap = Duration::ZERO;
                    self.unconfirmed_since = None;
                    self.unconfirmed_until = None;
                }
            }
            Change::Started(start) if !start.away_known => self.away_unknown_at = Some(time),
            Change::PolicyLoaded(policy) => self.policy = Some(policy.clone()),
            Change::PageRaised { reason, hsm, .. } => {
                self.pages.entry((hsm.clone(), *reason)).or_insert(time);
            }
            Change::PageCleared { reason, hsm } => {
                self.pages.remove(&(hsm.clone(), *reason));
            }
            Change::LoadShed(order) => load::shed(&mut self.sheds, order, (time, seq)),
            Change::LoadRestored(order) => {
                self.restored.insert(order.hsm.clone(), time);
                load::restored(&mut self.sheds, order, seq);
            }
            Change::LoadReported(report) => load::reported(&mut self.sheds, report, time),
            Change::FactChanged(_)
            | Change::Observed(_)
            | Change::Decided(_)
            | Change::IncidentOpened(_)
            | Change::HealthHeld { .. }
            | Change::IncidentLatched { .. }
            | Change::IncidentClosed(_)
            | Change::IntentReserved(_)
            | Change::AttemptReported { .. }
            | Change::ApprovalAsked(_)
            | Change::ApprovalAnswered { .. }
            | Change::ApprovalUsed { .. }
            | Change::ApprovalExpired { .. }
            | Change::Held(_)
            | Change::Released(_)
            | Change::ShadowStarted(_)
            | Change::FleetShareReleased { .. }
            | Change::Started(_)
            | Change::ClockStepped { .. } => {}
        }
    }
}
