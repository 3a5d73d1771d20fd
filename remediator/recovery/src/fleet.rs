//! What a decision about one host needs to know about all the others.

use std::collections::BTreeMap;

use crate::attempt::Attempt;
use crate::ids::HsmName;
use crate::page::PageReason;
use crate::state::HostState;
use crate::tier::Rung;

/// Attempts in flight in the fleet. A hint for the decision; the reservation counts again in its
/// own transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetView {
    /// Retries in flight per HSM; `None` groups the modules of unknown HSM.
    pub retries: BTreeMap<Option<HsmName>, u32>,
    /// Restarts and clears in flight.
    pub disruptive: u32,
    /// A rung has made something worse and nobody has dealt with it.
    pub made_worse: bool,
}

impl FleetView {
    /// Counts over all hosts.
    #[must_use]
    pub fn of<'a>(hosts: impl Iterator<Item = &'a HostState>) -> Self {
        let mut view = Self::default();
        for host in hosts {
            view.add(host);
        }
        view
    }

    /// Adds one host's share.
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
            Rung::Restart | Rung::Clear => self.disruptive += 1,
        }
    }
}
