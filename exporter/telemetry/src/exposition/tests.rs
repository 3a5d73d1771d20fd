//! Both formats show the same, and exactly what was there.

use std::collections::BTreeMap;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::families::{Families, Value};
use crate::histogram::Histogram;
use crate::lint::{parse, problems};
use crate::metric::{self, Counter, Described, Gauge, Info, States};

const GAUGE: Gauge<2> = Gauge::new("a_size_bytes", &["first", "second"], "Size");
const COUNTER: Counter<2> = Counter::new("a_things_total", &["first", "second"], "Things");
const SECONDS: Counter<2> = Counter::new("a_busy_seconds_total", &["first", "second"], "Busy");
const INFO: Info<2> = Info::new("a_build_info", &["first", "second"], "Build");
const HISTOGRAM: metric::Histogram<2> =
    metric::Histogram::new("a_wait_seconds", &["first", "second"], "Wait");
const STATES: States<bool, 2> = States::new(
    "a_switch",
    &["first", "second"],
    &[true, false],
    |on| if on { "on" } else { "off" },
    "Whether it is on",
);
const METRICS: [&dyn Described; 6] = [&GAUGE, &COUNTER, &SECONDS, &INFO, &HISTOGRAM, &STATES];

type Labels = (String, String);
type Samples<V> = BTreeMap<Labels, V>;

#[derive(Debug, Clone)]
struct Observed {
    gauges: Samples<f64>,
    counters: Samples<u64>,
    seconds: Samples<f64>,
    info: Samples<()>,
    histograms: Samples<Vec<f64>>,
    states: Samples<bool>,
}

fn values(labels: &Labels) -> [Value<'_>; 2] {
    [(&labels.0).into(), Value::from(Some(&labels.1))]
}

impl Collector for Observed {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let families = &mut Families::new(encoder);
        families.gauge(&GAUGE, self.gauges.iter().map(|(l, v)| (values(l), *v)))?;
        families.counter(&COUNTER, self.counters.iter().map(|(l, v)| (values(l), *v)))?;
        families.counter(&SECONDS, self.seconds.iter().map(|(l, v)| (values(l), *v)))?;
        families.info(&INFO, self.info.keys().map(values))?;
        families.histogram(
            &HISTOGRAM,
            self.histograms.iter().map(|(labels, observations)| {
                let mut histogram = Histogram::new(&[0.5, 1.0]);
                observations
                    .iter()
                    .for_each(|value| histogram.observe(*value));
                (values(labels), histogram)
            }),
        )?;
        families.states(&STATES, self.states.iter().map(|(l, v)| (values(l), *v)))
    }
}

fn samples<V: fmt::Debug>(value: impl Strategy<Value = V>) -> impl Strategy<Value = Samples<V>> {
    let label = || {
        prop_oneof![
            Just(String::new()),
            "[a\\\\\"\n{},=# \u{e9}\u{1f511}]{1,6}",
            "\\PC{0,8}"
        ]
    };
    btree_map((label(), label()), value, 0..4)
}

fn observed() -> impl Strategy<Value = Observed> {
    let finite = || any::<f64>().prop_filter("finite", |value| value.is_finite());
    (
        samples(any::<f64>()),
        samples(any::<u64>()),
        samples(finite().prop_map(f64::abs)),
        samples(Just(())),
        samples(vec(0.0..2.0, 0..5)),
        samples(any::<bool>()),
    )
        .prop_map(
            |(gauges, counters, seconds, info, histograms, states)| Observed {
                gauges,
                counters,
                seconds,
                info,
                histograms,
                states,
            },
        )
}

/// Name, labels without empty ones, value.
type Series = (String, Vec<(String, String)>, f64);

fn series(text: &str) -> Vec<Series> {
    let (families, unread) = parse::families(text);
    assert_eq!(unread, Vec::<String>::new());
    let samples = families.into_iter().flat_map(|family| family.samples);
    let named = |(name, value): (&str, String)| (name.to_owned(), value);
    samples
        .map(|sample| {
            let labels = sample.labels.into_iter().map(named).collect();
            (sample.name.to_owned(), labels, sample.value)
        })
        .collect()
}

fn expected<V>(name: &str, samples: &Samples<V>, value: impl Fn(&V) -> f64) -> Vec<Series> {
    let labelled = |labels: &Labels| {
        let labels = [("first", &labels.0), ("second", &labels.1)];
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        labels
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    };
    samples
        .iter()
        .map(|(labels, sample)| (name.to_owned(), labelled(labels), value(sample)))
        .collect()
}

proptest! {
    #[test]
    fn both_formats_hold_the_same_series_and_what_was_observed(observed in observed()) {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(observed.clone()));
        let [open_metrics, text] = Format::ALL.map(|format| render(&registry, format).unwrap());
        let described = METRICS.map(Described::descriptor);
        prop_assert_eq!(problems(&open_metrics, &described), Vec::<String>::new());
        prop_assert_eq!(problems(&text, &described), Vec::<String>::new());
        let shown = series(&text);
        prop_assert_eq!(&series(&open_metrics), &shown);

        let of = |name: &str| -> Vec<Series> {
            shown.iter().filter(|series| series.0 == name).cloned().collect()
        };
        let mut finite = observed.gauges.clone();
        finite.retain(|_, value| value.is_finite());
        prop_assert_eq!(of("a_size_bytes"), expected("a_size_bytes", &finite, |v| *v));
        prop_assert_eq!(
            of("a_things_total"),
            expected("a_things_total", &observed.counters, |v| *v as f64)
        );
        prop_assert_eq!(
            of("a_busy_seconds_total"),
            expected("a_busy_seconds_total", &observed.seconds, |v| *v)
        );
        let mut named = observed.info.clone();
        named.retain(|labels, ()| *labels != Labels::default());
        prop_assert_eq!(of("a_build_info"), expected("a_build_info", &named, |()| 1.0));
        prop_assert_eq!(
            of("a_wait_seconds_count"),
            expected("a_wait_seconds_count", &observed.histograms, |v| v.len() as f64)
        );
        prop_assert_eq!(of("a_switch").len(), 2 * observed.states.len());
    }
}
