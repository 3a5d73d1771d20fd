//! Families whose label sets are all known at the start because the program itself names them.
//!
//! Every series exists from the beginning, the order is that of the labels, and a label set that
//! was not foreseen adds nothing: no input can make new series.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use vcm_telemetry::families::Value;
use vcm_telemetry::histogram::Histogram;

/// A gauge of seconds.
pub(super) type Seconds = Gauge<f64, AtomicU64>;

/// A histogram that several tasks feed.
#[derive(Debug)]
pub(super) struct Observations(Mutex<Histogram>);

impl Observations {
    /// An empty histogram with ascending upper bounds.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self(Mutex::new(Histogram::new(bounds)))
    }

    /// Takes in a value.
    pub(super) fn observe(&self, value: f64) {
        self.lock().observe(value);
    }

    /// What it holds now.
    pub(super) fn now(&self) -> Histogram {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Histogram> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A family of which every series is known by its label values.
#[derive(Debug)]
pub(super) struct Known<M, const N: usize>(BTreeMap<[&'static str; N], M>);

impl<M, const N: usize> Known<M, N> {
    /// A family with these series, each made by `make`.
    pub(super) fn new(
        series: impl IntoIterator<Item = [&'static str; N]>,
        make: impl Fn() -> M,
    ) -> Self {
        Self(series.into_iter().map(|labels| (labels, make())).collect())
    }

    fn find<'a>(&'a self, labels: [&'a str; N]) -> Option<&'a M> {
        let series: &BTreeMap<[&'a str; N], M> = &self.0;
        series.get(&labels)
    }

    fn samples<'a, V>(
        &'a self,
        value: impl Fn(&'a M) -> V,
    ) -> impl Iterator<Item = ([Value<'a>; N], V)> {
        self.0
            .iter()
            .map(move |(labels, metric)| (labels.map(Value::from), value(metric)))
    }
}

impl<M> Known<M, 1> {
    /// The family of one label with these values.
    pub(super) fn of(values: impl IntoIterator<Item = &'static str>, make: impl Fn() -> M) -> Self {
        Self::new(values.into_iter().map(|value| [value]), make)
    }
}

impl<const N: usize> Known<Counter, N> {
    /// Adds to the series with these labels.
    pub(super) fn add(&self, labels: [&str; N], number: u64) {
        self.find(labels).map(|counter| counter.inc_by(number));
    }

    /// Every series.
    pub(super) fn counts(&self) -> impl Iterator<Item = ([Value<'_>; N], u64)> {
        self.samples(Counter::get)
    }
}

impl<const N: usize> Known<Seconds, N> {
    /// Sets the series with these labels.
    pub(super) fn set(&self, labels: [&str; N], value: f64) {
        self.find(labels).map(|gauge| gauge.set(value));
    }

    /// Every series.
    pub(super) fn seconds(&self) -> impl Iterator<Item = ([Value<'_>; N], f64)> {
        self.samples(Seconds::get)
    }
}

impl<const N: usize> Known<Observations, N> {
    /// Takes a value into the series with these labels.
    pub(super) fn observe(&self, labels: [&str; N], value: f64) {
        if let Some(observations) = self.find(labels) {
            observations.observe(value);
        }
    }

    /// Every series.
    pub(super) fn histograms(&self) -> impl Iterator<Item = ([Value<'_>; N], Histogram)> {
        self.samples(Observations::now)
    }
}
