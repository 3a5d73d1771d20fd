//! A store whose failures are counted: what `serve` hands to everybody.

use std::sync::Arc;

use vcm_recovery::alert::Fact;
use vcm_recovery::event::{Entry, Event};
use vcm_recovery::ids::{AttemptId, Epoch, HostName};
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Budgets;

use super::chain::ChainHead;
use super::ownership::NotOwner;
use super::{Accepted, Loaded, Pending, Reservation, Store, StoreIdentity};
use crate::metrics::Metrics;

/// An operation of the store, as the label `operation` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOperation {
    /// [`Store::head`]
    Head,
    /// [`Store::accept`]
    Accept,
    /// [`Store::append`]
    Append,
    /// [`Store::reserve`]
    Reserve,
    /// [`Store::accounts_for`]
    AccountsFor,
    /// [`Store::keep_observation`]
    KeepObservation,
    /// [`Store::load`]
    Load,
    /// [`Store::events_after`]
    EventsAfter,
}

impl StoreOperation {
    /// Every operation.
    pub const ALL: [Self; 8] = [
        Self::Head,
        Self::Accept,
        Self::Append,
        Self::Reserve,
        Self::AccountsFor,
        Self::KeepObservation,
        Self::Load,
        Self::EventsAfter,
    ];

    /// The word used in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Accept => "accept",
            Self::Append => "append",
            Self::Reserve => "reserve",
            Self::AccountsFor => "accounts_for",
            Self::KeepObservation => "keep_observation",
            Self::Load => "load",
            Self::EventsAfter => "events_after",
        }
    }
}

/// Counts the failures of the store behind it.
#[derive(Debug)]
pub struct Counted<S> {
    store: S,
    metrics: Arc<Metrics>,
}

impl<S: Store> Counted<S> {
    /// Counts the failures of `store` in `metrics`.
    pub const fn new(store: S, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    fn count<'a, T: 'a>(
        &'a self,
        operation: StoreOperation,
        pending: Pending<'a, T>,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            pending
                .await
                .inspect_err(|_| self.metrics.store_error(operation))
        })
    }
}

impl<S: Store> Store for Counted<S> {
    fn identity(&self) -> StoreIdentity {
        self.store.identity()
    }

    fn ownership(&self) -> Result<(), NotOwner> {
        self.store.ownership()
    }

    fn head(&self) -> Pending<'_, ChainHead> {
        self.count(StoreOperation::Head, self.store.head())
    }

    fn accept(&self, facts: Vec<Fact>) -> Pending<'_, Accepted> {
        self.count(StoreOperation::Accept, self.store.accept(facts))
    }

    fn append(&self, entries: Vec<Entry>) -> Pending<'_, Vec<Event>> {
        self.count(StoreOperation::Append, self.store.append(entries))
    }

    fn reserve(&self, entry: Entry, budgets: Budgets) -> Pending<'_, Reservation> {
        self.count(StoreOperation::Reserve, self.store.reserve(entry, budgets))
    }

    fn accounts_for(&self, attempt: AttemptId, ordered_by: Epoch) -> Pending<'_, bool> {
        self.count(
            StoreOperation::AccountsFor,
            self.store.accounts_for(attempt, ordered_by),
        )
    }

    fn keep_observation(&self, host: &HostName, observation: &Observation) -> Pending<'_, ()> {
        self.count(
            StoreOperation::KeepObservation,
            self.store.keep_observation(host, observation),
        )
    }

    fn load(&self) -> Pending<'_, Loaded> {
        self.count(StoreOperation::Load, self.store.load())
    }

    fn events_after(&self, seq: u64, limit: u32) -> Pending<'_, Vec<Event>> {
        self.count(
            StoreOperation::EventsAfter,
            self.store.events_after(seq, limit),
        )
    }
}
