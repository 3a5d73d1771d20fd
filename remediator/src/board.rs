//! The newest state of every host, for everybody who only looks.
//!
//! The engine publishes after each stored event; the API, the metrics and the decision's view of
//! the fleet read. Nothing here is durable and nothing here decides.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use vcm_recovery::event::Ruling;
use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;

/// The newest [`HostState`] of every host and the newest [`Ruling`] of every open incident.
#[derive(Debug, Default)]
pub struct Board {
    hosts: RwLock<BTreeMap<HostName, Arc<HostState>>>,
    rulings: RwLock<BTreeMap<Target, Arc<Ruling>>>,
}

impl Board {
    /// Replaces what is shown of this host. Rulings on incidents that are no longer open go.
    pub fn publish(&self, state: Arc<HostState>) {
        self.rulings
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|target, _| target.host != state.host || state.incidents.contains_key(target));
        self.hosts
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(state.host.clone(), state);
    }

    /// Replaces the ruling that is shown for the open incident of `target`.
    pub fn publish_ruling(&self, target: Target, ruling: Arc<Ruling>) {
        self.rulings
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(target, ruling);
    }

    /// Every host's state, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<HostState>> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.values().cloned().collect()
    }

    /// One host's state; `None` until it was published.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<Arc<HostState>> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.get(name).cloned()
    }

    /// The newest ruling on the open incident of `target`.
    #[must_use]
    pub fn ruling(&self, target: &Target) -> Option<Arc<Ruling>> {
        let rulings = self.rulings.read().unwrap_or_else(PoisonError::into_inner);
        rulings.get(target).cloned()
    }
}

#[cfg(test)]
mod tests {
    use vcm_recovery::incident::{Incident, Standing};
    use vcm_recovery::time::Time;

    use super::*;

    fn open_incident(host: &HostName) -> (Target, Arc<HostState>) {
        let target = Target::host(host.clone());
        let mut state = HostState::new(host.clone());
        let incident = Incident::open(target.clone(), Time::from_millis(1));
        state.incidents.insert(target.clone(), incident);
        (target, Arc::new(state))
    }

    fn ruling() -> Arc<Ruling> {
        Arc::new(Ruling {
            standing: Standing::Observing,
            observation: None,
            verdicts: Vec::new(),
        })
    }

    #[test]
    fn ruling_goes_when_its_incident_is_closed() {
        let board = Board::default();
        let host: HostName = "tenant-1".parse().unwrap();
        let (target, state) = open_incident(&host);
        board.publish(state);
        board.publish_ruling(target.clone(), ruling());
        assert!(board.ruling(&target).is_some());
        board.publish(Arc::new(HostState::new(host)));
        assert_eq!(board.ruling(&target), None);
    }

    #[test]
    fn publishing_a_host_leaves_the_rulings_of_others() {
        let board = Board::default();
        let (target, state) = open_incident(&"tenant-1".parse().unwrap());
        board.publish(state);
        board.publish_ruling(target.clone(), ruling());
        board.publish(Arc::new(HostState::new("tenant-2".parse().unwrap())));
        assert!(board.ruling(&target).is_some());
        assert_eq!(board.all().len(), 2);
    }
}
