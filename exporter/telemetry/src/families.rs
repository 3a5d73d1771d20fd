//! Writes families of samples, for collectors that derive them at each scrape.
//!
//! Families are written in the order of the code and samples in the order of their maps, so that
//! two scrapes of one state are the same bytes. A family without samples is left out. Nothing is
//! allocated for a sample: label values are borrowed.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::histogram::Histogram;
use crate::metric::{self, Counter, Family, Gauge, Info, States};

mod value;

pub use value::Value;
use value::{LabelSet, NoExemplar};

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

    /// Writes a gauge. Values that are not finite are left out.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn gauge<'v, const N: usize>(
        &mut self,
        metric: &Gauge<N>,
        samples: impl IntoIterator<Item = ([Value<'v>; N], f64)>,
    ) -> fmt::Result {
        let samples = samples
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(labels, value)| (labels, None, value));
        self.family(&metric.0, MetricType::Gauge, samples, gauge)
    }

    /// Writes a counter, of whole numbers or of seconds.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn counter<'v, V: EncodeCounterValue, const N: usize>(
        &mut self,
        metric: &Counter<N>,
        samples: impl IntoIterator<Item = ([Value<'v>; N], V)>,
    ) -> fmt::Result {
        let samples = unstated(samples);
        self.family(&metric.0, MetricType::Counter, samples, |encoder, value| {
            encoder.encode_counter(&value, None::<&NoExemplar>)
        })
    }

    /// Writes a histogram.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn histogram<'v, H: Borrow<Histogram>, const N: usize>(
        &mut self,
        metric: &metric::Histogram<N>,
        samples: impl IntoIterator<Item = ([Value<'v>; N], H)>,
    ) -> fmt::Result {
        let none: Option<&HashMap<usize, NoExemplar>> = None;
        self.family(
            &metric.0,
            MetricType::Histogram,
            unstated(samples),
            |encoder, histogram| {
                let histogram = histogram.borrow();
                let buckets = histogram.buckets();
                encoder.encode_histogram(histogram.sum(), histogram.count(), &buckets, none)
            },
        )
    }

    /// Writes an info metric. A sample without any label says nothing and is left out.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn info<'v, const N: usize>(
        &mut self,
        metric: &Info<N>,
        samples: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> fmt::Result {
        let family = &metric.0;
        let mut samples = samples
            .into_iter()
            .filter(|values| !LabelSet::new(family, values, None).is_empty())
            .peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut encoder = describe(&mut self.encoder, family, MetricType::Info, None)?;
        samples.try_for_each(|values| encoder.encode_info(&LabelSet::new(family, &values, None)))
    }

    /// Writes one series per state, of which exactly one is 1.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn states<'v, S: Copy + PartialEq, const N: usize>(
        &mut self,
        metric: &States<S, N>,
        samples: impl IntoIterator<Item = ([Value<'v>; N], S)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().flat_map(|(labels, current)| {
            metric.all.iter().map(move |state| {
                let value = if *state == current { 1.0 } else { 0.0 };
                (labels, Some((metric.word)(*state)), value)
            })
        });
        self.family(&metric.family, MetricType::Gauge, samples, gauge)
    }

    fn family<'v, V, const N: usize>(
        &mut self,
        family: &Family<N>,
        kind: MetricType,
        samples: impl IntoIterator<Item = ([Value<'v>; N], Option<&'static str>, V)>,
        encode: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let (_, unit) = family.stem_and_unit();
        let unit = unit.map(unit_of);
        let mut encoder = describe(&mut self.encoder, family, kind, unit.as_ref())?;
        for (values, state, value) in samples {
            let labels = LabelSet::new(family, &values, state);
            if labels.is_empty() {
                // An empty set of labels would be written as `{}`.
                encode(&mut encoder, value)?;
            } else {
                encode(&mut encoder.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }
}

fn describe<'s, const N: usize>(
    encoder: &'s mut DescriptorEncoder<'_>,
    family: &Family<N>,
    kind: MetricType,
    unit: Option<&'s Unit>,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    let (stem, _) = family.stem_and_unit();
    encoder.encode_descriptor(stem, family.help, unit, kind)
}

fn unit_of(unit: &'static str) -> Unit {
    match unit {
        "seconds" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        "celsius" => Unit::Celsius,
        other => Unit::Other(other.to_owned()),
    }
}

fn unstated<'v, V, const N: usize>(
    samples: impl IntoIterator<Item = ([Value<'v>; N], V)>,
) -> impl Iterator<Item = ([Value<'v>; N], Option<&'static str>, V)> {
    samples
        .into_iter()
        .map(|(labels, value)| (labels, None, value))
}

/// Whole numbers are written as such: `1` reads better than `1.0`.
fn gauge(encoder: &mut MetricEncoder<'_>, value: f64) -> fmt::Result {
    /// Up to here every whole number is exact in a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        encoder.encode_gauge(&(value as i64))
    } else {
        encoder.encode_gauge(&value)
    }
}
