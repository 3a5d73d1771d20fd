//! Which metric each observation is: names, help and labels of everything that is exported.
//!
//! Names, types, units and labels are public interface.

mod exporter;
mod hardserver;
mod icmp;
mod module;
mod statistics;

use std::fmt;
use std::sync::Arc;

use nshield::ModuleNumber;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use vcm_telemetry::build;
use vcm_telemetry::exposition::{Coding, EncodeError, Encoding, Format, Scrapes, render};
use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Descriptor, Info};
use vcm_telemetry::process::{self, Process};

use crate::collect::Shared;
use crate::icmp::Sample;
use crate::state::{CollectorName, State};

const BUILD: Info<3> = build::info(
    "nshield_exporter_build_info",
    "With what the exporter was built",
);

/// Describes every metric that can be exported, in the order written.
#[must_use]
pub fn reference() -> Vec<Descriptor> {
    [
        hardserver::METRICS,
        module::METRICS,
        statistics::METRICS,
        icmp::METRICS,
        exporter::METRICS,
        &[&BUILD],
        process::METRICS,
    ]
    .into_iter()
    .flatten()
    .map(|metric| metric.descriptor())
    .collect()
}

/// What a scrape encodes.
#[derive(Debug)]
pub struct Exposition {
    registry: Arc<Registry>,
    scrapes: Scrapes,
}

impl Exposition {
    /// Creates the exposition of a shared state.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(SharedState(shared)));
        registry.register_collector(Box::new(Process));
        let registry = Arc::new(registry);
        let scrapes = Scrapes::new(&registry);
        Self { registry, scrapes }
    }

    /// Returns everything as it is known at some moment after this call, encoded once for all who
    /// scrape at the same time.
    ///
    /// # Errors
    ///
    /// If the text cannot be written or compressed, which is a defect.
    pub async fn encoded(
        &self,
        format: Format,
        coding: Coding,
    ) -> Result<Encoding, Arc<EncodeError>> {
        self.scrapes.encoded(format, coding).await
    }

    /// Writes everything that is known now.
    ///
    /// # Errors
    ///
    /// If the text cannot be written, which is a defect.
    pub fn encode(&self, format: Format) -> Result<String, fmt::Error> {
        render(&self.registry, format)
    }
}

#[derive(Debug)]
struct SharedState(Arc<Shared>);

impl Collector for SharedState {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let state = self.0.state();
        let mut families = Families::new(encoder);
        let icmp = state.collectors.contains_key(&CollectorName::Icmp);
        let echoes = if icmp {
            self.0.icmp.samples()
        } else {
            Vec::new()
        };
        write_observed(&state, &echoes, &mut families)?;
        exporter::write(&state, &mut families)?;
        build::write(&mut families, &BUILD)
    }
}

/// Writes what was observed of the host, without anything about the exporter itself.
fn write_observed(state: &State, echoes: &[Sample], families: &mut Families<'_>) -> fmt::Result {
    hardserver::write(state, families)?;
    if state.runs(CollectorName::Enquiry) {
        module::write(state, families)?;
    }
    statistics::write(state, families)?;
    icmp::write(echoes, families)
}

/// The value of the label `module`.
fn module_value<'a>(number: ModuleNumber) -> Value<'a> {
    number.get().into()
}
