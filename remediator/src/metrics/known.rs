//! Families whose label sets are all known at the start: closed sets and the inventory.
//!
//! Every series exists from the beginning, the order is that of the labels, and a label set that
//! was not foreseen adds nothing: no input can make new series.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use vcm_recovery::inventory::Target;
use vcm_telemetry::families::Labels;

/// A gauge of seconds.
pub(super) type Seconds = Gauge<f64, AtomicU64>;

/// The labels `host` and `module`; a host itself has no `module`.
pub(super) fn target_labels(target: &Target) -> Labels {
    let mut labels = vec![("host", target.host.to_string())];
    labels.extend(target.module.map(|module| ("module", module.to_string())));
    labels
}

/// `labels` and one more.
pub(super) fn with(mut labels: Labels, name: &'static str, value: impl ToString) -> Labels {
    labels.push((name, value.to_string()));
    labels
}

/// A family of which every series is known.
#[derive(Debug)]
pub(super) struct Known<M>(Arc<BTreeMap<Labels, M>>);

impl<M> Clone for Known<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Known<M> {
    /// A family with these series, each made by `make`.
    pub(super) fn new(series: impl IntoIterator<Item = Labels>, make: impl Fn() -> M) -> Self {
        Self(Arc::new(
            series.into_iter().map(|labels| (labels, make())).collect(),
        ))
    }

    /// The family of one label with these values.
    pub(super) fn of(
        name: &'static str,
        values: impl IntoIterator<Item = &'static str>,
        make: impl Fn() -> M,
    ) -> Self {
        Self::new(
            values
                .into_iter()
                .map(|value| vec![(name, value.to_owned())]),
            make,
        )
    }

    fn find(&self, labels: &[(&'static str, &str)]) -> Option<&M> {
        let labels: Labels = labels
            .iter()
            .map(|(n, value)| (*n, (*value).to_owned()))
            .collect();
        self.get(&labels)
    }

    /// The series with these labels.
    pub(super) fn get(&self, labels: &Labels) -> Option<&M> {
        self.0.get(labels)
    }
}

impl Known<Counter> {
    /// Adds to the series with these labels.
    pub(super) fn add(&self, labels: &[(&'static str, &str)], number: u64) {
        self.find(labels).map(|counter| counter.inc_by(number));
    }
}

impl Known<Seconds> {
    /// Sets the series with these labels.
    pub(super) fn set(&self, labels: &[(&'static str, &str)], value: f64) {
        self.find(labels).map(|gauge| gauge.set(value));
    }
}

impl Known<Histogram> {
    /// Takes a value into the series with these labels.
    pub(super) fn observe(&self, labels: &[(&'static str, &str)], value: f64) {
        if let Some(histogram) = self.find(labels) {
            histogram.observe(value);
        }
    }
}

impl<M: EncodeMetric + TypedMetric + Debug> EncodeMetric for Known<M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.0
            .iter()
            .try_for_each(|(labels, metric)| metric.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}
