//! Writes families of samples, for collectors that derive them at each scrape.
//!
//! Families are written in the order of the code and samples in the order of their maps, so that
//! two scrapes of one state are the same bytes. A family without samples is left out.

use std::collections::HashMap;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, exemplar::Exemplar};

use crate::histogram::Histogram;

/// The labels of one sample, in the order written.
pub type Labels = Vec<(&'static str, String)>;

/// Writes families one after the other.
#[derive(Debug)]
pub struct Families<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Families<'a> {
    /// Starts writing.
    #[must_use]
    pub fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// Writes a gauge.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn gauge(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().filter(|(_, value)| value.is_finite());
        self.family(name, help, MetricType::Gauge, samples, |encoder, value| {
            gauge(encoder, value)
        })
    }

    /// Writes a counter; its name comes without `_total`.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn counter(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        self.family(
            name,
            help,
            MetricType::Counter,
            samples,
            |encoder, value| ConstCounter::new(value).encode(encoder),
        )
    }

    /// Writes a counter of seconds; its name comes without `_total`.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn seconds_counter(&mut self, name: &str, help: &str, seconds: f64) -> fmt::Result {
        self.family(
            name,
            help,
            MetricType::Counter,
            [(Labels::new(), seconds)],
            |encoder, value| ConstCounter::new(value).encode(encoder),
        )
    }

    /// Writes a histogram.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn histogram<'h>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, &'h Histogram)>,
    ) -> fmt::Result {
        let none: Option<&HashMap<usize, Exemplar<NoLabelSet, f64>>> = None;
        self.family(
            name,
            help,
            MetricType::Histogram,
            samples,
            |mut encoder, histogram| {
                let buckets = histogram.buckets();
                encoder.encode_histogram(histogram.sum(), histogram.count(), &buckets, none)
            },
        )
    }

    /// Writes an info metric; its name comes without `_info`. Empty labels are left out.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn info(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Labels>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut encoder = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Info)?;
        samples.try_for_each(|mut labels| {
            labels.retain(|(_, value)| !value.is_empty());
            encoder.encode_info(&labels)
        })
    }

    /// Writes a gauge with one series per state, of which exactly one is 1.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn states<S: Copy + PartialEq>(
        &mut self,
        name: &str,
        help: &str,
        all: &[S],
        word: fn(S) -> &'static str,
        samples: impl IntoIterator<Item = (Labels, S)>,
    ) -> fmt::Result {
        let rows = samples.into_iter().flat_map(|(labels, current)| {
            all.iter().map(move |state| {
                let mut labels = labels.clone();
                labels.push(("state", word(*state).to_owned()));
                (labels, if *state == current { 1.0 } else { 0.0 })
            })
        });
        self.gauge(name, help, rows)
    }

    fn family<V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels, V)>,
        encode: impl Fn(MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut encoder = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            if labels.is_empty() {
                // An empty set of labels would be written as `{}`.
                encode(encoder, value)?;
                return Ok(());
            }
            encode(encoder.encode_family(&labels)?, value)?;
        }
        Ok(())
    }
}

/// Whole numbers are written as such: `1` reads better than `1.0`.
fn gauge(encoder: MetricEncoder<'_>, value: f64) -> fmt::Result {
    /// Up to here every whole number is exact in a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        ConstGauge::new(value as i64).encode(encoder)
    } else {
        ConstGauge::new(value).encode(encoder)
    }
}
