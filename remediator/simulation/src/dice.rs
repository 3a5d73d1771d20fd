//! Seeded randomness. Each part of an episode has dice of its own, so that one part's throws do not
//! move another's.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The weights of the multiplicative hash that spreads neighbouring seeds (SplitMix64, Steele et al.
/// 2014).
const SPREAD: [u64; 3] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
];

/// A source of throws that depends on nothing but its seed. The generator (wyrand) is not promised
/// to stay the same over versions of its crate: a seed replays with the `Cargo.lock` it was found
/// with.
#[derive(Clone, Debug)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// The dice of `part` under `seed`.
    #[must_use]
    pub fn new(seed: u64, part: u64) -> Self {
        Self(fastrand::Rng::with_seed(mixed(seed, part)))
    }

    /// Whether something of this probability, in per cent, comes true.
    pub fn per_cent(&mut self, probability: u32) -> bool {
        self.0.u32(0..100) < probability
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(0..end) }
    }

    /// One of these; they must not be empty.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.0.usize(0..these.len())]
    }

    /// One of these by weight; they must not be empty.
    pub fn weighted<T: Copy>(&mut self, these: &[(u32, T)]) -> T {
        let total: u32 = these.iter().map(|(weight, _)| weight).sum();
        let mut throw = self.0.u32(0..total);
        for &(weight, this) in these {
            match throw.checked_sub(weight) {
                None => return this,
                Some(left) => throw = left,
            }
        }
        these[0].1
    }

    /// A span of so many milliseconds.
    pub fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.0.u64(range))
    }

    /// A span of so many seconds, down to the millisecond.
    pub fn seconds(&mut self, range: RangeInclusive<u64>) -> Duration {
        self.millis(range.start() * 1_000..=range.end() * 1_000)
    }

    /// 128 bits.
    pub fn bits(&mut self) -> u128 {
        self.0.u128(..)
    }
}

/// The seed of the `index`-th of something under `seed`.
#[must_use]
pub const fn mixed(seed: u64, index: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(SPREAD[2])
        .wrapping_add(index.wrapping_add(1).wrapping_mul(SPREAD[0]));
    z = (z ^ (z >> 30)).wrapping_mul(SPREAD[1]);
    z = (z ^ (z >> 27)).wrapping_mul(SPREAD[2]);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_throws_and_parts_differ() {
        let throws = |seed, part| Dice::new(seed, part).bits();
        assert_eq!(throws(1, 2), throws(1, 2));
        assert_ne!(throws(1, 2), throws(2, 2));
        assert_ne!(throws(1, 2), throws(1, 3));
        assert_ne!(throws(1, 2), throws(2, 1));
    }

    #[test]
    fn weights_count() {
        let mut dice = Dice::new(1, 1);
        let heavy = (0..1_000)
            .filter(|_| dice.weighted(&[(9, true), (1, false)]))
            .count();
        assert!((850..950).contains(&heavy), "{heavy}");
    }
}
