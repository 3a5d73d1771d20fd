//! What every exposition must be, whatever the host is like.

use std::collections::BTreeMap;

/// Every series in the order printed.
pub(crate) fn series(text: &str) -> Vec<&str> {
    samples(text).map(|(series, _)| series).collect()
}

/// No series twice, no family in two pieces, no missing value written as a number, no percentages,
/// and in every family of states exactly one state per object.
pub(crate) fn assert_sound(text: &str) {
    let mut seen = series(text);
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "a series appears twice");
    assert!(!seen.iter().any(|series| series.contains("percent")));
    for (series, value) in samples(text) {
        assert!(
            value == "*" || value.parse::<f64>().is_ok_and(f64::is_finite),
            "{series} {value}"
        );
    }
    assert_families_are_whole(text);
    assert_one_state_each(text);
}

fn assert_families_are_whole(text: &str) {
    let described: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let mut once = described.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), described.len(), "a family is described twice");
    let mut family = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap_or_default();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} is not below {family}");
        }
    }
}

fn assert_one_state_each(text: &str) {
    let mut current: BTreeMap<String, f64> = BTreeMap::new();
    for (series, value) in samples(text) {
        let Some((before, rest)) = series.split_once("state=\"") else {
            continue;
        };
        let Some((_, after)) = rest.split_once('"') else {
            continue;
        };
        let value: f64 = value.parse().unwrap();
        assert!(value == 0.0 || value == 1.0, "{series} {value}");
        *current.entry(format!("{before}{after}")).or_default() += value;
    }
    assert!(current.contains_key("nshield_hardserver_state{}"));
    for (object, states) in current {
        assert!(states == 1.0, "{object} has {states} states");
    }
}

fn samples(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
}
