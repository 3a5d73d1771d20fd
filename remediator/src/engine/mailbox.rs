//! What waits for the actor of a host. The door puts it in, the actor takes it, and the view of the
//! fleet looks at the facts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use vcm_recovery::alert::FactRecord;
use vcm_recovery::command::HostOrder;
use vcm_recovery::event::Event;
use vcm_recovery::ids::{Fingerprint, HostName};

use super::orders::Ordered;

/// The mailbox of each host.
pub(super) type Mailboxes = Arc<BTreeMap<HostName, Arc<Mailbox>>>;

/// Alerts of one host that began or ended to fire and wait to be told until its actor comes, which may
/// be a minute: who delivers waits for no log, as a rule.
const UNTOLD_MAX: usize = 256;

/// What waits for the actor of one host, and how it is woken.
#[derive(Default)]
pub(super) struct Mailbox {
    delivered: Mutex<Delivered>,
    pub(super) wake: Notify,
}

/// What was delivered for a host since its actor last came.
#[derive(Default)]
pub(super) struct Delivered {
    /// Facts join, so order and repetition do not matter, and no more wait than the store knows of the
    /// host.
    pub(super) known: BTreeMap<Fingerprint, FactRecord>,
    /// Whether something began or ended to fire.
    pub(super) news: bool,
    /// Which of that is not told yet.
    pub(super) untold: Vec<Event>,
    pub(super) orders: Vec<Ordered<HostOrder>>,
}

impl Mailbox {
    pub(super) fn put(&self, put: impl FnOnce(&mut Delivered)) {
        put(&mut self.lock());
        self.wake.notify_one();
    }

    /// Puts in what the store knows of a fingerprint.
    pub(super) fn put_fact(&self, fingerprint: Fingerprint, record: FactRecord) {
        self.put(|delivered| match delivered.known.entry(fingerprint) {
            Entry::Occupied(mut known) => known.get_mut().join_known(&record),
            Entry::Vacant(place) => {
                place.insert(record);
            }
        });
    }

    /// Puts in that an alert began or ended to fire. What comes back is to be told at once, because
    /// too much would wait.
    pub(super) fn put_news(&self, event: Event) -> Vec<Event> {
        let mut overdue = Vec::new();
        self.put(|delivered| {
            delivered.news = true;
            delivered.untold.push(event);
            if delivered.untold.len() >= UNTOLD_MAX {
                overdue = std::mem::take(&mut delivered.untold);
            }
        });
        overdue
    }

    /// Shows the facts that wait, and leaves them.
    pub(super) fn shown(&self, look: impl FnOnce(&BTreeMap<Fingerprint, FactRecord>)) {
        look(&self.lock().known);
    }

    pub(super) fn take(&self) -> Delivered {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Delivered> {
        self.delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use vcm_recovery::event::{Change, EVENT_SCHEMA};
    use vcm_recovery::ids::Epoch;
    use vcm_recovery::inventory::Target;
    use vcm_recovery::time::Time;

    use super::*;

    fn event(seq: u64) -> Event {
        let entry = vcm_recovery::event::Entry {
            host: None,
            target: None,
            incident: None,
            change: Change::ClockStepped { milliseconds: 0 },
        };
        Event {
            seq,
            schema: EVENT_SCHEMA,
            time: Time::from_millis(0),
            epoch: Epoch(1),
            entry,
        }
    }

    #[test]
    fn an_alert_delivered_again_and_again_waits_once_as_it_was_delivered_last() {
        let mailbox = Mailbox::default();
        let fingerprint = "00000000000000aa".parse().unwrap();
        for millis in [1, 3, 2] {
            let record = FactRecord {
                name: "VcmFailed".to_owned(),
                target: Target::host("tenant-1".parse().unwrap()),
                lowered: None,
                newest_start: Some(Time::from_millis(1)),
                newest_end: None,
                last_firing_delivery: Some(Time::from_millis(millis)),
            };
            mailbox.put_fact(fingerprint, record);
        }
        let known = mailbox.take().known;
        assert_eq!(known.len(), 1);
        let last = known[&fingerprint].last_firing_delivery;
        assert_eq!(last, Some(Time::from_millis(3)));
        assert!(mailbox.take().known.is_empty());
    }

    #[test]
    fn news_waits_for_the_actor_up_to_a_bound_and_is_told_in_order_beyond_it() {
        let mailbox = Mailbox::default();
        let last = u64::try_from(UNTOLD_MAX).unwrap();
        for seq in 1..last {
            assert_eq!(mailbox.put_news(event(seq)), []);
        }
        let overdue = mailbox.put_news(event(last));
        assert!(overdue.iter().map(|event| event.seq).eq(1..=last));
        assert_eq!(mailbox.put_news(event(last + 1)), []);
        let delivered = mailbox.take();
        assert!(delivered.news);
        assert_eq!(delivered.untold, [event(last + 1)]);
    }
}
