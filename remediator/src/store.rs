//! The store: facts and events, durable before anybody is told.
//!
//! The engine and the webhook use [`Store`], which is operations and not SQL, so that another
//! database can stand behind it; [`sqlite`] is the one there is.

use std::collections::BTreeMap;
use std::error::Error;
use std::pin::Pin;

use vcm_recovery::alert::{Fact, FactRecord};
use vcm_recovery::event::{Entry, Event};
use vcm_recovery::fleet::state::FleetState;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, Fingerprint, HostName, ObservationId, StoreId};
use vcm_recovery::inventory::Target;
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Budgets;
use vcm_recovery::state::HostState;

mod attempts;
pub mod audit;
pub mod chain;
pub mod counted;
pub mod epoch;
mod facts;
pub mod head_log;
pub mod open;
pub mod ownership;
pub mod places;
pub mod reader;
pub mod retention;
mod row;
mod schema;
pub mod sqlite;
mod transaction;
mod writer;

use chain::ChainHead;
use ownership::NotOwner;

/// A store operation under way. Dropping it does not take the operation back.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Which store this is, and which start of the program on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Random, made when the store was created; a host runner pins it.
    pub store_id: StoreId,
    /// Incremented and committed at each start.
    pub epoch: Epoch,
}

/// The answer to a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// Budgets and intent are on disk, and the approval is used up: these are the stored events, the
    /// intent first.
    Reserved(Vec<Event>),
    /// A budget is used up: which, and by what.
    Refused(Guard, String),
}

/// What came of delivered facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What is known now of the fingerprints that were taken in.
    pub known: Vec<(Fingerprint, FactRecord)>,
    /// A `FactChanged` for each fact that began or ended to fire.
    pub events: Vec<Event>,
    /// The targets that had no place for some of them. Of those nothing was kept.
    pub refused: BTreeMap<Target, Refused>,
}

/// Facts of one target that were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub facts: usize,
    /// The alert that the first of them is.
    pub name: String,
}

/// What is known from the store alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The hosts, by name.
    pub hosts: BTreeMap<HostName, HostState>,
    /// What belongs to no host.
    pub fleet: FleetState,
}

/// Durable facts and events, one writer.
pub trait Store: Send + Sync {
    /// The store's id and the epoch of this start.
    fn identity(&self) -> StoreIdentity;

    /// Whether what is open is still the store, so that something may be started on its word.
    /// Cheap: it looks at most once a second. Each write looks for itself.
    ///
    /// # Errors
    /// Why it is not; every write is refused with it.
    fn ownership(&self) -> Result<(), NotOwner>;

    /// The end of the chain of events.
    fn head(&self) -> Pending<'_, ChainHead>;

    /// Joins facts into what is known, as far as their targets have [places]. Durable when it returns.
    /// Appends a `FactChanged` for each fact that began or ended to fire.
    fn accept(&self, facts: Vec<Fact>) -> Pending<'_, Accepted>;

    /// Appends entries in order, all or none. An `IntentReserved` is refused: that is what
    /// [`Store::reserve`] is for. With a `Started` that does not know for how long the program was away
    /// it forgets when each fact was delivered last.
    fn append(&self, entries: Vec<Entry>) -> Pending<'_, Vec<Event>>;

    /// Appends an `IntentReserved` if the budgets allow it, counted in the same transaction. An
    /// attempt of unknown outcome still holds its budgets.
    fn reserve(&self, entry: Entry, budgets: Budgets) -> Pending<'_, Reservation>;

    /// Whether this store accounts for an attempt that a start with this epoch has ordered: it has
    /// the intent, or it was restored and its epoch [raised](epoch::bump) since that order, so that
    /// a person knows that the attempt is not in it. Anything else is in no record that this store
    /// goes on from.
    fn accounts_for(&self, attempt: AttemptId, ordered_by: Epoch) -> Pending<'_, bool>;

    /// Keeps an observation as evidence.
    fn keep_observation(&self, host: &HostName, observation: &Observation) -> Pending<'_, ()>;

    /// Every host's state: its events folded, joined with its facts; and the fleet's.
    fn load(&self) -> Pending<'_, Loaded>;

    /// At most `limit` events after `seq`, in order.
    fn events_after(&self, seq: u64, limit: u32) -> Pending<'_, Vec<Event>>;
}

/// Why a store operation failed. Nothing of it was kept, unless it is said so.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many operations wait for the disk.
    #[error("the store's queue is full")]
    Busy,
    /// The writer has ended; the program is on its way down. Whether the operation was kept is
    /// not known.
    #[error("the store is closed")]
    Closed,
    /// The database failed: disk full, read-only, I/O error.
    #[error("the database failed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// The operation was fine, but the transaction that carried it could not be committed.
    #[error("the transaction could not be committed")]
    NotCommitted,
    /// A stored event cannot be read.
    #[error("event {seq} cannot be read")]
    Unreadable {
        /// The event.
        seq: u64,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A stored fact cannot be read.
    #[error("fact {fingerprint} cannot be read")]
    UnreadableFact {
        /// Of which alert.
        fingerprint: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A kept observation cannot be read.
    #[error("observation {observation} cannot be read")]
    UnreadableObservation {
        /// Which.
        observation: ObservationId,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A value could not be written as JSON.
    #[error("a value has no JSON form")]
    Encode(#[source] serde_json::Error),
    /// A reservation without an intent or of another start, or an intent without a reservation: a
    /// defect of the caller.
    #[error("an intent is reserved by its own start, and nothing else is")]
    NotAnIntent,
    /// The store on disk is not the one that is open. Nothing is written until it is again.
    #[error("the store is not this process's any more")]
    NotOwner(#[from] NotOwner),
    /// The attempt was reserved before.
    #[error("attempt {0} is already known")]
    AttemptKnown(AttemptId),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}
