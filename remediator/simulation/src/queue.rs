//! What happens next, in virtual time. Time passes only from one happening to the next, so that an
//! hour in which nothing happens costs nothing.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use vcm_recovery::time::Time;

/// Everything that is to happen, in the order of its time; what is due at the same instant happens
/// in the order in which it was put in.
#[derive(Debug)]
pub struct Queue<H> {
    now: Time,
    put: u64,
    heap: BinaryHeap<Due<H>>,
}

#[derive(Debug)]
struct Due<H> {
    at: Time,
    put: u64,
    happening: H,
}

impl<H> Queue<H> {
    /// An empty queue that begins at `now`.
    #[must_use]
    pub const fn new(now: Time) -> Self {
        Self {
            now,
            put: 0,
            heap: BinaryHeap::new(),
        }
    }

    /// Now.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Lets `happening` happen at `at`, or now where that has passed.
    pub fn at(&mut self, at: Time, happening: H) {
        self.put += 1;
        self.heap.push(Due {
            at: at.max(self.now),
            put: self.put,
            happening,
        });
    }

    /// Lets `happening` happen `span` from now.
    pub fn after(&mut self, span: Duration, happening: H) {
        self.at(self.now.after(span), happening);
    }

    /// The next happening; time passes to it.
    pub fn take(&mut self) -> Option<H> {
        let due = self.heap.pop()?;
        self.now = due.at;
        Some(due.happening)
    }
}

impl<H> PartialEq for Due<H> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<H> Eq for Due<H> {}

impl<H> PartialOrd for Due<H> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<H> Ord for Due<H> {
    /// The earliest is the greatest: a binary heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.put).cmp(&(self.at, self.put))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_in_order_of_time_and_then_of_putting_in() {
        let mut queue = Queue::new(Time::from_millis(10));
        let at = Time::from_millis;
        for (when, what) in [(30, 'c'), (20, 'a'), (20, 'b'), (5, '0')] {
            queue.at(at(when), what);
        }
        let mut given = Vec::new();
        while let Some(what) = queue.take() {
            given.push((what, queue.now().as_millis()));
        }
        assert_eq!(given, [('0', 10), ('a', 20), ('b', 20), ('c', 30)]);
    }
}
