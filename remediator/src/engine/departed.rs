//! A host that the inventory does not list any more although something of it is open. It gets an actor
//! like any other, so that people are called, attempts come to *unknown*, budgets are released and
//! orders are obeyed; but nothing can be asked of it, and nothing is started there.

use std::collections::BTreeMap;
use std::sync::Arc;

use vcm_recovery::ids::{AttemptId, HostName, ObservationId};
use vcm_recovery::inventory::HostEntry;
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Mode;
use vcm_recovery::state::HostState;
use vcm_recovery::step::Platform;

use crate::host::document::{Answer, Status};
use crate::host::fence::{Caller, Newest};
use crate::host_client::{Call, HostRunner, HostRunnerError, Order};

/// Whether somebody still has to see to a host that the inventory does not list.
pub(super) fn is_open(state: &HostState) -> bool {
    !state.incidents.is_empty() || state.unsettled().next().is_some()
}

/// What stands for it in place of its entry in the inventory: no module, and nothing is permitted.
pub(super) fn entry(name: &HostName) -> HostEntry {
    HostEntry {
        name: name.clone(),
        instance: None,
        platform: Platform::default(),
        mode: Some(Mode::Observe),
        modules: BTreeMap::new(),
    }
}

/// What stands for its host runner: how it was reached is not known any more.
pub(super) fn runner() -> Arc<dyn HostRunner> {
    Arc::new(Departed)
}

#[derive(Debug)]
struct Departed;

impl HostRunner for Departed {
    fn observe(&self) -> Call<'_, Observation> {
        Box::pin(async { Err(HostRunnerError::NotListed) })
    }

    fn newest(&self) -> Call<'_, Option<Newest>> {
        Box::pin(async { Err(HostRunnerError::NotListed) })
    }

    fn run(&self, _order: Order) -> Call<'_, Answer> {
        Box::pin(async { Err(HostRunnerError::NotListed) })
    }

    fn result(&self, _attempt: AttemptId) -> Call<'_, Status> {
        Box::pin(async { Err(HostRunnerError::NotListed) })
    }

    fn resume(&self, _attempt: AttemptId, _caller: Caller) -> Call<'_, Answer> {
        Box::pin(async { Err(HostRunnerError::NotListed) })
    }

    fn tombstone(
        &self,
        _attempt: AttemptId,
        _decided_on: ObservationId,
        _caller: Caller,
    ) -> Call<'_, Status> {
        Box::pin(async { Err(HostRunnerError::NotListed) })
    }
}
