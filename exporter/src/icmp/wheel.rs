//! What is to be done in which slot.
//!
//! Everything that the prober does at a time it does in slots: one wake-up of the processor for all
//! echoes, time-outs and lookups of 100 ms instead of one for each.

use std::collections::BTreeMap;
use std::time::Duration;

/// The length of a slot. Long enough that wake-ups cost nothing, short enough that 1,000 targets at
/// one echo a second are bursts of 100 small packets.
pub const SLOT: Duration = Duration::from_millis(100);

/// A slot, counted from the prober's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Slot(u64);

impl Slot {
    /// Returns the slot that has begun last.
    pub(super) fn current(now: Duration) -> Self {
        Self(u64::try_from(now.as_nanos() / SLOT.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Returns the first slot that begins at or after a time.
    pub(super) fn from(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos().div_ceil(SLOT.as_nanos())).unwrap_or(u64::MAX))
    }

    /// Returns when it begins.
    pub(super) fn begins(self) -> Duration {
        Duration::from_nanos((SLOT.as_nanos() as u64).saturating_mul(self.0))
    }
}

/// Things to do, by slot.
#[derive(Debug)]
pub(super) struct Wheel<T>(BTreeMap<Slot, Vec<T>>);

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Wheel<T> {
    /// Adds something to the first slot at or after a time.
    pub(super) fn add(&mut self, at: Duration, thing: T) {
        self.0.entry(Slot::from(at)).or_default().push(thing);
    }

    /// Takes out the earliest slot, if it has begun.
    pub(super) fn take(&mut self, now: Slot) -> Option<(Slot, Vec<T>)> {
        let entry = self.0.first_entry()?;
        (*entry.key() <= now).then(|| entry.remove_entry())
    }

    /// Returns the earliest slot that has something in it.
    pub(super) fn next(&self) -> Option<Slot> {
        self.0.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_thing_is_never_done_before_its_time() {
        for (at, begins) in [(0, 0), (1, 100), (100, 100), (101, 200), (999, 1000)] {
            assert_eq!(Slot::from(MS * at).begins(), MS * begins, "{at}");
        }
        assert_eq!(Slot::current(MS * 199).begins(), MS * 100);
    }

    #[test]
    fn slots_come_out_in_order_and_not_before_they_begin() {
        let mut wheel = Wheel::default();
        for (at, thing) in [(250, 'c'), (40, 'a'), (90, 'b'), (900, 'd')] {
            wheel.add(MS * at, thing);
        }
        assert_eq!(wheel.take(Slot::current(MS * 99)), None);
        let now = Slot::current(MS * 450);
        assert_eq!(wheel.take(now), Some((Slot(1), vec!['a', 'b'])));
        assert_eq!(wheel.take(now), Some((Slot(3), vec!['c'])));
        assert_eq!(wheel.take(now), None);
        assert_eq!(wheel.next(), Some(Slot(9)));
    }
}
