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
use vcm_telemetry::exposition::{Format, render};
use vcm_telemetry::families::{Families, Labels};
use vcm_telemetry::process::Process;

use crate::collect::Shared;
use crate::state::State;

/// What a scrape encodes.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Creates the exposition of a shared state.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(SharedState(shared)));
        registry.register_collector(Box::new(Process));
        Self { registry }
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
        write_observed(&state, &mut families)?;
        exporter::write(&state, &mut families)?;
        build::write(
            &mut families,
            "nshield_exporter_build",
            "With what the exporter was built",
        )
    }
}

/// Writes what was observed of the host, without anything about the exporter itself.
fn write_observed(state: &State, families: &mut Families<'_>) -> fmt::Result {
    hardserver::write(state, families)?;
    module::write(state, families)?;
    statistics::write(state, families)?;
    icmp::write(state, families)
}

fn module_label(number: ModuleNumber) -> Labels {
    vec![("module", number.to_string())]
}
