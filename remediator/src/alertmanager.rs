//! Asks Alertmanager which alerts it holds, and which of them somebody has silenced.
//!
//! The webhook brings what is delivered; this is for what is not: alerts that were cut off a body,
//! a delivery that is overdue, and silences, after which an alert just stays away. The engine reads
//! the newest [`View`] and asks for a new one [at once](Alertmanagers::ask_now).
//!
//! Several Alertmanagers are peers that hold the same alerts. All are asked, and what any of them
//! says counts: an alert that one of them has silenced is silenced.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use vcm_recovery::alert::{Alert, Fact};
use vcm_recovery::inventory::Inventory;
use vcm_recovery::policy::Policy;
use vcm_recovery::time::Time;

mod answer;
mod error;
mod fetch;
mod poller;
pub mod pulled;

pub use error::PeerError;
pub use poller::{Poller, PollerError};

/// An answer counts for so many intervals: one may be lost.
pub const INTERVALS_MAX: u32 = 2;

/// An alert that Alertmanager holds. It fires: one that has ended is not held any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledAlert {
    /// The alert, as a delivery would bring it.
    pub alert: Alert,
    /// The ids of the silences that keep people from hearing of it.
    pub silenced_by: BTreeSet<String>,
    /// The fingerprints of the alerts that inhibit it.
    pub inhibited_by: BTreeSet<String>,
    /// When Prometheus last sent it.
    pub updated_at: Option<Time>,
    /// When it ends unless Prometheus sends it again.
    pub expires_at: Option<Time>,
}

/// What the Alertmanagers held when they were asked.
#[derive(Debug, Default)]
pub struct View {
    /// When they were asked; what was silenced since is not in it.
    pub fetched_at: Time,
    /// The alerts that at least one of them holds, by fingerprint.
    pub alerts: Vec<PulledAlert>,
    /// Peers that gave no answer, or one with unreadable alerts in it. Never all of them without an
    /// answer: that makes no view.
    pub problems: Vec<Problem>,
}

impl View {
    /// The alerts about targets of the inventory, as facts delivered when they were fetched.
    pub fn facts<'a>(
        &'a self,
        inventory: &'a Inventory,
        policy: &'a Policy,
    ) -> impl Iterator<Item = (Fact, &'a PulledAlert)> {
        self.alerts.iter().filter_map(|pulled| {
            let fact = pulled.alert.resolve(inventory, policy, self.fetched_at);
            Some((fact.ok()?, pulled))
        })
    }
}

/// What is wrong with a peer.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its host and port.
    pub host: String,
    /// What.
    pub error: Arc<PeerError>,
}

/// What is known of one peer.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its host and port.
    pub host: String,
    /// When it was asked what it last answered.
    pub answered_at: Option<Time>,
    /// What is wrong with it since it was last asked.
    pub problem: Option<Arc<PeerError>>,
}

/// The newest of everything.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// The newest view; absent until one peer has answered.
    pub view: Option<Arc<View>>,
    /// All peers, in the order of the configuration.
    pub peers: Vec<Peer>,
}

/// The engine's side: reads the newest view, and asks for another one.
#[derive(Clone)]
pub struct Alertmanagers {
    newest: watch::Receiver<Newest>,
    asked: Arc<Notify>,
    interval: Duration,
}

impl Alertmanagers {
    /// The newest view, if it is at most [`INTERVALS_MAX`] intervals old. Whatever needs one must
    /// not go on without.
    #[must_use]
    pub fn view(&self, now: Time) -> Option<Arc<View>> {
        let view = self.newest.borrow().view.clone()?;
        let age = now.since(view.fetched_at);
        (age <= self.interval * INTERVALS_MAX).then_some(view)
    }

    /// Everything that is known, however old.
    #[must_use]
    pub fn newest(&self) -> Newest {
        self.newest.borrow().clone()
    }

    /// Tells of each time that all peers were asked.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Newest> {
        self.newest.clone()
    }

    /// Has all peers asked now; while they are being asked, once more after that.
    pub fn ask_now(&self) {
        self.asked.notify_one();
    }
}

impl fmt::Debug for Alertmanagers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alertmanagers")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
