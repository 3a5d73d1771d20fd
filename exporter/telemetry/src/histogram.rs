//! A histogram that can be kept in ordered maps and printed in a fixed order.

/// Counts of observations by fixed upper bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than there are bounds: the last counts what is above all of them.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// Creates an empty histogram with ascending upper bounds.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Creates a histogram of what was counted elsewhere: for each bound the observations in its
    /// bucket alone, and last those above all of them.
    #[must_use]
    pub fn counted<const N: usize>(bounds: &'static [f64], counts: [u64; N], sum: f64) -> Self {
        let mut all = Self::new(bounds);
        all.sum = sum;
        for (to, from) in all.counts.iter_mut().zip(counts) {
            *to = from;
        }
        all
    }

    /// Counts one observation.
    pub fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
    }

    /// Returns the sum of all observations.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Returns the number of observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns each upper bound with the observations in its bucket alone; the last is infinite.
    #[must_use]
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self
            .bounds
            .iter()
            .copied()
            .chain(std::iter::once(f64::INFINITY));
        bounds.zip(self.counts.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_bounds_are_inclusive() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 9.0] {
            histogram.observe(value);
        }
        assert_eq!(
            histogram.buckets(),
            [(1.0, 2), (2.0, 2), (f64::INFINITY, 1)]
        );
        assert_eq!((histogram.count(), histogram.sum()), (5, 14.0));
        assert_eq!(histogram, Histogram::counted(&[1.0, 2.0], [2, 2, 1], 14.0));
    }
}
