//! Where in its interval each target's echoes go, so that they are spread evenly.

use std::collections::BTreeMap;
use std::time::Duration;

use super::wheel::SLOT;

/// How many targets share each slot of each interval.
#[derive(Debug, Default)]
pub(super) struct Phases(BTreeMap<Duration, Vec<u32>>);

impl Phases {
    /// Gives out the emptiest slot of an interval, as the time after the interval's beginning.
    pub(super) fn take(&mut self, interval: Duration) -> Duration {
        let slots = interval.as_nanos() / SLOT.as_nanos();
        let slots = usize::try_from(slots).unwrap_or(usize::MAX).max(1);
        let taken = self.0.entry(interval).or_insert_with(|| vec![0; slots]);
        let Some((index, count)) = taken
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, count)| **count)
        else {
            return Duration::ZERO;
        };
        *count += 1;
        SLOT * u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Takes back what a target had.
    pub(super) fn give_back(&mut self, interval: Duration, phase: Duration) {
        let index = phase.as_nanos() / SLOT.as_nanos();
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(taken) = self.0.get_mut(&interval) else {
            return;
        };
        if let Some(count) = taken.get_mut(index) {
            *count = count.saturating_sub(1);
        }
        if taken.iter().all(|count| *count == 0) {
            self.0.remove(&interval);
        }
    }
}

/// Returns the first time at or after `now` that is `phase` after a multiple of `interval`.
pub(super) fn next_due(now: Duration, interval: Duration, phase: Duration) -> Duration {
    let since = now.saturating_sub(phase).as_nanos();
    let rounds = since.div_ceil(interval.as_nanos().max(1));
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    interval.saturating_mul(rounds).saturating_add(phase)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_thousand_targets_are_a_hundred_in_every_slot() {
        let mut phases = Phases::default();
        let mut slots = BTreeMap::<Duration, u32>::new();
        for _ in 0..1000 {
            *slots.entry(phases.take(MS * 1000)).or_default() += 1;
        }
        assert_eq!(slots.len(), 10);
        assert!(slots.values().all(|count| *count == 100), "{slots:?}");
    }

    #[test]
    fn a_target_that_goes_leaves_its_slot_to_the_next() {
        let mut phases = Phases::default();
        let taken: Vec<_> = (0..10).map(|_| phases.take(MS * 1000)).collect();
        phases.give_back(MS * 1000, taken[7]);
        assert_eq!(phases.take(MS * 1000), taken[7]);
        for phase in taken {
            phases.give_back(MS * 1000, phase);
        }
        assert!(phases.0.is_empty());
    }

    #[test]
    fn the_next_echo_keeps_its_place_in_the_interval() {
        for (now, interval, phase, due) in [
            (0, 1000, 300, 300),
            (300, 1000, 300, 300),
            (301, 1000, 300, 1300),
            (9999, 1000, 300, 10_300),
            (451, 150, 0, 600),
        ] {
            let next = next_due(MS * now, MS * interval, MS * phase);
            assert_eq!(next, MS * due, "now {now}");
        }
    }
}
