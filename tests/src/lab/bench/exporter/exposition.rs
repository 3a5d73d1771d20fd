//! Reads the few things that a benchmark needs out of an exposition: sums, one sample, the median
//! of a histogram, the number of series. Pure.

use std::collections::BTreeMap;

/// The text of an exposition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposition<'t>(pub(super) &'t str);

impl<'t> Exposition<'t> {
    /// How many series it has.
    pub(super) fn series(self) -> usize {
        self.samples().count()
    }

    /// The sum over all series of this name; zero without one.
    pub(super) fn sum(self, name: &str) -> f64 {
        self.named(name).map(|(_, value)| value).sum()
    }

    /// The value of the series of this name that has all these labels.
    pub(super) fn value(self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.named(name)
            .find(|(text, _)| {
                labels
                    .iter()
                    .all(|(key, value)| label(text, key) == Some(value))
            })
            .map(|(_, value)| value)
    }

    /// The buckets of a histogram, summed over all its series.
    pub(super) fn buckets(self, name: &str) -> Buckets {
        let mut counts = BTreeMap::new();
        for (labels, value) in self.named(&format!("{name}_bucket")) {
            let Some(bound) = label(labels, "le").and_then(|le| le.parse().ok()) else {
                continue;
            };
            *counts.entry(Bound(bound)).or_default() += value;
        }
        Buckets(counts)
    }

    fn named(self, name: &str) -> impl Iterator<Item = (&'t str, f64)> {
        self.samples()
            .filter(move |(found, _, _)| *found == name)
            .map(|(_, labels, value)| (labels, value))
    }

    fn samples(self) -> impl Iterator<Item = (&'t str, &'t str, f64)> {
        self.0.lines().filter_map(sample)
    }
}

/// Name, labels and value of a line. No label value of what is measured here holds a brace.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (name, labels, rest) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, rest) = rest.split_once('}')?;
            (name, labels, rest)
        }
        None => {
            let (name, rest) = line.split_once(' ')?;
            (name, "", rest)
        }
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((name, labels, value))
}

fn label<'t>(labels: &'t str, key: &str) -> Option<&'t str> {
    labels.split(',').find_map(|pair| {
        let value = pair.strip_prefix(key)?.strip_prefix("=\"")?;
        value.strip_suffix('"')
    })
}

/// An upper bound of a bucket.
#[derive(Debug, Clone, Copy)]
struct Bound(f64);

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Cumulative counts by upper bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets(BTreeMap<Bound, f64>);

impl Buckets {
    /// The median of what was observed since `earlier`, as Prometheus' `histogram_quantile`
    /// computes it; none if there is nothing, or it lies beyond the last bound.
    pub(super) fn median_since(&self, earlier: &Self) -> Option<f64> {
        let counts: Vec<(f64, f64)> = self
            .0
            .iter()
            .map(|(bound, count)| (bound.0, count - earlier.0.get(bound).unwrap_or(&0.0)))
            .collect();
        let rank = counts.last()?.1 / 2.0;
        let index = counts
            .iter()
            .position(|(_, count)| rank > 0.0 && *count >= rank)?;
        let (upper, count) = *counts.get(index)?;
        let before = index.checked_sub(1).and_then(|before| counts.get(before));
        let (lower, below) = before.copied().unwrap_or_default();
        let median = lower + (upper - lower) * (rank - below) / (count - below);
        median.is_finite().then_some(median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a Text\n# TYPE a counter\na_total{target=\"x\",module=\"1\"} 3\n\
        a_total{target=\"y\"} 4 1700000000\nb 1e3\nh_bucket{t=\"x\",le=\"0.1\"} 2\n\
        h_bucket{t=\"x\",le=\"0.2\"} 6\nh_bucket{t=\"x\",le=\"+Inf\"} 6\nh_bucket{t=\"y\",le=\"0.1\"} 0\n\
        h_bucket{t=\"y\",le=\"0.2\"} 2\nh_bucket{t=\"y\",le=\"+Inf\"} 2\n# EOF\n";

    #[test]
    fn sums_and_finds_by_whole_names_and_labels() {
        let text = Exposition(TEXT);
        assert_eq!(text.series(), 9);
        assert!((text.sum("a_total") - 7.0).abs() < 1e-9);
        assert!(text.sum("a").abs() < 1e-9, "no prefix counts");
        assert_eq!(text.value("a_total", &[("module", "1")]), Some(3.0));
        assert_eq!(text.value("a_total", &[("module", "2")]), None);
        assert_eq!(text.value("b", &[]), Some(1_000.0));
    }

    #[test]
    fn the_median_is_interpolated_within_its_bucket_and_counts_the_difference() {
        let buckets = Exposition(TEXT).buckets("h");
        let median = buckets.median_since(&Buckets::default()).unwrap();
        assert!((median - 0.133_333).abs() < 1e-4, "{median}");
        assert_eq!(buckets.median_since(&buckets), None, "nothing new");
        assert_eq!(Buckets::default().median_since(&buckets), None);
    }
}
