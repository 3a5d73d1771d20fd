//! Alertmanager's webhook: bodies in, facts about targets of the inventory out.

use vcm_recovery::alert::Fact;
use vcm_recovery::event::Event;

/// Who is told of facts once they are durable: the engine.
pub trait Deliver: Send + Sync {
    /// Takes facts that are on disk, and the events that storing them made. Must not block.
    fn deliver(&self, facts: Vec<Fact>, events: Vec<Event>);
}
