//! What a decision about one host needs to know about everything else.
//!
//! [`FleetState`] is folded from the events that belong to no host; the
//! [`FleetView`] puts it together with what all hosts' states say at this moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::attempt::Attempt;
use crate::control::Pause;
use crate::ids::{Fingerprint, HsmName};
use crate::inventory::Inventory;
use crate::page::PageReason;
use crate::policy::Policy;
use crate::state::HostState;
use crate::tier::Rung;
use crate::time::Time;

pub mod budget;
pub mod load;
pub mod state;
pub mod storm;

use load::Loads;
use state::FleetState;
use storm::Storms;

/// What is known beyond one host. The numbers in flight are a hint for the decision; the reservation
/// counts again in its own transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetView {
    /// Retries in flight per HSM; `None` groups the modules of unknown HSM.
    pub retries: BTreeMap<Option<HsmName>, u32>,
    /// Restarts and clears in flight.
    pub disruptive: u32,
    /// A rung has made something worse and nobody has dealt with it.
    pub made_worse: bool,
    /// Everything is paused, if it is.
    pub pause: Option<Pause>,
    /// For how long the remediator did not run, as long as nobody has confirmed that this time may
    /// count for the caps on restart and clear.
    pub unconfirmed_gap: Duration,
    /// When the oldest time began that nobody has confirmed.
    pub unconfirmed_since: Option<Time>,
    /// When the newest such time ended.
    pub unconfirmed_until: Option<Time>,
    /// By how many milliseconds the wall clock is ahead of the program's time; negative when behind.
    pub wall_ahead: i64,
    /// Several hosts failing at once.
    pub storms: Storms,
    /// The load of the HSMs.
    pub loads: Loads,
    /// When the watchdog was last heard of; `None` since this start of the program.
    pub watchdog: Option<Time>,
    /// Which alerts people have silenced.
    pub silences: Silences,
    /// Whether this program is still the one that decides.
    pub ownership: Ownership,
}

/// Which alerts people have silenced in Alertmanager.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Silences {
    /// No Alertmanager is configured to be asked.
    #[default]
    NotAsked,
    /// It is configured, and could not be asked lately: why.
    Unknown(String),
    /// The silenced alerts, each with who or what silenced it.
    Known(BTreeMap<Fingerprint, String>),
}

/// Whether this program is the one that decides about its hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ownership {
    /// The store is open, locked and still the file that its path names.
    #[default]
    Ours,
    /// It is not, or that cannot be told: why.
    Lost(String),
}

impl FleetView {
    /// Counts what is in flight over all hosts, and nothing else.
    #[must_use]
    pub fn of<'a>(hosts: impl Iterator<Item = &'a HostState>) -> Self {
        let mut view = Self::default();
        for host in hosts {
            view.add(host);
        }
        view
    }

    /// All that the states of the hosts and of the fleet say at `now`. The wall clock, the watchdog,
    /// the silences and the ownership are for the caller to fill in.
    #[must_use]
    pub fn new<'a>(
        hosts: impl Iterator<Item = &'a HostState> + Clone,
        fleet: &FleetState,
        inventory: &Inventory,
        policy: &Policy,
        now: Time,
    ) -> Self {
        Self {
            pause: fleet.open_pause(now),
            unconfirmed_gap: fleet.unconfirmed_gap,
            unconfirmed_since: fleet.unconfirmed_since,
            unconfirmed_until: fleet.unconfirmed_until,
            storms: Storms::of(hosts.clone(), inventory, policy, now),
            loads: Loads::of(hosts.clone(), fleet, inventory, policy, now),
            ..Self::of(hosts)
        }
    }

    /// The last instant up to which time is accounted for: a hold ends by this clock.
    #[must_use]
    pub fn accounted(&self, now: Time) -> Time {
        self.unconfirmed_since.map_or(now, |since| since.min(now))
    }

    /// Adds one host's share of what is in flight.
    pub fn add(&mut self, host: &HostState) {
        host.unsettled().for_each(|attempt| self.count(attempt));
        self.made_worse |= host
            .pages
            .keys()
            .any(|(_, reason)| *reason == PageReason::MadeWorse);
    }

    fn count(&mut self, attempt: &Attempt) {
        match attempt.intent.rung {
            Rung::Retry => {
                for hsm in &attempt.intent.hsms {
                    *self.retries.entry(hsm.clone()).or_default() += 1;
                }
            }
            Rung::Restart | Rung::Clear => self.disruptive += u32::from(!attempt.released),
        }
    }

    /// The HSMs of which one is in a storm, or the whole fleet.
    #[must_use]
    pub fn storm_of(&self, hsms: &BTreeSet<Option<HsmName>>) -> Option<String> {
        self.storms.reason(hsms)
    }
}
