//! Operators' orders on their way to the actor that is the sole writer of what they change.

use tokio::sync::oneshot;
use vcm_recovery::command::{FleetOrder, Giver, HostOrder, OrderError};
use vcm_recovery::event::Event;
use vcm_recovery::ids::HostName;

use super::{Door, Mailbox};
use crate::store::StoreError;

/// Why an order was not carried out. Nothing was recorded, unless it is said so.
#[derive(Debug, thiserror::Error)]
pub enum OrderFailure {
    /// It cannot be carried out now.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// There is no such host, or nothing runs there.
    #[error("host {0} is not in the inventory")]
    UnknownHost(HostName),
    /// It could not be recorded.
    #[error("the order could not be recorded")]
    Store(#[from] StoreError),
    /// The engine has ended; whether the order was recorded is not known.
    #[error("the engine has ended")]
    Ended,
}

/// The stored events of an order.
pub(super) type Answer = Result<Vec<Event>, OrderFailure>;

/// An order and where its answer goes.
pub(super) struct Ordered<T> {
    pub(super) order: T,
    pub(super) giver: Giver,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl<T> Ordered<T> {
    pub(super) fn new(order: T, giver: Giver) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let ordered = Self {
            order,
            giver,
            answer,
        };
        (ordered, answered)
    }
}

impl Door {
    /// Has an order about one host recorded. Durable when it returns.
    ///
    /// # Errors
    /// [`OrderFailure`] when nothing was recorded.
    pub async fn order_host(
        &self,
        host: &HostName,
        order: HostOrder,
        giver: Giver,
    ) -> Result<Vec<Event>, OrderFailure> {
        let Some(mailbox) = self.mailboxes.get(host) else {
            return Err(OrderFailure::UnknownHost(host.clone()));
        };
        let (ordered, answered) = Ordered::new(order, giver);
        Mailbox::put(mailbox, |delivered| delivered.orders.push(ordered));
        answered.await.unwrap_or(Err(OrderFailure::Ended))
    }

    /// Has an order about everything recorded. Durable when it returns.
    ///
    /// # Errors
    /// [`OrderFailure`] when nothing was recorded.
    pub async fn order_fleet(
        &self,
        order: FleetOrder,
        giver: Giver,
    ) -> Result<Vec<Event>, OrderFailure> {
        let (ordered, answered) = Ordered::new(order, giver);
        self.fleet.order(ordered);
        answered.await.unwrap_or(Err(OrderFailure::Ended))
    }
}
