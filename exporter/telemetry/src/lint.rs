//! What every exposition of ours must be, for tests; promtool checks the rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::metric::{Descriptor, Kind};

pub(crate) mod parse;

use parse::{Family, Sample};

/// Says what is wrong with an exposition in either format, given the description of every metric
/// that may be in it: lines that cannot be read, a family without HELP or TYPE, in two pieces or
/// not described here, series that appear twice, labels and states that are not described, not
/// exactly one state per object, values that are not finite, histograms that do not add up.
#[must_use]
pub fn problems(text: &str, described: &[Descriptor]) -> Vec<String> {
    let (families, mut problems) = parse::families(text);
    let open_metrics = text == "# EOF\n" || text.ends_with("\n# EOF\n");
    let whole = text.is_empty() || text.ends_with('\n');
    if text.contains("# EOF") && !open_metrics || !whole {
        problems.push("the end is not where it should be".to_owned());
    }
    let mut names = BTreeSet::new();
    for family in &families {
        if !names.insert(family.name) {
            problems.push(format!("{} is in two pieces", family.name));
        }
        let name = |descriptor: &&Descriptor| described_as(descriptor, open_metrics) == family.name;
        let found = match described.iter().find(name) {
            Some(descriptor) => check_family(family, descriptor, open_metrics),
            None => vec!["not described".to_owned()],
        };
        problems.extend(
            found
                .iter()
                .map(|found| format!("{}: {found}", family.name)),
        );
    }
    problems
}

/// The name that stands behind HELP and TYPE.
fn described_as(descriptor: &Descriptor, open_metrics: bool) -> &str {
    let suffix = match descriptor.kind {
        Kind::Counter if open_metrics => "_total",
        Kind::Info if open_metrics => "_info",
        Kind::Counter | Kind::Info | Kind::Gauge | Kind::Histogram | Kind::States => "",
    };
    descriptor.name.strip_suffix(suffix).unwrap_or_default()
}

fn check_family(family: &Family<'_>, descriptor: &Descriptor, open_metrics: bool) -> Vec<String> {
    let kind = match descriptor.kind {
        Kind::Info if open_metrics => "info",
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
        Kind::Gauge | Kind::States | Kind::Info => "gauge",
    };
    let unit = descriptor.unit.filter(|_| open_metrics);
    let mut problems = Vec::new();
    for (wrong, what) in [
        (family.help != Some(descriptor.help), "HELP"),
        (family.kind != Some(kind), "TYPE"),
        (family.unit != unit, "UNIT"),
        (family.samples.is_empty(), "number of samples"),
    ] {
        if wrong {
            problems.push(format!("{what} is not as described"));
        }
    }
    problems.extend(check_samples(&family.samples, descriptor));
    problems.extend(match descriptor.kind {
        Kind::States => check_states(&family.samples, descriptor),
        Kind::Histogram => check_histogram(&family.samples, descriptor),
        Kind::Counter | Kind::Gauge | Kind::Info => Vec::new(),
    });
    problems
}

fn check_samples(samples: &[Sample<'_>], descriptor: &Descriptor) -> Vec<String> {
    let mut problems = Vec::new();
    let mut series = BTreeSet::new();
    for sample in samples {
        let labels: BTreeMap<_, _> = sample.labels.iter().map(|(n, v)| (*n, v)).collect();
        let fits = match descriptor.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| sample.name.strip_suffix(suffix) == Some(descriptor.name)),
            Kind::Counter => sample.name == descriptor.name && sample.value >= 0.0,
            Kind::Info => sample.name == descriptor.name && sample.value == 1.0,
            Kind::Gauge | Kind::States => sample.name == descriptor.name,
        };
        let known = |label: &&str| descriptor.labels.contains(label) || *label == "le";
        if !fits
            || !sample.value.is_finite()
            || labels.len() != sample.labels.len()
            || !labels.keys().all(known)
            || labels.values().any(|value| value.is_empty())
        {
            problems.push(format!("{sample:?} is not as described"));
        }
        if !series.insert((sample.name, labels)) {
            problems.push(format!("{sample:?} appears twice"));
        }
    }
    problems
}

fn check_states(samples: &[Sample<'_>], descriptor: &Descriptor) -> Vec<String> {
    let mut problems = Vec::new();
    for (object, samples) in by_object(samples, "state") {
        let states: Vec<_> = samples.iter().map(|sample| sample.label("state")).collect();
        let every: Vec<_> = descriptor.states.iter().map(|state| Some(*state)).collect();
        let ones = samples.iter().filter(|sample| sample.value == 1.0).count();
        let zeros = samples.iter().filter(|sample| sample.value == 0.0).count();
        if states != every || ones != 1 || zeros + 1 != samples.len() {
            problems.push(format!("{object:?} is not in exactly one of its states"));
        }
    }
    problems
}

fn check_histogram(samples: &[Sample<'_>], descriptor: &Descriptor) -> Vec<String> {
    let mut problems = Vec::new();
    for (object, samples) in by_object(samples, "le") {
        let of = |suffix: &'static str| {
            let fits = move |sample: &&&Sample<'_>| {
                sample.name.strip_prefix(descriptor.name) == Some(suffix)
            };
            samples.iter().filter(fits)
        };
        let buckets: Vec<_> = of("_bucket").map(|sample| sample.value).collect();
        let bound = |sample: &&Sample<'_>| match sample.label("le")? {
            "+Inf" => Some(f64::INFINITY),
            bound => bound.parse().ok(),
        };
        let bounds: Option<Vec<f64>> = of("_bucket").map(bound).collect();
        let counts: Vec<_> = of("_count").map(|sample| sample.value).collect();
        let whole = bounds.is_some_and(|bounds| {
            bounds.is_sorted_by(|a, b| a < b) && bounds.last() == Some(&f64::INFINITY)
        });
        if !whole
            || !buckets.is_sorted()
            || of("_sum").count() != 1
            || counts.len() != 1
            || counts.first() != buckets.last()
        {
            problems.push(format!("{object:?} does not add up"));
        }
    }
    problems
}

/// The samples of each object: those that differ in nothing but `label`.
fn by_object<'s, 'a>(
    samples: &'s [Sample<'a>],
    label: &str,
) -> BTreeMap<Vec<(&'a str, &'s str)>, Vec<&'s Sample<'a>>> {
    let mut objects = BTreeMap::<_, Vec<_>>::new();
    for sample in samples {
        let labels = sample.labels.iter().filter(|(name, _)| *name != label);
        let object = labels
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        objects.entry(object).or_default().push(sample);
    }
    objects
}

#[cfg(test)]
mod tests;
