//! The newest state of every host and of the fleet, and what is known of each open incident, for
//! everybody who only looks.
//!
//! The engine publishes after each stored event; the API, the metrics and the decision's view of
//! the fleet read. Nothing here is durable and nothing here decides.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use vcm_recovery::diagnosis::Diagnosis;
use vcm_recovery::fleet::FleetView;
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::Target;
use vcm_recovery::state::HostState;

/// The newest [`HostState`] of every host, and the newest [`FleetState`].
#[derive(Debug, Default)]
pub struct Board {
    hosts: RwLock<Hosts>,
    fleet: RwLock<Arc<FleetState>>,
    diagnoses: RwLock<BTreeMap<HostName, BTreeMap<Target, Arc<Diagnosis>>>>,
}

#[derive(Debug, Default)]
struct Hosts {
    all: BTreeMap<HostName, Arc<HostState>>,
    /// Those that count for what is in flight: few, however large the fleet is.
    in_flight: BTreeMap<HostName, Arc<HostState>>,
}

impl Hosts {
    fn show(&mut self, state: Arc<HostState>) {
        if FleetView::of(std::iter::once(&*state)) != FleetView::default() {
            let name = state.host.clone();
            self.in_flight.insert(name, Arc::clone(&state));
        } else {
            self.in_flight.remove(&state.host);
        }
        self.all.insert(state.host.clone(), state);
    }

    fn hide(&mut self, host: &HostName) {
        self.all.remove(host);
        self.in_flight.remove(host);
    }
}

impl Board {
    /// Replaces what is shown of this host.
    pub fn publish(&self, state: Arc<HostState>) {
        self.write().show(state);
    }

    /// Changes the state of a host, and what is shown of it. Nobody sees it half changed, and it is
    /// copied only when somebody looks at it just now.
    pub fn change(&self, state: &mut Arc<HostState>, change: impl FnOnce(&mut HostState)) {
        let mut hosts = self.write();
        hosts.hide(&state.host);
        change(Arc::make_mut(state));
        hosts.show(Arc::clone(state));
    }

    fn write(&self) -> RwLockWriteGuard<'_, Hosts> {
        self.hosts.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces what is shown of the fleet.
    pub fn publish_fleet(&self, state: Arc<FleetState>) {
        *self.fleet.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Replaces what the newest look at this host means for each of its open incidents.
    pub fn diagnosed(
        &self,
        host: &HostName,
        diagnoses: impl IntoIterator<Item = (Target, Diagnosis)>,
    ) {
        let mut all = self
            .diagnoses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let new = diagnoses.into_iter();
        let new = new.map(|(target, diagnosis)| (target, Arc::new(diagnosis)));
        all.insert(host.clone(), new.collect());
    }

    /// What the newest look means for the open incident of this target; `None` until its host was
    /// looked at.
    #[must_use]
    pub fn diagnosis(&self, target: &Target) -> Option<Arc<Diagnosis>> {
        let all = self
            .diagnoses
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(&target.host)?.get(target).cloned()
    }

    /// What belongs to no host.
    #[must_use]
    pub fn fleet(&self) -> Arc<FleetState> {
        let fleet = self.fleet.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&fleet)
    }

    /// Every host's state, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<HostState>> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.all.values().cloned().collect()
    }

    /// The names of the hosts of which a state was published, in order.
    #[must_use]
    pub fn names(&self) -> Vec<HostName> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.all.keys().cloned().collect()
    }

    /// What is in flight over all hosts, and nothing else of the view.
    #[must_use]
    pub fn in_flight(&self) -> FleetView {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        FleetView::of(hosts.in_flight.values().map(AsRef::as_ref))
    }

    /// One host's state; `None` until it was published.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<Arc<HostState>> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.all.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use vcm_recovery::ids::RequestId;

    use super::*;

    #[test]
    fn a_state_is_changed_in_place_and_never_under_the_eyes_of_a_reader() {
        let board = Board::default();
        let mut state = Arc::new(HostState::new("tenant-1".parse().unwrap()));
        board.publish(Arc::clone(&state));
        let place = Arc::as_ptr(&state);
        board.change(&mut state, |state| state.last_request = RequestId(1));
        assert_eq!(Arc::as_ptr(&state), place);

        let seen = board.all();
        board.change(&mut state, |state| state.last_request = RequestId(2));
        assert_eq!(seen[0].last_request, RequestId(1));
        assert_eq!(board.all(), [state]);
    }
}
